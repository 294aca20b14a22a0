"""Granite 3 and 4 (https://www.ibm.com/granite/docs): dense, of experts, and with state spaces."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LLAMA_FACTORY

GRANITE = Family(
    architectures=(
        "GraniteForCausalLM",
        "GraniteMoeForCausalLM",
        "GraniteMoeSharedForCausalLM",
        "GraniteMoeHybridForCausalLM",
    ),
    model_types=("granite", "granitemoe", "granitemoeshared", "granitemoehybrid"),
    ids=("ibm-granite/granite-3*", "ibm-granite/granite-4*"),
    template="default",
    chat_templates=(
        "granite-4.1",
        "granite-4",
        "granite-3.3",
        "granite-3.2",
        "granite-3.1",
        "granite-3.0",
    ),
    checkpoints=(
        *checkpoints(
            """
            ibm-granite/granite-3.0-1b-a400m-base      AI-ModelScope/=  1B  -  -
            ibm-granite/granite-3.0-3b-a800m-base      AI-ModelScope/=  3B  -  -
            ibm-granite/granite-3.0-2b-base            AI-ModelScope/=  2B  -  -
            ibm-granite/granite-3.0-8b-base            AI-ModelScope/=  8B  -  -
            ibm-granite/granite-3.0-1b-a400m-instruct  AI-ModelScope/=  1B  -  -
            ibm-granite/granite-3.0-3b-a800m-instruct  AI-ModelScope/=  3B  -  -
            ibm-granite/granite-3.0-2b-instruct        AI-ModelScope/=  2B  -  -
            ibm-granite/granite-3.0-8b-instruct        AI-ModelScope/=  8B  -  -
            """,
            LLAMA_FACTORY,
            template="granite-3.0",
        ),
        *checkpoints(
            """
            ibm-granite/granite-3.1-1b-a400m-base      AI-ModelScope/=  1B  -  -
            ibm-granite/granite-3.1-3b-a800m-base      AI-ModelScope/=  3B  -  -
            ibm-granite/granite-3.1-2b-base            AI-ModelScope/=  2B  -  -
            ibm-granite/granite-3.1-8b-base            AI-ModelScope/=  8B  -  -
            ibm-granite/granite-3.1-1b-a400m-instruct  AI-ModelScope/=  1B  -  -
            ibm-granite/granite-3.1-3b-a800m-instruct  AI-ModelScope/=  3B  -  -
            ibm-granite/granite-3.1-2b-instruct        AI-ModelScope/=  2B  -  -
            ibm-granite/granite-3.1-8b-instruct        AI-ModelScope/=  8B  -  -
            """,
            LLAMA_FACTORY,
            template="granite-3.1",
        ),
        *checkpoints(
            """
            ibm-granite/granite-4.0-micro    -  3B   -  apache-2.0
            ibm-granite/granite-4.0-h-micro  -  3B   -  apache-2.0
            ibm-granite/granite-4.0-h-tiny   -  7B   -  apache-2.0
            ibm-granite/granite-4.0-h-small  -  32B  -  apache-2.0
            """,
            "https://www.ibm.com/granite/docs",
            "https://huggingface.co/ibm-granite",
            template="granite-4",
        ),
        *checkpoints(
            """
            ibm-granite/granite-4.1-8b  -  8B  -  -
            """,
            "https://huggingface.co/ibm-granite/granite-4.1-8b",
            template="granite-4.1",
        ),
    ),
)
