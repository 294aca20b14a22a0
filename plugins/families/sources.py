"""Where the facts of checkpoints are from that several families share: other projects' lists."""

LLAMA_FACTORY = (
    "https://github.com/hiyouga/LLaMA-Factory/blob/main/src/llamafactory/extras/constants.py"
)
"""Ids on the Hub and on ModelScope, and which models use one chat template."""
MS_SWIFT = "https://github.com/modelscope/ms-swift/tree/main/swift/model/models"
"""Ids on ModelScope and on the Hub, by architecture."""
LITGPT = "https://github.com/Lightning-AI/litgpt/blob/main/litgpt/config.py"
"""Contexts, as the models' configs have them."""
VLLM = "https://github.com/vllm-project/vllm/blob/main/docs/models/supported_models.md"
"""Ids on the Hub, by architecture."""
OPEN_LLMS = "https://github.com/eugeneyan/open-llms/blob/main/README.md"
"""Contexts and licences."""
GPUSTACK = "https://github.com/gpustack/gpustack/blob/main/gpustack/assets/model-catalog.yaml"
"""Sizes and licences."""
