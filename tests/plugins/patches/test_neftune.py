"""NEFTune: uniform noise of the paper's size, in training alone, that a resumed run repeats."""

import math

import pytest
import torch
import transformers

from luthier.core import resume, train
from luthier.core.run.folder import RunFolder
from luthier.core.training import PackedCollator, PaddingCollator
from luthier.core.training.state import load_state
from luthier.plugins.patches.neftune import Neftune, noise_like, token_lengths

WIDTH = 32
ROWS = [{"input_ids": list(range(2, 2 + n)), "labels": list(range(2, 2 + n))} for n in (3, 11, 20)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=64, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=1,
            num_attention_heads=4, num_key_value_heads=2, pad_token_id=0,
        )
    ).train()  # fmt: skip


def embedded(model, batch):
    """Return what comes out of the embedding in a forward pass, noise and all."""
    seen = []
    embedding = model.get_input_embeddings()
    with embedding.register_forward_hook(lambda _, __, output: seen.append(output.detach())):
        model(**{k: v for k, v in batch.items() if k != "labels"})
    return seen[0]


def noise_of(model, batch, alpha=5.0):
    undo = Neftune(alpha=alpha).patch_model(model, "adapted")
    noisy = embedded(model, batch)
    undo()
    return noisy - embedded(model, batch)


@pytest.mark.parametrize("alpha", [5.0, 15.0])
def test_the_noise_of_a_row_is_uniform_within_alpha_over_the_root_of_its_size(model, alpha):
    noise_BTD = noise_of(model, PaddingCollator(0)(ROWS), alpha)
    for row, noise_TD in zip(ROWS, noise_BTD, strict=True):
        length = len(row["input_ids"])
        bound = alpha / math.sqrt(length * WIDTH)
        own = noise_TD[:length]
        assert own.abs().max() <= bound + 1e-6
        assert own.abs().max() > 0.9 * bound
        # uniform within +-b has the spread b / sqrt(3), so the row's length is alpha / sqrt(3)
        assert own.norm() == pytest.approx(alpha / math.sqrt(3), rel=0.15)
        assert abs(own.mean()) < 0.15 * bound


@pytest.mark.parametrize("layout", ["rows", "line", "flat"])
def test_rows_that_share_a_row_have_noise_of_their_own_lengths(layout):
    packs = [ROWS[:2], ROWS[2:]] if layout == "rows" else [ROWS]
    positions = PackedCollator(0, layout)(packs)["position_ids"]
    lengths = token_lengths(None, positions).flatten().tolist()
    # of the first pack's six pads each is counted with nobody, and goes by the row before it
    pads = [11] * 6 if layout == "rows" else []
    assert lengths == [3] * 3 + [11] * 11 + pads + [20] * 20


def test_the_size_is_that_of_the_formula_on_packed_rows(model):
    batch = PackedCollator(0, "rows")([ROWS[:2]])
    noise_TD = noise_of(model, batch)[0]
    assert noise_TD[:3].norm() == pytest.approx(5 / math.sqrt(3), rel=0.2)
    assert noise_TD[3:].norm() == pytest.approx(5 / math.sqrt(3), rel=0.2)


def test_where_nothing_tells_of_pads_the_whole_row_counts():
    torch.manual_seed(0)
    noise = noise_like(torch.zeros(2, 8, WIDTH), 5.0, None)
    assert noise.norm(dim=(1, 2)).tolist() == pytest.approx([5 / math.sqrt(3)] * 2, rel=0.2)
    assert token_lengths(None, None) is None
    half = noise_like(torch.zeros(1, 8, WIDTH, dtype=torch.bfloat16), 5.0, torch.tensor([[8]]))
    assert half.dtype == torch.bfloat16


def test_there_is_none_in_evaluation_nor_when_it_is_undone(model):
    batch = PaddingCollator(0)(ROWS)
    plain = embedded(model, batch)
    undo = Neftune().patch_model(model, "adapted")
    assert not torch.equal(embedded(model, batch), plain)
    model.eval()
    assert torch.equal(embedded(model, batch), plain)
    model.train()
    undo()
    assert torch.equal(embedded(model, batch), plain)
    assert Neftune().patch_model(model, "built") is None


def test_an_adapter_changes_nothing_of_it(model):
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
    batch = PaddingCollator(0)(ROWS)
    undo = Neftune().patch_model(adapted, "adapted")
    noise_TD = embedded(adapted, batch)[0, :3]
    undo()
    noise_TD = noise_TD - embedded(adapted, batch)[0, :3]
    assert noise_TD.norm() == pytest.approx(5 / math.sqrt(3), rel=0.3)


def test_a_run_is_the_same_by_its_seed_and_when_it_is_resumed(small_run, tmp_path, monkeypatch):
    run = small_run(patches=["neftune"], validation=2, evaluation={"every": 1})

    def weights(folder):
        return load_state(folder.existing_checkpoints()[-1] / "weights")

    whole = weights(train(run))
    other = weights(train({**run, "patches": []}, overwrite=True))
    assert any(not torch.equal(whole[name], other[name]) for name in whole)
    stopped = {"now": True}

    def stop(self, *args, **settings):
        if stopped["now"] and self.state.global_step == 4:
            raise KeyboardInterrupt
        return settings

    from luthier.core.training.trainer import Trainer

    original = Trainer.training_step

    def step(self, *args, **settings):
        stop(self)
        return original(self, *args, **settings)

    monkeypatch.setattr(Trainer, "training_step", step)
    with pytest.raises(KeyboardInterrupt):
        train(run, overwrite=True)
    stopped["now"] = False
    resume(run["output"])
    again = weights(RunFolder(tmp_path / "run"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)
