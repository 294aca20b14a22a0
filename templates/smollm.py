"""SmolLM: plain ChatML.

Source: the ChatML recipe of the alignment handbook that SmolLM was trained with
(https://github.com/huggingface/alignment-handbook).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived()
