"""Falcon and Falcon2 (Almazrouei et al., 2023, https://arxiv.org/abs/2311.16867)."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT, LLAMA_FACTORY, OPEN_LLMS

FALCON = Family(
    architectures=("FalconForCausalLM", "RWForCausalLM"),
    model_types=("falcon", "RefinedWeb", "RefinedWebModel"),
    ids=("tiiuae/falcon-7b*", "tiiuae/falcon-11B*", "tiiuae/falcon-40b*", "tiiuae/falcon-180b*"),
    template="falcon",
    chat_templates=("falcon-180b", "falcon2"),
    checkpoints=(
        *checkpoints(
            """
            tiiuae/falcon-7b            AI-ModelScope/=  7B   2048  apache-2.0
            tiiuae/falcon-40b           AI-ModelScope/=  40B  2048  apache-2.0
            tiiuae/falcon-7b-instruct   AI-ModelScope/=  7B   2048  apache-2.0
            tiiuae/falcon-40b-instruct  AI-ModelScope/=  40B  2048  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            OPEN_LLMS,
            "https://huggingface.co/tiiuae/falcon-7b-instruct",
        ),
        *checkpoints(
            """
            tiiuae/falcon-180B       modelscope/=  180B  2048  -
            tiiuae/falcon-180B-chat  modelscope/=  180B  2048  -
            """,
            LLAMA_FACTORY,
            LITGPT,
            OPEN_LLMS,
            "https://huggingface.co/tiiuae/falcon-7b-instruct",
            template="falcon-180b",
        ),
        *checkpoints(
            """
            tiiuae/falcon-11B  =  11B  -  -
            """,
            LLAMA_FACTORY,
            template="falcon2",
        ),
    ),
)
