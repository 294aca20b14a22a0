"""Judged answers: the loss is the paper's, z is of mismatched pairs, good and bad ones part."""

import json
import shutil

import pytest
import torch

from luthier.core import check, resume, train
from luthier.core.data import Judged
from luthier.core.data.encoding import Encoder
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.run.folder import RunFolder
from luthier.core.run.program import run_to_serve
from luthier.core.templates import IGNORED
from luthier.core.training import PaddingCollator
from luthier.core.training.recording import read_metrics
from luthier.plugins.stages.judgements import JudgedCollator, judged_losses
from luthier.plugins.stages.kto import KahnemanTversky

ROWS = [
    {"prompt": f"What is {a} plus {b}?", "completion": said, "label": label}
    for a in range(6) for b in range(3)
    for said, label in ((f"It is {a + b}.", True), (f"No idea {a}", False))
]  # fmt: skip


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def test_the_loss_is_that_of_its_paper():
    ratios = 20 * torch.randn(9, dtype=torch.float64)
    desirable = torch.arange(9) % 3 == 0
    beta, kl, good, bad = 0.3, torch.tensor(2.5, dtype=torch.float64), 1.33, 0.7
    stage = KahnemanTversky(beta=beta, desirable_weight=good, undesirable_weight=bad)
    value = torch.where(
        desirable, good * sigmoid(beta * (ratios - kl)), bad * sigmoid(beta * (kl - ratios))
    )
    weight = torch.where(desirable, torch.tensor(good).double(), torch.tensor(bad).double())
    found = judged_losses(stage, ratios, desirable, kl)
    torch.testing.assert_close(found, weight - value, atol=1e-6, rtol=0)


def encoded(prompt, answer, *, good):
    ids = {"input_ids": [*prompt, *answer], "labels": [IGNORED] * len(prompt) + answer}
    nothing = {"input_ids": [], "labels": []}
    return {
        f"{name}_{key}": one
        for name, row in (("desirable", ids if good else nothing),
                          ("undesirable", nothing if good else ids))
        for key, one in row.items()
    }  # fmt: skip


def test_a_batch_keeps_the_order_of_its_rows_and_shifts_their_answers():
    rows = [
        encoded([1, 2], [3], good=False), encoded([4], [5, 6], good=True),
        encoded([7, 8, 9], [10], good=False),
    ]  # fmt: skip
    batch = JudgedCollator(PaddingCollator(0), 4)(rows)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 0], [4, 5, 6, 0], [7, 8, 9, 10]]
    assert batch["desirable"].tolist() == [False, True, False]
    assert batch["mismatched"]["input_ids"].tolist() == [[1, 2, 5, 6], [4, 10, 0, 0], [7, 8, 9, 3]]
    shifted = [[IGNORED, IGNORED, 5, 6], [IGNORED, 10, IGNORED, IGNORED], [IGNORED] * 3 + [3]]
    assert batch["mismatched"]["labels"].tolist() == shifted
    cut = JudgedCollator(PaddingCollator(0), 3)(rows)["mismatched"]
    assert cut["input_ids"].tolist() == [[1, 2, 5], [4, 10, 0], [7, 8, 9]]


def test_rows_that_only_fill_a_batch_are_in_no_mismatched_pair():
    filler = {**encoded([1, 2], [3], good=True), "desirable_labels": [IGNORED] * 3}
    real = encoded([4], [5], good=True)
    collate = JudgedCollator(PaddingCollator(0), 9)
    assert "mismatched" not in collate([real, filler, filler])
    assert collate([real, filler, real])["mismatched"]["input_ids"].tolist() == [[4, 5], [4, 5]]


# --- runs --------------------------------------------------------------------------------------


