"""Sets that `save_to_disk` wrote."""

import pytest
from datasets import Dataset, DatasetDict

from luthier.core import BadData, check
from luthier.core.data.dataset import standardized
from luthier.core.problems import BadRunFile

SET = Dataset.from_list(
    [{"instruction": f"Say {n}.", "input": "", "output": str(n)} for n in range(5)]
)


def declared(path, **settings):
    """Return a dataset as a run file declares it."""
    return check({"data": [{"path": str(path), "format": "alpaca", **settings}]}).data[0]


def answers(spec):
    return [row.response[0]["content"] for row in standardized(spec)]


def test_a_saved_set_is_read(tmp_path):
    SET.save_to_disk(tmp_path / "set")
    spec = declared(f"saved:{tmp_path}/set")
    assert answers(spec) == ["0", "1", "2", "3", "4"]


def test_a_split_of_a_saved_set_is_taken(tmp_path):
    DatasetDict(train=SET, test=SET.select([3])).save_to_disk(tmp_path / "set")
    assert answers(declared(f"saved:{tmp_path}/set", split="test")) == ["3"]
    with pytest.raises(BadRunFile, match=r"there is no split 'dev'\n.*train, test"):
        declared(f"saved:{tmp_path}/set", split="dev")


def test_what_is_no_saved_set_is_told(tmp_path):
    with pytest.raises(BadRunFile, match=r"holds neither state\.json nor dataset_dict\.json"):
        declared(f"saved:{tmp_path}")
    with pytest.raises(BadRunFile, match="is no folder"):
        declared(f"saved:{tmp_path}/nowhere")
    SET.save_to_disk(tmp_path / "set")
    with pytest.raises(BadRunFile, match="without splits"):
        declared(f"saved:{tmp_path}/set", split="test")
    with pytest.raises(BadRunFile, match=r"`save_to_disk` .* wrote\n +Write `path: saved:"):
        declared(f"{tmp_path}/set")
    spec = declared(f"saved:{tmp_path}/set")
    (tmp_path / "set" / "dataset_info.json").unlink()
    with pytest.raises(BadData, match="cannot be read as"):
        standardized(spec)
