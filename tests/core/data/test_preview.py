"""A preview: what is trained on, token by token, and what becomes of rows."""

import json

import pytest

from luthier.core import LuthierError
from luthier.core.data.page import page_of
from luthier.core.data.preview import preview

EVIL = "<script>alert('x')</script> & \"quoted\""


def write(folder, *rows):
    told = [{"instruction": ask, "output": answer} for ask, answer in rows]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))


def text_of(row, **facts):
    """The text of a row's tokens of which these facts hold."""
    return "".join(
        one.text
        for one in row.sequences[0].stretches
        if all(getattr(one, name) == value for name, value in facts.items())
    )


def test_a_row_is_shown_as_it_is_trained_on(small_run):
    dataset = preview(small_run()).datasets[0]
    row = dataset.rows[0]
    asked = "<|im_start|>user\nWhat is 1 plus 1?<|im_end|>\n<|im_start|>assistant\n"
    assert text_of(row, trained=False) == asked + "\n"
    assert text_of(row, trained=True) == "It is 2. Yes.<|im_end|>"
    assert text_of(row, special=True) == "<|im_start|><|im_end|><|im_start|><|im_end|>"
    assert row.fate == "whole"
    assert [one.number for one in dataset.rows] == [1, 2, 3]


def test_the_totals_are_those_of_training(small_run):
    totals = preview(small_run(), rows=0).datasets[0].totals
    assert totals["read"] == totals["rows"] == 12
    assert 0 < totals["trained_tokens"] < totals["tokens"]


def test_overrides_hold_and_what_is_wrong_with_the_run_file_is_told(small_run):
    dataset = preview(small_run(), ["data.0.samples=2"], rows=5).datasets[0]
    assert len(dataset.rows) == dataset.totals["rows"] == 2
    with pytest.raises(LuthierError, match="overflow"):
        preview(small_run(), ["encoding.overflow=no"])


def test_every_dataset_is_shown(small_run, data_file):
    both = preview(small_run(data=[str(data_file), {"path": str(data_file), "samples": 1}]))
    assert [one.totals["rows"] for one in both.datasets] == [12, 1]


def test_what_is_cut_off_is_told_apart(small_run):
    run = small_run(encoding={"max_length": 30, "overflow": "truncate"})
    shown = preview(run, rows=12).datasets[0]
    cut = shown.rows[-1]
    assert cut.fate == "cut"
    assert text_of(cut, part=None).endswith("Yes.<|im_end|>\n")
    assert sum(len(one.ids) for one in cut.sequences[0].stretches if one.part == 0) == 30
    assert shown.totals["cut"] == sum(row.fate == "cut" for row in shown.rows) > 0


@pytest.fixture
def split_run(small_run, tmp_path):
    """A run that splits a text."""
    (tmp_path / "text.jsonl").write_text(json.dumps({"text": "Long is the way. " * 12}) + "\n")
    return small_run(
        data=[str(tmp_path / "text.jsonl")], stage={"name": "pt", "packing": False},
        encoding={"max_length": 30, "overflow": "split"},
    )  # fmt: skip


def test_a_split_row_shows_where_the_next_begins(split_run):
    row = preview(split_run, rows=12).datasets[0].rows[-1]
    assert row.fate == "split"
    assert {one.part for one in row.sequences[0].stretches} >= {0, 1}


def test_one_dataset_of_two_may_come_to_nothing(small_run, data_file, tmp_path):
    write(tmp_path, ("Why?", "Because. " * 60))
    long = data_file.rename(tmp_path / "long.jsonl")
    write(tmp_path, ("Why?", "So."))
    limited = {"encoding": {"max_length": 40, "overflow": "drop"}}
    both = preview(small_run(data=[str(data_file), str(long)], **limited))
    assert [one.stops for one in both.datasets] == ["", ""]
    assert both.datasets[1].totals["too_long"] == 1
    (alone,) = preview(small_run(data=[str(long)], **limited)).datasets
    assert "no row is left" in alone.stops


def test_streamed_rows_are_shown_and_are_not_said_to_be_none(small_run):
    shown = preview(small_run(mix={"streaming": True}), rows=2).datasets[0]
    assert len(shown.rows) == 2
    assert shown.totals is None
    assert "the rows are streamed" in shown.note


