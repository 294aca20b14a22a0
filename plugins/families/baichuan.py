"""Baichuan, whose code comes with it (https://github.com/baichuan-inc/Baichuan-13B)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

BAICHUAN = Family(
    architectures=("BaiChuanForCausalLM", "BaichuanForCausalLM"),
    model_types=("baichuan",),
    ids=("baichuan-inc/Baichuan-*",),
    brings_code=True,
    template="baichuan",
    checkpoints=checkpoints(
        """
        baichuan-inc/Baichuan-7B        baichuan-inc/baichuan-7B  7B   -  -
        baichuan-inc/Baichuan-13B-Base  =                         13B  -  -
        baichuan-inc/Baichuan-13B-Chat  =                         13B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
