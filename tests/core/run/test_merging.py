"""Merging writes whole weights, verifies what it wrote, and keeps nothing that is not sound."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from luthier.core import BadModel, load, train
from luthier.core.cli.application import main
from luthier.core.errors import BadRunFolder
from luthier.core.model import saving
from luthier.core.run.merging import BadMerge, merge
from luthier.core.run.verification import Gap, bounded, gap_of

TRAINING = {"max_steps": 3, "batch_size": 4, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def run(module_run, tmp_path_factory):
    def trained(**changes):
        output = str(tmp_path_factory.mktemp("runs") / "run")
        tuner = {"name": "lora", "rank": 4}
        return train(
            module_run(**{"tuner": tuner, "training": TRAINING, "output": output, **changes})
        )

    return trained


@pytest.fixture(scope="module")
def plain(run):
    """A run of LoRA, with tokens that are new to the model."""
    return run(model={"path": "tiny", "add_tokens": ["<new>"]})


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `luthier merge WORDS`; return its exit status and what it printed."""

    def ended(*words):
        monkeypatch.setattr("sys.argv", ["luthier", "merge", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return end.value.code, said.out + said.err

    return ended


def test_the_command_tells_what_it_found_and_the_folder_chats(plain, tmp_path, command):
    code, said = command(plain.path, tmp_path / "out")
    assert not code
    assert all(text in said for text in ("8 prompts", "KL divergence", "(bound 0.001)"))
    messages = [{"role": "user", "content": "What is 3 plus 3?"}]
    settings = ["generation.max_new_tokens=6", "generation.temperature=0"]
    own, again = (load(one, settings) for one in (plain.path, tmp_path / "out"))
    assert own.answer(messages) == again.answer(messages)
    assert again.tokenizer.convert_tokens_to_ids("<new>") == len(again.tokenizer) - 1


def test_over_the_bound_it_ends_with_an_error_and_keeps_nothing(plain, tmp_path, command):
    code, said = command(plain.path, tmp_path / "out", "--bound", 0)
    assert code == 2
    assert "(bound 0), KL divergence" in said
    assert "(bound 0), and nothing is kept" in " ".join(said.split())
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_what_is_compared(plain, tmp_path, monkeypatch):
    write = saving.write_model

    def damaging(opened, folder):
        write(opened, folder)
        file = folder / "model.safetensors"
        weights = load_file(file)
        weights["model.layers.1.mlp.down_proj.weight"][0] += 1
        save_file(weights, file, metadata={"format": "pt"})

    monkeypatch.setattr(saving, "write_model", damaging)
    with pytest.raises(BadMerge, match="answers otherwise than its base with the adapter"):
        merge(plain.path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_logits_that_are_no_numbers_are_over_any_bound():
    lost_TV = torch.full((2, 3), torch.nan)
    found = gap_of([torch.zeros(2, 3), torch.zeros(2, 3)], [lost_TV, torch.zeros(2, 3)])
    assert not found.within(Gap(1e9, 1e9))


def test_the_divergence_is_that_of_the_distributions():
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.9, 0.1]])
    _, found = gap_of([p.log()], [q.log()])
    assert found == pytest.approx((p * (p / q).log()).sum().item())


def test_an_adapter_of_weights_in_few_bits_is_merged_into_the_whole_ones(run, tmp_path):
    folder = run(quantizer={"name": "bnb", "bits": 4})
    found = merge(folder.path, tmp_path / "out")
    assert found.difference < 1e-4
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert "quantization_config" not in config
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert {one.dtype for one in model.parameters()} == {torch.float32}


def test_what_is_stored_in_few_bits_is_told_of_the_base_to_name(run, tmp_path, command):
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="its weights are stored by it")
    assert bitsandbytes
    from transformers import BitsAndBytesConfig

    from luthier.plugins.families.tiny.making import tiny_model

    few = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    stored = tmp_path / "stored"
    AutoModelForCausalLM.from_pretrained(tiny_model(), quantization_config=few).save_pretrained(
        stored
    )
    for file in tiny_model().glob("token*"):
        (stored / file.name).write_bytes(file.read_bytes())
    folder = run(model={"path": str(stored)})
    code, said = command(folder.path, tmp_path / "out")
    assert code == 2
    assert "to which it was fitted" not in said
    assert said.endswith(
        f"error: the weights of {stored} are stored in few bits, and the adapter is merged into "
        f"whole ones. Name them: `luthier merge {folder.model} NEW_FOLDER --base WHOLE_MODEL`.\n"
    )
    code, said = command(folder.path, tmp_path / "out", "--base", "tiny")
    assert not code
    assert "(bnb); it is merged into the whole ones, with which it answers a little" in said


