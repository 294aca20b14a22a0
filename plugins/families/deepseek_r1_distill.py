"""DeepSeek R1's distillations (https://arxiv.org/abs/2501.12948), built like Llama or Qwen."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, MS_SWIFT

DEEPSEEK_R1_DISTILL = Family(
    architectures=("LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"),
    model_types=("llama", "qwen2", "qwen3"),
    ids=("deepseek-ai/DeepSeek-R1-Distill-*", "deepseek-ai/DeepSeek-R1-0528-Qwen3-*"),
    template="deepseek-r1-distill",
    chat_templates=("deepseek-r1-0528-qwen3",),
    checkpoints=(
        *checkpoints(
            """
            deepseek-ai/DeepSeek-R1-Distill-Llama-8B   =  8B    131072  mit
            deepseek-ai/DeepSeek-R1-Distill-Llama-70B  =  70B   -       mit
            deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B  =  1.5B  -       mit
            deepseek-ai/DeepSeek-R1-Distill-Qwen-7B    =  7B    -       mit
            deepseek-ai/DeepSeek-R1-Distill-Qwen-14B   =  14B   -       mit
            deepseek-ai/DeepSeek-R1-Distill-Qwen-32B   =  32B   -       mit
            """,
            LLAMA_FACTORY,
            LITGPT,
            "https://huggingface.co/deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        ),
        *checkpoints(
            """
            deepseek-ai/DeepSeek-R1-0528-Qwen3-8B  =  8B  -  -
            """,
            MS_SWIFT,
            template="deepseek-r1-0528-qwen3",
        ),
    ),
)
