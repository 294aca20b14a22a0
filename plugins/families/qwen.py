"""Qwen (Bai et al., 2023, https://arxiv.org/abs/2309.16609), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.core.model.layer_types import LayerType
from luthier.plugins.families.sources import LLAMA_FACTORY

QWEN = Family(
    architectures=("QWenLMHeadModel",),
    model_types=("qwen",),
    ids=("Qwen/Qwen-*",),
    brings_code=True,
    layers={r"mlp\.w1": LayerType.UP, r"mlp\.w2": LayerType.GATE},  # w1(x) * silu(w2(x))
    template="qwen",
    checkpoints=checkpoints(
        """
        Qwen/Qwen-1_8B       =  1.8B  -  -
        Qwen/Qwen-7B         =  7B    -  -
        Qwen/Qwen-14B        =  14B   -  -
        Qwen/Qwen-72B        =  72B   -  -
        Qwen/Qwen-1_8B-Chat  =  1.8B  -  -
        Qwen/Qwen-7B-Chat    =  7B    -  -
        Qwen/Qwen-14B-Chat   =  14B   -  -
        Qwen/Qwen-72B-Chat   =  72B   -  -
        """,
        LLAMA_FACTORY,
    ),
)
