"""Command A: the format of Command R7B, without the BOS.

Source: the chat template of CohereLabs/c4ai-command-a-03-2025
(https://huggingface.co/CohereLabs/c4ai-command-a-03-2025), as its GGUF copies hold it.
"""

from luthier.templates.command_r7b import TEMPLATE as COMMAND_R7B

TEMPLATE = COMMAND_R7B.derived(bos_token="", begin="")
