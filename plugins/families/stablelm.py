"""StableLM (https://huggingface.co/docs/transformers/model_doc/stablelm)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import VLLM

STABLELM = Family(
    architectures=("StableLmForCausalLM", "StableLMEpochForCausalLM"),
    model_types=("stablelm", "stablelm_epoch"),
    ids=("stabilityai/stablelm-*", "stabilityai/stable-code-*"),
    template="default",
    chat_templates=("zephyr", "chatml"),
    checkpoints=(
        *checkpoints(
            """
            stabilityai/stablelm-3b-4e1t  -  3B  -  -
            """,
            VLLM,
        ),
        *checkpoints(
            """
            stabilityai/stablelm-zephyr-3b  -  3B  -  -
            """,
            VLLM,
            template="zephyr",
        ),
        *checkpoints(
            """
            stabilityai/stablelm-2-zephyr-1_6b  -  1.6B  4096  -
            """,
            "https://huggingface.co/stabilityai/stablelm-2-zephyr-1_6b",
            "https://huggingface.co/llmware/stablelm-2-zephyr-1_6b-ov",
            template="zephyr",
        ),
    ),
)
