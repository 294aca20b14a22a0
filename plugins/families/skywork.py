"""Skywork 13B (Wei et al., 2023, https://arxiv.org/abs/2310.19341), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

SKYWORK = Family(
    architectures=("SkyworkForCausalLM",),
    model_types=("skywork",),
    ids=("Skywork/Skywork-13B-*",),
    brings_code=True,
    template="skywork",
    checkpoints=checkpoints(
        """
        Skywork/Skywork-13B-base  skywork/=  13B  -  -
        """,
        LLAMA_FACTORY,
    ),
)
