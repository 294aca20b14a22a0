"""Pythia and GPT-NeoX, base models (Biderman et al., 2023, https://arxiv.org/abs/2304.01373)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, OPEN_LLMS, VLLM

PYTHIA = Family(
    architectures=("GPTNeoXForCausalLM",),
    model_types=("gpt_neox",),
    ids=("EleutherAI/pythia-*", "EleutherAI/gpt-neox-*"),
    template="default",
    checkpoints=(
        *checkpoints(
            """
            EleutherAI/pythia-70m           -  70M   2048  apache-2.0
            EleutherAI/pythia-160m          -  160M  2048  apache-2.0
            EleutherAI/pythia-410m          -  410M  2048  apache-2.0
            EleutherAI/pythia-1b            -  1B    2048  apache-2.0
            EleutherAI/pythia-1.4b          -  1.4B  2048  apache-2.0
            EleutherAI/pythia-2.8b          -  2.8B  2048  apache-2.0
            EleutherAI/pythia-6.9b          -  6.9B  2048  apache-2.0
            EleutherAI/pythia-12b           -  12B   2048  apache-2.0
            EleutherAI/pythia-70m-deduped   -  70M   2048  apache-2.0
            EleutherAI/pythia-160m-deduped  -  160M  2048  apache-2.0
            EleutherAI/pythia-410m-deduped  -  410M  2048  apache-2.0
            EleutherAI/pythia-1b-deduped    -  1B    2048  apache-2.0
            EleutherAI/pythia-1.4b-deduped  -  1.4B  2048  apache-2.0
            EleutherAI/pythia-2.8b-deduped  -  2.8B  2048  apache-2.0
            EleutherAI/pythia-6.9b-deduped  -  6.9B  2048  apache-2.0
            EleutherAI/pythia-12b-deduped   -  12B   2048  apache-2.0
            """,
            LITGPT,
            OPEN_LLMS,
        ),
        *checkpoints(
            """
            EleutherAI/gpt-neox-20b  -  20B  2048  apache-2.0
            """,
            VLLM,
            OPEN_LLMS,
        ),
    ),
)
