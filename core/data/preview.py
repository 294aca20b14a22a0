"""The first rows of a run's datasets exactly as its training encodes them, and the totals."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import accumulate, groupby, islice
from typing import TYPE_CHECKING, Any

from luthier.core.data.dataset import DatasetSpec, Validation, standardized
from luthier.core.data.decoding import Stretch, stretches_of
from luthier.core.data.encoding import PROMPT
from luthier.core.data.inspection import Inspection, inspected
from luthier.core.data.lengths import LengthLimit, TooLong, length_of, trained_count
from luthier.core.data.merging import NothingLeft
from luthier.core.data.preparation import prepare
from luthier.core.data.standard import BadValue
from luthier.core.data.worker import SeenRow
from luthier.core.errors import BadData
from luthier.core.run.program import RunLike
from luthier.core.runfile.templating import OWN
from luthier.core.templates import IGNORED, Encoded

if TYPE_CHECKING:
    from luthier.core.data.encoding import EncodedRow


@dataclass(frozen=True)
class ShownSequence:
    """One sequence of a row."""

    name: str
    """Its name where a row has several, as `chosen`; else an empty text."""
    tokens: int
    trained: int
    """How many of its tokens the loss counts, were none cut off."""
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class ShownRow:
    """One row, and what becomes of it."""

    number: int
    """Its place in the source, from 1."""
    fate: str
    """`whole`, `cut`, `split`, `too long`, `nothing trained` or `bad`."""
    problem: str
    """What is wrong with it; empty where nothing is."""
    remedy: str
    sequences: tuple[ShownSequence, ...]


@dataclass(frozen=True)
class ShownDataset:
    """One dataset of a run."""

    name: str
    rows: tuple[ShownRow, ...]
    """The first of them."""
    totals: dict[str, int] | None
    """What becomes of all rows, as `train` counts them; None where it would stop before their end,
    or where they are streamed."""
    stops: str
    """Why training would stop at this dataset; empty where it would not."""
    note: str = ""
    """What its format has to say of it, as which one it was taken for."""


@dataclass(frozen=True)
class ShownPack:
    """A sequence that the stage puts together of several rows, and the model sees as one."""

    number: int
    """Its place among them, from 1, before they are shuffled."""
    samples: int
    """How many rows it is of; 1 for a block of running text."""
    sequence: ShownSequence
    """Its tokens; where one row ends and the next begins, `part` changes."""


@dataclass(frozen=True)
class Preview:
    """The data of a run, to be looked at."""

    model: str
    template: str
    """The name of the chat template, or the place of one's own; empty where there is none."""
    encoding: dict[str, Any]
    """The section `encoding` of the run."""
    datasets: tuple[ShownDataset, ...]
    packs: tuple[ShownPack, ...]
    """The first sequences that rows of all datasets are packed in; none where they are not."""

    def json(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return asdict(self)


def preview(
    run: RunLike, overrides: Sequence[str] = (), *, rows: int = 3, trust_plugins: bool = False
) -> Preview:
    """Return the first rows of each dataset as training encodes them, and the totals of all rows.

    What is prepared for the totals stays in the user's cache, where training finds it.

    Args:
        run: a run file, its contents, or a run folder.
        overrides: `key.path=value` and `~key.path`, as on the command line.
        rows: how many rows of each dataset are shown, and how many packs.
        trust_plugins: let the plugin files that a run folder's run.yaml names be run.

    Raises:
        LuthierError: the run file, the model or a source is not what it has to be.
    """
    with inspected(run, overrides, trust_plugins=trust_plugins) as inspection:
        of_run = inspection.run
        template = next(iter(of_run.of("templates")), None)
        name = template.name if template is not None else ""
        return Preview(
            model=of_run.model.path,
            template=str(of_run.tree.at(("template",)).place) if name == OWN else name,
            encoding=of_run.encoding.model_dump(mode="json"),
            datasets=tuple(_shown_dataset(spec, inspection, rows) for spec in of_run.data),
            packs=tuple(_packs(inspection, rows)),
        )


def _shown_dataset(spec: DatasetSpec, inspection: Inspection, count: int) -> ShownDataset:
    aligned = standardized(spec)
    rows = tuple(_shown_row(row, inspection) for row in inspection.rows(aligned, count))
    if inspection.run.mix.streaming:
        note = "; ".join(filter(None, (aligned.note, UNCOUNTED)))
        return ShownDataset(str(spec), rows, None, "", note)
    totals, stops = _totals(spec, inspection)
    return ShownDataset(str(spec), rows, totals, stops, aligned.note)


UNCOUNTED = "the rows are streamed, so they are counted when they are trained on"


def _totals(spec: DatasetSpec, inspection: Inspection) -> tuple[dict[str, int] | None, str]:
    """Return what training counts; where it would stop, what it would count if it did not."""
    stops, lenient = "", inspection.run.encoding
    if lenient.overflow == "error":
        lenient = lenient.model_copy(update={"overflow": "drop"})
    dropping = replace(spec, section=spec.section.model_copy(update={"bad_rows": "drop"}))
    for encoding, one in ((inspection.run.encoding, spec), (lenient, dropping)):
        alone = replace(inspection.run, data=(one,), encoding=encoding, validation=Validation())
        try:
            prepared = prepare(alone, inspection.located, inspection.manager)
        except NothingLeft as fault:
            # of several datasets one may come to nothing
            sole = len(inspection.run.data) == 1
            return dict(vars(fault.counts)), stops or (str(fault) if sole else "")
        except BadData as fault:
            stops = stops or str(fault)
        else:
            return dict(vars(prepared.counts)), stops
    return None, stops


# --- a row ----------------------------------------------------------------------------------


def _shown_row(row: SeenRow, inspection: Inspection) -> ShownRow:
    limit = inspection.limit
    fate, fault = fate_of(row.encoded, limit)
    problem, remedy = (fault.problem, fault.remedy) if fault is not None else ("", "")
    if isinstance(row.encoded, BadValue):
        return ShownRow(row.number, fate, problem, remedy, ())
    part_of = _part_of(fate, limit, row.encoded)
    sequences = tuple(
        ShownSequence(name, len(one.ids), trained_count(one), _stretches(one, inspection, part_of))
        for name, one in row.encoded.items()
    )
    return ShownRow(row.number, fate, problem, remedy, sequences)


def fate_of(row: EncodedRow, limit: LengthLimit) -> tuple[str, BadValue | None]:
    """Return what training makes of a row: a `fate` of `ShownRow`, and what is wrong with it."""
    try:
        if isinstance(row, BadValue):
            raise row
        parts = list(limit.fitting(row))
    except TooLong as fault:
        return "too long", fault
    except BadValue as fault:
        return ("bad" if isinstance(row, BadValue) else "nothing trained"), fault
    longest = length_of(row)
    if longest <= limit.tokens:
        return "whole", None
    if parts:
        return ("cut" if len(parts) == 1 else "split"), None
    said = f"it has {longest} tokens, and encoding.max_length is {limit.tokens}"
    if limit.overflow == "truncate":
        said += ", and a prompt is not cut" if PROMPT in row else _BEHIND
    return "too long", BadValue(f"{said}, so it is left out", "Raise `encoding.max_length`.")


_BEHIND = ", behind which all its trained tokens stand"


def _part_of(
    fate: str, limit: LengthLimit, row: Mapping[str, Encoded]
) -> Callable[[int], int | None]:
    """Return what tells of a token's place to which of the rows that are made it goes."""
    if fate == "split":
        ends = list(accumulate(len(part[""].ids) for part in limit.fitting(row)))
        return partial(bisect_right, ends)
    return lambda at: 0 if fate == "whole" or at < limit.tokens else None


def _stretches(
    row: Encoded, inspection: Inspection, part_of: Callable[[int], int | None]
) -> tuple[Stretch, ...]:
    return tuple(stretches_of(row, inspection.tokenizer, inspection.special_ids, part_of))


# --- a pack ---------------------------------------------------------------------------------


def _packs(inspection: Inspection, count: int) -> Iterator[ShownPack]:
    run = replace(inspection.run, validation=Validation())
    try:
        prepared = prepare(run, inspection.located, inspection.manager)
    except BadData:
        return  # the dataset where it stops says so
    items = inspection.manager.hook.arrange_dataset(dataset=prepared.dataset, encoding=run.encoding)
    if items is None:
        return
    # a stream has no places, and what has places need not end when it is gone through
    first = map(items.__getitem__, range(len(items))) if hasattr(items, "__len__") else items
    for number, item in enumerate(islice(first, count), 1):
        rows = item if isinstance(item, list) else [item]
        ids = [i for row in rows for i in row["input_ids"]]
        labels = [label for row in rows for label in row["labels"]]
        runs = [
            (len([*same]), kept) for kept, same in groupby(label != IGNORED for label in labels)
        ]
        ends = list(accumulate(len(row["input_ids"]) for row in rows))
        one = Encoded(ids, runs)
        stretches = _stretches(one, inspection, partial(bisect_right, ends))
        yield ShownPack(
            number, len(rows), ShownSequence("", len(ids), trained_count(one), stretches)
        )
