"""MiniCPM4: plain ChatML.

Source: the chat template of openbmb/MiniCPM4-8B
(https://huggingface.co/openbmb/MiniCPM4-8B).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived()
