"""Llama: the decoder of Touvron et al., 2023 (https://arxiv.org/abs/2302.13971).

Architecture and module names: transformers' LlamaForCausalLM
(https://huggingface.co/docs/transformers/model_doc/llama). The base models have no chat format, and
many a chat model of others is built like them.
"""

from luthier.core.model.families import Family

LLAMA = Family(
    architectures=("LlamaForCausalLM",),
    template="default",
    chat_templates=(
        "llama3.1", "llama3.2", "llama3.3", "llama3", "llama2", "llama2-zh", "codellama",
        "codellama-70b", "chatml", "deepseek-coder", "deepseek-llm", "deepseek-math",
        "deepseek-r1-distill", "falcon3", "openchat-3.6", "smollm", "smollm2", "solar", "tulu3",
        "vicuna", "yi", "yi-1.5", "yi-coder",
    ),
)  # fmt: skip
