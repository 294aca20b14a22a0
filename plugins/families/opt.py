"""OPT (Zhang et al., 2022, https://arxiv.org/abs/2205.01068), a base model."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

OPT = Family(
    architectures=("OPTForCausalLM",),
    model_types=("opt",),
    ids=("facebook/opt-*",),
    template="default",
    checkpoints=checkpoints(
        """
        facebook/opt-66b          -  66B  -  -
        facebook/opt-iml-max-30b  -  30B  -  -
        """,
        VLLM,
    ),
)
