"""Writers of the formats that quantized models are stored in: the plainest rounding that fits each.

A real quantizer chooses better codes; the files have the same names, shapes and meaning.
"""

import json

import torch
from safetensors.torch import save_file

GROUP = 32
"""How many inputs share a scale, in GPTQ's and AWQ's formats."""
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of eight outputs stands in which nibble of a word of AWQ's."""
CODE_BITS, LENGTH = 9, 8
CODEBOOK = 2**CODE_BITS
"""AQLM: how many entries a codebook has, the bits of their numbers, the weights of an entry."""


def rounded(weight_OI):
    """Return 4-bit codes (I, O) about the zero 8, and scales (I / GROUP, O)."""
    grouped = weight_OI.T.reshape(-1, GROUP, weight_OI.shape[0])
    scales = (grouped.abs().amax(1) / 7).half()
    codes = (grouped / scales[:, None].float()).round().clamp(-8, 7) + 8
    return codes.reshape(weight_OI.T.shape).int(), scales


def packed(codes, dim, order=range(8)):
    """Return eight 4-bit codes along `dim` in each word, the first in the lowest bits."""
    parts = codes.movedim(dim, 0).reshape(-1, 8, codes.shape[1 - dim]).long()
    words = sum(parts[:, one] << (4 * place) for place, one in enumerate(order))
    return torch.where(words >= 2**31, words - 2**32, words).int().movedim(0, dim).contiguous()


def value_of(codes, scales):
    """Return the weights (O, I) that codes and scales mean."""
    return ((codes - 8) * scales.float().repeat_interleave(GROUP, 0)).T.contiguous()


def gptq(weight_OI):
    codes, scales = rounded(weight_OI)
    zeros = torch.full(scales.shape, 7, dtype=torch.int32)  # the format holds a zero less one
    tensors = {
        "qweight": packed(codes, 0),
        "qzeros": packed(zeros, 1),
        "scales": scales,
        "g_idx": (torch.arange(weight_OI.shape[1]) // GROUP).int(),
    }
    return tensors, value_of(codes, scales)


def awq(weight_OI):
    codes, scales = rounded(weight_OI)
    zeros = torch.full(scales.shape, 8, dtype=torch.int32)
    tensors = {
        "qweight": packed(codes, 1, AWQ_ORDER),
        "qzeros": packed(zeros, 1, AWQ_ORDER),
        "scales": scales,
    }
    return tensors, value_of(codes, scales)


def aqlm(weight_OI):
    outputs = len(weight_OI)
    scales = weight_OI.abs().amax(1, keepdim=True)
    parts = (weight_OI / scales).reshape(-1, LENGTH)
    random = torch.Generator().manual_seed(0)
    book = parts[torch.randperm(len(parts), generator=random)[:CODEBOOK]].clone()
    for _ in range(5):
        nearest = torch.cdist(parts, book).argmin(1)
        sums = torch.zeros_like(book).index_add_(0, nearest, parts)
        counts = torch.bincount(nearest, minlength=CODEBOOK)[:, None]
        book = torch.where(counts > 0, sums / counts.clamp(min=1), book)
    nearest = torch.cdist(parts, book).argmin(1)
    tensors = {
        "codebooks": book.reshape(1, CODEBOOK, 1, LENGTH),
        "codes": nearest.short().reshape(outputs, -1, 1),
        "scales": scales.reshape(outputs, 1, 1, 1),
    }
    return tensors, book[nearest].reshape(weight_OI.shape) * scales


def fp8(weight_OI):
    scale = weight_OI.abs().amax() / torch.finfo(torch.float8_e4m3fn).max
    held = (weight_OI / scale).to(torch.float8_e4m3fn)
    blocks = [-(-size // 128) for size in weight_OI.shape]
    tensors = {"weight": held, "weight_scale_inv": scale.expand(*blocks).contiguous()}
    return tensors, held.float() * scale


WRITERS = {"gptq": gptq, "awq": awq, "aqlm": aqlm, "fp8": fp8}
CONFIGS = {
    "gptq": {"bits": 4, "group_size": GROUP, "desc_act": False, "sym": True},
    "awq": {"bits": 4, "group_size": GROUP, "zero_point": True, "version": "gemm"},
    "aqlm": {
        "in_group_size": LENGTH, "out_group_size": 1,
        "num_codebooks": 1, "nbits_per_codebook": CODE_BITS,
        "linear_weights_not_to_quantize": ["lm_head", "lm_head.weight"],
    },
    "fp8": {"activation_scheme": "dynamic", "weight_block_size": [128, 128]},
}  # fmt: skip


def store(model, tokenizer, method, folder):
    """Write a model so, and give it the weights that a reader has to come to.

    Args:
        model: a Llama in float32; its weights are changed.
        tokenizer: is written beside it.
        method: the `quant_method`.
        folder: is filled.
    """
    tensors = {}
    for name, module in model.named_modules():
        if name.endswith("_proj"):
            written, value = WRITERS[method](module.weight.data)
            tensors |= {f"{name}.{key}": tensor for key, tensor in written.items()}
            module.weight.data = value
    for name, parameter in model.named_parameters():
        if not name.endswith("_proj.weight"):
            tensors[name] = parameter.data
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    told = {"quant_method": method, **CONFIGS[method]}
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": told}))
