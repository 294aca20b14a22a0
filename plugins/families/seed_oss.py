"""Seed-OSS (https://huggingface.co/docs/transformers/model_doc/seed_oss)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import MS_SWIFT

SEED_OSS = Family(
    architectures=("SeedOssForCausalLM",),
    model_types=("seed_oss",),
    ids=("ByteDance-Seed/Seed-OSS-*",),
    template="seed-oss",
    checkpoints=checkpoints(
        """
        ByteDance-Seed/Seed-OSS-36B-Instruct    =  36B  -  -
        ByteDance-Seed/Seed-OSS-36B-Base        =  36B  -  -
        ByteDance-Seed/Seed-OSS-36B-Base-woSyn  =  36B  -  -
        """,
        MS_SWIFT,
    ),
)
