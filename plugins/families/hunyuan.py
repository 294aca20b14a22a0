"""Hunyuan, dense or of experts, and Hy3 (https://huggingface.co/tencent/Hunyuan-A13B-Instruct)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT, VLLM

HUNYUAN = Family(
    architectures=("HunYuanDenseV1ForCausalLM", "HunYuanMoEV1ForCausalLM", "HYV3ForCausalLM"),
    model_types=("hunyuan_v1_dense", "hunyuan_v1_moe", "hy_v3"),
    ids=("tencent/Hunyuan-*", "tencent/Hy3*"),
    template="default",
    chat_templates=("hunyuan-a13b", "hunyuan-large", "hunyuan-3"),
    checkpoints=(
        *checkpoints(
            """
            tencent/Hunyuan-0.5B-Pretrain  Tencent-Hunyuan/=  0.5B  -  -
            tencent/Hunyuan-1.8B-Pretrain  Tencent-Hunyuan/=  1.8B  -  -
            tencent/Hunyuan-4B-Pretrain    Tencent-Hunyuan/=  4B    -  -
            tencent/Hunyuan-7B-Pretrain    Tencent-Hunyuan/=  7B    -  -
            tencent/Hunyuan-0.5B-Instruct  Tencent-Hunyuan/=  0.5B  -  -
            tencent/Hunyuan-1.8B-Instruct  Tencent-Hunyuan/=  1.8B  -  -
            tencent/Hunyuan-4B-Instruct    Tencent-Hunyuan/=  4B    -  -
            tencent/Hunyuan-7B-Instruct    Tencent-Hunyuan/=  7B    -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            tencent/Hunyuan-A13B-Instruct  Tencent-Hunyuan/=  -  -  -
            tencent/Hunyuan-A13B-Pretrain  -                  -  -  -
            """,
            MS_SWIFT,
            VLLM,
            template="hunyuan-a13b",
        ),
        *checkpoints(
            """
            tencent/Hy3  Tencent-Hunyuan/=  -  -  -
            """,
            MS_SWIFT,
            VLLM,
            template="hunyuan-3",
        ),
        *checkpoints(
            """
            tencent/Hy3-preview       Tencent-Hunyuan/=  -  -  -
            tencent/Hy3-preview-Base  Tencent-Hunyuan/=  -  -  -
            """,
            MS_SWIFT,
            VLLM,
        ),
    ),
)
