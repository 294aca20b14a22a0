"""Yuan 2.0 (Wu et al., 2023, https://arxiv.org/abs/2311.15786), whose code comes with it."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT

YUAN2 = Family(
    architectures=("YuanForCausalLM",),
    model_types=("yuan",),
    ids=("IEITYuan/Yuan2*",),
    brings_code=True,
    template="yuan2",
    checkpoints=checkpoints(
        """
        IEITYuan/Yuan2-2B-hf        IEITYuan/Yuan2.0-2B-hf    2B    -  -
        IEITYuan/Yuan2-51B-hf       IEITYuan/Yuan2.0-51B-hf   51B   -  -
        IEITYuan/Yuan2-102B-hf      IEITYuan/Yuan2.0-102B-hf  102B  -  -
        IEITYuan/Yuan2-2B-Janus-hf  =                         2B    -  -
        IEITYuan/Yuan2-M32-hf       =                         -     -  -
        """,
        LLAMA_FACTORY,
        MS_SWIFT,
    ),
)
