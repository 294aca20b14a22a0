"""QwQ-32B-Preview: Qwen2.5's template with a system prompt that asks for thoughts.

Source: the prompt, as OpenCompass and LiveCodeBench print it for this model
(https://github.com/open-compass/opencompass, configs/datasets/livecodebench;
https://github.com/LiveCodeBench/LiveCodeBench, lcb_runner/prompts/code_generation.py). The rest is
that of its base, Qwen2.5-32B-Instruct; the file of the model itself was not at hand.
"""

from luthier.templates.qwen2_5 import TEMPLATE as QWEN2_5

TEMPLATE = QWEN2_5.derived(
    default_system="You are a helpful and harmless assistant. You are Qwen developed by Alibaba. "
    "You should think step-by-step.",
)
