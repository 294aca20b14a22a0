"""OPT (Zhang et al., 2022, https://arxiv.org/abs/2205.01068), a base model."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

OPT = Family(
    architectures=("OPTForCausalLM",),
    model_types=("opt",),
    ids=("facebook/opt-*",),
    template="default",
    checkpoints=(
        *checkpoints(
            """
            facebook/opt-125m  -  125M  -  -
            facebook/opt-350m  -  350M  -  -
            facebook/opt-1.3b  -  1.3B  -  -
            facebook/opt-2.7b  -  2.7B  -  -
            facebook/opt-6.7b  -  6.7B  -  -
            facebook/opt-13b   -  13B   -  -
            facebook/opt-30b   -  30B   -  -
            """,
            "https://huggingface.co/facebook/opt-1.3b",
            "https://huggingface.co/datasets/eduagarcia-temp/llm_pt_leaderboard_results/tree/main/facebook",
        ),
        *checkpoints(
            """
            facebook/opt-66b          -  66B  -  -
            facebook/opt-iml-max-30b  -  30B  -  -
            """,
            VLLM,
        ),
    ),
)