@pytest.fixture(params=["float32", "bfloat16"])
def fitted(run, request):
    """A run of an adapter that was fitted to 4 bits, its precision, and what rounding does."""
    pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    folder = run(
        model={"path": "tiny", "dtype": request.param, "add_tokens": ["<new>"]}, quantizer="bnb",
        tuner={"name": "lora", "rank": 16, "init": "loftq"},
    )  # fmt: skip
    return folder, {"float32": 1e-4, "bfloat16": 0.05}[request.param]


def test_an_adapter_that_was_fitted_to_few_bits_is_merged_into_what_these_stand_for(
    fitted, tmp_path
):
    folder, rounding = fitted
    found = merge(folder.path, tmp_path / "out")
    ids = torch.arange(20)[None]
    with torch.no_grad():
        # bitsandbytes computes in bfloat16 on a CPU, but for a model that is trained
        held = load(folder.path).model.train()(input_ids=ids).logits.float()
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out")(input_ids=ids).logits
    assert found.difference < 0.1
    assert (merged - held).abs().max() < rounding
    assert "quantization_config" not in (tmp_path / "out/config.json").read_text()
    with pytest.raises(BadModel, match=r"does not tell how they were held.*folder of the run"):
        merge(folder.model, tmp_path / "other")
    with pytest.raises(BadModel, match=r"on whole ones makes good a second time.*the quantizer"):
        load(folder.path, ["quantizer=null"])


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def of_precision(run, request, tmp_path_factory):
    """A run on a model that is stored in a precision, the model's folder, and the precision."""
    from luthier.plugins.families.tiny.making import tiny_model

    folder = tmp_path_factory.mktemp("models") / request.param
    model = AutoModelForCausalLM.from_pretrained(tiny_model(), dtype=getattr(torch, request.param))
    model.save_pretrained(folder)
    for file in tiny_model().glob("token*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return run(model={"path": str(folder)}), folder, request.param


def test_it_is_merged_in_float32_and_written_as_the_model_was(of_precision, tmp_path):
    run, _, dtype = of_precision
    result = merge(run.path, tmp_path / "out")
    assert result.dtype == dtype
    assert result.found.within(result.bound)
    assert not result.effect.within(result.bound)
    assert (result.difference > 1e-5) == (dtype == "bfloat16")
    stored = load_file(tmp_path / "out/model.safetensors")
    assert {str(one.dtype) for one in stored.values()} == {f"torch.{dtype}"}


def test_weights_to_which_nothing_was_merged_are_refused(of_precision, tmp_path, monkeypatch):
    run, base, _ = of_precision
    write = saving.write_model

    def idle(opened, folder):
        write(opened, folder)
        (folder / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes())

    monkeypatch.setattr(saving, "write_model", idle)
    with pytest.raises(BadMerge, match="answers otherwise than its base with the adapter"):
        merge(run.path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_merge_that_changes_nothing_in_memory_is_refused(of_precision, tmp_path, monkeypatch):
    from luthier.core.model import adapters

    run, _, _ = of_precision
    monkeypatch.setattr(adapters, "merged", lambda adapted, folder: adapted.unload())
    with pytest.raises(BadMerge, match="answers otherwise than its base with the adapter"):
        merge(run.path, tmp_path / "out")


def test_an_adapter_that_changes_no_more_than_rounding_does_is_told_of(
    of_precision, tmp_path, command
):
    run, _, dtype = of_precision
    small = tmp_path / "small"
    shutil.copytree(run.model, small)
    weights = load_file(small / "adapter_model.safetensors")
    scaled = {name: one * 1e-6 if "lora_B" in name else one for name, one in weights.items()}
    save_file(scaled, small / "adapter_model.safetensors", metadata={"format": "pt"})
    code, said = command(small, tmp_path / "out")
    assert not code
    assert "cannot tell a merge that holds it from one that lost it" in said
    assert f"as rounding to {dtype} may have done" in said
    assert (tmp_path / "out/model.safetensors").exists()


def test_a_bound_on_logits_bounds_the_divergence():
    generator = torch.Generator().manual_seed(0)
    for spread in (1e-3, 0.1, 2.0):
        one_TV = torch.randn(20, 50, generator=generator) * 3
        moved_TV = one_TV + spread * (2 * torch.rand(20, 50, generator=generator) - 1)
        found = gap_of([one_TV], [moved_TV])
        assert found.within(bounded(found.difference))


def test_there_is_nothing_to_merge_where_there_is_no_adapter(plain, tmp_path):
    with pytest.raises(BadModel, match="holds no adapter"):
        merge("tiny", tmp_path / "out")
    with pytest.raises(BadRunFolder, match=r"something in .* already"):
        merge(plain.path, plain.path)
