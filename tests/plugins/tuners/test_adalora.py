"""AdaLoRA: what keeps the outer matrices orthogonal."""

import re
import shutil
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from safetensors.torch import load_file

from luthier.core import resume, train
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.adalora import AdaLora
from luthier.plugins.tuners.rank_allocation import RankAllocation
from tests.plugins.watching import watched
from tests.sweep.miniatures import miniature

OUTER = re.compile(r"lora_[AB]")
LAYERS = 14
"""Two decoder layers of seven linear ones."""


@pytest.fixture
def adapted():
    """Lay AdaLoRA on a small model."""

    def of(**options):
        model, tuner = miniature("llama"), AdaLora(rank=2, initial_rank=4, **options)
        layers, vocabulary = LayerMap.of(model), Vocabulary((), (), 0, 0)
        return tuner.attach_adapter(
            model=model, layers=layers, vocabulary=vocabulary, adapter=None
        ), tuner

    return of


def matrices_of(model):
    return {name: one for name, one in model.named_parameters() if OUTER.search(name)}


@pytest.mark.parametrize("weight", [0.5, 0.1])
def test_the_gradient_of_the_distance_from_orthogonal_matrices_is_added_by_its_weight(
    weight, adapted
):
    model, tuner = adapted(orthogonality=weight)
    matrices = matrices_of(model)
    assert len(matrices) == 2 * LAYERS
    for parameter in matrices.values():
        torch.nn.init.normal_(parameter, std=0.3)
        parameter.grad = torch.ones_like(parameter)
    RankAllocation(model, tuner).on_pre_optimizer_step()
    for name, parameter in matrices.items():
        # equation 4 of the paper, but for the square; d |M'M - 1| / dM = 2 M (M'M - 1) / |M'M - 1|
        columns = parameter.detach().T if "lora_A" in name else parameter.detach()
        distance_RR = columns.T @ columns - torch.eye(4)
        slope = 2 * columns @ distance_RR / distance_RR.norm()
        expected = 1 + weight / (2 * LAYERS) * (slope.T if "lora_A" in name else slope)
        torch.testing.assert_close(parameter.grad, expected, atol=1e-6, rtol=1e-5)


def test_a_weight_of_zero_leaves_the_gradients_as_they_are(adapted):
    model, tuner = adapted(orthogonality=0)
    matrices = matrices_of(model)
    for parameter in matrices.values():
        parameter.grad = torch.ones_like(parameter)
    RankAllocation(model, tuner).on_pre_optimizer_step()
    assert all(parameter.grad.eq(1).all() for parameter in matrices.values())


def test_a_run_with_the_weight_ends_nearer_to_orthogonal_matrices_than_one_without(
    small_run, tmp_path
):
    distances = []
    for weight in (0.0, 5.0):
        tuner = {
            "name": "adalora", "rank": 2, "initial_rank": 4, "orthogonality": weight,
            "targets": "attention-query",
        }  # fmt: skip
        training = {"max_steps": 4, "warmup": 0, "learning_rate": 0.01}
        output = str(tmp_path / str(weight))
        after = watched(small_run(tuner=tuner, training=training, output=output)).after
        rows = [one if "lora_A" in n else one.T for n, one in after.items() if OUTER.search(n)]
        assert len(rows) == 8
        distances.append(sum((one @ one.T - torch.eye(4)).norm() for one in rows))
    assert distances[1] < 0.9 * distances[0]


def test_a_step_that_the_scaler_of_float16_leaves_out_tells_nothing_of_what_counts(adapted):
    model, tuner = adapted()
    allocation, matrices = RankAllocation(model, tuner), matrices_of(model)
    allocation.allocator.peft_config.total_step = 10
    Accelerator(cpu=True)  # its optimizers ask for the state that it makes
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    adamw = torch.optim.AdamW(allocation.parameters.values())
    optimizer = AcceleratedOptimizer(adamw, device_placement=False, scaler=scaler)
    for step, value in enumerate((float("inf"), 1.0)):
        loss = sum(one.sum() for one in allocation.parameters.values())
        scaler.scale(loss).backward()
        next(iter(matrices.values())).grad.fill_(value)
        optimizer.step()
        state = SimpleNamespace(global_step=step)
        allocation.on_optimizer_step(None, state, None, optimizer=optimizer)
        assert bool(allocation.allocator.exp_avg_ipt) == (value == 1.0)
        adamw.zero_grad()
    assert all(one.isfinite().all() for one in allocation.allocator.exp_avg_ipt.values())


def test_with_muon_a_run_goes_on_to_the_bit(small_run):
    tuner = {"name": "adalora", "rank": 2, "initial_rank": 4, "targets": "attention-query"}
    run = train(
        small_run(
            tuner=tuner, optimizer="muon", training={"max_steps": 6}, checkpoints={"every": 2}
        )
    )
    expected = load_file(run.model / "adapter_model.safetensors")
    shutil.rmtree(run.model)
    shutil.rmtree(run.checkpoints / "checkpoint-6")
    assert (run.checkpoints / "checkpoint-4").is_dir()  # the last cut is in step 5
    resume(run.path)
    found = load_file(run.model / "adapter_model.safetensors")
    assert all(found[name].equal(one) for name, one in expected.items())
