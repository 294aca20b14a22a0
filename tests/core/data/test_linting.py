"""The look at all data of a run."""

import json
from dataclasses import replace

import pytest

from luthier.core import LuthierError
from luthier.core.data import Rows
from luthier.core.data.cleaning import cleaned
from luthier.core.data.dataset import standardized
from luthier.core.data.linting import lint

LONG = " ".join(f"the {n}th thing that is told of here" for n in range(12))


def write(file, *rows):
    told = [{"instruction": ask, "output": answer} for ask, answer in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in told))
    return str(file)


def remarks_of(report):
    return {one.lint: one for one in report.remarks}


@pytest.fixture
def linted(small_run, tmp_path):
    """Lint a run of these rows."""

    def run(*rows, fix=None, **changes):
        contents = small_run(**changes)
        write(tmp_path / "rows.jsonl", *rows)
        return lint(contents, fix=fix)

    return run


def test_data_with_nothing_odd_has_no_remark_and_exit_code_0(linted):
    report = linted(("Who are you?", "I am."), ("Where is it?", "It is over there."))
    assert report.remarks == []
    assert report.exit_code == 0
    facts = report.facts[0]
    assert facts.rows == facts.lengths.counts.total() == 2
    assert 0 < facts.trained_tokens < facts.tokens
    assert facts.languages["English"] == 2


def test_every_bad_row_is_named_with_its_remedy_and_is_an_error(linted):
    report = linted(("a", ""), ("b", "c"), ("", "d"))
    bad = remarks_of(report)["bad-row"]
    assert bad.severity == "error"
    assert report.exit_code == 2
    assert [one.place.rpartition(", ")[2] for one in bad.examples] == ["row 1", "row 3"]
    assert "'output' is empty" in bad.examples[0].said
    assert "Give each row an instruction" in bad.examples[1].remedy


def test_a_bad_row_that_the_run_file_leaves_out_is_a_warning(linted, tmp_path):
    dropping = [{"path": str(tmp_path / "rows.jsonl"), "bad_rows": "drop"}]
    report = linted(("a", ""), ("b", "c"), data=dropping)
    assert remarks_of(report)["bad-row"].severity == "warning"
    assert report.exit_code == 1


def test_rows_that_are_the_same_are_told_with_the_first(linted):
    found = remarks_of(linted(("a", "b"), ("c", "d"), ("a", "b"), ("a", "other")))
    assert found.keys() == {"duplicate"}
    assert found["duplicate"].count == 1
    assert found["duplicate"].rows == 4
    assert found["duplicate"].examples[0].said.endswith("row 1")


def test_rows_that_are_nearly_the_same_are_told_apart_from_these(linted):
    found = remarks_of(linted(("a", LONG), ("c", "d"), ("b", f"{LONG}!"), ("b", f"{LONG}!")))
    assert found["near-duplicate"].count == 1
    assert found["duplicate"].count == 1


def test_rows_and_questions_of_two_datasets_are_told(small_run, tmp_path):
    first = write(tmp_path / "a.jsonl", ("Who?", "I."), ("Where?", "Here."), ("Long?", LONG))
    other = write(tmp_path / "b.jsonl", ("Who?", "I."), ("Where?", "There."), ("Why?", "So."))
    report = lint(small_run(data=[first, other]))
    (shared,) = report.remarks
    assert (shared.lint, shared.dataset, shared.count) == ("shared", other, 2)
    assert shared.examples[0].said.endswith("a.jsonl, row 1")
    assert "asks what" in shared.examples[1].said


def test_rows_of_a_validation_set_that_are_trained_on_are_told(small_run, tmp_path):
    data = write(tmp_path / "a.jsonl", ("Who?", "I."), ("Where?", "Here."), ("Long?", LONG))
    seen = write(tmp_path / "b.jsonl", ("Long?", LONG), ("Long?", f"{LONG}!"), ("Why?", "So."))
    unseen = write(tmp_path / "c.jsonl", ("When?", "Now."), ("Why?", "So."))
    report = lint(small_run(data=data, validation={"seen": seen, "unseen": unseen}))
    found = {(one.lint, one.dataset): one for one in report.remarks}
    assert found["leakage", seen].count == 2
    assert found["leakage", seen].examples[0].said == f"is {data}, row 3"
    assert found["shared", unseen].count == 1
    assert ("leakage", unseen) not in found


