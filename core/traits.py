"""The traits that luthier's plugins and devices have, refuse and need.

A stranger's plugin may have traits of its own; a rule about one of these has to be spelt as here.
"""

from __future__ import annotations

TRAITS = {
    "adapter": "It trains weights beside the model's own, which stay as they are.",
    "continues-adapter": "It goes on training an adapter that was saved.",
    "low-rank": "It trains pairs of matrices beside layers, as LoRA does.",
    "adds-layers": "It adds layers to the model, and those after them have new numbers.",
    "trains-base-weights": "It trains weights of the model itself.",
    "trains-vectors": "It trains biases or other vectors, and no matrices of layers.",
    "takes-from-weights": "It takes what it trains out of the model's weights, for that time.",
    "fixed-embedding": "It trains no embedding, not even those of tokens new to the model.",
    "reads-ahead": "It looks at the rows of a run before any is trained on.",
    "rounded-to-4-bits": "The weights are whole on the disk, and rounded to 4 bits when loaded.",
    "quantized": "The model's own weights are held in few bits.",
    "attention-backend": "It decides how attention is computed; a model has one.",
    "attention-masked": "It is an attention backend that keeps sequences apart by a mask.",
    "attention-block-mask": "It is an attention backend whose masks are of blocks of tokens.",
    "attention-wrapper": "It is laid over the attention backend.",
    "attention-unwrapped": "It is an attention backend that cannot be wrapped.",
    "token-rows": "It is a stage whose batches are token ids and labels, and nothing else.",
    "preferences": "It is a stage whose rows are pairs of answers.",
    "scores": "It is a stage that learns a score of an answer, and no logits.",
    "samples-answers": "It is a stage that trains on answers which the model gives.",
    "answers-held-out": "It has the model answer prompts of the validation set.",
    "reward": "It scores answers.",
    "packed-rows": "It puts several rows into one sequence, none of which sees another.",
    "rows-end-to-end": "It lays the rows of a batch end to end, without pads.",
    "head-loss": "It decides how the head and the loss of a batch are computed.",
    "recomputes-layers": "It computes layers again in the backward pass.",
    "steps-in-backward": "It is an optimizer that steps each parameter in the backward pass.",
    "averages-weights": "It is an optimizer that averages weights, in place of a schedule.",
    "one-process": "It trains in one process alone.",
    "shards-weights": "Each process holds a part of the weights, gathered when it is used.",
    "shards-optimizer": "Each process holds a part of the optimizer's state.",
    "offloads-optimizer": "The optimizer's state and its step are on the CPU, not on the device.",
    "local-files": "It is a source whose paths are of this machine.",
    "device-cpu": "The device is a CPU.",
    "device-cuda": "The device is an NVIDIA GPU.",
    "device-rocm": "The device is an AMD GPU.",
    "device-npu": "The device is an Ascend NPU.",
    "device-mps": "The device is an Apple GPU.",
    "device-gpu": "The device is an NVIDIA or AMD GPU.",
    "device-bfloat16": "The device computes in bfloat16.",
}
"""What each trait means."""
