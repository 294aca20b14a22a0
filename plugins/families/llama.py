"""Llama: the decoder of Touvron et al., 2023 (https://arxiv.org/abs/2302.13971).

Architecture and module names: transformers' LlamaForCausalLM
(https://huggingface.co/docs/transformers/model_doc/llama). The base models have no chat format.
"""

from luthier.core.model.families import DECODER_LAYERS, Family

LLAMA = Family(architectures=("LlamaForCausalLM",), layers=DECODER_LAYERS)
