"""`make sweep`: run every sweep and write its dated result, to be committed.

`python -m tests.sweep NAME` runs one of them. One that needs what is not installed is left out, and
is a failure where it is named.
"""

import datetime
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from packaging.requirements import Requirement

from luthier.core.matrix import PRECISION
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue
from tests.sweep.records import REPOSITORY, RESULTS, SWEEPS, fingerprint

LIBRARIES = ("luthier", "torch", "transformers", "peft", "datasets", "accelerate")


def main(names):
    """Return 0 where every sweep passes."""
    failed = 0
    for name in names or SWEEPS:
        sweep = SWEEPS[name]
        if missing := [one for one in sweep.needs if not installed(one)]:
            print(f"{name}: not run, for want of {', '.join(missing)}. Run `make {name}`.")
            failed += bool(names)
            continue
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", sweep.tests, "-m", "sweep", "-q"]
            command += ["-o", "junit_family=xunit1"]  # the one that has room for properties
            command += ["-n", "auto"] if sweep.spread else []
            subprocess.run([*command, f"--junitxml={report}"], cwd=REPOSITORY, check=False)
            suite = next(ElementTree.parse(report).iter("testsuite"))
        cases = dict(case_of(one) for one in suite.iter("testcase"))
        counts = {word: sum(c["outcome"] == word for c in cases.values()) for word in OUTCOMES}
        failed += counts["failed"]
        result = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "commit": output_of("git", "rev-parse", "HEAD"),
            "python": sys.version.split()[0],
            "versions": versions_of(sweep, cases),
            **counts,
            "seconds": round(float(suite.get("time"))),
            "fingerprint": fingerprint(sweep),
            **({"cases": cases} if sweep.tabulated else {}),
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        if sweep.published:
            publish(sweep, result)
        if sweep.tabulated:
            print(table(cases))
        print(f"{name}: {', '.join(f'{count} {word}' for word, count in counts.items())}")
    return 1 if failed else 0


OUTCOMES = ("passed", "failed", "known", "skipped")
"""What may become of a case; `known` is a failure that was foreseen, with its reason."""


def case_of(test):
    """Return a test's parameter, or its name where it has none, and what became of it."""
    name, _, parameter = test.get("name").partition("[")
    seen = {one.get("name"): one.get("value") for one in test.iter("property")}
    left = test.find("skipped")
    if left is not None:
        outcome = "known" if left.get("type") == "pytest.xfail" else "skipped"
        seen["reason"] = left.get("message")
    else:
        outcome = "passed" if test.find("failure") is test.find("error") is None else "failed"
    return parameter.removesuffix("]") or name, {"outcome": outcome, **seen}


def versions_of(sweep, cases):
    """Return the versions of what a sweep was run with, the packages of its plugins among them."""
    pairs = [pair for name in cases if sweep.published for pair in sweep.pairs_of(name)]
    names = dict.fromkeys([*LIBRARIES, *sweep.needs, *packages_of(pairs)])
    return {one: importlib.metadata.version(one) for one in names}


def packages_of(pairs):
    """Return the distributions that the plugins of pairs need, and that are here."""
    catalogue, found = Catalogue.installed(), set()
    for name in {one for pair in pairs for one in pair.split("+")}:
        kind, _, own = name.partition("/")
        if kind != PRECISION:
            needed = plugin_of(catalogue.find(kind, own)).packages
            found |= {Requirement(text).name for text in needed}
    return sorted(filter(installed, found))


def publish(sweep, result):
    """Write what users are told of a sweep: which pairs passed, when, and with which versions."""
    passed = [name for name, case in result["cases"].items() if case["outcome"] == "passed"]
    pairs = sorted({pair for name in passed for pair in sweep.pairs_of(name)})
    told = {key: result[key] for key in ("date", "python", "versions")}
    lines = ",\n".join(f"  {json.dumps(pair.split('+'))}" for pair in pairs)
    text = json.dumps(told, indent=2)[:-2]
    (REPOSITORY / sweep.published).write_text(f'{text},\n  "pairs": [\n{lines}\n  ]\n}}\n')


def table(cases):
    """Return the cases as lines: name, outcome, and what was recorded of it."""
    width = max(map(len, cases))
    return "\n".join(
        f"{name:{width}}  {case['outcome']:7}  "
        + "  ".join(str(value) for key, value in case.items() if key != "outcome")
        for name, case in cases.items()
    )


def installed(distribution):
    """Return whether a distribution is installed here."""
    return bool(list(importlib.metadata.distributions(name=distribution)))


def output_of(*command):
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
