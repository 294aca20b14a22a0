"""Mistral Small 2501: the format of Mistral Large 2411 without spaces after tokens.

Source: version 7 of mistral-common with Tekken
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(7)
