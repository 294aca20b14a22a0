"""Encoded rows: those that are too long, and several datasets in one run."""

import json

import pytest

from luthier.core import BadData, train


def test_a_row_that_is_too_long_is_an_error_that_names_it(small_run):
    with pytest.raises(BadData, match=r"row \d+: it has \d+ tokens.*encoding\.max_length is 40"):
        train(small_run(encoding={"max_length": 40}))


def test_rows_that_are_too_long_are_dropped_and_counted_when_told(small_run):
    folder = train(small_run(encoding={"max_length": 40, "overflow": "drop"}))
    data = json.loads(folder.manifest.read_text())["data"]
    assert data["rows"] + data["dropped"] == 12
    assert data["dropped"] > 0


def test_a_run_of_which_no_row_is_left_is_refused(small_run):
    with pytest.raises(BadData, match="no row is left"):
        train(small_run(encoding={"max_length": 3, "overflow": "drop"}))


def test_several_datasets_are_joined(small_run, data_file):
    folder = train(small_run(data=[str(data_file), {"path": str(data_file), "samples": 3}]))
    assert json.loads(folder.manifest.read_text())["data"]["rows"] == 15
