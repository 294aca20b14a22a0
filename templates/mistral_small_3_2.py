"""Mistral Small 3.2: version 11, where each call has its own tokens, and an id.

Source: version 11 of mistral-common
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
The system prompt that Mistral recommends for the model is not written unasked.
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(11)