def test_text_that_looks_like_a_special_token_is_told_by_the_model_of_the_run(linted):
    report = linted(("a", "b<|endoftext|>"), ("a <|other|>", "c"))
    (remark,) = report.remarks
    assert (remark.lint, remark.count) == ("special-text", 1)
    assert "<|endoftext|>" in remark.examples[0].said


def test_what_truncation_takes_of_the_answers_is_told(linted):
    cut = {"max_length": 40, "overflow": "truncate"}
    report = linted(("a", "b"), ("a", LONG), (LONG, "b"), encoding=cut)
    found = remarks_of(report)
    assert found["supervision-lost"].count == 1
    assert found["too-long"].count == 1, "of that one nothing is left"
    assert report.facts[0].lost_tokens > 0
    assert report.exit_code == 1


def test_rows_that_are_too_long_are_as_grave_as_the_run_file_says(linted, tmp_path):
    rows = ("a", "b"), ("a", LONG)
    assert linted(*rows, encoding={"max_length": 40}).exit_code == 2
    assert linted(*rows, encoding={"max_length": 40, "overflow": "drop"}).exit_code == 1
    assert linted(*rows, encoding={"max_length": 40, "overflow": "split"}).exit_code == 2
    text = json.dumps({"text": LONG}) + "\n"
    (tmp_path / "text.jsonl").write_text(text)
    data = [str(tmp_path / "text.jsonl")]
    stage = {"name": "pt", "packing": False}
    split = linted(data=data, stage=stage, encoding={"max_length": 40, "overflow": "split"})
    assert split.exit_code == 0
    assert [one.severity for one in split.remarks] == ["info"]


def test_a_row_of_which_nothing_is_trained_is_told(install, linted, tmp_path):
    install(
        "fake-dist", {"luthier.formats": {"untrained": "fake_untrained:Untrained"}},
        fake_untrained=UNTRAINED,
    )  # fmt: skip
    data = [{"path": str(tmp_path / "rows.jsonl"), "format": "untrained"}]
    report = linted(("a", "b"), ("c", "skip"), data=data)
    assert [(one.lint, one.count) for one in report.remarks] == [("nothing-trained", 1)]
    assert report.exit_code == 2


UNTRAINED = '''
from luthier.core import Plugin, hookimpl
from luthier.core.data import Conversation, aligned


class Untrained(Plugin):
    """Rows of which some are not trained."""

    @hookimpl
    def align_dataset(self, dataset, spec):
        """Return conversations."""
        return aligned(dataset, spec, self._row)

    def _row(self, row):
        answer = {"role": "assistant", "content": row["output"], "train": row["output"] != "skip"}
        return Conversation([{"role": "user", "content": row["instruction"]}], [answer])
'''


def test_a_report_is_json_with_lengths_and_examples(linted):
    told = json.loads(json.dumps(linted(("a", "b"), ("a", "b"), ("c", "")).json()))
    assert told["exit_code"] == 2
    assert [one["lint"] for one in told["remarks"]] == ["bad-row", "duplicate"]
    lengths = told["datasets"][0]["lengths"]
    assert sum(one["rows"] for one in lengths["bins"]) == 2
    assert lengths["p50"] == lengths["p100"]


# --- writing --------------------------------------------------------------------------------


def test_what_is_written_lacks_repeated_and_unusable_rows(linted, tmp_path):
    out = tmp_path / "clean.jsonl"
    thought = "<think>Is it?</think>d"
    report = linted(("a", "b"), ("", "x"), ("a", "b"), ("c", thought), fix=out)
    assert [(one.file, one.rows) for one in report.cleaned.files] == [(str(out), 2)]
    assert (report.cleaned.unusable, report.cleaned.repeated) == (1, 1)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["messages"][-1] for row in rows] == [
        {"role": "assistant", "content": content} for content in ("b", thought)
    ]
    assert list(rows[0]) == ["messages"]


def test_several_datasets_are_written_to_a_file_each(small_run, tmp_path):
    first = write(tmp_path / "a.jsonl", ("Who?", "I."), ("Why?", "So."))
    other = write(tmp_path / "b.jsonl", ("Who?", "I."), ("How?", "Thus."))
    report = lint(small_run(data=[first, other]), fix=tmp_path / "out.jsonl")
    names = [tmp_path / "out-1.jsonl", tmp_path / "out-2.jsonl"]
    assert [one.file for one in report.cleaned.files] == [*map(str, names)]
    assert [one.rows for one in report.cleaned.files] == [2, 1]


