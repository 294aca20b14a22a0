"""OLMo 3 Think: OLMo 3 with another system prompt, whose prompt opens the thoughts.

Source: the template `olmo_thinker` of open-instruct
(https://github.com/allenai/open-instruct/blob/main/open_instruct/dataset_transformation.py). There
thoughts are part of the content and stay in it; those that are given apart are written before it.
"""

from luthier.core.templates import Thinking
from luthier.templates.shared.olmo import olmo

# an answer without thoughts does not follow the prompt: the authors open them in the prompt alone
TEMPLATE = olmo("You are a helpful AI assistant.", Thinking(prompted=True, kept="all"))
