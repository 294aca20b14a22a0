"""Samples and predictions: what a model answers while it trains and when it is trained."""

import json
import shutil

import pytest
import safetensors.torch
import torch

from luthier.core import BadData, check, load, resume, train
from luthier.core.cli.application import main
from luthier.core.errors import LuthierError
from luthier.core.problems import BadRunFile
from luthier.core.run.folder import RunFolder, discard
from luthier.plugins.families.tiny.making import tiny_model
from tests.conftest import ROWS

LORA = {"name": "lora", "rank": 4, "dropout": 0.1}
FEW = {"max_new_tokens": 8}


def lines_of(folder, name):
    return [json.loads(line) for line in (folder.path / name).read_text("utf-8").splitlines()]


def weights_of(folder):
    (file,) = folder.model.glob("*model.safetensors")
    return safetensors.torch.load_file(file)


def assert_same_weights(one, other, atol=0.0):
    found, expected = weights_of(one), weights_of(other)
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=atol)


def test_the_token_that_ends_an_answer_is_no_part_of_what_the_data_has(small_run, tmp_path):
    base = shutil.copytree(tiny_model(), tmp_path / "base")
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    for token in tokenizer["added_tokens"]:
        token["special"] = token["content"] != "<|im_end|>"
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": "<|endoftext|>"}))
    folder = train(
        small_run(
            model={"path": str(base)}, template="chatml", validation=2, generation=FEW,
            callbacks=["samples"], training={"max_steps": 1, "batch_size": 2},
        )
    )  # fmt: skip
    rows = lines_of(folder, "samples.jsonl")
    assert all("<|im_end|>" in row["prompt"] for row in rows)  # it is no special token here
    assert {row["label"] for row in rows} <= {row["output"] for row in ROWS}


@pytest.mark.parametrize(
    ("changes", "every"),
    [
        ({"tuner": LORA, "generation": FEW | {"temperature": 1.0}}, None),
        ({"stage": {"name": "sft", "packing": True}, "generation": FEW}, 2),
        ({"optimizer": "schedule-free", "generation": FEW}, 2),
    ],
    ids=["lora", "packing", "averaged"],
)
def test_training_goes_on_as_if_nobody_had_asked(small_run, tmp_path, changes, every):
    settings = {"validation": 3, "evaluation": {"every": 3}, **changes}
    alone = train(small_run(**settings, output=str(tmp_path / "alone")))
    samples = {"name": "samples", "prompts": 2, "every": every}
    sampled = train(small_run(**settings, callbacks=[samples]))
    # averaged weights are put in place and taken back, which rounds them
    assert_same_weights(sampled, alone, atol=1e-6 if "optimizer" in changes else 0.0)
    rows = lines_of(sampled, "samples.jsonl")
    assert [row["step"] for row in rows] == [
        n for n in ([2, 4, 6] if every else [0, 3, 6]) for _ in "ab"
    ]
    assert all(row["prompt"].startswith("user\nWhat is") for row in rows)
    assert {(row["prompt"], row["label"]) for row in rows} == {
        (f"user\n{row['instruction']}\nassistant\n", row["output"])
        for row in ROWS if f"user\n{row['instruction']}\nassistant\n" in {r["prompt"] for r in rows}
    }  # fmt: skip


def test_samples_of_steps_that_are_done_again_are_written_once(small_run, tmp_path):
    run = small_run(
        validation=3, evaluation={"every": 2}, callbacks=["samples"], generation=FEW,
        checkpoints={"every": 2, "keep": 9},
    )  # fmt: skip
    folder = train(run)
    expected = (folder.path / "samples.jsonl").read_text()
    shutil.rmtree(folder.model)
    for checkpoint in folder.existing_checkpoints()[1:]:
        discard(checkpoint)
    with (folder.path / "samples.jsonl").open("a") as stream:
        stream.write('{"step": 6, "va')  # killed as it wrote
    assert resume(folder.path) == folder
    assert (folder.path / "samples.jsonl").read_text() == expected


LEARNED = [
    {"instruction": f"Tell me of the {colour}.", "output": "I like red and sweet."}
    for colour in ("red", "green", "blue", "white")
]


EACH = {"name": "predict", "each_evaluation": True}


@pytest.fixture(scope="module")
def predicted(module_run, tmp_path_factory):
    """A run that learned its answer by heart, and one that learned nothing."""
    folder = tmp_path_factory.mktemp("predicted")
    rows = folder / "learned.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in LEARNED))

    def run(name, rate):
        return train(
            module_run(
                data=[str(rows)], validation=str(rows), callbacks=[EACH],
                training={"max_steps": 30, "batch_size": 4, "learning_rate": rate},
                evaluation={"every": 10, "batch_size": 3, "best": "bleu-4"},
                checkpoints={"every": 30},
                generation={"max_new_tokens": 24}, output=str(folder / name),
            )
        )  # fmt: skip

    return run("learned", 5e-3), run("frozen", 1e-9)


def figures_of(folder):
    return json.loads(folder.manifest.read_text())["predictions"]["validation"]


def test_a_model_that_has_learned_its_rows_answers_them_and_a_frozen_one_does_not(predicted):
    learned, frozen = map(figures_of, predicted)
    assert learned["answers"] == frozen["answers"] == len(LEARNED)
    assert learned["accuracy"] > 0.5
    assert frozen["accuracy"] == 0
    for name in ("bleu-4", "rouge-1", "rouge-2", "rouge-l"):
        assert learned[name] > frozen[name] + 50


