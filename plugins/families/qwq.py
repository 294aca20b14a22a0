"""QwQ (https://qwenlm.github.io/blog/qwq-32b), which thinks, built like Qwen2."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT

QWQ = Family(
    architectures=("Qwen2ForCausalLM",),
    model_types=("qwen2",),
    ids=("Qwen/QwQ-*",),
    template="qwq",
    checkpoints=(
        *checkpoints(
            """
            Qwen/QwQ-32B  -  32B  131072  -
            """,
            LITGPT,
        ),
        *checkpoints(
            """
            Qwen/QwQ-32B-Preview  -  32B  32768  -
            """,
            LITGPT,
            template="qwq-preview",
        ),
    ),
)
