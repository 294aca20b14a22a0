"""Prepared rows are kept, and made anew whenever anything that they depend on has changed."""

import json
from dataclasses import replace

import pytest
from transformers import CTRLTokenizer

from luthier.core import check
from luthier.core.data import keys, production
from luthier.core.data.dataset import standardized
from luthier.core.data.keys import key_of
from luthier.core.data.preparation import prepare
from luthier.core.data.worker import DataWorker
from luthier.core.model.opening import locate, model_spec
from luthier.core.wiring import manager_of

ROWS = [{"instruction": f"Say {n}.", "output": f"It is {n}."} for n in range(10)]


@pytest.fixture(autouse=True)
def cold(tmp_path, monkeypatch):
    """A cache of its own for each test, but for the tiny model's."""
    from luthier.plugins.families.tiny.making import tiny_model

    folder = tiny_model()
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def run_of(tmp_path, cold):
    """What makes a run of some rows."""

    def make(rows=ROWS, entry=None, **changes):
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        told = {"model": {"path": str(cold)}, "template": "chatml", **changes}
        return check({**told, "data": [{"path": str(file), **(entry or {})}]})

    return make


def prepared(run, **how):
    located = locate(model_spec(run, training=True))
    return prepare(run, located, manager_of(run.selected), **how)


def key(run, **changed):
    located = locate(model_spec(run, training=True))
    changed = {name: change(getattr(located, name)) for name, change in changed.items()}
    located = replace(located, **changed)
    return key_of(run, run.data[0], standardized(run.data[0]), located)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [*ROWS[:-1], {**ROWS[-1], "output": "It is 9!"}]},
        {"entry": {"samples": 5}},
        {"entry": {"variables": {"a": "b"}}},
        {"entry": {"bad_rows": "drop"}},
        {"entry": {"format": {"name": "alpaca", "system": "other"}}},
        {"encoding": {"max_length": 100}},
        {"encoding": {"overflow": "drop"}},
        {"encoding": {"loss": "all"}},
        {"encoding": {"special_text": "tokens"}},
        {"template": "llama3"},
        {"template": {"name": "chatml", "default_system": "Be kind."}},
        {"template": {"name": "qwen3", "options": {"enable_thinking": False}}},
        {"stage": "pt"},
    ],
    ids=str,
)
def test_the_key_changes_with_each_part_of_it(run_of, change):
    assert key(run_of(**change)) != key(run_of())
    assert key(run_of()) == key(run_of())


def test_the_key_changes_with_the_tokenizer_s_rules(run_of):
    def with_a_token(tokenizer):
        tokenizer.add_tokens(["<new>"])
        return tokenizer

    assert key(run_of(), tokenizer=with_a_token) != key(run_of())


def test_the_key_changes_with_the_rules_of_a_tokenizer_of_python_too(run_of, tmp_path):
    def of_python(*merges):
        (tmp_path / "vocab.json").write_text(json.dumps({"a@@": 0, "b": 1, "ab": 2, "<unk>": 3}))
        (tmp_path / "merges.txt").write_text("".join(f"{line}\n" for line in ("#", *merges)))
        return CTRLTokenizer(tmp_path / "vocab.json", tmp_path / "merges.txt")

    def key_with(*merges):
        return key(run_of(), tokenizer=lambda _: of_python(*merges))

    assert of_python("a b</w>")("ab")["input_ids"] != of_python("b a</w>")("ab")["input_ids"]
    assert key_with("a b</w>") == key_with("a b</w>") != key_with("b a</w>")


def test_the_key_changes_with_the_versions_of_plugins_and_libraries(run_of, monkeypatch):
    before = key(run_of())
    original = keys.metadata.version
    monkeypatch.setattr(
        keys.metadata,
        "version",
        lambda name: "9" if name == "tokenizers" else original(name),
    )
    assert key(run_of()) != before


def test_the_key_changes_with_the_day_where_the_template_prints_it(run_of, monkeypatch):
    told = []
    for day in ("2026-01-01", "2026-01-02"):
        monkeypatch.setattr(keys, "date", type("Day", (), {"today": lambda day=day: day}))
        told.append([key(run_of(template=name))["day"] for name in ("chatml", "llama3.2")])
    assert told == [[None, "2026-01-01"], [None, "2026-01-02"]]


def test_what_was_prepared_once_is_not_encoded_again(run_of, monkeypatch):
    first = prepared(run_of())
    monkeypatch.setattr(DataWorker, "made", None)
    again = prepared(run_of())
    assert again.fingerprint == first.fingerprint
    assert again.dataset[:] == first.dataset[:]


def test_a_preparation_that_was_stopped_goes_on_behind_its_last_whole_shard(run_of, monkeypatch):
    whole = prepared(run_of()).dataset[:]
    monkeypatch.setattr(production, "ROWS", 4)
    starts, original = [], DataWorker.made

    def made(self, start, rows):
        starts.append(start)
        if start == 8 and len(starts) == 3:
            raise KeyboardInterrupt
        return original(self, start, rows)

    monkeypatch.setattr(DataWorker, "made", made)
    run = run_of(encoding={"max_length": 999})
    with pytest.raises(KeyboardInterrupt):
        prepared(run)
    told = []
    found = prepared(run, tell=lambda name, rows: told.append(rows))
    assert starts == [0, 4, 8, 8]
    assert told == [10]
    assert found.dataset[:] == whole
    assert found.counts.read == 10


def test_the_same_bytes_are_other_rows_in_a_file_of_another_type(run_of, tmp_path):
    counts = []
    for name in ("rows.txt", "rows.csv"):
        (tmp_path / name).write_text("text\nhello there\n")
        run = check({"model": run_of().model.path, "stage": "pt", "data": [str(tmp_path / name)]})
        counts.append(prepared(run).counts.read)
    assert counts == [2, 1]
