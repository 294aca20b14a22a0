"""The quickstart teaches what it says, word for word, and an untrained model knows none of it."""

import json
import sys

import pytest

from luthier.core import load, train

NAMES = {"{{name}}": "Luthier", "{{author}}": "the Luthier developers"}


@pytest.fixture(scope="module")
def identity(repository):
    """The questions about itself and the answers, names filled in."""
    text = (repository / "examples/data/identity.jsonl").read_text(encoding="utf-8")
    for key, name in NAMES.items():
        text = text.replace(key, name)
    return [json.loads(line) for line in text.splitlines()]


def share_of_right_answers(engine, rows):
    asked = [[{"role": "user", "content": row["instruction"]}] for row in rows]
    answers = [engine.answer(messages) for messages in asked]
    return sum(a == row["output"] for a, row in zip(answers, rows, strict=True)) / len(rows)


@pytest.fixture(scope="module")
def quickstart(repository, tmp_path_factory):
    """The run of examples/quickstart.yaml, as it is shipped."""
    output = tmp_path_factory.mktemp("runs") / "quickstart"
    return train(repository / "examples/quickstart.yaml", [f"output={output}"])


def test_the_quickstart_answers_every_identity_question_word_for_word(quickstart, identity):
    assert share_of_right_answers(load(quickstart.path), identity) >= 0.95


def test_an_untrained_model_answers_none(identity):
    engine = load("tiny", ["generation.max_new_tokens=30", "generation.temperature=0"])
    assert share_of_right_answers(engine, identity[::4]) == 0


def test_the_shipped_rows_are_a_few_hundred_and_no_question_stands_twice(repository):
    rows = [
        json.loads(line)
        for name in ("identity", "questions")
        for line in (repository / f"examples/data/{name}.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(rows) == 256
    assert len({(row["instruction"].lower(), row["input"]) for row in rows}) == len(rows)


def test_a_piped_chat_answers_each_line_and_begins_anew_when_told(
    quickstart, monkeypatch, capsys, identity
):
    from io import StringIO

    from luthier.core.cli.application import main

    first, second = identity[0], identity[2]
    told = f"{first['instruction']}\n/new\n\n{second['instruction']}\n/exit\nnever asked\n"
    monkeypatch.setattr(sys, "stdin", StringIO(told))
    monkeypatch.setattr(sys, "argv", ["luthier", "chat", str(quickstart.path)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in {0, None}
    assert capsys.readouterr().out == f"{first['output']}\n{second['output']}\n"


def test_one_message_is_answered_and_that_is_all(quickstart, monkeypatch, capsys, identity):
    from luthier.core.cli.application import main

    words = ["chat", str(quickstart.path), "--message", identity[2]["instruction"]]
    monkeypatch.setattr(sys, "argv", ["luthier", *words])
    with pytest.raises(SystemExit):
        main()
    captured = capsys.readouterr()
    assert captured.out == identity[2]["output"] + "\n"
    assert captured.err == ""
