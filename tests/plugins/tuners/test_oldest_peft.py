"""What is saved loads in the oldest PEFT that is supported, with the same logits."""

import json
import re
import subprocess
import sys
import tomllib
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, MixtralConfig

from luthier.core import load, train
from luthier.core.selection import plugin_of
from luthier.plugins.families.tiny.making import tiny_model
from luthier.plugins.tuners.lora import Lora
from luthier.registry import Catalogue

INSTALLED = Catalogue.installed()
NEW = ["<one>", "<two>"]
CASES = {
    "lora": {"tuner": {"name": "lora", "rank": 4, "full": ["head"]}},
    "rslora": {"tuner": {"name": "lora", "rank": 4, "rslora": True, "rank_pattern": {"mlp": 2}}},
    "pissa": {"tuner": {"name": "lora", "rank": 4, "init": "pissa"}},
    "olora": {"tuner": {"name": "lora", "rank": 4, "init": "olora"}},
    "eva": {"tuner": {"name": "lora", "rank": 4, "init": "eva", "rank_pattern": {"q_proj": 2}}},
    "loftq": {"tuner": {"name": "lora", "rank": 4, "init": "loftq"}, "quantizer": "bnb"},
    "new tokens": {
        "tuner": {"name": "lora", "rank": 4}, "model": {"path": "tiny", "add_tokens": NEW},
    },
    "stacked experts": {"tuner": {"name": "lora", "rank": 4}, "model": "experts"},
    "dora": {"tuner": {"name": "dora", "rank": 4}},
    "vera": {"tuner": {"name": "vera", "rank": 16}},
    "oft": {"tuner": "oft"},
    "oft, by a series": {"tuner": {"name": "oft", "neumann": True, "shared": True}},
    "boft": {"tuner": {"name": "boft", "targets": "mlp-down", "layers": [-1]}},
    "adalora": {"tuner": {"name": "adalora", "rank": 2, "initial_rank": 4}},
    "ia3": {"tuner": "ia3"},
    "prompt-tuning": {"tuner": {"name": "prompt-tuning", "tokens": 4}},
}  # fmt: skip
IDS = [*range(40), 2048, 2049]
LOADS = """
import json
import sys
import traceback
import torch
import peft
import transformers
from safetensors.torch import save_file
found, faults = {}, {}
for name, asked in json.loads(sys.argv[2]).items():
    settings = {}
    if asked["quantized"]:
        settings["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    try:
        model = peft.AutoPeftModelForCausalLM.from_pretrained(asked["folder"], **settings).eval()
        for layer in model.modules():  # else some CPUs compute 4 bits in bfloat16
            if hasattr(layer, "support_avx512bf16_for_cpu"):
                layer.support_avx512bf16_for_cpu = False
        with torch.no_grad():
            found[name] = model(input_ids=torch.tensor([asked["ids"]])).logits.contiguous()
    except Exception:
        faults[name] = traceback.format_exc()
save_file(found, sys.argv[1])
print(json.dumps({"version": peft.__version__, "faults": faults}))
"""


@pytest.fixture(scope="module")
def oldest(repository, tmp_path_factory):
    """The folder of an installed PEFT of the lower bound in pyproject.toml, and its version."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    (bound,) = re.findall(r"peft>=([\d.]+)", " ".join(project["dependencies"]))
    folder = tmp_path_factory.mktemp("oldest")
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={folder}"]
    subprocess.run([*line, f"peft=={bound}.0"], check=True)
    return folder, f"{bound}.0"


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    """What a run file says of a small model that holds its experts as stacks."""
    folder = tmp_path_factory.mktemp("experts")
    config = MixtralConfig(
        vocab_size=AutoConfig.from_pretrained(tiny_model()).vocab_size, hidden_size=32,
        intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        num_local_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model()).save_pretrained(folder)
    return {"model": {"path": str(folder), "family": "auto"}, "template": "chatml"}


@pytest.fixture(scope="module")
def loaded(oldest, experts, module_run, tmp_path_factory):
    """The logits of each case as its run folder is loaded; and by the oldest PEFT, or its fault."""
    site, version = oldest
    expected, asked, work = {}, {}, tmp_path_factory.mktemp("work")
    for name, case in CASES.items():
        changes = {**case, **experts} if case.get("model") == "experts" else case
        settings = {"max_steps": 3, "batch_size": 4, "learning_rate": 0.01}
        folder = train(module_run(training=settings, output=str(work / name), **changes))
        ids = IDS if name == "new tokens" else IDS[:-2]
        with torch.no_grad():
            expected[name] = load(folder.path).model(input_ids=torch.tensor([ids])).logits
        quantized = "quantizer" in case
        asked[name] = {"folder": str(folder.model), "ids": ids, "quantized": quantized}
    file = work / "logits.safetensors"
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{LOADS}"
    command = [sys.executable, "-c", code, file, json.dumps(asked)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    told = json.loads(printed.splitlines()[-1])
    assert told["version"] == version
    return expected, load_file(file), told["faults"], version


@pytest.mark.sweep
@pytest.mark.parametrize("name", CASES)
def test_the_oldest_peft_loads_what_was_saved_with_the_same_logits(name, loaded, record_property):
    expected, found, faults, version = loaded
    record_property("peft", version)
    assert name in found, faults[name]
    torch.testing.assert_close(found[name], expected[name], atol=1e-4, rtol=0)


def test_every_adapter_and_every_way_to_begin_is_tried():
    found = {name: plugin_of(INSTALLED.find("tuners", name)) for name in INSTALLED.names("tuners")}
    tuners = [one["tuner"] for one in CASES.values()]
    tried = {one if isinstance(one, str) else one["name"] for one in tuners}
    assert tried == {n for n, one in found.items() if "adapter" in one.traits} - {"unsloth"}
    begun = {one.get("init") for one in tuners if isinstance(one, dict)} - {None}
    assert begun == set(get_args(Lora.model_fields["init"].annotation)) - {"default", "gaussian"}