def test_nothing_is_written_over(linted, tmp_path):
    out = tmp_path / "there.jsonl"
    out.write_text("mine")
    with pytest.raises(LuthierError, match="is there already"):
        linted(("a", "b"), fix=out)
    assert out.read_text() == "mine"
    with pytest.raises(LuthierError, match="there is no folder"):
        linted(("a", "b"), fix=tmp_path / "no" / "out.jsonl")


def test_half_a_character_is_a_bad_row_and_written_as_json_has_it_where_it_is_not_trained(
    linted, small_run, tmp_path
):
    half = "Hello \ud83d"
    report = linted((half, "a"), ("b", "c"), fix=tmp_path / "clean.jsonl")
    assert "half a character" in remarks_of(report)["bad-row"].examples[0].said
    assert (report.cleaned.unusable, [one.rows for one in report.cleaned.files]) == (1, [1])
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    row["messages"].insert(1, {"role": "assistant", "content": "", "reasoning_content": half})
    row["messages"].insert(2, {"role": "user", "content": "go on"})
    file = tmp_path / "thoughts.jsonl"
    file.write_text(json.dumps(row) + "\n")
    data = [{"path": str(file), "format": "openai"}]
    report = lint(small_run(data=data, template="chatml"), fix=tmp_path / "fixed.jsonl")
    assert "bad-row" not in remarks_of(report)
    assert json.loads((tmp_path / "fixed.jsonl").read_text("utf-8")) == row


def test_what_is_written_of_a_dataset_without_rows_is_an_empty_file(spec_of, tmp_path):
    empty = replace(standardized(spec_of([{"text": "a"}], format="text")), rows=Rows.of([]))
    assert [one.rows for one in cleaned([empty], tmp_path / "out.jsonl", [], []).files] == [0]
    assert (tmp_path / "out.jsonl").read_text() == ""


TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"type": "function", "function": {"name": "f", "arguments": {"x": "a"}}}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("x", "its `parameters` are 'x', no object"),
        ({"properties": ["x"]}, "`properties` are ['x'], no object"),
        ({"properties": {"x": 5}}, "'x' is 5, no schema"),
        ({"properties": {"x": {"type": 5}}}, "the type of 'x' is 5"),
        ({"properties": {"x": {"type": [{}]}}}, "the type of 'x' is [{}]"),
        ({"properties": {"x": {"enum": "abc"}}}, "the `enum` of 'x' is 'abc', no list"),
        ({"properties": {"x": {"enum": 5}}}, "the `enum` of 'x' is 5, no list"),
        ({"required": 5}, "`required` is 5, no list of names"),
        ({"required": [5]}, "`required` is [5], no list of names"),
    ],
)
def test_a_tool_whose_schema_cannot_be_read_is_told(small_run, tmp_path, parameters, said):
    tool = {**TOOL, "function": {"name": "f", "parameters": parameters}}
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [CALL]}]
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"messages": chat, "tools": [tool]}) + "\n")
    report = lint(small_run(data=[{"path": str(file), "format": "openai"}]))
    found = remarks_of(report)
    assert found["bad-tools"].examples[0].said.startswith(f"'f': {said}")
    assert "call-arguments" not in found


def test_rows_of_a_validation_set_leave_what_is_trained_on(small_run, tmp_path):
    write(tmp_path / "rows.jsonl", ("a", "b"), ("c", "d"))
    write(tmp_path / "held-out.jsonl", ("c", "d"), ("e", "f"))
    out = tmp_path / "clean.jsonl"
    report = lint(small_run(validation={"path": str(tmp_path / "held-out.jsonl")}), fix=out)
    (written,) = report.cleaned.files
    assert (written.file, written.rows, report.cleaned.repeated) == (str(out), 1, 1)
    assert written.dataset == str(tmp_path / "rows.jsonl")
    assert '"a"' in out.read_text()


def test_data_of_which_nothing_is_left_is_an_error_whatever_drops_it(linted):
    report = linted(("a", LONG), encoding={"max_length": 8, "overflow": "drop"})
    assert [(one.lint, one.severity) for one in report.remarks] == [
        ("nothing-left", "error"), ("too-long", "warning"),
    ]  # fmt: skip
    assert report.exit_code == 2


def test_rows_that_are_left_out_are_not_said_to_be_cut(linted):
    report = linted(
        ("a b c " * 40, "d"), ("a", "b"), encoding={"max_length": 40, "overflow": "truncate"}
    )
    assert [one.lint for one in report.remarks] == ["too-long"]
