"""What each sweep runs, which code it covers, and the record of its last run."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "results"


def itself(case: str) -> list[str]:
    """Return the pairs that a case ran whose name is the pair."""
    return [case]


def of_quantizer(case: str) -> list[str]:
    """Return the pairs that a case of the sweep of quantizers trained."""
    from tests.sweep.quantizers import CASES

    beside = ("tuners/lora", "optimizers/adamw", "stages/sft")
    return [f"quantizers/{CASES[case].quantizer}+{other}" for other in beside]


class Sweep(NamedTuple):
    """Tests that take too long for every change."""

    tests: str
    """The file whose tests with the mark `sweep` are run."""
    covers: tuple[str, ...]
    """The files and folders that the tests pass through: a change makes its result stale."""
    apart: tuple[str, ...] = ()
    """Files of such a folder that they do not pass through."""
    tabulated: bool = False
    """Whether what became of each case is recorded, too."""
    spread: bool = False
    """Whether its cases are run on all processors at once."""
    published: str | None = None
    """The file of the package that tells users which pairs passed, by `luthier matrix`."""
    pairs_of: Callable[[str], list[str]] = itself
    """The pairs, each `a+b`, that a case of such a sweep ran."""
    needs: tuple[str, ...] = ()
    """Distributions that the tests' environment has not; `make NAME` runs it in one that has."""


BESIDE_RUNS = ("core/run/merging.py", "core/run/verification.py")
"""What no training run goes through."""
RUN_THROUGH = ("core/data", "core/model", "core/run", "core/training", "plugins/stages")
"""What every training run goes through, but what it reads."""

RLHF = ("pt", "sft", "rm", "ppo", "dpo", "grpo", "rloo")
"""The run files of examples/rlhf."""

SWEEPS = {
    "architectures": Sweep(
        tests="tests/core/model/test_architectures.py",
        covers=(
            "core/model/layer_finding.py",
            "core/model/layer_names.py",
            "core/model/layer_types.py",
            "core/model/layers.py",
            "core/model/opening.py",
            "core/model/saving.py",
            "plugins/tuners/lora.py",
            "tests/core/model/test_architectures.py",
            "tests/sweep/architectures.py",
            "tests/sweep/miniatures.py",
        ),
        tabulated=True,
    ),
    "decoders": Sweep(
        tests="tests/plugins/patches/test_every_decoder.py",
        covers=(
            "core/model/attention.py",
            "core/model/isolation.py",
            "core/model/sequencewise.py",
            "core/model/vocabulary.py",
            "core/training/packed.py",
            "plugins/patches/chunked_cross_entropy.py",
            "plugins/patches/deferred_logits.py",
            "plugins/patches/padding_free.py",
            "plugins/patches/s2_attention.py",
            "tests/plugins/patches/test_every_decoder.py",
            "tests/sweep/miniatures.py",
        ),
        tabulated=True,
    ),
    "examples": Sweep(
        tests="tests/e2e/test_examples.py",
        covers=(
            "examples/rlhf/chain.py",
            *(f"examples/rlhf/{name}.yaml" for name in RLHF),
            "plugins/rewards",
            "plugins/stages",
            "tests/e2e/test_examples.py",
        ),
        tabulated=True,
    ),
    "kills": Sweep(
        tests="tests/e2e/test_resume.py",
        covers=(
            *RUN_THROUGH,
            "plugins/tuners",
            "tests/e2e/killing.py",
            "tests/e2e/test_resume.py",
        ),
        apart=BESIDE_RUNS,
    ),
    "stage-kills": Sweep(
        tests="tests/e2e/test_killed_stages.py",
        covers=(
            *RUN_THROUGH,
            "plugins/rewards",
            "tests/e2e/killing.py",
            "tests/e2e/test_killed_stages.py",
        ),
        apart=BESIDE_RUNS,
    ),
    # what runs go through changes daily, and the record says of which day it is
    "pairs": Sweep(
        tests="tests/core/test_matrix.py",
        covers=("core/matrix.py", "tests/core/test_matrix.py"),
        tabulated=True,
        spread=True,
        published="plugins/commands/tested_pairs.json",
    ),
    "oldest-peft": Sweep(
        tests="tests/plugins/tuners/test_oldest_peft.py",
        covers=(
            "core/model/adapters.py",
            "core/model/saving.py",
            "plugins/tuners",
            "tests/plugins/tuners/test_oldest_peft.py",
        ),
        tabulated=True,
    ),
    "quantizers": Sweep(
        tests="tests/plugins/quantizers/test_qlora.py",
        covers=(
            "core/model/quantization.py",
            "core/runfile/quantizing.py",
            "plugins/quantizers",
            "tests/plugins/quantizers/storing.py",
            "tests/plugins/quantizers/test_qlora.py",
            "tests/sweep/quantizers.py",
            "tests/sweep/stored.py",
        ),
        tabulated=True,
        published="plugins/commands/tested_quantizers.json",
        pairs_of=of_quantizer,
        needs=("bitsandbytes", "hqq", "torchao", "gptqmodel", "optimum", "aqlm"),
    ),
    # a minute of compiling for each family
    "compiled-attention": Sweep(
        tests="tests/core/training/test_packed.py",
        covers=("core/training/packed.py", "tests/core/training/test_packed.py"),
    ),
}


def fingerprint(sweep):
    """Return a hash of the code that a sweep covers."""
    digest = hashlib.sha256()
    apart = {REPOSITORY / name for name in sweep.apart}
    for name in sweep.covers:
        path = REPOSITORY / name
        for file in sorted(set(path.rglob("*.py")) - apart) if path.is_dir() else [path]:
            digest.update(file.relative_to(REPOSITORY).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
