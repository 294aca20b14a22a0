"""Moonlight and Kimi K2, built like DeepSeek V3, Kimi Linear (https://arxiv.org/abs/2507.20534)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY, MS_SWIFT, VLLM

KIMI = Family(
    architectures=("DeepseekV3ForCausalLM", "KimiLinearForCausalLM"),
    model_types=("deepseek_v3", "kimi_k2", "kimi_linear"),
    ids=("moonshotai/*",),
    template="kimi-k2",
    chat_templates=("kimi-k2-thinking", "moonlight"),
    checkpoints=(
        *checkpoints(
            """
            moonshotai/Moonlight-16B-A3B           =  16B  -  -
            moonshotai/Moonlight-16B-A3B-Instruct  =  16B  -  -
            """,
            LLAMA_FACTORY,
            template="moonlight",
        ),
        *checkpoints(
            """
            moonshotai/Kimi-K2-Base           =  -  -  -
            moonshotai/Kimi-K2-Instruct       =  -  -  -
            moonshotai/Kimi-K2-Instruct-0905  =  -  -  -
            """,
            MS_SWIFT,
        ),
        *checkpoints(
            """
            moonshotai/Kimi-K2-Thinking  =  -  -  -
            """,
            MS_SWIFT,
            template="kimi-k2-thinking",
        ),
        *checkpoints(
            """
            moonshotai/Kimi-Linear-48B-A3B-Base      -  48B  -  -
            moonshotai/Kimi-Linear-48B-A3B-Instruct  -  48B  -  -
            """,
            VLLM,
        ),
    ),
)
