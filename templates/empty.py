"""Nothing around the contents but the EOS token after an answer.

Source: none: it is the absence of a format.
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("{{ eos_token }}",),
    system="{{ content }}",
    user="{{ content }}",
    answer_end="{{ eos_token }}",
)
