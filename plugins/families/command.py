"""Command R, R7B and A of Cohere (https://huggingface.co/docs/transformers/model_doc/cohere2)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT, VLLM

COMMAND = Family(
    architectures=("CohereForCausalLM", "Cohere2ForCausalLM"),
    model_types=("cohere", "cohere2"),
    ids=("CohereForAI/*", "CohereLabs/*"),
    template="default",
    chat_templates=("command-r", "command-r7b", "command-a", "command-a-reasoning"),
    checkpoints=(
        *checkpoints(
            """
            CohereForAI/c4ai-command-r-v01   AI-ModelScope/=  35B   -  -
            CohereForAI/c4ai-command-r-plus  AI-ModelScope/=  104B  -  -
            CohereForAI/aya-23-8B            -                8B    -  -
            CohereForAI/aya-23-35B           -                35B   -  -
            """,
            LLAMA_FACTORY,
            template="command-r",
        ),
        *checkpoints(
            """
            CohereForAI/aya-expanse-8b   AI-ModelScope/=  8B   -  -
            CohereForAI/aya-expanse-32b  AI-ModelScope/=  32B  -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            CohereLabs/c4ai-command-r7b-12-2024  -  7B  -  -
            """,
            VLLM,
            template="command-r7b",
        ),
        *checkpoints(
            """
            CohereLabs/c4ai-command-a-03-2025  -  -  -  -
            """,
            VLLM,
            template="command-a",
        ),
        *checkpoints(
            """
            CohereLabs/command-a-reasoning-08-2025  -  -  -  -
            """,
            VLLM,
            template="command-a-reasoning",
        ),
    ),
)
