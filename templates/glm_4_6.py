"""GLM-4.6: the format of GLM-4.5.

Source: the chat template of zai-org/GLM-4.6 (https://huggingface.co/zai-org/GLM-4.6).
"""

from luthier.templates.glm_4_5 import TEMPLATE as GLM_4_5

TEMPLATE = GLM_4_5.derived()
