"""ERNIE 4.5 (https://huggingface.co/docs/transformers/model_doc/ernie4_5), dense and of experts."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

ERNIE_4_5 = Family(
    architectures=("Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM", "Ernie4_5_MoeForCausalLM"),
    model_types=("ernie4_5", "ernie4_5_moe"),
    ids=("baidu/ERNIE-4.5-*",),
    template="ernie-4.5",
    checkpoints=checkpoints(
        """
        baidu/ERNIE-4.5-0.3B-PT            PaddlePaddle/=  0.3B  -  -
        baidu/ERNIE-4.5-21B-A3B-Base-PT    PaddlePaddle/=  21B   -  -
        baidu/ERNIE-4.5-21B-A3B-PT         PaddlePaddle/=  21B   -  -
        baidu/ERNIE-4.5-300B-A47B-Base-PT  PaddlePaddle/=  300B  -  -
        baidu/ERNIE-4.5-300B-A47B-PT       PaddlePaddle/=  300B  -  -
        baidu/ERNIE-4.5-21B-A3B-Thinking   PaddlePaddle/=  21B   -  -
        """,
        MS_SWIFT,
    ),
)
