"""EXAONE 3.0, 3.5 and Deep (https://arxiv.org/abs/2412.04862), whose code comes with them."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

EXAONE = Family(
    architectures=("ExaoneForCausalLM",),
    model_types=("exaone",),
    ids=("LGAI-EXAONE/EXAONE-3.*", "LGAI-EXAONE/EXAONE-Deep-*"),
    brings_code=True,
    template="exaone-3.5",
    chat_templates=("exaone-deep",),
    checkpoints=(
        *checkpoints(
            """
            LGAI-EXAONE/EXAONE-3.0-7.8B-Instruct  -  7.8B  -  -
            """,
            LLAMA_FACTORY,
        ),
        *checkpoints(
            """
            LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct  -  2.4B  32768  exaone
            LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct  -  7.8B  32768  exaone
            LGAI-EXAONE/EXAONE-3.5-32B-Instruct   -  32B   32768  exaone
            """,
            "https://huggingface.co/LGAI-EXAONE/EXAONE-3.5-32B-Instruct-GGUF",
        ),
        *checkpoints(
            """
            LGAI-EXAONE/EXAONE-Deep-2.4B  -  2.4B  -  -
            """,
            "https://huggingface.co/LGAI-EXAONE/EXAONE-Deep-2.4B",
            template="exaone-deep",
        ),
    ),
)
