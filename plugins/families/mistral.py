"""Mistral 7B (Jiang et al., 2023, https://arxiv.org/abs/2310.06825), Nemo, Small and Large.

Architecture and module names: transformers' MistralForCausalLM
(https://huggingface.co/docs/transformers/model_doc/mistral). It stands for a line that is not told.
"""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, MS_SWIFT, OPEN_LLMS

MISTRAL = Family(
    architectures=("MistralForCausalLM",),
    model_types=("mistral",),
    ids=("mistralai/*",),
    template="mistral",
    general_template="default",
    chat_templates=("mistral-v0.3", "mistral-nemo", "mistral-small", "mistral-large", "devstral"),
    checkpoints=(
        *checkpoints(
            """
            mistralai/Mistral-7B-v0.1           AI-ModelScope/=  7B  32768  apache-2.0
            mistralai/Mistral-7B-Instruct-v0.1  AI-ModelScope/=  7B  32768  apache-2.0
            alpindale/Mistral-7B-v0.2-hf        AI-ModelScope/=  7B  32768  -
            mistralai/Mistral-7B-Instruct-v0.2  AI-ModelScope/=  7B  32768  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            OPEN_LLMS,
        ),
        *checkpoints(
            """
            mistralai/Mistral-7B-v0.3           LLM-Research/mistral-7b-v0.3  7B  32768  -
            mistralai/Mistral-7B-Instruct-v0.3  LLM-Research/=                7B  32768  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            OPEN_LLMS,
            template="mistral-v0.3",
        ),
        *checkpoints(
            """
            mistralai/mathstral-7B-v0.1  -  7B  32768  -
            """,
            LITGPT,
            template="mistral-v0.3",
        ),
        *checkpoints(
            """
            mistralai/Mistral-Large-Instruct-2411  -  -  -  -
            """,
            LITGPT,
            template="mistral-large",
        ),
        *checkpoints(
            """
            mistralai/Mistral-Nemo-Base-2407      LLM-Research/=   -   -  -
            mistralai/Mistral-Nemo-Instruct-2407  AI-ModelScope/=  -   -  -
            mistralai/Ministral-8B-Instruct-2410  =                8B  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            template="mistral-nemo",
        ),
        *checkpoints(
            """
            mistralai/Codestral-22B-v0.1           swift/=          22B  -  -
            mistralai/Mistral-Small-Instruct-2409  AI-ModelScope/=  -    -  -
            mistralai/Mistral-Large-Instruct-2407  LLM-Research/=   -    -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            template="mistral-v0.3",
        ),
        *checkpoints(
            """
            mistralai/Mistral-Small-24B-Base-2501      =  24B  -  -
            mistralai/Mistral-Small-24B-Instruct-2501  =  24B  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            template="mistral-small",
        ),
        *checkpoints(
            """
            mistralai/Devstral-Small-2505  =  -  -  -
            """,
            LLAMA_FACTORY,
            MS_SWIFT,
            template="devstral",
        ),
    ),
)
