"""Llama: the decoder of Touvron et al., 2023 (https://arxiv.org/abs/2302.13971).

Architecture and module names: transformers' LlamaForCausalLM
(https://huggingface.co/docs/transformers/model_doc/llama). The base models have no chat format, and
many a line of others is built like them: this family stands for one that is not told.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY

LLAMA = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("huggyllama/llama-*",),
    template="default",
    general_template="default",
    chat_templates=("chatml", "tulu3"),
    checkpoints=(
        *checkpoints(
            """
            huggyllama/llama-7b   skyline2006/=  7B   -  -
            huggyllama/llama-13b  skyline2006/=  13B  -  -
            huggyllama/llama-30b  skyline2006/=  30B  -  -
            huggyllama/llama-65b  skyline2006/=  65B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T  -  1.1B  2048  -
            """,
            LITGPT,
        ),
        *checkpoints(
            """
            TinyLlama/TinyLlama-1.1B-Chat-v1.0  -  1.1B  2048  -
            """,
            LITGPT,
            template="zephyr",
        ),
        *checkpoints(
            """
            allenai/Llama-3.1-Tulu-3-8B  -  8B  -  -
            """,
            "https://huggingface.co/allenai/Llama-3.1-Tulu-3-8B",
            template="tulu3",
        ),
    ),
)
