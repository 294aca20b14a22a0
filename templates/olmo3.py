"""OLMo 3: ChatML whose system message tells of functions, and whose last answer ends with EOS.

Source: the template `olmo` of open-instruct
(https://github.com/allenai/open-instruct/blob/main/open_instruct/dataset_transformation.py).
"""

from luthier.templates.shared.olmo import olmo

TEMPLATE = olmo(
    "You are OLMo, a helpful function-calling AI assistant built by Ai2. Your date cutoff is "
    "November 2024, and your model weights are available at https://huggingface.co/allenai."
)
