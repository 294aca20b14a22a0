"""Baichuan 2 (Yang et al., 2023, https://arxiv.org/abs/2309.10305), whose code comes with it.

It stands for a Baichuan whose line is not told.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

BAICHUAN2 = Family(
    architectures=("BaichuanForCausalLM",),
    model_types=("baichuan",),
    ids=("baichuan-inc/Baichuan2-*",),
    brings_code=True,
    template="baichuan2",
    general_template="default",
    checkpoints=checkpoints(
        """
        baichuan-inc/Baichuan2-7B-Base   =  7B   -  -
        baichuan-inc/Baichuan2-13B-Base  =  13B  -  -
        baichuan-inc/Baichuan2-7B-Chat   =  7B   -  -
        baichuan-inc/Baichuan2-13B-Chat  =  13B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
