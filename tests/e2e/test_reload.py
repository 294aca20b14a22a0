"""What a run leaves is what stock libraries load, and what it answers with."""

import json
import threading

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from ruamel import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.core import load, train
from luthier.core.model import saving
from luthier.core.run.folder import RunFolder
from luthier.core.run.program import check

TUNERS = ["full", {"name": "lora", "rank": 4}]


@pytest.fixture(scope="module", params=TUNERS, ids=["full", "lora"])
def finished(request, module_run, tmp_path_factory):
    """A finished run, and the logits that its model gave in memory."""
    seen = {}
    original = saving.save_model

    def watching(opened, folder, card):
        opened.model.eval()
        with torch.no_grad():
            seen["logits"] = opened.model(input_ids=torch.arange(40)[None]).logits
        original(opened, folder, card)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "save_model", watching)
        output = tmp_path_factory.mktemp("runs") / "run"
        folder = train(module_run(tuner=request.param, output=str(output)))
    return folder, seen["logits"]


def test_the_model_reloads_with_stock_libraries_and_gives_the_same_logits(finished):
    folder, logits_1TV = finished
    is_adapter = (folder.model / "adapter_config.json").exists()
    stock = AutoPeftModelForCausalLM if is_adapter else AutoModelForCausalLM
    model = stock.from_pretrained(folder.model)
    with torch.no_grad():
        found_1TV = model(input_ids=torch.arange(40)[None]).logits
    torch.testing.assert_close(found_1TV, logits_1TV, atol=1e-5, rtol=0)


def test_the_saved_tokenizer_renders_what_the_run_was_trained_on(finished):
    folder, _ = finished
    tokenizer = AutoTokenizer.from_pretrained(folder.model)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi."}], add_generation_prompt=True, tokenize=False
    )
    assert text == "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n"
    settings = json.loads((folder.model / "generation_config.json").read_text())
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in settings["eos_token_id"]


def test_no_file_of_a_run_is_a_pickle(finished):
    folder, _ = finished
    names = {p.suffix for p in folder.path.rglob("*") if p.is_file()}
    assert names <= {
        ".yaml", ".json", ".jsonl", ".txt", ".png", ".safetensors", ".jinja", ".md", "",
    }  # fmt: skip


def test_the_run_folder_holds_all_that_it_promises(finished):
    folder, _ = finished
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["status"] == "finished"
    assert manifest["data"]["rows"] == 12
    assert manifest["versions"].keys() >= {"luthier", "torch", "transformers"}
    assert {(p["kind"], p["name"]) for p in manifest["plugins"]} >= {("stages", "sft")}
    assert manifest["memory"]["measured_peak_bytes"] > manifest["memory"]["planned_bytes"] > 0
    assert len(folder.metrics.read_text().splitlines()) == manifest["steps"] == 6
    assert "optimizer steps" in folder.log.read_text() or "data: 12 rows" in folder.log.read_text()
    assert [p.name for p in folder.existing_checkpoints()] == ["checkpoint-4", "checkpoint-6"]


def test_the_stored_run_file_is_a_run_file_that_gives_the_same_run(finished):
    folder, _ = finished
    assert "# default" in folder.run_file.read_text()
    stored = check(folder.run_file)
    assert stored.tree.plain() == yaml.YAML(typ="safe").load(folder.run_file.read_text())
    assert stored.training.max_steps == 6


def test_a_run_folder_a_model_folder_and_an_adapter_folder_answer_alike(finished):
    folder, _ = finished
    messages = [{"role": "user", "content": "What is 3 plus 3?"}]
    settings = ["generation.max_new_tokens=8", "generation.temperature=0"]
    of_run = load(folder.path, settings)
    of_model = load(folder.model, settings)
    assert of_run.answer(messages) == of_model.answer(messages)
    assert of_run.prompt_ids(messages) == of_model.prompt_ids(messages)
    assert "".join(of_run.stream(messages)) == of_run.answer(messages)


def test_an_answer_may_be_left_half_way(finished):
    folder, _ = finished
    engine = load(folder.path, ["generation.max_new_tokens=400"])
    stream = engine.stream([{"role": "user", "content": "Count."}])
    before = threading.active_count()
    next(stream, None)
    stream.close()
    assert threading.active_count() <= before, "the generation goes on though nobody reads"


def test_a_chat_needs_neither_the_data_nor_the_training_plugins(module_run, tmp_path):
    contents = module_run(output=str(tmp_path / "run"))
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "a", "input": "", "output": "b"}\n')
    folder = train({**contents, "data": [str(rows)], "training": {"max_steps": 1}})
    rows.unlink()
    text = folder.run_file.read_text().replace('name: "full"', 'name: "no-longer-installed"')
    folder.run_file.write_text(text)
    assert isinstance(load(folder.path).answer([{"role": "user", "content": "a"}]), str)
    assert RunFolder(folder.path).model.is_dir()
