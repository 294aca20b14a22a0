"""Llama 3, 3.1, 3.2 and 3.3 (Grattafiori et al., 2024, https://arxiv.org/abs/2407.21783).

Built like Llama. Its text models alone; those that see are of an architecture of their own.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, MS_SWIFT

LLAMA3 = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("meta-llama/Meta-Llama-3*", "meta-llama/Llama-3.*"),
    tokens=("<|begin_of_text|>", "<|eot_id|>"),
    template="llama3",
    chat_templates=("llama3.1", "llama3.2", "llama3.3"),
    checkpoints=(
        *checkpoints(
            """
            meta-llama/Meta-Llama-3-8B            LLM-Research/=  8B   8192  -
            meta-llama/Meta-Llama-3-70B           LLM-Research/=  70B  8192  -
            meta-llama/Meta-Llama-3-8B-Instruct   LLM-Research/=  8B   8192  -
            meta-llama/Meta-Llama-3-70B-Instruct  LLM-Research/=  70B  8192  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            LITGPT,
        ),
        *checkpoints(
            """
            meta-llama/Meta-Llama-3.1-8B               LLM-Research/=   8B    131072  -
            meta-llama/Meta-Llama-3.1-70B              LLM-Research/=   70B   131072  -
            meta-llama/Meta-Llama-3.1-405B             LLM-Research/=   405B  131072  -
            meta-llama/Meta-Llama-3.1-8B-Instruct      LLM-Research/=   8B    131072  -
            meta-llama/Meta-Llama-3.1-70B-Instruct     LLM-Research/=   70B   131072  -
            meta-llama/Meta-Llama-3.1-405B-Instruct    LLM-Research/=   405B  131072  -
            nvidia/Llama-3.1-Nemotron-70B-Instruct-HF  AI-ModelScope/=  70B   131072  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            LITGPT,
            template="llama3.1",
        ),
        *checkpoints(
            """
            meta-llama/Llama-3.2-1B           LLM-Research/=  1B  131072  -
            meta-llama/Llama-3.2-3B           LLM-Research/=  3B  131072  -
            meta-llama/Llama-3.2-1B-Instruct  LLM-Research/=  1B  131072  -
            meta-llama/Llama-3.2-3B-Instruct  LLM-Research/=  3B  131072  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            LITGPT,
            template="llama3.2",
        ),
        *checkpoints(
            """
            meta-llama/Llama-3.3-70B-Instruct  LLM-Research/=  70B  131072  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            LITGPT,
            template="llama3.3",
        ),
        *checkpoints(
            """
            shenzhi-wang/Llama3-8B-Chinese-Chat     LLM-Research/=        8B   -  -
            shenzhi-wang/Llama3-70B-Chinese-Chat    -                     70B  -  -
            shenzhi-wang/Llama3.1-8B-Chinese-Chat   XD_AI/=               8B   -  -
            shenzhi-wang/Llama3.1-70B-Chinese-Chat  XD_AI/=               70B  -  -
            hfl/llama-3-chinese-8b                  ChineseAlpacaGroup/=  8B   -  -
            hfl/llama-3-chinese-8b-instruct         ChineseAlpacaGroup/=  8B   -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
        ),
    ),
)
