"""One dataset: its rows as they stand, and as conversations."""

import pytest

from luthier.core.data import BadValue, Rows, aligned
from luthier.core.data.dataset import standardized

ROW = {"instruction": "Add.", "input": "1, 2", "output": "3"}


def first(spec):
    return next(iter(standardized(spec)))


def test_variables_are_put_in_wherever_they_stand(spec_of):
    spec = spec_of([{**ROW, "output": "I am {{name}}."}], variables={"name": "Luthier"})
    assert first(spec).response[0]["content"] == "I am Luthier."


def test_samples_takes_rows_from_the_start(spec_of):
    rows = [{**ROW, "output": str(n)} for n in range(5)]
    taken = standardized(spec_of(rows, samples=2))
    assert [row.response[0]["content"] for row in taken] == ["0", "1"]


def test_a_fault_of_a_format_itself_keeps_its_traceback_and_names_the_row(spec_of):
    spec = spec_of([ROW])

    def broken(row):
        return int(row["output"] + "x")

    with pytest.raises(ValueError, match="invalid literal") as fault:
        list(aligned(Rows.of([ROW]), spec, broken))
    assert "in row 1 of" in "".join(fault.value.__notes__)
    assert issubclass(BadValue, Exception)