def test_rows_that_are_packed_are_shown_together_with_their_boundaries(small_run):
    stage = {"name": "sft", "packing": True}
    found = preview(small_run(stage=stage, encoding={"max_length": 120}, validation=4), rows=2)
    for number, pack in enumerate(found.packs, 1):
        assert pack.number == number
        parts = [one.part for one in pack.sequence.stretches]
        assert parts == sorted(parts)
        assert {*parts} == {*range(pack.samples)}
        assert pack.sequence.tokens <= 120
        begins = "".join(one.text for one in pack.sequence.stretches if one.part == 1)
        assert begins.startswith("<|im_start|>user")
    page = page_of(found)
    assert page.count("sample 2<") == len(found.packs) == 2
    assert preview(small_run()).packs == ()


def test_running_text_is_shown_in_its_blocks(small_run, data_file):
    data_file.write_text('{"text": "Once upon a time."}\n' * 9)
    run = small_run(stage="pt", encoding={"max_length": 16}, data=[str(data_file)])
    (pack,) = preview(run, rows=1).packs
    assert (pack.samples, pack.sequence.tokens, pack.sequence.trained) == (1, 16, 15), (
        "the first token is BOS"
    )
    assert "".join(one.text for one in pack.sequence.stretches).startswith("Once upon a time.")


def test_a_row_too_long_and_a_row_that_loses_all_its_answer_say_so(small_run):
    shown = preview(small_run(encoding={"max_length": 40}), rows=12).datasets[0]
    assert shown.rows[-1].fate == "too long"
    assert "encoding.max_length is 40" in shown.stops
    assert shown.totals["too_long"] == sum(row.fate == "too long" for row in shown.rows)
    lost = small_run(encoding={"max_length": 8, "overflow": "truncate"})
    shown = preview(lost).datasets[0]
    assert (shown.totals["read"], shown.totals["rows"]) == (12, 0)
    assert "behind which all its trained tokens stand" in shown.rows[0].problem


def test_a_bad_row_is_named_and_the_totals_leave_it_out(small_run, tmp_path):
    run = small_run()
    write(tmp_path, ("a", "b"), ("c", ""))
    shown = preview(run).datasets[0]
    assert [row.fate for row in shown.rows] == ["whole", "bad"]
    assert "'output' is empty" in shown.rows[1].problem
    assert "row 2" in shown.stops
    assert (shown.totals["rows"], shown.totals["bad"]) == (1, 1)


def test_a_run_folder_is_previewed_and_its_plugin_files_are_not_run_unasked(small_run, tmp_path):
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "run.yaml").write_text(json.dumps(small_run()))
    assert preview(folder, ["data.0.samples=4"]).datasets[0].totals["rows"] == 4
    (folder / "run.yaml").write_text(json.dumps(small_run(plugins=["mine.py"])))
    with pytest.raises(LuthierError, match="--trust-plugins"):
        preview(folder)


def test_a_preview_is_json(small_run):
    told = json.loads(json.dumps(preview(small_run()).json()))
    first = told["datasets"][0]["rows"][0]["sequences"][0]["stretches"][0]
    assert first == {
        "ids": [1], "text": "<|im_start|>", "special": True, "trained": False, "part": 0,
    }  # fmt: skip


# --- the page -------------------------------------------------------------------------------


def test_the_page_holds_the_data_as_text_and_needs_nothing_else(small_run, tmp_path):
    write(tmp_path, (EVIL, "Yes.\tNo."), ("c", ""))
    page = page_of(preview(small_run()))
    assert "<script" not in page
    assert "http" not in page
    assert "src=" not in page
    assert "prefers-color-scheme: dark" in page
    assert "&#39;output&#39; is empty" in page
    assert "⇥" in page


def test_the_page_shows_ids_when_told_and_where_rows_are_split(split_run):
    shown = preview(split_run, rows=12)
    assert 'class="n"' not in page_of(shown)
    page = page_of(shown, ids=True)
    assert '<span class="n">2</span>' in page
    assert "row 2 made of it" in page


def test_the_path_of_a_dataset_is_text_in_the_page_too(small_run, data_file):
    odd = data_file.rename(data_file.with_name("<b>.jsonl"))
    page = page_of(preview(small_run(data=[{"path": str(odd)}])))
    assert "<b>" not in page
    assert "&lt;b&gt;.jsonl" in page
