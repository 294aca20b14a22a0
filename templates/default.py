"""Human and Assistant as plain text, for base models that have no chat format.

Source: the plain dialogue of Askell et al., 2021 (https://arxiv.org/abs/2112.00861).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("{{ eos_token }}",),
    system="{{ content }}\n",
    user="Human: {{ content }}\n",
    answer_prefix="Assistant:",
    answer=" {{ content }}",
    answer_end="{{ eos_token }}",
    answer_suffix="\n",
)
