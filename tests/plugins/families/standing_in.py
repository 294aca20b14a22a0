"""Small stand-ins for models whose code transformers does not hold.

Each is a folder as the Hub has it: code beside the weights, an `auto_map` in the config, and the
names of files, classes and modules that the real one has. What is within is a plain decoder.
"""

import json
from typing import NamedTuple

from luthier.plugins.families.tiny.making import tiny_model

CONFIGURATION = """
from transformers import PretrainedConfig

class {config}(PretrainedConfig):
    model_type = "{model_type}"

    def __init__(self, vocab_size=2048, hidden_size=32, num_hidden_layers=2, names=None, **rest):
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_hidden_layers, self.names = num_hidden_layers, names or {{}}
        super().__init__(**rest)
"""

MODELING = '''
import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from .{configuration} import {config}


def placed(root, path, module):
    """Put a module at a dotted path, with bare modules on the way."""
    *above, last = path.split(".")
    for name in above:
        if not hasattr(root, name):
            root.add_module(name, nn.Module())
        root = getattr(root, name)
    root.add_module(last, module)


def widened(hidden, linear):
    """Repeat what goes into a layer, as often as it takes."""
    return torch.cat([hidden] * (linear.in_features // hidden.shape[-1]), -1)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        size, names = config.hidden_size, config.names
        wide = {{"qkv": 3 * size, "up": 4 * size, "gate": 4 * size}}
        tall = {{"down": 4 * size}}
        self.paths = [path for _, path in names["block"]]
        for kind, path in names["block"]:
            sizes = tall.get(kind, size), wide.get(kind, size)
            placed(self, path, nn.Linear(*sizes, bias=False))

    def forward(self, hidden):
        # by path: an adapter may stand where a layer was
        first, *rest, out = map(self.get_submodule, self.paths)
        mixed = first(hidden)[..., : hidden.shape[-1]]
        # each layer takes part; what is before is summed, so it is causal
        steps = torch.arange(1, hidden.shape[1] + 1, device=hidden.device)[:, None]
        hidden = hidden + mixed.cumsum(1) / steps
        for part in rest:
            hidden = hidden + part(widened(hidden, part))[..., : hidden.shape[-1]].tanh()
        return hidden + out(widened(hidden.tanh(), out))


class {model}(PreTrainedModel, GenerationMixin):
    config_class = {config}
    base_model_prefix = "model"
    _tied_weights_keys = {{}}

    def __init__(self, config):
        super().__init__(config)
        names, shape = config.names, (config.vocab_size, config.hidden_size)
        placed(self, names["embedding"], nn.Embedding(*shape))
        blocks = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        placed(self, names["blocks"], blocks)
        placed(self, names["head"], nn.Linear(*shape[::-1], bias=False))
        self.post_init()

    def get_input_embeddings(self):
        return self.get_submodule(self.config.names["embedding"])

    def get_output_embeddings(self):
        return self.get_submodule(self.config.names["head"])

    def forward(self, input_ids=None, attention_mask=None, labels=None, **_):
        hidden = self.get_input_embeddings()(input_ids)
        for block in self.get_submodule(self.config.names["blocks"]):
            hidden = block(hidden)
        logits = self.get_output_embeddings()(hidden)
        loss = None
        if labels is not None:
            before, after = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
            loss = nn.functional.cross_entropy(before, after)
        return CausalLMOutput(loss=loss, logits=logits)

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **_):
        return {{"input_ids": input_ids}}
'''

TOKENIZATION = """
from transformers import PreTrainedTokenizerFast

class {tokenizer}(PreTrainedTokenizerFast):
    pass
"""


class StandIn(NamedTuple):
    """The names that one has on the Hub."""

    family: str
    model_type: str
    stem: str
    """What the names of its files end in."""
    config: str
    model: str
    tokenizer: str
    """Nothing where transformers holds its class."""
    embedding: str
    blocks: str
    block: tuple[tuple[str, str], ...]
    """The linear layers of a block, what each is and where it stands."""
    head: str = "lm_head"
    modeling: str = ""
    """The name of the file of its model, where that is another."""


LLAMA = (
    ("q", "self_attn.q_proj"), ("k", "self_attn.k_proj"), ("v", "self_attn.v_proj"),
    ("o", "self_attn.o_proj"), ("gate", "mlp.gate_proj"), ("up", "mlp.up_proj"),
    ("down", "mlp.down_proj"),
)  # fmt: skip
BAICHUAN = (("qkv", "self_attn.W_pack"), *LLAMA[3:])
GLM = (
    ("qkv", "self_attention.query_key_value"), ("o", "self_attention.dense"),
    ("up", "mlp.dense_h_to_4h"), ("down", "mlp.dense_4h_to_h"),
)  # fmt: skip
INTERNLM2 = (
    ("qkv", "attention.wqkv"), ("o", "attention.wo"), ("gate", "feed_forward.w1"),
    ("up", "feed_forward.w3"), ("down", "feed_forward.w2"),
)  # fmt: skip
QWEN = (
    ("qkv", "attn.c_attn"), ("o", "attn.c_proj"), ("gate", "mlp.w2"), ("up", "mlp.w1"),
    ("down", "mlp.c_proj"),
)  # fmt: skip
EXAONE = (
    *((kind[0], f"attn.attention.{kind}_proj") for kind in ("q", "k", "v", "out")),
    ("gate", "mlp.c_fc_0"), ("up", "mlp.c_fc_1"), ("down", "mlp.c_proj"),
)  # fmt: skip
EXPERTS = (
    *LLAMA[:4],
    *(
        (kind, f"mlp.{part}.{kind}_proj")
        for part in ("experts.0", "shared_experts")
        for kind in ("gate", "up", "down")
    ),
)
PHI_3_SMALL = (
    ("qkv", "self_attn.query_key_value"), ("o", "self_attn.dense"), ("up", "mlp.up_proj"),
    ("down", "mlp.down_proj"),
)  # fmt: skip
TOP, LAYERS = "model.embed_tokens", "model.layers"

