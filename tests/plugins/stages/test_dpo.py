"""Preferences: each loss is its paper's, the reference is the model as it began, answers part."""

import gc
import json
import math
import shutil
import warnings

import pytest
import torch
from pydantic import ValidationError

from luthier.core import check, resume, train
from luthier.core.errors import BadData, BadModel
from luthier.core.run import reporting
from luthier.core.run.folder import RunFolder
from luthier.core.templates import IGNORED
from luthier.core.training import PackedCollator, PaddingCollator
from luthier.core.training.filling import Filled
from luthier.core.training.recording import read_metrics
from luthier.plugins.stages.answers import answers_in, counted_answers
from luthier.plugins.stages.dpo import NO_REFERENCE, DirectPreference
from luthier.plugins.stages.preferences import Answers, judged, log_probabilities
from tests.listening import Listener

# --- the losses, in the terms of their papers -------------------------------------------------

generator = torch.Generator().manual_seed(0)
W, L, REF_W, REF_L = (-30 * torch.rand(6, dtype=torch.float64, generator=generator) for _ in "1234")
LENGTH_W, LENGTH_L = torch.tensor([3, 5, 8, 1, 9, 4]), torch.tensor([2, 9, 4, 1, 3, 7])
POLICY, REFERENCE = Answers(W, L, LENGTH_W, LENGTH_L), Answers(REF_W, REF_L, LENGTH_W, LENGTH_L)
BETA = 0.3


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def dpo():  # equation 7
    return -sigmoid(BETA * (W - REF_W) - BETA * (L - REF_L)).log()


def cdpo(noise=0.2):
    h = BETA * ((W - REF_W) - (L - REF_L))
    return -(1 - noise) * sigmoid(h).log() - noise * sigmoid(-h).log()


def robust(noise=0.2):  # equation 6
    h = BETA * ((W - REF_W) - (L - REF_L))
    return (-(1 - noise) * sigmoid(h).log() + noise * sigmoid(-h).log()) / (1 - 2 * noise)


def hinge():
    return (1 - BETA * ((W - REF_W) - (L - REF_L))).clamp(min=0)


def ipo():  # equation 17, of mean log-probabilities
    h = (W - REF_W) / LENGTH_W - (L - REF_L) / LENGTH_L
    return (h - 1 / (2 * BETA)) ** 2


def simpo(gamma=0.7):  # equation 6
    return -sigmoid(BETA * W / LENGTH_W - BETA * L / LENGTH_L - gamma).log()


def cpo():  # equation 9: the preferences and the answers themselves
    return -sigmoid(BETA * W - BETA * L).log() - W / LENGTH_W


def orpo():  # equations 4 to 7
    p, q = (W / LENGTH_W).exp(), (L / LENGTH_L).exp()
    ratio = (p / (1 - p)) / (q / (1 - q))
    return -W / LENGTH_W - BETA * sigmoid(ratio.log()).log()


CASES = {
    "dpo": ({"loss": "sigmoid"}, dpo),
    "cdpo": ({"loss": "sigmoid", "label_smoothing": 0.2}, cdpo),
    "robust": ({"loss": "robust", "label_smoothing": 0.2}, robust),
    "hinge": ({"loss": "hinge"}, hinge),
    "ipo": ({"loss": "ipo"}, ipo),
    "simpo": ({"loss": "simpo", "margin": 0.7}, simpo),
    "cpo": ({"loss": "cpo"}, cpo),
    "orpo": ({"loss": "orpo"}, orpo),
    "with its answers": ({"answer_weight": 2.0}, lambda: dpo() - 2 * W / LENGTH_W),
}


@pytest.mark.parametrize("name", CASES)
def test_a_loss_is_that_of_its_paper(name):
    options, formula = CASES[name]
    stage = DirectPreference(beta=BETA, **options)
    found = judged(stage, POLICY, REFERENCE if stage.needs_reference else None)
    torch.testing.assert_close(found.loss, formula(), atol=1e-9, rtol=1e-9)


