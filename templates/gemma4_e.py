"""Gemma 4 E2B and E4B: Gemma 4, whose prompt never ends with empty thoughts.

Source: the chat template of google/gemma-4-E2B-it (https://huggingface.co/google/gemma-4-E2B-it).
"""

from luthier.templates.gemma4 import TEMPLATE as GEMMA4
from luthier.templates.shared.gemma import gemma4

TEMPLATE = GEMMA4.derived(source=gemma4(closed=False))
