"""Gemma 2: the format of Gemma.

Source: the chat template of google/gemma-2-2b-it
(https://huggingface.co/google/gemma-2-2b-it).
"""

from luthier.templates.gemma import TEMPLATE as GEMMA

TEMPLATE = GEMMA.derived()