def test_simpo_has_a_beta_of_its_own_unless_one_is_given():
    assert DirectPreference(loss="simpo").factor == 2
    assert DirectPreference(loss="simpo", beta=0.1).factor == DirectPreference().factor == 0.1


@pytest.mark.parametrize("logp", [-1e-8, -1e-30, 0.0])
def test_the_odds_of_a_certain_answer_are_finite_and_its_gradient_too(logp):
    chosen, rejected = (torch.tensor([one], requires_grad=True) for one in (-1.0, logp))
    one = torch.ones(1)
    found = judged(DirectPreference(loss="orpo"), Answers(chosen, rejected, one, one), None)
    found.loss.sum().backward()
    assert all(one.isfinite() for one in (found.loss, chosen.grad, rejected.grad))
    if logp == -1e-8:
        assert float(found.rejected.detach()) == pytest.approx(-math.log(1e-8), rel=1e-5)


def test_the_log_probability_of_an_answer_is_that_of_its_tokens():
    logits = torch.randn(4, 5, 7, dtype=torch.float64, generator=generator)
    labels = torch.tensor([
        [IGNORED, 1, 2, IGNORED, IGNORED], [IGNORED, IGNORED, 3, 4, 5],
        [IGNORED, 1, 2, 3, 6], [IGNORED, IGNORED, 0, IGNORED, IGNORED],
    ])  # fmt: skip
    rows = answers_in({"labels": labels, "attention_mask": labels})
    found = log_probabilities(logits, labels, rows)
    of = logits.log_softmax(-1)

    def summed(row, *tokens):
        return sum(of[row, place - 1, labels[row, place]] for place in tokens)

    torch.testing.assert_close(found.chosen, torch.stack([summed(0, 1, 2), summed(1, 2, 3, 4)]))
    torch.testing.assert_close(found.rejected, torch.stack([summed(2, 1, 2, 3, 4), summed(3, 2)]))
    assert (found.chosen_length.tolist(), found.rejected_length.tolist()) == ([2, 3], [4, 1])
    less = log_probabilities(logits, labels, rows, beyond=0.25)  # LD-DPO, equation 10
    torch.testing.assert_close(less.chosen[1], summed(1, 2) + 0.25 * summed(1, 3, 4))
    torch.testing.assert_close(less.rejected[0], summed(2, 1, 2) + 0.25 * summed(2, 3, 4))
    # the answers' own loss is of all their tokens
    torch.testing.assert_close(less.mean_of_answers(), found.means()[0])


@pytest.mark.parametrize("loss", ["ipo", "simpo", "orpo"])
def test_a_loss_of_means_has_no_tokens_beyond_the_shorter_answer(loss):
    with pytest.raises(ValidationError, match=f"compare sums, and {loss} compares means"):
        DirectPreference(loss=loss, beyond_shorter=0.5)


def test_pairs_that_only_fill_a_batch_are_not_counted():
    pair = {f"{name}_{key}": [1, 2, 3] for name in ("chosen", "rejected")
            for key in ("input_ids", "labels")}  # fmt: skip
    rows = Filled([{**pair, "other_labels": None}], 3)
    for collate in (PaddingCollator(0), PackedCollator(0, "line")):
        batch = collate([rows[n] for n in range(3)])
        assert counted_answers(batch).tolist() == [True, False, False] * 2


def test_smoothing_is_refused_where_the_loss_has_none():
    with pytest.raises(ValidationError, match="sigmoid, robust and cpo, not of ipo"):
        DirectPreference(loss="ipo", label_smoothing=0.1)


# --- runs --------------------------------------------------------------------------------------

PAIRS = [
    {"prompt": f"What is {a} plus {b}?", "chosen": f"It is {a + b}.", "rejected": f"No idea {a}"}
    for a in range(6) for b in range(4)
]  # fmt: skip


