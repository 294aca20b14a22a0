"""MiniCPM5 (https://huggingface.co/openbmb/MiniCPM5-1B), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

MINICPM5 = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("openbmb/MiniCPM5-*",),
    template="minicpm5",
    checkpoints=checkpoints(
        """
        openbmb/MiniCPM5-1B       OpenBMB/=  1B  -  -
        openbmb/MiniCPM5-1B-Base  OpenBMB/=  1B  -  -
        openbmb/MiniCPM5-1B-SFT   OpenBMB/=  1B  -  -
        """,
        MS_SWIFT,
    ),
)