STAND_INS = [
    StandIn("baichuan", "baichuan", "baichuan", "BaiChuanConfig", "BaiChuanForCausalLM",
            "BaiChuanTokenizer", TOP, LAYERS, BAICHUAN),
    StandIn("baichuan2", "baichuan", "baichuan", "BaichuanConfig", "BaichuanForCausalLM",
            "BaichuanTokenizer", TOP, LAYERS, BAICHUAN),
    StandIn("chatglm2", "chatglm", "chatglm", "ChatGLMConfig", "ChatGLMForConditionalGeneration",
            "ChatGLMTokenizer", "transformer.embedding.word_embeddings",
            "transformer.encoder.layers", GLM, "transformer.output_layer"),
    StandIn("chatglm3", "chatglm", "chatglm", "ChatGLMConfig", "ChatGLMForConditionalGeneration",
            "ChatGLMTokenizer", "transformer.embedding.word_embeddings",
            "transformer.encoder.layers", GLM, "transformer.output_layer"),
    StandIn("chatglm4", "chatglm", "chatglm", "ChatGLMConfig", "ChatGLMForConditionalGeneration",
            "ChatGLM4Tokenizer", "transformer.embedding.word_embeddings",
            "transformer.encoder.layers", GLM, "transformer.output_layer"),
    StandIn("deepseek-moe", "deepseek", "deepseek", "DeepseekConfig", "DeepseekForCausalLM", "",
            TOP, LAYERS, EXPERTS),
    StandIn("exaone", "exaone", "exaone", "ExaoneConfig", "ExaoneForCausalLM", "",
            "transformer.wte", "transformer.h", EXAONE),
    StandIn("internlm", "internlm", "internlm", "InternLMConfig", "InternLMForCausalLM",
            "InternLMTokenizer", TOP, LAYERS, LLAMA),
    StandIn("internlm2", "internlm2", "internlm2", "InternLM2Config", "InternLM2ForCausalLM",
            "InternLM2Tokenizer", "model.tok_embeddings", LAYERS, INTERNLM2, "output"),
    StandIn("minicpm", "minicpm", "minicpm", "MiniCPMConfig", "MiniCPMForCausalLM", "",
            TOP, LAYERS, LLAMA),
    StandIn("orion", "orion", "orion", "OrionConfig", "OrionForCausalLM", "OrionTokenizer",
            TOP, LAYERS, LLAMA),
    StandIn("phi-3-small", "phi3small", "phi3_small", "Phi3SmallConfig", "Phi3SmallForCausalLM",
            "Phi3SmallTokenizer", TOP, LAYERS, PHI_3_SMALL),
    StandIn("qwen", "qwen", "qwen", "QWenConfig", "QWenLMHeadModel", "QWenTokenizer",
            "transformer.wte", "transformer.h", QWEN),
    StandIn("skywork", "skywork", "skywork", "SkyworkConfig", "SkyworkForCausalLM",
            "SkyworkTokenizer", TOP, LAYERS, LLAMA),
    StandIn("yuan2", "yuan", "yuan", "YuanConfig", "YuanForCausalLM", "YuanTokenizer",
            TOP, LAYERS, LLAMA, modeling="yuan_hf_model"),
]  # fmt: skip


def made(folder, one, origin):
    """Write a stand-in to a folder, as if it were fetched from `origin`; return the folder."""
    folder.mkdir()
    configuration, modeling = f"configuration_{one.stem}", one.modeling or f"modeling_{one.stem}"
    names = {"configuration": configuration, **one._asdict()}
    (folder / f"{configuration}.py").write_text(CONFIGURATION.format(**names))
    (folder / f"{modeling}.py").write_text(MODELING.format(**names))
    tiny = tiny_model()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text((tiny / name).read_text())
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    if one.tokenizer:
        (folder / f"tokenization_{one.stem}.py").write_text(TOKENIZATION.format(**names))
        brought = {"AutoTokenizer": [f"tokenization_{one.stem}.{one.tokenizer}", None]}
        settings |= {"tokenizer_class": one.tokenizer, "auto_map": brought}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    layers = {key: getattr(one, key) for key in ("embedding", "blocks", "block", "head")}
    config = {
        "_name_or_path": origin, "architectures": [one.model], "model_type": one.model_type,
        "auto_map": {
            "AutoConfig": f"{configuration}.{one.config}",
            "AutoModelForCausalLM": f"{modeling}.{one.model}",
        },
        "vocab_size": 2048, "hidden_size": 32, "num_hidden_layers": 2, "names": layers,
        "eos_token_id": settings.get("eos_token_id", 2), "tie_word_embeddings": False,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    _write_weights(folder, config, layers)
    return folder


def _write_weights(folder, config, layers):
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    size, words = config["hidden_size"], config["vocab_size"]
    shapes = {
        f"{layers['embedding']}.weight": (words, size),
        f"{layers['head']}.weight": (words, size),
    }
    wide, tall = {"qkv": 3, "up": 4, "gate": 4}, {"down": 4}
    for number in range(config["num_hidden_layers"]):
        for kind, path in layers["block"]:
            shape = (size * wide.get(kind, 1), size * tall.get(kind, 1))
            shapes[f"{layers['blocks']}.{number}.{path}.weight"] = shape
    tensors = {name: torch.randn(shape) * 0.05 for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
