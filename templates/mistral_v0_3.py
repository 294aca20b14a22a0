"""Mistral 7B v0.3: tools and the system prompt stand with the last question.

Source: version 3 of mistral-common with SentencePiece
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
The chat template of mistralai/Mistral-7B-Instruct-v0.3 differs: it leaves the system prompt out
unless the conversation ends with a question, so that a prompt is no prefix of what is trained, and
strips answers.
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(3, space=" ")
