"""The model card tells what the manifest knows, and nothing that it does not."""

import json
import re

import pytest
from ruamel.yaml import YAML

from luthier.core import train
from luthier.core.run.card import card_of, license_in


def header_of(text):
    return YAML(typ="safe").load(text.split("---\n")[1])


@pytest.fixture(scope="module")
def run(module_run):
    return train(
        module_run(
            tuner={"name": "lora", "rank": 4}, validation=3,
            evaluation={"every": 2, "best": "loss"},
            training={"max_steps": 6, "batch_size": 2, "log_every": 1, "seed": 7},
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def manifest(run):
    return json.loads(run.manifest.read_text())


@pytest.fixture(scope="module")
def card(run):
    return (run.model / "README.md").read_text()


def test_the_card_stands_beside_the_weights_and_tells_of_the_run(card, manifest):
    assert header_of(card) == {"library_name": "peft", "tags": ["luthier", "sft", "lora"]}
    assert re.search(
        r"\n# run\n\nAn adapter trained from `tiny` by the stage `sft` of Luthier", card
    )
    assert re.search(r"\| rows.jsonl \| 9 \| \d+ \|", card)
    assert re.search(r"\| validation, held out \| 3 \| \d+ \|", card)
    assert re.search(r"\| tuner \| `lora` \(rank 4, ", card)
    assert "| optimizer | `adamw`" in card
    assert "| seed | 7 |" in card
    best = manifest["best"]
    assert f"| best validation loss | {best['step']} | {best['value']:.4f} |" in card
    last = manifest["figures"]["training"]["loss"]
    assert f"| training loss | 6 | {last:.4f} |" in card
    assert f"torch {manifest['versions']['torch']}" in card
    assert "luthier chat run" in card


def test_no_path_of_the_machine_and_no_empty_heading_stands_in_a_card(card, run):
    assert str(run.path.parent) not in card
    assert not re.search(r"^#.*\n\n(#|$)", card, re.MULTILINE)
    assert "None" not in card
    assert "null" not in card


def test_the_lines_of_a_card_load_the_model(card, run, monkeypatch):
    monkeypatch.chdir(run.model)
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102 - what a user would copy
    assert names["model"].peft_config["default"].r == 4
    assert names["tokenizer"].chat_template


def test_a_base_of_a_hub_is_named_in_the_header_with_its_license(manifest):
    model = {**manifest["model"], "path": "owner/name", "hub": "huggingface", "license": "mit"}
    text = card_of("mine", {**manifest, "model": {**model, "adapter": False}})
    assert header_of(text) == {
        "base_model": "owner/name", "license": "mit", "library_name": "transformers",
        "tags": ["luthier", "sft", "lora"],
    }  # fmt: skip
    assert "A model trained from [owner/name](https://huggingface.co/owner/name)" in text
    assert "AutoModelForCausalLM.from_pretrained(folder)" in text


def test_rewards_and_what_answers_were_like_stand_in_a_card(small_run, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "What is 1 plus 1?"}\n' * 4)
    folder = train(
        small_run(
            stage={"name": "grpo", "max_new_tokens": 3, "answers": 2},
            data=[{"path": str(tmp_path / "prompts.jsonl"), "format": "prompts"}],
            rewards=[
                {"name": "contains", "text": "a"}, {"name": "contains", "text": "b", "weight": 2},
            ],
            training={"max_steps": 1, "batch_size": 2},
        )
    )  # fmt: skip
    card = (folder.model / "README.md").read_text()
    one, other = (f"`contains` \\(.*text {text}.*\\)" for text in "ab")
    assert re.search(rf"\| rewards \| {one}, {other} \|", card)
    for figure in ("reward", "kl", "ended"):
        assert re.search(rf"\| training {figure} \| 1 \| -?\d+\.\d+ \|", card)


def test_options_that_are_places_are_told_without_folders_and_secrets(manifest):
    rewards = {
        "rewards.0.name": "reward-model", "rewards.0.path": "/home/me/runs/rm",
        "rewards.1.name": "http", "rewards.1.url": "http://me:key@host/score?token=1",
    }  # fmt: skip
    text = card_of("mine", {**manifest, "settings": {**manifest["settings"], **rewards}})
    assert "| rewards | `reward-model` (path rm), `http` (url http://host/score) |" in text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("---\nlicense: apache-2.0\n---\n# Name", "apache-2.0"),
        ("---\ntags: [one]\n---\n", None),
        ("---\nlicense: [\n---\n", None),
        ("# No header", None),
        (None, None),
    ],
)
def test_the_license_of_the_base_is_taken_from_its_own_card_alone(tmp_path, text, found):
    if text is not None:
        (tmp_path / "README.md").write_text(text)
    assert license_in(tmp_path) == found


def test_a_url_with_a_secret_is_told_without_it(manifest):
    data = {**manifest["data"], "settings": {"data.0.path": "https://a.b/rows.jsonl"}}
    assert "| https://a.b/rows.jsonl | 9 |" in card_of("mine", {**manifest, "data": data})
