"""Code Llama (Rozière et al., 2023, https://arxiv.org/abs/2308.12950), built like Llama."""

from luthier.core.model.checkpoints import checkpoints
from luthier.core.model.families import Family
from luthier.plugins.families.sources import LITGPT

CODELLAMA = Family(
    architectures=("LlamaForCausalLM",),
    model_types=("llama",),
    ids=("codellama/CodeLlama-*",),
    template="codellama",
    chat_templates=("codellama-70b",),
    checkpoints=(
        *checkpoints(
            """
            codellama/CodeLlama-7b-hf            -  7B   16384  -
            codellama/CodeLlama-13b-hf           -  13B  16384  -
            codellama/CodeLlama-34b-hf           -  34B  16384  -
            codellama/CodeLlama-7b-Instruct-hf   -  7B   16384  -
            codellama/CodeLlama-13b-Instruct-hf  -  13B  -      -
            codellama/CodeLlama-34b-Instruct-hf  -  34B  16384  -
            """,
            LITGPT,
        ),
        *checkpoints(
            """
            codellama/CodeLlama-70b-hf           -  70B  16384  -
            codellama/CodeLlama-70b-Instruct-hf  -  70B  16384  -
            """,
            LITGPT,
            template="codellama-70b",
        ),
    ),
)