def write(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.fixture
def judged_run(small_run, tmp_path):
    """What makes the contents of a run on judged answers, with changes."""
    write(tmp_path / "rows.jsonl", ROWS)

    def make(steps=12, **changes):
        settings = {"max_steps": steps, "batch_size": 4, "log_every": 1, "learning_rate": 5e-3}
        settings |= changes.pop("training", {})
        stage, tuner = {"name": "kto", **changes.pop("stage", {})}, {"name": "lora", "rank": 4}
        changes = {"tuner": tuner, "validation": 0.25, **changes}
        if changes["validation"] is None:
            del changes["validation"]
        return small_run(stage=stage, training=settings, **changes)

    return make


def rows_of(folder, *, held_out):
    return [row for row in read_metrics(folder) if ("validation" in row) == held_out]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_held_out_answers_part_as_those_of_a_frozen_model_never_do(judged_run, seed):
    run = judged_run(10, training={"seed": seed, "learning_rate": 1e-2})
    rows = rows_of(train(run), held_out=True)
    control, learned = rows[0], rows[-1]  # before the first step, and after the last
    assert control["step"] == 0
    assert learned["desirable_reward"] > learned["undesirable_reward"] + 0.5
    assert learned["margin"] == learned["desirable_reward"] - learned["undesirable_reward"]
    assert abs(control["margin"]) < 1e-3
    assert learned["loss"] < control["loss"] - 0.02


def summed(model, ids, start):
    """Return the log-probability of what stands from a place on."""
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return sum(logits[place - 1, ids[place]] for place in range(start, len(ids)))


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4}])
def test_the_loss_of_a_run_is_what_the_formula_makes_of_its_models(judged_run, tmp_path, tuner):
    some = ROWS[5:9]
    held_out = {"path": write(tmp_path / "held-out.jsonl", some), "format": "kto"}
    options = {"beta": 0.2, "desirable_weight": 1.5, "undesirable_weight": 0.5}
    folder = train(judged_run(3, tuner=tuner, stage=options, validation=held_out))
    _, found = rows_of(folder, held_out=True)
    located = [
        locate(model_spec(run_to_serve(one, (), trust_plugins=False), training=False))
        for one in (folder.path, "tiny")
    ]
    policy, reference = (open_model(one, training=False).model.double() for one in located)
    encoder = Encoder(located[0].template, located[0].tokenizer)
    say = [{"role": "user"}, {"role": "assistant"}]
    rows = encoder.judged([
        Judged([{**say[0], "content": row["prompt"]}],
               [{**say[1], "content": row["completion"]}], desirable=row["label"])
        for row in some
    ])  # fmt: skip
    parts = [next(iter(row.values())) for row in rows]
    starts = [one.labels.index(next(i for i in one.labels if i != IGNORED)) for one in parts]
    stops = [start + sum(i != IGNORED for i in one.labels)
             for start, one in zip(starts, parts, strict=True)]  # fmt: skip

    def ratio(asked, said):
        ids = parts[asked].ids[: starts[asked]] + parts[said].ids[starts[said] : stops[said]]
        return summed(policy, ids, starts[asked]) - summed(reference, ids, starts[asked])

    kl = max(sum(ratio(n, (n + 1) % 4) for n in range(4)) / 4, torch.tensor(0.0))
    losses = [
        1.5 - 1.5 * sigmoid(0.2 * (ratio(n, n) - kl)) if row["label"]
        else 0.5 - 0.5 * sigmoid(0.2 * (kl - ratio(n, n)))
        for n, row in enumerate(some)
    ]  # fmt: skip
    assert kl > 0
    assert found["kl"] == pytest.approx(float(kl), abs=1e-4)
    assert found["loss"] == pytest.approx(float(sum(losses) / 4), abs=1e-5)


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4, "dropout": 0.1}])
def test_a_run_that_is_gone_on_with_ends_with_the_same_weights(judged_run, tmp_path, tuner):
    folder = train(judged_run(4, tuner=tuner, checkpoints={"every": 2}))
    again = RunFolder(tmp_path / "copy")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-4")
    resume(again.path)
    (file,) = folder.model.glob("*model.safetensors")
    assert (again.model / file.name).read_bytes() == file.read_bytes()
    kept = ("step", "loss", "margin", "kl")
    assert [[row.get(key) for key in kept] for row in read_metrics(again)] == [
        [row.get(key) for key in kept] for row in read_metrics(folder)
    ]


def test_batches_that_are_accumulated_are_one_batch_but_for_their_own_estimates(
    judged_run, tmp_path
):
    whole = {"batch_size": 6, "gradient_accumulation": 1}
    parts = {"batch_size": 2, "gradient_accumulation": 3}
    first, second = (
        rows_of(
            train(judged_run(3, training=one, output=str(tmp_path / name), validation=None)),
            held_out=False,
        )
        for name, one in (("whole", whole), ("parts", parts))
    )
    # before the first update, which the rate of the second step makes, z is zero however it is
    # estimated; so the update is the same
    for one, other in zip(first[:2], second, strict=False):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-6)
        assert one["kl"] == other["kl"] == 0
    for name in ("desirable_reward", "undesirable_reward"):
        assert first[2][name] == pytest.approx(second[2][name], abs=1e-5)
        assert first[2][name] != 0


def test_a_batch_of_one_row_has_no_estimate(judged_run):
    rows = rows_of(
        train(judged_run(3, training={"batch_size": 1}, validation=None)), held_out=False
    )
    assert [row["kl"] for row in rows] == [0] * 3
    assert all("margin" not in row for row in rows)
    assert all(("desirable_reward" in row) != ("undesirable_reward" in row) for row in rows)


@pytest.mark.parametrize("changes", [{"training": {"group_by_length": True}},
                                     {"mix": {"streaming": True}, "validation": 4}])  # fmt: skip
def test_good_and_bad_answers_may_come_from_files_of_their_own(judged_run, tmp_path, changes):
    data = [
        {"path": write(tmp_path / f"{label}.jsonl", [r for r in ROWS if r["label"] == label]),
         "format": "kto"}
        for label in (True, False)
    ]  # fmt: skip
    rows = read_metrics(train(judged_run(3, data=data, **changes)))
    assert all(row["loss"] > 0 for row in rows)


def test_the_logits_of_all_tokens_are_not_computed(judged_run, tmp_path):
    assert "chunked-cross-entropy" in [one.name for one in check(judged_run()).of("patches")]
    plain, chunked = (
        rows_of(
            train(judged_run(3, patches=patches, output=str(tmp_path / str(n)), validation=None)),
            held_out=False,
        )
        for n, patches in enumerate(
            (["~chunked-cross-entropy"], [{"name": "chunked-cross-entropy", "tokens": 5}])
        )
    )
    for one, other in zip(plain, chunked, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert one["kl"] == pytest.approx(other["kl"], abs=1e-4)
    assert "of all tokens are computed" not in (tmp_path / "1" / "log.txt").read_text()


def test_the_example_learns_what_is_good(repository, tmp_path):
    file = repository / "examples" / "kto.yaml"
    rows = read_metrics(train(str(file), [f"output={tmp_path / 'kto'}"]))
    assert rows[-1]["margin"] > rows[0]["margin"] + 1
