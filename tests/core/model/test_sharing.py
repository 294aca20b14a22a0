"""One base model plays many roles, and is in each what a model of its own would be."""

import json
from types import SimpleNamespace

import pytest
import torch

from luthier.core import train
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.model.sharing import lay_beside, shares_base, switched_off, switched_to
from luthier.core.model.value_head import ValuedModel, load_value_heads
from luthier.core.run.companions import Companion
from luthier.core.run.program import run_to_serve, settled

PAIRS = [
    {"prompt": f"What is {a} plus {b}?", "chosen": f"It is {a + b}.", "rejected": f"No idea {a}"}
    for a in range(4) for b in range(4)
]  # fmt: skip
IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]])


@pytest.fixture
def reward_run(small_run, tmp_path):
    """A reward model that is an adapter on the tiny model."""
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))

    def make(**changes):
        return train(
            small_run(
                **{
                    "stage": "rm", "data": [str(tmp_path / "pairs.jsonl")],
                    "tuner": {"name": "lora", "rank": 4}, "output": str(tmp_path / "rm"),
                    "training": {"max_steps": 4, "batch_size": 4, "learning_rate": 1e-2},
                    **changes,
                }
            )
        )  # fmt: skip

    return make


def opened(path, training=False):
    run = settled(path) if training else run_to_serve(path, (), trust_plugins=False)
    spec = model_spec(run, training=training)
    return open_model(locate(spec), training=training), spec


def storages(*modules):
    parameters = [one for module in modules for one in module.parameters()]
    return {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in parameters}


def test_each_role_is_what_a_model_of_its_own_would_be(reward_run, small_run, tmp_path):
    folder = reward_run()
    policy_folder = train(
        small_run(tuner={"name": "lora", "rank": 4}, output=str(tmp_path / "policy"))
    )
    own_policy, _ = opened(policy_folder.path)
    own_reward, reward_spec = opened(folder.path)
    base, _ = opened("tiny")
    shared, _ = opened(policy_folder.path)
    lay_beside(shared.model, folder.model, "reward")
    head = load_value_heads(folder.model)["reward"]
    mask = torch.ones_like(IDS)
    own_scores = ValuedModel(own_reward.model, {"reward": head})(IDS, mask, head="reward").values
    with torch.no_grad():
        torch.testing.assert_close(
            shared.model(IDS).logits, own_policy.model(IDS).logits, atol=1e-6, rtol=0
        )
        with switched_off(shared.model):
            torch.testing.assert_close(
                shared.model(IDS).logits, base.model(IDS).logits, atol=1e-6, rtol=0
            )
        with switched_to(shared.model, "reward"):
            valued = ValuedModel(shared.model, {"reward": head})
            scores = valued(IDS, mask, head="reward").values
        torch.testing.assert_close(scores, own_scores, atol=1e-6, rtol=0)
        torch.testing.assert_close(
            shared.model(IDS).logits, own_policy.model(IDS).logits, atol=1e-6, rtol=0
        )
    assert reward_spec.adapters


def test_what_is_trained_stays_as_it_was(reward_run, small_run):
    folder = reward_run()
    shared, _ = opened(small_run(tuner={"name": "lora", "rank": 4}), training=True)
    trained = set(shared.trained())
    undo = lay_beside(shared.model, folder.model, "reward")
    assert set(shared.trained()) == trained
    for context in (switched_off(shared.model), switched_to(shared.model, "reward")):
        with context:
            assert not shared.model.training
        assert set(shared.trained()) == trained
        assert shared.model.active_adapter == "default"
    undo()
    assert set(shared.trained()) == trained
    assert list(shared.model.peft_config) == ["default"]


def test_each_module_stays_in_its_own_mode(reward_run, small_run):
    shared, _ = opened(small_run(tuner={"name": "lora", "rank": 4}), training=True)
    shared.model.train()
    held = shared.model.get_submodule("base_model.model.model.layers.1").eval()
    modes = {name: module.training for name, module in shared.model.named_modules()}
    lay_beside(shared.model, reward_run().model, "reward")
    for context in (switched_off(shared.model), switched_to(shared.model, "reward")):
        with context:
            assert not any(module.training for module in shared.model.modules())
        assert shared.model.training
        assert not held.training
        named = dict(shared.model.named_modules())
        assert {name: named[name].training for name in modes} == modes


def test_the_base_is_in_memory_once(reward_run, small_run):
    folder = reward_run()
    shared, _ = opened(small_run(tuner={"name": "lora", "rank": 4}), training=True)
    base, _ = opened("tiny")
    weights = sum(storages(base.model).values())
    before = sum(storages(shared.model).values())
    adapter = before - weights
    lay_beside(shared.model, folder.model, "reward")
    assert sum(storages(shared.model).values()) == weights + 2 * adapter


def test_another_base_or_another_method_is_not_shared(reward_run, small_run, tmp_path):
    lora = {"name": "lora", "rank": 4}
    folder = reward_run()
    _, reward = opened(folder.path)

    def shares(**changes):
        policy, spec = opened(small_run(**{"tuner": lora, **changes}), training=True)
        return shares_base(policy.model, spec, reward)

    assert shares()
    assert not shares(tuner="full")
    assert not shares(tuner={"name": "oft"})
    whole = train(small_run(output=str(tmp_path / "whole"), training={"max_steps": 1}))
    assert not shares(model={"path": str(whole.model)})
    beneath = train(small_run(tuner=lora, output=str(tmp_path / "beneath")))
    adapters = {"path": "tiny", "adapters": [str(beneath.model)]}
    assert not shares(model={**adapters, "continue_adapter": False})
    assert shares(model=adapters)


@pytest.mark.parametrize("init", ["gaussian", "pissa", "olora"])
def test_a_reward_model_scores_alike_however_the_policy_begins(reward_run, small_run, init):
    folder = reward_run()
    own, reward = opened(folder.path)
    contents = small_run(tuner={"name": "lora", "rank": 4, "init": init})
    policy, _ = opened(contents, training=True)
    job = SimpleNamespace(run=settled(contents), opened=policy, companions={})
    companion = Companion.opened(job, locate(reward), "reward")
    head, mask = load_value_heads(folder.model)["reward"], torch.ones_like(IDS)
    with torch.no_grad():
        wanted = ValuedModel(own.model, {"reward": head})(IDS, mask, head="reward").values
        with companion.switched():
            valued = ValuedModel(companion.model, {"reward": head})
            found = valued(IDS, mask, head="reward").values
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    # matrices that are taken out of the weights leave others beneath another adapter
    assert (companion.model is policy.model) == (init == "gaussian")
