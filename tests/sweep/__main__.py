"""`make sweep`: run every sweep and write its dated result, to be committed.

`python -m tests.sweep NAME` runs one of them.
"""

import datetime
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests.sweep.records import REPOSITORY, RESULTS, SWEEPS, fingerprint

LIBRARIES = ("luthier", "torch", "transformers", "peft", "datasets", "accelerate")


def main():
    """Return 0 where every sweep passes."""
    failed = 0
    for name in sys.argv[1:] or SWEEPS:
        sweep = SWEEPS[name]
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", sweep.tests, "-m", "sweep", "-q"]
            subprocess.run([*command, f"--junitxml={report}"], cwd=REPOSITORY, check=False)
            suite = next(ElementTree.parse(report).iter("testsuite"))
        bad = int(suite.get("failures")) + int(suite.get("errors"))
        failed += bad
        result = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "commit": output_of("git", "rev-parse", "HEAD"),
            "python": sys.version.split()[0],
            "versions": {library: importlib.metadata.version(library) for library in LIBRARIES},
            "passed": int(suite.get("tests")) - bad - int(suite.get("skipped")),
            "failed": bad,
            "seconds": round(float(suite.get("time"))),
            "fingerprint": fingerprint(sweep),
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        print(f"{name}: {result['passed']} passed, {bad} failed")
    return 1 if failed else 0


def output_of(*command):
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
