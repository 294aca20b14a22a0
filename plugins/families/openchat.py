"""OpenChat 3.5 and 3.6 (Wang et al., 2023, https://arxiv.org/abs/2309.11235): Mistral, Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

OPENCHAT = Family(
    architectures=("MistralForCausalLM", "LlamaForCausalLM"),
    model_types=("mistral", "llama"),
    ids=("openchat/openchat-*", "openchat/openchat_*"),
    tokens=("<|end_of_turn|>",),
    template="openchat",
    chat_templates=("openchat-3.6",),
    checkpoints=(
        *checkpoints(
            """
            openchat/openchat-3.5-0106  xcwzxcwz/=  7B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            openchat/openchat-3.6-8b-20240522  -  8B  -  -
            """,
            LLAMA_FACTORY,
            template="openchat-3.6",
        ),
    ),
)