@pytest.fixture
def pairs_run(small_run, tmp_path):
    """What makes the contents of a run on pairs, with changes."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))

    def make(stage="dpo", steps=12, **changes):
        settings = {"max_steps": steps, "batch_size": 4, "log_every": 2, "learning_rate": 5e-3}
        settings |= changes.pop("training", {})
        return small_run(
            stage=stage, training=settings, validation=0.25,
            **{"tuner": {"name": "lora", "rank": 4}, **changes},
        )  # fmt: skip

    return make


def rows_of(folder, *, held_out):
    return [row for row in read_metrics(folder) if ("validation" in row) == held_out]


LEARNED = {
    "sigmoid": {}, "robust": {"label_smoothing": 0.1}, "hinge": {}, "ipo": {"beta": 0.5},
    "simpo": {"beta": 2.0}, "cpo": {}, "orpo": {},
}  # fmt: skip
SEEDS = [("full", 1), *(("lora", seed) for seed in (1, 2, 3))]


@pytest.mark.parametrize(
    ("loss", "tuner", "seed"),
    [("sigmoid", *one) for one in SEEDS]
    + [(one, "lora", 1) for one in LEARNED if one != "sigmoid"],
)
def test_held_out_answers_part_as_a_frozen_model_never_parts_them(
    pairs_run, tmp_path, loss, tuner, seed
):
    if loss in NO_REFERENCE:  # what the model finds likelier by itself is the other answer
        turned = [{**r, "chosen": r["rejected"], "rejected": r["chosen"]} for r in PAIRS]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turned))
    run = pairs_run(
        {"name": "dpo", "loss": loss, **LEARNED[loss]}, tuner=tuner, training={"seed": seed}
    )
    rows = rows_of(train(run), held_out=True)
    frozen, learned = rows[0], rows[-1]  # before the first step, and after the last
    assert frozen["step"] == 0
    assert frozen["accuracy"] < 0.1
    assert learned["accuracy"] > 0.9
    assert learned["margin"] > frozen["margin"] + 0.3, (frozen, learned)
    assert learned["loss"] < frozen["loss"]
    if loss == "sigmoid":
        assert frozen["loss"] == pytest.approx(math.log(2), abs=1e-6)
        assert learned["loss"] < math.log(2) - 0.1


def test_the_first_step_finds_the_model_and_its_reference_alike(pairs_run):
    first = rows_of(train(pairs_run(steps=2, training={"log_every": 1})), held_out=False)[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert first["margin"] == first["chosen_reward"] == 0


def test_an_earlier_adapter_is_a_part_of_the_reference(pairs_run, tmp_path):
    folder = train(pairs_run(steps=4))
    again = pairs_run(steps=2, training={"log_every": 1}, output=str(tmp_path / "again"))
    again["model"] |= {"adapters": [str(folder.model)]}
    first = rows_of(train(again), held_out=False)[0]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4, "init": "pissa"}])
def test_a_run_that_is_gone_on_with_ends_with_the_same_weights(pairs_run, tmp_path, tuner):
    folder = train(pairs_run(steps=6, tuner=tuner, checkpoints={"every": 3}))
    again = RunFolder(tmp_path / "copy")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-6")
    resume(again.path)
    (file,) = folder.model.glob("*model.safetensors")
    assert (again.model / file.name).read_bytes() == file.read_bytes()
    kept = ("step", "loss", "margin", "accuracy")
    assert [[row.get(key) for key in kept] for row in read_metrics(again)] == [
        [row.get(key) for key in kept] for row in read_metrics(folder)
    ]


def test_batches_that_are_accumulated_are_one_batch(pairs_run, tmp_path):
    whole = {"batch_size": 4, "gradient_accumulation": 1, "log_every": 1}
    parts = {"batch_size": 2, "gradient_accumulation": 2, "log_every": 1}
    found = [
        rows_of(
            train(pairs_run(steps=4, training=one, output=str(tmp_path / name))), held_out=False
        )
        for name, one in (("whole", whole), ("parts", parts))
    ]
    for one, other in zip(*found, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert one["margin"] == pytest.approx(other["margin"], abs=1e-4)


@pytest.mark.parametrize(("tuner", "beyond"), [("full", 0.5), ({"name": "lora", "rank": 4}, 1.0)])
def test_answers_that_lie_end_to_end_have_the_losses_of_padded_ones(
    pairs_run, tmp_path, tuner, beyond
):
    def rows(name, patches):
        stage = {"name": "dpo", "beyond_shorter": beyond}
        run = pairs_run(
            stage, steps=2, tuner=tuner, patches=patches, training={"log_every": 1},
            output=str(tmp_path / name),
        )  # fmt: skip
        return rows_of(train(run), held_out=False)

    plain = rows("plain", ["~padding-free", "~chunked-cross-entropy"])
    for name, patches in (
        ("by default", []),
        ("chunks", [{"name": "chunked-cross-entropy", "tokens": 5}]),
    ):
        for one, other in zip(rows(name, patches), plain, strict=True):
            assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
            assert one["margin"] == pytest.approx(other["margin"], abs=1e-4)
            assert one["tokens"] == other["tokens"]


def test_both_patches_are_on_by_default(pairs_run):
    named = [one.name for one in check(pairs_run()).of("patches")]
    assert {"padding-free", "chunked-cross-entropy"} <= set(named)


def test_pairs_of_ids_are_trained_as_they_are(pairs_run, tmp_path):
    pair = {
        "chosen_input_ids": [5, 6, 7], "chosen_labels": [IGNORED, 6, 7],
        "rejected_input_ids": [5, 8, 9, 4], "rejected_labels": [IGNORED, IGNORED, 9, 4],
    }  # fmt: skip
    file = tmp_path / "ids.jsonl"
    file.write_text((json.dumps(pair) + "\n") * 4)
    run = pairs_run(steps=1, data=[{"path": str(file), "format": "pretokenized"}])
    run.pop("validation")
    (row,) = rows_of(train(run), held_out=False)
    assert (row["tokens"], row["trained_tokens"]) == (4 * 7, 4 * 4)


def test_pairs_of_ids_are_no_rows_of_another_stage(pairs_run, tmp_path):
    file = tmp_path / "ids.jsonl"
    file.write_text(json.dumps({"chosen_input_ids": [5, 6], "rejected_input_ids": [5, 7]}) + "\n")
    run = pairs_run("sft", data=[{"path": str(file), "format": "pretokenized"}])
    run.pop("validation")
    with pytest.raises(BadData, match="a preference of ids, and this stage learns from answers"):
        train(run)


# --- references --------------------------------------------------------------------------------


def told(folder):
    return [
        [row.get(key) for key in ("step", "validation", "loss", "margin", "chosen_reward")]
        for row in read_metrics(folder)
    ]


def require_alike(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize(
    ("tuner", "patches"),
    [
        ("full", []),
        ({"name": "lora", "rank": 4, "dropout": 0.1}, ["~padding-free", "~chunked-cross-entropy"]),
    ],
)
def test_a_reference_that_is_asked_beforehand_tells_what_it_would_later(
    pairs_run, tmp_path, tuner, patches
):
    def run(name, **options):
        return pairs_run(
            {"name": "dpo", **options}, steps=4, tuner=tuner, patches=patches,
            training={"log_every": 1}, checkpoints={"every": 2}, output=str(tmp_path / name),
        )  # fmt: skip

    expected = told(train(run("asked")))
    folder = train(run("precomputed", precompute_reference=True))
    require_alike(told(folder), expected)
    again = RunFolder(tmp_path / "copy")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-4")
    resume(again.path)
    assert told(again) == told(folder)


def test_a_reference_that_is_asked_beforehand_is_asked_of_each_batch_once(pairs_run, monkeypatch):
    from luthier.plugins.stages import preferences

    asked = []
    original = preferences.PreferenceTrainer._asked

    def counting(trainer, batch):
        asked.append(trainer.state.global_step)
        return original(trainer, batch)

    monkeypatch.setattr(preferences.PreferenceTrainer, "_asked", counting)
    monkeypatch.setattr(reporting, "TOLD_EVERY", 0.0)
    told = Listener()
    train(pairs_run({"name": "dpo", "precompute_reference": True}, steps=1), reporter=told)
    assert asked == [0] * 7  # 18 rows and 6 held out, by four
    said = [text for subject, text in told.said if subject == "reference"]
    assert said[0] == "asked beforehand of 18 rows of data"
    assert "16 of 18 rows of data asked" in said
    assert "4 of 6 rows of validation asked" in said


def live_tensors():
    gc.collect()
    with warnings.catch_warnings(action="ignore"):  # of what is only looked at here
        return [one for one in gc.get_objects() if isinstance(one, torch.Tensor)]


@pytest.fixture
def copies(monkeypatch):
    """How many embeddings are in memory whenever answers are judged, by policy or reference."""
    from luthier.plugins.stages import preferences

    before, found, original = live_tensors(), [], preferences.log_probabilities
    known = {id(one) for one in before}

    def counted(*args):
        new = [one for one in live_tensors() if id(one) not in known]
        embeddings = [one for one in new if one.shape == (2048, 128)]
        found.append(len({one.untyped_storage().data_ptr() for one in embeddings}))
        return original(*args)

    monkeypatch.setattr(preferences, "log_probabilities", counted)
    yield found
    del before  # until now, so that no other tensor has an id of theirs


@pytest.fixture
def short_run(pairs_run, tmp_path):
    """What makes a run of one step on eight pairs."""

    def make(tuner, **options):
        data = [{"path": str(tmp_path / "rows.jsonl"), "samples": 8}]
        run = pairs_run({"name": "dpo", **options}, steps=1, tuner=tuner, data=data)
        run.pop("validation")
        return run

    return make


def test_a_reference_that_is_the_model_without_its_adapter_is_no_second_model(short_run, copies):
    train(short_run({"name": "lora", "rank": 4}))
    assert copies == [1, 1]  # as the reference is asked, and as the model is


def test_a_reference_that_was_asked_beforehand_is_let_go(short_run, copies):
    train(short_run("full", precompute_reference=True))
    assert copies == [2, 2, 1]  # of a model of which all is trained the first values are kept


def test_the_model_itself_may_be_named_as_the_reference(pairs_run, tmp_path):
    expected = told(train(pairs_run(steps=3)))
    named = pairs_run(
        {"name": "dpo", "reference": "tiny"}, steps=3, output=str(tmp_path / "named")
    )  # fmt: skip
    require_alike(told(train(named)), expected)


def test_another_run_is_a_reference_as_an_adapter_or_as_whole_weights(pairs_run, tmp_path):
    from luthier.core.run.merging import merge

    earlier = train(pairs_run(steps=6, output=str(tmp_path / "earlier")))
    whole = tmp_path / "whole"
    merge(earlier.path, whole)

    def of(name, path, **options):
        stage = {"name": "dpo", "reference": str(path), **options}
        output = str(tmp_path / f"by-{name}")
        return told(train(pairs_run(stage, steps=3, output=output, training={"log_every": 1})))

    expected = of("adapter", earlier.path)
    assert abs(expected[0][3]) > 0.01  # the reference has learned, and the model has not
    require_alike(of("weights", whole), expected)
    require_alike(of("weights-beforehand", whole, precompute_reference=True), expected)


def test_a_reference_of_another_tokenizer_is_refused(pairs_run, tmp_path):
    other = pairs_run(steps=1, output=str(tmp_path / "other"), tuner="full")
    other["model"] |= {"add_tokens": ["<extra>"]}
    folder = train(other)
    with pytest.raises(BadModel, match="has another tokenizer than the model that is trained"):
        train(pairs_run({"name": "dpo", "reference": str(folder.path)}))


def test_a_reference_is_asked_beforehand_of_rows_that_are_there(pairs_run):
    run = pairs_run({"name": "dpo", "precompute_reference": True}, mix={"streaming": True})
    run["validation"] = 4
    with pytest.raises(BadData, match="before the first step, and these are streamed"):
        train(run)


@pytest.mark.parametrize("option", [{"reference": "tiny"}, {"precompute_reference": True}])
def test_a_loss_without_a_reference_refuses_one(option):
    with pytest.raises(ValidationError, match="the loss simpo compares with none"):
        DirectPreference(loss="simpo", **option)
