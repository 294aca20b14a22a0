"""A look at all data of a run: what is wrong or odd about it, how long it is, in what language."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from luthier.core.data.cleaning import Cleaned, cleaned, require_free
from luthier.core.data.dataset import standardized
from luthier.core.data.histogram import Histogram
from luthier.core.data.inspection import Inspection, inspected
from luthier.core.data.languages import language_of
from luthier.core.data.lengths import part_of, trained_count
from luthier.core.data.lints import LINTS, canonical, faults_of, question_of, texts_of
from luthier.core.data.nearness import Nearness, Sameness
from luthier.core.data.preview import fate_of
from luthier.core.data.standard import Aligned, BadValue
from luthier.core.data.worker import SeenRow
from luthier.core.run.program import RunLike

MOST_EXAMPLES = 5
"""Places that are told of a fault."""
MOST_BAD = 1000
"""Places that are told of rows that cannot be used."""
SEVERITIES = ("info", "warning", "error")
"""In the order of the exit code."""
UNUSABLE = frozenset({"bad-row", "nothing-trained"})
"""What makes a row one that cannot be trained on."""


@dataclass(frozen=True)
class Example:
    """One row that has a fault."""

    place: str
    said: str
    remedy: str = ""
    """What to do about this one; empty where it is what is to be done about all of them."""


@dataclass
class Remark:
    """A fault of a dataset, and how many rows have it."""

    lint: str
    severity: str
    dataset: str
    count: int
    rows: int
    """Of how many rows of the dataset."""
    said: str
    remedy: str
    examples: list[Example] = field(default_factory=list)


@dataclass
class Facts:
    """What a dataset is like."""

    dataset: str
    rows: int = 0
    kept: int = 0
    """Rows that something of is trained on."""
    tokens: int = 0
    trained_tokens: int = 0
    lost_tokens: int = 0
    """Trained tokens that are cut off."""
    lengths: Histogram = field(default_factory=Histogram)
    """Of each row its longest sequence, before anything is cut."""
    languages: Counter[str] = field(default_factory=Counter)
    """Rows by their language, told by rule of thumb."""

    def json(self) -> dict[str, Any]:
        """Return them as JSON has them."""
        lengths = self.lengths
        shares = {f"p{round(100 * q)}": lengths.quantile(q) for q in (0.05, 0.5, 0.95, 0.99, 1)}
        bins = [{"from": low, "to": high, "rows": count} for low, high, count in lengths.bins()]
        told = {k: v for k, v in vars(self).items() if k not in {"lengths", "languages"}}
        languages = dict(self.languages.most_common())
        return {**told, "lengths": {**shares, "bins": bins}, "languages": languages}


@dataclass
class Report:
    """What was found in the data of a run."""

    max_length: int
    facts: list[Facts]
    remarks: list[Remark]
    """The gravest first."""
    cleaned: Cleaned | None = None
    """What was written, if anything was to be."""

    @property
    def exit_code(self) -> int:
        """0 where nothing is worse than an info, 1 for warnings, 2 for errors."""
        return max((SEVERITIES.index(one.severity) for one in self.remarks), default=0)

    def json(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "exit_code": self.exit_code,
            "max_length": self.max_length,
            "datasets": [one.json() for one in self.facts],
            "remarks": [asdict(one) for one in self.remarks],
            "cleaned": asdict(self.cleaned) if self.cleaned is not None else None,
        }


def lint(
    run: RunLike,
    overrides: Sequence[str] = (),
    *,
    fix: Path | None = None,
    trust_plugins: bool = False,
) -> Report:
    """Return what is wrong with the data of a run, all of it, and what the data is like.

    Args:
        run: a run file, its contents, or a run folder.
        overrides: `key.path=value` and `~key.path`, as on the command line.
        fix: where to write the rows to train on, without those that cannot be used, are there
            already or stand in a validation set, too.
        trust_plugins: let the plugin files that a run folder's run.yaml names be run.

    Raises:
        LuthierError: the run file, the model or a source is not what it has to be; or there is
            something at `fix` already.
    """
    with ExitStack() as stack:
        inspection = stack.enter_context(inspected(run, overrides, trust_plugins=trust_plugins))
        datasets = [standardized(spec) for spec in inspection.run.datasets]
        trained = datasets[: len(inspection.run.data)]
        if fix is not None:
            require_free(fix, len(trained))
        look = _Look(inspection, datasets, stack.enter_context(Nearness()))
        look.walk()
        look.compare()
        report = Report(inspection.run.encoding.max_length, look.facts, look.all_remarks())
        if fix is not None:
            report.cleaned = cleaned(trained, fix, look.unusable, look.repeated)
        return report


class _Look:
    """One reading of all rows; of each is kept what can be compared, and no row."""

    def __init__(
        self, inspection: Inspection, datasets: Sequence[Aligned], nearness: Nearness
    ) -> None:
        self.facts = [Facts(str(one.spec)) for one in datasets]
        self.unusable, self.repeated = array("Q"), array("Q")
        self._inspection, self._datasets = inspection, datasets
        self._likeness = inspection.text_encoder.likeness
        self._rows, self._questions, self._nearness = Sameness(), Sameness(), nearness
        self._begins = [0]
        self._remarks: dict[tuple[str, int], Remark] = {}

    def walk(self) -> None:
        """Read all rows."""
        for at, aligned in enumerate(self._datasets):
            for row in self._inspection.rows(aligned):
                self.facts[at].rows += 1
                self._take(row, at)
            self._begins.append(self._begins[-1] + self.facts[at].rows)
        trained = self.facts[: len(self._inspection.run.data)]
        if trained and not any(one.kept for one in trained):
            self._put("nothing-left", 0, 1, "so is every other row that is to be trained on")

    def compare(self) -> None:
        """Find rows that are there several times, of one dataset or of several."""
        exact = set()
        validation = self._begins[len(self._inspection.run.data)]
        for number, earlier in self._rows.pairs():
            leaked = earlier < validation <= number
            self.repeated.append(earlier if leaked else number)
            exact.add(number)
            self._put_pair("duplicate", number, earlier)
        for number, earlier in self._nearness.pairs():
            if number not in exact:
                exact.add(number)
                self._put_pair("near-duplicate", number, earlier)
        for number, earlier in self._questions.pairs():
            (at, row), (other, first) = self._found(number), self._found(earlier)
            if number not in exact and at != other:
                said = f"asks what {self._place(other, first)} asks"
                self._put(self._between(at, other), at, row, said)

    def all_remarks(self) -> list[Remark]:
        """Return the remarks, the gravest first, then in the order of LINTS."""
        names = list(LINTS)
        for (_, at), remark in self._remarks.items():
            remark.rows = self.facts[at].rows
        return sorted(
            self._remarks.values(),
            key=lambda one: (-SEVERITIES.index(one.severity), names.index(one.lint)),
        )

    # --- a row ------------------------------------------------------------------------------

    def _take(self, row: SeenRow, at: int) -> None:
        number = self._begins[-1] + row.number - 1
        self._measure(row, at, number)
        if isinstance(row.standard, BadValue):
            # each takes its number, and is like no other
            for one in (self._rows, self._questions):
                one.add(f"\0{number}")
            self._nearness.add("")
            return
        for lint_name, said in faults_of(row.standard, self._likeness):
            self._put(lint_name, at, row.number, said)
        self._rows.add(canonical(row.standard))
        self._questions.add(question_of(row.standard) or f"\0{number}")
        text = "\n".join(texts_of(row.standard))
        self._nearness.add(text)
        self.facts[at].languages[language_of(text)] += 1

    def _measure(self, row: SeenRow, at: int, number: int) -> None:
        """Put down how long a row is, and whether it can be trained on."""
        limit, facts = self._inspection.limit, self.facts[at]
        fate, fault = fate_of(row.encoded, limit)
        facts.kept += fault is None
        if fault is not None:
            lint_name = {"bad": "bad-row", "nothing trained": "nothing-trained"}.get(
                fate, "too-long"
            )
            self._put(lint_name, at, row.number, fault.problem, fault)
            if lint_name in UNUSABLE:
                self.unusable.append(number)
        elif fate == "split":
            self._put("split", at, row.number, "it goes on in a new row")
        if isinstance(row.encoded, BadValue):
            return
        facts.lengths.add(max(len(one.ids) for one in row.encoded.values()))
        facts.tokens += sum(len(one.ids) for one in row.encoded.values())
        trained = sum(map(trained_count, row.encoded.values()))
        facts.trained_tokens += trained
        if fate == "cut":
            cut = (part_of(one, 0, int(limit.tokens)) for one in row.encoded.values())
            if lost := trained - sum(map(trained_count, cut)):
                facts.lost_tokens += lost
                said = f"{lost:,} of {trained:,} trained tokens are cut off"
                self._put("supervision-lost", at, row.number, said)

    # --- remarks ----------------------------------------------------------------------------

    def _put_pair(self, name: str, number: int, earlier: int) -> None:
        (at, row), (other, first) = self._found(number), self._found(earlier)
        like = "is" if name == "duplicate" else "is nearly"
        said = f"{like} {self._place(other, first)}"
        self._put(name if at == other else self._between(at, other), at, row, said)

    def _between(self, at: int, other: int) -> str:
        """Return what it is that a row of one dataset stands in an earlier one, too."""
        trained = len(self._inspection.run.data)
        return "leakage" if other < trained <= at else "shared"

    def _put(self, name: str, at: int, row: int, said: str, fault: BadValue | None = None) -> None:
        kind, dataset = LINTS[name], self._datasets[at]
        remark = self._remarks.setdefault(
            (name, at),
            Remark(name, self._severity(name, at), str(dataset.spec), 0, 0, kind.said, kind.remedy),
        )
        remark.count += 1
        if len(remark.examples) < (MOST_BAD if name in UNUSABLE else MOST_EXAMPLES):
            place = (fault and fault.place) or self._place(at, row)
            remark.examples.append(Example(place, said, fault.remedy if fault else ""))

    def _severity(self, name: str, at: int) -> str:
        """Return how grave a fault is here: what the run file leaves out is no error."""
        section = self._datasets[at].spec.section
        dropped = name in UNUSABLE and section.bad_rows == "drop"
        shortened = name == "too-long" and self._inspection.run.encoding.overflow in {
            "drop",
            "truncate",
        }
        return "warning" if dropped or shortened else LINTS[name].severity

    def _place(self, at: int, row: int) -> str:
        aligned = self._datasets[at]
        # finding a row's file takes a reading of the files: only where there are several
        return aligned.place(row - 1) if aligned.spec.is_folder else f"{aligned.spec}, row {row}"

    def _found(self, number: int) -> tuple[int, int]:
        """Return the dataset of a row, and its number there, which counts from 1."""
        at = next(n for n, end in enumerate(self._begins[1:]) if number < end)
        return at, number - self._begins[at] + 1
