"""Writers of the formats that quantized models are stored in: the plainest rounding that fits each.

A real quantizer chooses better codes; the files have the same names, shapes and meaning.
"""

import json
from functools import partial

import torch
from safetensors.torch import save_file

GROUP = 32
"""How many inputs share a scale, in GPTQ's and AWQ's formats."""
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of eight outputs stands in which nibble of a word of AWQ's."""
CODE_BITS = {"aqlm": 9, "aqlm-256": 8}
LENGTH = 8
"""AQLM: the bits of the number of a codebook's entry, the weights of an entry."""
FP4 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
FP4 = torch.cat([FP4, -FP4])
BLOCK = 32
"""MXFP4: what its codes mean, and how many share a scale, a power of two."""


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


def aqlm(weight_OI, bits=CODE_BITS["aqlm"]):
    outputs, entries = len(weight_OI), 2**bits
    scales = weight_OI.abs().amax(1, keepdim=True)
    parts = (weight_OI / scales).reshape(-1, LENGTH)
    random = torch.Generator().manual_seed(0)
    book = parts[torch.randperm(len(parts), generator=random)[:entries]].clone()
    for _ in range(5):
        nearest = torch.cdist(parts, book).argmin(1)
        sums = torch.zeros_like(book).index_add_(0, nearest, parts)
        counts = torch.bincount(nearest, minlength=entries)[:, None]
        book = torch.where(counts > 0, sums / counts.clamp(min=1), book)
    nearest = torch.cdist(parts, book).argmin(1)
    codes = nearest.short() if bits > 8 else nearest.to(torch.uint8).view(torch.int8)
    tensors = {
        "codebooks": book.reshape(1, entries, 1, LENGTH),
        "codes": codes.reshape(outputs, -1, 1),
        "scales": scales.reshape(outputs, 1, 1, 1),
    }
    return tensors, book[nearest].reshape(weight_OI.shape) * scales


def fp8(weight_OI):
    scale = weight_OI.abs().amax() / torch.finfo(torch.float8_e4m3fn).max
    held = (weight_OI / scale).to(torch.float8_e4m3fn)
    blocks = [-(-size // 128) for size in weight_OI.shape]
    tensors = {"weight": held, "weight_scale_inv": scale.expand(*blocks).contiguous()}
    return tensors, held.float() * scale


def mxfp4(weight_EIO):
    """Return what gpt-oss's experts are stored as, two codes a byte, the first in the low bits."""
    blocks = weight_EIO.transpose(1, 2).unflatten(-1, (-1, BLOCK))
    exponents = (blocks.abs().amax(-1) / 6).log2().ceil()
    codes = ((blocks / 2 ** exponents[..., None])[..., None] - FP4).abs().argmin(-1)
    low, high = codes[..., 0::2], codes[..., 1::2]
    tensors = {
        "blocks": (low + 16 * high).to(torch.uint8),
        "scales": (exponents + 127).to(torch.uint8),
    }
    value = (FP4[codes] * 2 ** exponents[..., None]).flatten(-2).transpose(1, 2)
    return tensors, value.contiguous()


WRITERS = {
    "gptq": gptq, "awq": awq, "aqlm": aqlm, "fp8": fp8,
    "aqlm-256": partial(aqlm, bits=CODE_BITS["aqlm-256"]),
}  # fmt: skip
CONFIGS = {
    "gptq": {"bits": 4, "group_size": GROUP, "desc_act": False, "sym": True},
    "awq": {"bits": 4, "group_size": GROUP, "zero_point": True, "version": "gemm"},
    **{
        name: {
            "in_group_size": LENGTH, "out_group_size": 1,
            "num_codebooks": 1, "nbits_per_codebook": bits,
            "linear_weights_not_to_quantize": ["lm_head", "lm_head.weight"],
        }
        for name, bits in CODE_BITS.items()
    },
    "fp8": {"activation_scheme": "dynamic", "weight_block_size": [128, 128]},
}  # fmt: skip


def store(model, tokenizer, method, folder):
    """Write a model so, and give it the weights that a reader has to come to.

    Args:
        model: a Llama in float32; its weights are changed.
        tokenizer: is written beside it.
        method: the `quant_method`, with what tells its variants.
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
    write(
        model, tokenizer, tensors, {"quant_method": method.split("-")[0], **CONFIGS[method]}, folder
    )


def store_experts(model, tokenizer, folder):
    """Write a gpt-oss so, its experts in MXFP4; as for `store`."""
    tensors = {}
    for name, parameter in model.named_parameters():
        if name.endswith(("gate_up_proj", "down_proj")):
            written, parameter.data = mxfp4(parameter.data)
            tensors |= {f"{name}_{key}": tensor for key, tensor in written.items()}
        else:
            tensors[name] = parameter.data
    write(model, tokenizer, tensors, {"quant_method": "mxfp4"}, folder)


def write(model, tokenizer, tensors, told, folder):
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": told}))
