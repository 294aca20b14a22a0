"""How answers are sampled, scored and weighed, as the trainers of real runs do it."""

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationMixin, GPT2Config, RwkvConfig

from luthier.core import LuthierError, train
from luthier.core.errors import BadModel
from luthier.core.model.opening import locate, model_spec
from luthier.core.run.program import settled
from luthier.core.templates import ChatTemplate
from luthier.core.training.recording import read_metrics

HALF = {"path": "tiny", "dtype": "bfloat16"}


def batch_of(trainer):
    """Return the prompts of a step."""
    return trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


# --- precision ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["ppo", "grpo"])
def test_answers_are_weighed_in_the_precision_that_they_are_trained_in(sampled_run, stage):
    run = sampled_run(stage, 3, tuner="full", model=HALF)
    kl = [row["kl"] for row in read_metrics(train(run))]
    assert kl[0] == 0
    assert kl[2] != 0


def test_the_reference_computes_with_its_own_weights_where_casts_are_kept(sampled_run, trainer_of):
    trainer = trainer_of(sampled_run(tuner="full", model=HALF))
    trained = trainer.job.opened.trained()
    first = {name: one.detach().clone() for name, one in trained.items()}
    for one in trained.values():
        one.data += torch.randn_like(one) * 0.1
    held = trainer.job.opened.model.train().get_submodule("model.layers.1").eval()
    rollout = trainer.sampled(batch_of(trainer))
    assert (trainer.job.opened.model.training, held.training) == (True, False)
    for name, one in trained.items():
        one.data = first[name]
    model = trainer.job.opened.model.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = trainer._logps(trainer._logits(model, rollout), rollout)
    assert rollout.kl.abs().max() > 0.1
    torch.testing.assert_close(rollout.reference, expected, atol=0, rtol=0)


# --- sampling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4}], ids=["full", "lora"])
def test_answers_are_sampled_by_probabilities_that_nothing_cuts(
    sampled_run, trainer_of, monkeypatch, tuner
):
    trainer = trainer_of(sampled_run(tuner=tuner, options={"temperature": 0.7}))
    own = trainer.job.opened.model.generation_config
    own.update(min_p=0.9, no_repeat_ngram_size=2, suppress_tokens=[7], repetition_penalty=1.3)
    original, found = GenerationMixin._get_logits_processor, []

    def noting(self, *args, **kwargs):
        found.append(original(self, *args, **kwargs))
        return found[-1]

    monkeypatch.setattr(GenerationMixin, "_get_logits_processor", noting)
    trainer.sampled(batch_of(trainer))
    assert [[type(one).__name__ for one in each] for each in found] == [["TemperatureLogitsWarper"]]
    assert trainer.job.opened.model.generation_config is own


def made(run, folder, config):
    """Write a random model of a config with the tokenizer of the tiny one; return its path."""
    tokenizer = locate(model_spec(settled(run), training=True)).tokenizer
    AutoModelForCausalLM.from_config(config(len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_answers_end_where_learned_positions_do(sampled_run, trainer_of, tmp_path):
    def config(size):
        return GPT2Config(vocab_size=size, n_positions=48, n_embd=16, n_layer=1, n_head=2)

    path = made(sampled_run(), tmp_path / "gpt2", config)
    options = {"max_new_tokens": 64, "minibatch_size": 2}
    run = sampled_run(model={"path": path}, tuner="full", options=options)
    trainer = trainer_of({**run, "template": "chatml"})
    batch = batch_of(trainer)
    rollout = trainer.sampled(batch)
    assert rollout.ids.shape[1] == 48
    assert trainer.told(trainer.job.trainee, rollout).logps.isfinite().all()
    long = {**batch, **{name: batch[name].repeat(1, 3) for name in ("input_ids", "attention_mask")}}
    with pytest.raises(BadModel, match=r"tokens to be answered, and the model has 48 positions"):
        trainer.sampled(long)


def test_a_model_that_takes_pads_for_tokens_is_asked_one_prompt_at_a_time(
    sampled_run, trainer_of, tmp_path
):
    def config(size):
        return RwkvConfig(vocab_size=size, hidden_size=16, num_hidden_layers=2, context_length=64)

    path = made(sampled_run(), tmp_path / "rwkv", config)

    def run(size):
        changes = {"training": {"batch_size": size}, "output": str(tmp_path / f"of-{size}")}
        run = sampled_run("grpo", model={"path": path}, tuner="full", **changes)
        return {**run, "template": "chatml"}

    with pytest.raises(BadModel, match=r"RwkvForCausalLM takes the pads(.|\n)*batch_size: 1"):
        trainer_of(run(2))
    trainer = trainer_of(run(1))
    assert trainer.sampled(batch_of(trainer)).logps.isfinite().all()


def test_answers_that_no_token_ends_are_refused(sampled_run, trainer_of, monkeypatch):
    monkeypatch.setattr(ChatTemplate, "stop_ids", lambda self, tokenizer: [])
    with pytest.raises(BadModel, match="nothing ends an answer"):
        trainer_of(sampled_run())


# --- scores -------------------------------------------------------------------------------------

GIVEN = """
from typing import ClassVar
from luthier.core import Plugin, hookimpl

class Given(Plugin):
    \"\"\"Give what the test wants.\"\"\"

    scores: list[str]
    \"\"\"What is given.\"\"\"

    traits: ClassVar = frozenset({"reward"})
    serves: ClassVar = "training"

    @hookimpl
    def build_reward(self, job):
        numbers = [float(one) if one else None for one in self.scores]
        return lambda samples: numbers

ENTRY_POINTS = {"luthier.rewards": {"given": Given}}
"""


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (["0.5"], r"given returned 1 score for 4 answers\. A reward returns a finite number"),
        (["1", "2", "3", "inf"], r"rewards/given scored the answer '.*' to '.*What is .*' inf\."),
        (["1", "2", "3", ""], r"given was asked for the scores of 4 answers and returned \["),
    ],
    ids=["few", "infinite", "none"],
)
def test_a_reward_that_gives_no_number_for_each_answer_is_named(
    sampled_run, trainer_of, tmp_path, scores, said
):
    (tmp_path / "given.py").write_text(GIVEN)
    plugins = [str(tmp_path / "given.py")]
    rewards = [{"name": "contains", "text": "e"}, {"name": "given", "scores": scores}]
    trainer = trainer_of(sampled_run(plugins=plugins, rewards=rewards))
    with pytest.raises(LuthierError, match=said):
        trainer.sampled(batch_of(trainer))


def test_scores_of_several_rewards_are_added(sampled_run, trainer_of):
    always = {"name": "matches", "pattern": "()", "weight": 2}
    trainer = trainer_of(sampled_run(rewards=[always, {"name": "contains", "text": "e"}]))
    assert set(trainer.sampled(batch_of(trainer)).scores.tolist()) <= {2.0, 3.0}
