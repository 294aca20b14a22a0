"""Stages that sample: what they sample and train on, whose models they share, what they learn."""

import shutil

import pytest

from luthier.core import check, resume, train
from luthier.core.errors import BadModel
from luthier.core.problems import BadRunFile
from luthier.core.run.folder import RunFolder
from luthier.core.training.recording import read_metrics

ONLINE = ("ppo", "grpo", "rloo")


def rows_of(folder, *, held_out):
    return [row for row in read_metrics(folder) if ("validation" in row) == held_out]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("stage", ONLINE)
def test_a_wanted_text_becomes_more_frequent_in_answers_to_held_out_prompts(
    sampled_run, stage, seed
):
    steps = 16 if stage == "rloo" else 12
    run = sampled_run(
        stage, steps, tuner="full", evaluation={"every": steps, "batch_size": 16},
        validation=32 if stage == "ppo" else 8,  # with one answer to each, and with four
        options={"kl_coefficient": 0.0, "minibatch_size": 16},
        training={
            "learning_rate": 5e-3 if stage == "ppo" else 1e-2, "scheduler": "constant",
            "log_every": 4, "batch_size": 16 if stage == "ppo" else 4, "seed": seed,
        },
    )  # fmt: skip
    # the model before the first step is the frozen control
    frozen, learned = (row["reward"] for row in rows_of(train(run), held_out=True))
    assert frozen < 0.5
    assert learned > frozen + 0.4


@pytest.mark.parametrize("stage", ONLINE)
@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4}], ids=["full", "lora"])
def test_a_run_that_is_gone_on_with_ends_with_the_same_weights(sampled_run, tmp_path, stage, tuner):
    options = {"update_epochs": 2, "minibatch_size": 3}
    if stage == "ppo":
        options |= {"kl_target": 0.5, "kl_horizon": 50, "normalize_scores": True}
    run = sampled_run(stage, 4, options=options, tuner=tuner, checkpoints={"every": 2})
    folder = train(run)
    again = RunFolder(tmp_path / "copy")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-4")
    resume(again.path)
    for file in folder.model.glob("*.safetensors"):
        assert (again.model / file.name).read_bytes() == file.read_bytes(), file.name
    kept = ("step", "loss", "reward", "kl", "answer_tokens")
    assert [[row.get(key) for key in kept] for row in read_metrics(again)] == [
        [row.get(key) for key in kept] for row in read_metrics(folder)
    ]


def test_the_first_step_is_no_nat_from_the_reference(sampled_run):
    first = rows_of(train(sampled_run(steps=1, tuner="full")), held_out=False)[0]
    assert first["kl"] == pytest.approx(0, abs=1e-4)
    assert 0 < first["answer_tokens"] <= 8
    assert 0 <= first["ended"] <= 1
    assert first["entropy"] > 0


def test_a_cost_that_is_steered_is_told_and_one_of_nothing_is_refused(sampled_run):
    steered = {"kl_coefficient": 0.1, "kl_target": 1e3, "kl_horizon": 1}
    rows = rows_of(train(sampled_run(steps=2, options=steered)), held_out=False)
    assert [row["kl_coefficient"] for row in rows] == pytest.approx([0.08, 0.064])
    with pytest.raises(BadRunFile, match=r"`kl_coefficient: 0` stays 0(.|\n)*Give it a value"):
        check(sampled_run(options={"kl_coefficient": 0, "kl_target": 1.0}))


def test_answers_are_sampled_by_the_weights_that_are_trained_also_where_others_are_evaluated(
    sampled_run, tmp_path
):
    pytest.importorskip("schedulefree", reason='needs pip install "luthier[schedule-free]"')

    def losses(name, every):
        run = sampled_run(
            tuner="full", optimizer="schedule-free", validation=2, evaluation={"every": every},
            output=str(tmp_path / name), training={"batch_size": 2},
        )  # fmt: skip
        return [row["loss"] for row in rows_of(train(run), held_out=False)]

    assert losses("often", 1) == pytest.approx(losses("once", 4), rel=1e-3)


def test_answers_are_compared_with_those_of_the_data(sampled_run):
    run = sampled_run("grpo", 1, rewards=[{"name": "matches", "pattern": r"\d+"}])
    assert rows_of(train(run), held_out=False)[0]["reward"] < 1


def test_a_stage_that_samples_wants_a_reward(sampled_run):
    with pytest.raises(BadRunFile, match="nothing scores the answers"):
        check(sampled_run(rewards=[]))


def test_a_reward_wants_a_stage_that_samples(small_run):
    with pytest.raises(BadRunFile, match="has no answers to score"):
        check(small_run(rewards=[{"name": "contains", "text": "an"}]))


def test_accumulated_gradients_are_refused_with_the_way_out(sampled_run):
    with pytest.raises(BadRunFile, match="minibatch_size"):
        check(sampled_run(training={"gradient_accumulation": 2}))


def test_a_run_that_learned_no_scores_is_no_reward_model(sampled_run, small_run, tmp_path):
    folder = train(small_run(output=str(tmp_path / "sft"), training={"max_steps": 1}))
    rewards = [{"name": "reward-model", "path": str(folder.path)}]
    with pytest.raises(BadModel, match="holds no reward model"):
        train(sampled_run(steps=1, rewards=rewards))
