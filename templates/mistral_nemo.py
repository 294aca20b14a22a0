"""Mistral Nemo: the format of Mistral 7B v0.3 without spaces after tokens.

Source: version 3 of mistral-common with Tekken
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
The chat template of mistralai/Mistral-Nemo-Instruct-2407 leaves the system prompt out unless the
conversation ends with a question, so that a prompt would be no prefix of what is trained.
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(3)
