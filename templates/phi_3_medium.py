"""Phi-3 medium: the turns of Phi-3; system messages are left out, questions end in the prompt.

Source: the chat template of microsoft/Phi-3-medium-128k-instruct
(https://huggingface.co/microsoft/Phi-3-medium-128k-instruct).
"""

from luthier.templates.phi_3 import TEMPLATE as PHI_3

TEMPLATE = PHI_3.derived(
    system=None,
    refuses_system=False,
    user=PHI_3.user + PHI_3.answer_prefix,
    answer_prefix="",
    finish="",
)
