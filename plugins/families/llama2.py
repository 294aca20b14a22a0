"""Llama 2 (Touvron et al., 2023, https://arxiv.org/abs/2307.09288), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, OPEN_LLMS

LLAMA2 = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("meta-llama/Llama-2-*",),
    template="default",
    chat_templates=("llama2",),
    checkpoints=(
        *checkpoints(
            """
            meta-llama/Llama-2-7b-hf   modelscope/Llama-2-7b-ms   7B   4096  llama2
            meta-llama/Llama-2-13b-hf  modelscope/Llama-2-13b-ms  13B  4096  llama2
            meta-llama/Llama-2-70b-hf  modelscope/Llama-2-70b-ms  70B  4096  llama2
            """,
            LLAMA_FACTORY,
            LITGPT,
            OPEN_LLMS,
        ),
        *checkpoints(
            """
            meta-llama/Llama-2-7b-chat-hf   modelscope/Llama-2-7b-chat-ms   7B   4096  llama2
            meta-llama/Llama-2-13b-chat-hf  modelscope/Llama-2-13b-chat-ms  13B  4096  llama2
            meta-llama/Llama-2-70b-chat-hf  modelscope/Llama-2-70b-chat-ms  70B  4096  llama2
            """,
            LLAMA_FACTORY,
            LITGPT,
            OPEN_LLMS,
            template="llama2",
        ),
    ),
)
