"""Mistral Large 2411: version 7, with tokens around the system prompt.

Source: version 7 of mistral-common with SentencePiece, which puts a space after tokens
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(7, space=" ")
