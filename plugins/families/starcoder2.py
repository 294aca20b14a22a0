"""StarCoder2 (Lozhkov et al., 2024, https://arxiv.org/abs/2402.19173)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

STARCODER2 = Family(
    architectures=("Starcoder2ForCausalLM",),
    model_types=("starcoder2",),
    ids=("bigcode/starcoder2-*",),
    template="default",
    chat_templates=("starcoder2",),
    checkpoints=(
        *checkpoints(
            """
            bigcode/starcoder2-3b   AI-ModelScope/=  3B   -  -
            bigcode/starcoder2-7b   AI-ModelScope/=  7B   -  -
            bigcode/starcoder2-15b  AI-ModelScope/=  15B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            bigcode/starcoder2-15b-instruct-v0.1  -  15B  -  -
            """,
            "https://huggingface.co/bigcode/starcoder2-15b-instruct-v0.1",
            template="starcoder2",
        ),
    ),
)
