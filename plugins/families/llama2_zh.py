"""Chinese LLaMA 2 and Alpaca 2, like Llama (https://github.com/ymcui/Chinese-LLaMA-Alpaca-2)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

LLAMA2_ZH = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("hfl/chinese-llama-2-*", "hfl/chinese-alpaca-2-*"),
    template="llama2-zh",
    checkpoints=(
        *checkpoints(
            """
            hfl/chinese-llama-2-1.3b   AI-ModelScope/=  1.3B  -  -
            hfl/chinese-llama-2-7b     AI-ModelScope/=  7B    -  -
            hfl/chinese-llama-2-13b    AI-ModelScope/=  13B   -  -
            hfl/chinese-alpaca-2-1.3b  AI-ModelScope/=  1.3B  -  -
            hfl/chinese-alpaca-2-7b    AI-ModelScope/=  7B    -  -
            hfl/chinese-alpaca-2-13b   AI-ModelScope/=  13B   -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            hfl/chinese-llama-2-7b-16k    AI-ModelScope/=  7B   -  -
            hfl/chinese-llama-2-7b-64k    AI-ModelScope/=  7B   -  -
            hfl/chinese-llama-2-13b-16k   AI-ModelScope/=  13B  -  -
            hfl/chinese-alpaca-2-7b-16k   AI-ModelScope/=  7B   -  -
            hfl/chinese-alpaca-2-7b-64k   AI-ModelScope/=  7B   -  -
            hfl/chinese-alpaca-2-13b-16k  AI-ModelScope/=  13B  -  -
            """,
            MS_SWIFT,
        ),
    ),
)
