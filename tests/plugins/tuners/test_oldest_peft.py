"""What is saved loads in the oldest PEFT that is supported, with the same logits."""

import re
import subprocess
import sys
import tomllib

import pytest
import torch
from safetensors.torch import load_file

from luthier.core import load, train

TUNERS = {
    "lora": {"name": "lora", "rank": 4, "full": ["head"]},
    "rslora": {"name": "lora", "rank": 4, "rslora": True, "rank_pattern": {"mlp": 2}},
    "pissa": {"name": "lora", "rank": 4, "init": "pissa"},
    "dora": {"name": "dora", "rank": 4},
    "vera": {"name": "vera", "rank": 16},
    "oft": "oft",
    "boft": {"name": "boft", "targets": "mlp-down", "layers": [-1]},
    "adalora": {"name": "adalora", "rank": 2, "initial_rank": 4},
    "ia3": "ia3",
    "prompt-tuning": {"name": "prompt-tuning", "tokens": 4},
}
LOADS = """
import sys
import torch
import peft
from safetensors.torch import save_file
found = {}
for folder in sys.argv[2:]:
    model = peft.AutoPeftModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        found[folder] = model(input_ids=torch.arange(40)[None]).logits.contiguous()
save_file(found, sys.argv[1])
print(peft.__version__)
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


@pytest.mark.sweep
def test_the_oldest_peft_loads_every_adapter_with_the_same_logits(oldest, module_run, tmp_path):
    site, version = oldest
    expected = {}
    for name, tuner in TUNERS.items():
        settings = {"max_steps": 3, "batch_size": 4, "learning_rate": 0.01}
        folder = train(module_run(tuner=tuner, training=settings, output=str(tmp_path / name)))
        with torch.no_grad():
            logits = load(folder.path).model(input_ids=torch.arange(40)[None]).logits
        expected[str(folder.model)] = logits
    file = tmp_path / "logits.safetensors"
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{LOADS}"
    command = [sys.executable, "-c", code, file, *expected]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.split() == [version]
    found = load_file(file)
    assert found.keys() == expected.keys()
    for name, logits in expected.items():
        torch.testing.assert_close(found[name], logits, atol=1e-4, rtol=0, msg=name)
