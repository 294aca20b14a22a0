"""In a run of PPO one base model is policy, values, reference and reward model."""

import copy
import gc
import json

import pytest
import torch
from peft import PeftModel
from torch.nn.utils.rnn import pad_sequence

from luthier.core import train
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.model.value_head import ValuedModel, last_values, load_value_heads
from luthier.core.run.program import run_to_serve

LORA = {"name": "lora", "rank": 4}
PAIRS = [
    {"prompt": f"What is {n} plus 1?", "chosen": f"It is {n + 1}.", "rejected": f"No idea {n}"}
    for n in range(8)
]


@pytest.fixture(scope="module")
def reward_run(module_run, tmp_path_factory):
    """The run folder of a reward model that is an adapter on the tiny model."""
    folder = tmp_path_factory.mktemp("rm")
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    run = module_run(
        stage="rm", data=[str(folder / "pairs.jsonl")], tuner=LORA, output=str(folder / "run"),
        training={"max_steps": 2, "batch_size": 4, "learning_rate": 1e-2},
    )  # fmt: skip
    return train(run)


@pytest.fixture
def shared(sampled_run, trainer_of, reward_run):
    """What builds the trainer of a run whose policy has left the reference."""

    def make(tuner):
        rewards = [{"name": "reward-model", "path": str(reward_run.path)}]
        trainer = trainer_of(sampled_run(tuner=tuner, rewards=rewards))
        generator = torch.Generator().manual_seed(1)
        for one in trainer.job.opened.trained().values():
            one.data += torch.randn(one.shape, generator=generator) * 0.05
        return trainer

    return make


def opened(path):
    spec = model_spec(run_to_serve(path, (), trust_plugins=False), training=False)
    return open_model(locate(spec), training=False).model.eval()


def policy_of_its_own(trainer, folder):
    """Return the policy of a trainer, as a model that shares nothing with it."""
    model = trainer.job.opened.model
    own = opened("tiny")
    if not hasattr(model, "peft_config"):
        own.load_state_dict(copy.deepcopy(model.state_dict()))
        return own
    model.save_pretrained(folder, selected_adapters=["default"])
    return PeftModel.from_pretrained(own, folder).eval()


@pytest.mark.parametrize("tuner", [LORA, {"name": "dora", "rank": 4}, "full"], ids=str)
def test_each_role_of_a_run_is_what_a_model_of_its_own_would_be(
    shared, reward_run, tmp_path, tuner
):
    trainer = shared(tuner)
    batch = next(iter(trainer.get_train_dataloader()))
    rollout = trainer.sampled(trainer._prepare_inputs(batch))
    policy = policy_of_its_own(trainer, tmp_path / "policy")
    value = policy_of_its_own(trainer, tmp_path / "value")
    head = copy.deepcopy(trainer.job.opened.value_heads["value"])
    answers = slice(-rollout.mask.shape[1] - 1, -1)
    positions = (rollout.seen.cumsum(1) - 1).clamp(min=0)
    given = {"attention_mask": rollout.seen, "position_ids": positions}
    with torch.no_grad():
        for model, found in ((policy, rollout.logps), (opened("tiny"), rollout.reference)):
            spread = model(rollout.ids, **given).logits[:, answers].log_softmax(-1)
            said = rollout.ids[:, -rollout.mask.shape[1] :, None]
            expected = spread.gather(2, said)[..., 0] * rollout.mask
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
        valued = ValuedModel(value, {"value": head})
        values = valued(rollout.ids, rollout.seen, head="value").values[:, answers]
        torch.testing.assert_close(rollout.values, values, atol=1e-6, rtol=0)
        heads = load_value_heads(reward_run.model)
        scored = ValuedModel(opened(reward_run.path), heads)
        rows = zip(rollout.ids, rollout.seen, strict=True)
        ids = pad_sequence([row[seen.bool()] for row, seen in rows], batch_first=True)
        mask = (torch.arange(ids.shape[1]) < rollout.seen.sum(1, keepdim=True)).long()
        scores = last_values(scored(ids, mask, head="reward").values, mask)
        torch.testing.assert_close(rollout.scores, scores, atol=1e-6, rtol=0)
    assert rollout.kl.abs().max() > 0.01


def held():
    """Return the bytes of all storages that tensors of this process hold, each by its place."""
    gc.collect()
    tensors = [one for one in gc.get_objects() if type(one) in {torch.Tensor, torch.nn.Parameter}]
    found = [one.untyped_storage() for one in tensors]
    return {one.data_ptr(): one.nbytes() for one in found}


def size_of(*modules):
    return sum(p.numel() * p.element_size() for one in modules for p in one.parameters())


def test_the_base_of_a_run_is_in_memory_once_and_four_times_in_separate_models(
    shared, reward_run, tmp_path
):
    base = size_of(opened("tiny"))
    before = held()
    trainer = shared(LORA)
    between = held()
    ours = sum(size for place, size in between.items() if place not in before)
    adapter = size_of(trainer.job.opened.model.get_base_model()) - base  # both of them
    heads = 2 * size_of(trainer.job.opened.value_heads["value"])
    assert base + adapter + heads <= ours < base + adapter + heads + 0.01 * base
    policy = policy_of_its_own(trainer, tmp_path / "policy")
    value = policy_of_its_own(trainer, tmp_path / "value")
    separate = [policy, value, opened("tiny"), opened(reward_run.path)]
    theirs = sum(size for place, size in held().items() if place not in between)
    assert theirs >= len(separate) * base
    assert ours < 0.3 * theirs
