"""GPT-2 (https://huggingface.co/docs/transformers/model_doc/gpt2), a base model."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

GPT2 = Family(
    architectures=("GPT2LMHeadModel",),
    model_types=("gpt2", "gpt-sw3"),
    ids=("openai-community/gpt2*", "gpt2", "gpt2-*"),
    template="default",
    checkpoints=checkpoints(
        """
        openai-community/gpt2         AI-ModelScope/=    -  -  -
        openai-community/gpt2-medium  AI-ModelScope/=    -  -  -
        openai-community/gpt2-large   AI-ModelScope/=    -  -  -
        openai-community/gpt2-xl      goodbai95/GPT2-xl  -  -  -
        """,
        LLAMA_FACTORY,
    ),
)
