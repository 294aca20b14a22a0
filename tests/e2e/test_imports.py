"""What is imported, and what is not: a command pays only for what it uses."""

import json
import subprocess
import sys
import time

import pytest

from luthier.registry import Catalogue

HEAVY = ("torch", "transformers", "datasets", "peft", "trl", "accelerate", "matplotlib", "gradio")

RUNS_MAIN = """
import json, sys
sys.argv = ["luthier", *{arguments!r}]
from luthier.core.cli.application import main
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
print("MODULES", json.dumps(sorted(sys.modules)))
"""

RUNS_TRAIN = """
import json, sys
from luthier.core import train
train(json.loads({contents!r}))
print("MODULES", json.dumps(sorted(sys.modules)))
"""


def modules_after(script):
    """Return the names in sys.modules after a script has run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.rpartition("MODULES")[2]))


@pytest.fixture
def run_file(small_run, tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json.dumps(small_run()))
    return file


@pytest.mark.parametrize(
    "command", ["--help", "plugins", "models", "check", "explain", "schema", "init"]
)
def test_light_commands_import_nothing_heavy(command, run_file, tmp_path):
    arguments = {
        "check": ["check", str(run_file)],
        "explain": ["explain", str(run_file)],
        "init": ["init", str(tmp_path / "new.yaml")],
    }.get(command, [command])
    modules = modules_after(RUNS_MAIN.format(arguments=arguments))
    assert not modules & set(HEAVY)


def seconds(*command):
    """Return the least wall time of a command in three runs: noise only ever adds."""

    def once():
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        return time.perf_counter() - began

    return min(once() for _ in range(3))


def test_help_and_check_take_a_small_part_of_what_torch_alone_takes(run_file):
    # benchmarks/startup.py measures: less than a quarter, and check less than a second; these
    # bounds are wide, as a machine that tests is seldom quiet
    torch = seconds("-c", "import torch")
    assert seconds("-m", "luthier.core", "--help") < torch / 2
    check = seconds("-m", "luthier.core", "check", str(run_file))
    assert check < max(2.0, torch)


def plugin_modules(modules):
    """Return the modules of luthier's plugins and templates, without what they share."""
    named = {entry.target.partition(":")[0] for entry in Catalogue.installed()}
    own = {m for m in modules if m.startswith(("luthier.plugins.", "luthier.templates."))}
    return {m for m in own if m in named or m.endswith(".making")}


SELECTED = {
    "luthier.plugins.families.tiny",
    "luthier.plugins.families.tiny.making",  # its sibling, which the hook imports
    "luthier.plugins.formats.alpaca",
    "luthier.plugins.optimizers.adamw",
    "luthier.plugins.patches.chunked_cross_entropy",
    "luthier.plugins.patches.gradient_checkpointing",  # a default, which says where it is none
    "luthier.plugins.patches.padding_free",
    "luthier.plugins.sources.files",
    "luthier.plugins.stages.sft",
    "luthier.plugins.tuners.full",
    "luthier.plugins.engines.transformers",
    "luthier.templates.chatml",
}


def alpaca(file):
    """Return a dataset whose format is named, so that none has to be guessed."""
    return [{"path": str(file), "format": "alpaca"}]


def test_a_run_that_names_its_family_imports_exactly_its_own_plugins(small_run, data_file):
    contents = small_run(
        model={"path": "tiny", "family": "tiny"}, training={"max_steps": 1}, data=alpaca(data_file)
    )
    modules = modules_after(RUNS_TRAIN.format(contents=json.dumps(contents)))
    assert plugin_modules(modules) == SELECTED
    assert "trl" not in modules


GUARD = """
import socket
def refuse(*arguments, **_):
    raise AssertionError(f"a connection was opened: {arguments}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


def test_recognising_a_family_reads_the_families_besides_and_opens_no_connection(
    small_run, data_file
):
    contents = small_run(training={"max_steps": 1}, tuner="lora", data=alpaca(data_file))
    modules = modules_after(GUARD + RUNS_TRAIN.format(contents=json.dumps(contents)))
    families = {e.target.partition(":")[0] for e in Catalogue.installed() if e.kind == "families"}
    lora = {"luthier.plugins.tuners.full", "luthier.plugins.tuners.lora"}
    assert plugin_modules(modules) == (SELECTED ^ lora) | families
