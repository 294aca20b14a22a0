"""Reward models: the loss is its paper's, and a score is that of an answer's last token."""

import json
import shutil
import statistics

import pytest
import torch

from luthier.core import resume, train
from luthier.core.model.value_head import load_value_heads
from luthier.core.run.folder import RunFolder
from luthier.core.run.merging import merge
from luthier.core.templates import IGNORED
from luthier.core.training.recording import read_metrics
from luthier.plugins.stages.scores import pairwise_loss, scores_of

PAIRS = [
    {"prompt": f"What is {a} plus {b}?", "chosen": f"It is {a + b}.", "rejected": f"No idea {a}"}
    for a in range(8) for b in range(4)
]  # fmt: skip


def rows_of(folder, *, held_out):
    return [row for row in read_metrics(folder) if ("validation" in row) == held_out]


@pytest.fixture
def scored_run(small_run, tmp_path):
    """What makes the contents of a run that learns scores, with changes."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))

    def make(steps=16, **changes):
        settings = {"max_steps": steps, "batch_size": 4, "log_every": 1, "learning_rate": 5e-3}
        settings |= changes.pop("training", {})
        stage, tuner = changes.pop("stage", "rm"), {"name": "lora", "rank": 4}
        changes = {"tuner": tuner, "validation": 0.25, **changes}
        return small_run(stage=stage, training=settings, **changes)

    return make


def test_the_loss_is_that_of_its_papers():
    chosen, rejected = torch.randn(2, 7, dtype=torch.float64)
    plain = -torch.log(1 / (1 + torch.exp(rejected - chosen)))
    torch.testing.assert_close(pairwise_loss(chosen, rejected), plain, atol=1e-9, rtol=1e-9)
    centred = plain + 0.3 * (chosen + rejected) ** 2
    found = pairwise_loss(chosen, rejected, centering=0.3)
    torch.testing.assert_close(found, centred, atol=1e-9, rtol=1e-9)


def test_a_score_is_read_where_an_answer_ends_and_not_where_the_template_does():
    labels = torch.tensor([
        [IGNORED, 1, 2, IGNORED], [IGNORED, IGNORED, 3, 4],
    ])  # fmt: skip
    values = torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]])
    answers = torch.tensor([[0] * 4, [1] * 4])
    assert scores_of(values, labels, answers).tolist() == [2.0, 7.0]
    flat = [one.reshape(1, -1) for one in (values, labels, answers)]
    assert scores_of(*flat).tolist() == [2.0, 7.0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_held_out_answers_are_told_apart_as_an_untrained_head_never_does(scored_run, seed):
    rows = rows_of(train(scored_run(training={"seed": seed})), held_out=True)
    control, learned = rows[0], rows[-1]  # before the first step, and after the last
    assert control["step"] == 0
    assert learned["accuracy"] > 0.9
    assert learned["margin"] > control["margin"] + 0.5
    assert learned["chosen_score"] > learned["rejected_score"]
    assert learned["loss"] < control["loss"] - 0.2


def test_scores_are_told_with_their_standard_deviations(scored_run, tmp_path):
    def rows(every):
        training = {"learning_rate": 1e-12, "batch_size": 1, "log_every": every}
        output = str(tmp_path / f"every-{every}")
        return rows_of(train(scored_run(4, training=training, output=output)), held_out=False)

    alone, (*first, together) = rows(1), rows(4)
    assert [row["step"] for row in first] == [1]
    for name in ("chosen_score", "rejected_score"):
        scores = [row[name] for row in alone[len(first) :]]
        assert [row[f"{name}_std"] for row in alone] == pytest.approx([0.0] * 4, abs=2e-3)
        assert together[name] == pytest.approx(statistics.fmean(scores), abs=1e-6)
        assert together[f"{name}_std"] == pytest.approx(statistics.pstdev(scores), abs=1e-5)


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4}])
def test_rows_end_to_end_have_the_scores_of_padded_ones(scored_run, tmp_path, tuner):
    found = [
        rows_of(
            train(
                scored_run(
                    3,
                    tuner=tuner,
                    patches=patches,
                    training={"learning_rate": 1e-4},
                    output=str(tmp_path / str(n)),
                )
            ),
            held_out=False,
        )
        for n, patches in enumerate(([], ["~padding-free"]))
    ]
    for one, other in zip(*found, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)
        assert one["chosen_score"] == pytest.approx(other["chosen_score"], abs=1e-4)


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4}])
def test_a_run_that_is_gone_on_with_ends_with_the_same_weights_and_head(
    scored_run, tmp_path, tuner
):
    folder = train(scored_run(6, tuner=tuner, checkpoints={"every": 3}))
    again = RunFolder(tmp_path / "copy")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-6")
    resume(again.path)
    files = sorted(file.name for file in folder.model.glob("*.safetensors"))
    assert len(files) == 2
    for name in files:
        assert (again.model / name).read_bytes() == (folder.model / name).read_bytes()


def test_the_head_is_saved_trained_and_gone_on_with(scored_run, tmp_path):
    folder = train(scored_run(4))
    head = load_value_heads(folder.model)["reward"]
    assert head.bias.item() != 0
    more = scored_run(1, training={"learning_rate": 1e-12}, output=str(tmp_path / "more"))
    more["model"] = {"path": "tiny", "adapters": [str(folder.model)]}
    found = load_value_heads(train(more).model)["reward"]
    torch.testing.assert_close(found.weight, head.weight)
    torch.testing.assert_close(found.bias, head.bias)


def test_a_merged_model_has_its_head(scored_run, tmp_path):
    folder = train(scored_run(2))
    merge(folder.path, tmp_path / "merged")
    head, kept = (load_value_heads(one)["reward"] for one in (folder.model, tmp_path / "merged"))
    assert torch.equal(head.weight, kept.weight)


def test_an_optimizer_of_groups_trains_the_head_too(scored_run):
    before = load_value_heads(train(scored_run(1, training={"learning_rate": 1e-12})).model)
    run = scored_run(2, optimizer="lion")
    run["output"] += "-lion"
    after = load_value_heads(train(run).model)
    assert not torch.equal(before["reward"].weight, after["reward"].weight)
