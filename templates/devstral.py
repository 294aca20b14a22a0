"""Devstral Small 2507: version 13, with tools before the first question and no call ids.

Source: version 13 of mistral-common
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
"""

from luthier.templates.shared.mistral import mistral

TEMPLATE = mistral(13)
