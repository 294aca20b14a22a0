"""gpt-oss (https://arxiv.org/abs/2508.10925), mixtures of experts with attention sinks."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import GPUSTACK, MS_SWIFT

GPT_OSS = Family(
    architectures=("GptOssForCausalLM",),
    model_types=("gpt_oss",),
    ids=("openai/gpt-oss-*",),
    template="gpt-oss",
    checkpoints=checkpoints(
        """
        openai/gpt-oss-20b   openai-mirror/=  20B   131072  apache-2.0
        openai/gpt-oss-120b  openai-mirror/=  120B  131072  apache-2.0
        """,
        MS_SWIFT,
        GPUSTACK,
    ),
)