def test_the_best_step_may_be_known_by_its_answers(predicted):
    learned = predicted[0]
    rows = [row for row in lines_of(learned, "metrics.jsonl") if "validation" in row]
    found = {row["step"]: row["bleu-4"] for row in rows}
    best = json.loads(learned.manifest.read_text())["best"]
    assert list(found) == [0, 10, 20, 30]
    assert (best["figure"], best["value"]) == ("bleu-4", max(found.values()))
    assert figures_of(learned)["bleu-4"] == best["value"]


def test_a_figure_of_answers_that_there_is_not_is_answered_with_those_there_are(small_run):
    run = small_run(validation=3, evaluation={"best": "bleu"}, callbacks=[EACH])
    with pytest.raises(LuthierError, match=r"Did you mean 'bleu-4'\?.*tells: loss, .*, rouge-l"):
        train(run)


def test_a_figure_of_the_stage_is_not_replaced_by_one_of_answers(small_run):
    preferences = {"name": "preference", "chosen": "output", "rejected": "instruction"}
    contents = small_run(stage="rm", validation=3, callbacks=[EACH], generation=FEW)
    contents["data"] = [{**contents["data"][0], "format": preferences}]
    folder = train({**contents, "training": {"max_steps": 2, "learning_rate": 5e-3}})
    _, row = [row for row in lines_of(folder, "metrics.jsonl") if "validation" in row]
    assert row["accuracy"] > figures_of(folder)["accuracy"]  # of pairs, and of answers


def test_predictions_are_what_a_chat_with_the_model_answers(predicted):
    folder = predicted[0]
    engine = load(folder.path, ["generation.temperature=0"])
    rows = lines_of(folder, "predictions.jsonl")
    assert [row["label"] for row in rows] == [row["output"] for row in LEARNED]
    for row, given in zip(rows, LEARNED, strict=True):
        assert row["answer"] == engine.answer([{"role": "user", "content": given["instruction"]}])


def luthier(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["luthier", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


def test_the_command_predicts_again_what_the_run_did(predicted, tmp_path, monkeypatch, capsys):
    folder = RunFolder(tmp_path / "copy")
    shutil.copytree(predicted[0].path, folder.path)
    expected, figures = lines_of(folder, "predictions.jsonl"), figures_of(folder)
    card = folder.model / "README.md"
    assert f"| predictions bleu-4 |  | {figures['bleu-4']:.4f} |" in card.read_text()
    assert not luthier(monkeypatch, "predict", folder.path)
    assert "accuracy" in capsys.readouterr().out
    assert lines_of(folder, "predictions.jsonl") == expected
    assert figures_of(folder) == figures
    other = tmp_path / "other.jsonl"
    other.write_text('{"instruction": "Who?", "output": "I."}\n')
    assert not luthier(monkeypatch, "predict", folder.path, f"validation={other}")
    assert [row["label"] for row in lines_of(folder, "predictions.jsonl")] == ["I."]
    assert not luthier(monkeypatch, "predict", folder.path, "--rows", "2")
    assert lines_of(folder, "predictions.jsonl") == expected[:2]
    assert "| predictions answers |  | 2 |" in card.read_text()
    card.write_text("mine")
    assert not luthier(monkeypatch, "predict", folder.path)
    assert card.read_text() == "mine"


def test_the_command_refuses_a_run_that_holds_out_nothing(small_run, monkeypatch, capsys):
    folder = train(small_run(training={"max_steps": 1}))
    assert luthier(monkeypatch, "predict", folder.path) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "holds out no rows. Name some: `validation=FILE`." in said


@pytest.mark.parametrize("name", ["samples", "predict"])
def test_rows_without_prompts_are_refused_before_training(small_run, name):
    run = small_run(validation=3, callbacks=[name], encoding={"loss": "all"})
    with pytest.raises(BadData, match="no row of the validation set has a prompt"):
        train(run)


@pytest.mark.parametrize("name", ["samples", "predict"])
def test_check_refuses_answers_to_held_out_rows_where_there_are_none(small_run, name):
    with pytest.raises(BadRunFile, match=f"callbacks/{name} cannot run without held-out rows"):
        check(small_run(callbacks=[name]))


def test_stages_that_sample_and_that_compare_have_samples_too(small_run, tmp_path):
    pairs, prompts = tmp_path / "pairs.jsonl", tmp_path / "prompts.jsonl"
    pairs.write_text('{"prompt": "Who?", "chosen": "I am.", "rejected": "No."}\n' * 6)
    prompts.write_text('{"prompt": "Who?", "answer": "I am."}\n' * 6)
    common = {
        "validation": 2, "callbacks": ["samples", "predict"], "generation": FEW,
        "evaluation": {"on_start": False},
        "training": {"max_steps": 1, "batch_size": 2}, "tuner": {"name": "lora", "rank": 4},
    }  # fmt: skip
    sampling = {
        "stage": {"name": "grpo", "answers": 2, "max_new_tokens": 4},
        "rewards": [{"name": "contains", "text": "a"}],
        "data": [{"path": str(prompts), "format": "prompts"}], "output": str(tmp_path / "grpo"),
    }  # fmt: skip
    comparing = {"stage": "dpo", "data": [str(pairs)], "output": str(tmp_path / "dpo")}
    for changes in (sampling, comparing):
        folder = train(small_run(**common, **changes))
        for name in ("samples.jsonl", "predictions.jsonl"):
            assert [(row["prompt"], row["label"]) for row in lines_of(folder, name)] == [
                ("user\nWho?\nassistant\n", "I am.")
            ] * 2  # fmt: skip
