"""Yi, Yi-1.5 and Yi-Coder, built like Llama (https://arxiv.org/abs/2403.04652)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

YI = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("01-ai/Yi-*", "01ai/Yi-*"),
    tokens=("<|startoftext|>", "<|endoftext|>"),
    template="yi",
    chat_templates=("yi-1.5", "yi-coder"),
    checkpoints=(
        *checkpoints(
            """
            01-ai/Yi-6B        01ai/=  6B   -  -
            01-ai/Yi-9B        01ai/=  9B   -  -
            01-ai/Yi-34B       01ai/=  34B  -  -
            01-ai/Yi-6B-Chat   01ai/=  6B   -  -
            01-ai/Yi-34B-Chat  01ai/=  34B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            01-ai/Yi-1.5-6B        01ai/=  6B   -  -
            01-ai/Yi-1.5-9B        01ai/=  9B   -  -
            01-ai/Yi-1.5-34B       01ai/=  34B  -  -
            01-ai/Yi-1.5-6B-Chat   01ai/=  6B   -  -
            01-ai/Yi-1.5-9B-Chat   01ai/=  9B   -  -
            01-ai/Yi-1.5-34B-Chat  01ai/=  34B  -  -
            """,
            LLAMA_FACTORY,
            template="yi-1.5",
        ),
        *checkpoints(
            """
            01-ai/Yi-Coder-1.5B       01ai/=  1.5B  -  -
            01-ai/Yi-Coder-9B         01ai/=  9B    -  -
            01-ai/Yi-Coder-1.5B-Chat  01ai/=  1.5B  -  -
            01-ai/Yi-Coder-9B-Chat    01ai/=  9B    -  -
            """,
            LLAMA_FACTORY,
            template="yi-coder",
        ),
        *checkpoints(
            """
            01-ai/Yi-6B-200K   01ai/=  6B   -  -
            01-ai/Yi-9B-200K   01ai/=  9B   -  -
            01-ai/Yi-34B-200K  01ai/=  34B  -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            01-ai/Yi-1.5-9B-Chat-16K   01ai/=  9B   -  -
            01-ai/Yi-1.5-34B-Chat-16K  01ai/=  34B  -  -
            """,
            MS_SWIFT,
            template="yi-1.5",
        ),
    ),
)
