"""The steps of our own optimizers, against plain computations of what their papers say."""

import copy
import math

import pytest
import torch

from luthier.plugins.optimizers.steps.adafactor import Adafactor
from luthier.plugins.optimizers.steps.adam_mini import AdamMini
from luthier.plugins.optimizers.steps.apollo import Apollo, projection
from luthier.plugins.optimizers.steps.badam import BAdam, block_at
from luthier.plugins.optimizers.steps.galore import GaLore
from luthier.plugins.optimizers.steps.lion import Lion
from luthier.plugins.optimizers.steps.lomo import Lomo
from luthier.plugins.optimizers.steps.muon import MuonWithAdamW

RATE, DECAY, EPS = 1e-2, 0.1, 1e-8
FIRST, SECOND = BETAS = (0.9, 0.99)
STEPS = 3
ADAM = {"betas": BETAS, "eps": EPS}


def group(parameter, **settings):
    return {"params": [parameter], "lr": RATE, "weight_decay": DECAY, **settings}


def gradients(shape):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for _ in range(STEPS)]


def begun(shape):
    return torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(0)))


def stepped(optimizer, parameter, *, layerwise=False):
    for gradient in gradients(parameter.shape):
        if layerwise:
            (parameter * gradient).sum().backward()
            assert parameter.grad is None
            continue
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def assert_goes(found, shape, direction):
    """Compare with weights that shrink, and go along `direction(gradient, t)`, in float64."""
    weights = begun(shape).detach().double()
    for t, gradient in enumerate(gradients(shape), start=1):
        weights = (1 - RATE * DECAY) * weights - RATE * direction(gradient.double(), t)
    assert (found.double() - weights).abs().max() < 1e-6


class Adam:
    """Adam's direction, as algorithm 1 of its paper has it."""

    def __init__(self, eps=EPS):
        self.m = self.v = 0.0
        self.eps = eps

    def __call__(self, g, t, squares=None):
        self.m = FIRST * self.m + (1 - FIRST) * g
        self.v = SECOND * self.v + (1 - SECOND) * (g**2 if squares is None else squares)
        return (self.m / (1 - FIRST**t)) / ((self.v / (1 - SECOND**t)).sqrt() + self.eps)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
@pytest.mark.parametrize("side", ["shorter", "longer", "left", "right", "both"])
@pytest.mark.parametrize("layerwise", [False, True])
def test_galore_goes_along_adams_direction_in_the_subspace_of_the_gradient(shape, side, layerwise):
    parameter, rank, scale, interval = begun(shape), 3, 0.25, 2
    # P'GQ is diagonal at first: beside it stands rounding, which no eps that is tiny keeps small
    eps = 1e-3 if side == "both" else EPS
    settings = {
        "side": side, "scale": scale, "interval": interval, "bits": 32, "betas": BETAS, "eps": eps,
        "layerwise": layerwise,
    }  # fmt: skip
    optimizer = GaLore([group(parameter, rank=rank)], **settings)
    found = stepped(optimizer, parameter, layerwise=layerwise)
    adam, kept = Adam(eps), {}
    shorter = "left" if shape[0] <= shape[1] else "right"
    longer = {"left": "right", "right": "left"}[shorter]
    chosen = {"shorter": shorter, "longer": longer}.get(side, side)

    def direction(g, t):
        if (t - 1) % interval == 0:
            u, _, v = torch.linalg.svd(g.float())  # the sign of a singular vector is free
            kept["P"], kept["Q"] = u[:, :rank].double(), v.T[:, :rank].double()
        p, q = kept["P"], kept["Q"]
        if chosen == "left":
            return scale * p @ adam(p.T @ g, t)
        if chosen == "right":
            return scale * adam(g @ q, t) @ q.T
        return scale * p @ adam(p.T @ g @ q, t) @ q.T

    assert_goes(found, shape, direction)


def test_galore_projects_each_of_stacked_matrices_by_itself():
    stack, single = begun((2, 6, 10)), torch.nn.Parameter(begun((2, 6, 10)).detach()[1].clone())
    settings = {"side": "shorter", "scale": 1.0, "interval": 2, "bits": 32, **ADAM}
    both = GaLore([group(stack, rank=3)], **settings)
    one = GaLore([group(single, rank=3)], **settings)
    for gradient in gradients((2, 6, 10)):
        stack.grad, single.grad = gradient, gradient[1].clone()
        both.step()
        one.step()
    assert (stack[1] - single).abs().max() < 1e-6


def test_what_galore_does_not_project_is_trained_by_adamw():
    parameter = begun((6, 10))
    settings = {"side": "shorter", "scale": 1.0, "interval": 2, "bits": 32}
    assert_goes(
        stepped(GaLore([group(parameter, rank=None)], **settings, **ADAM), parameter),
        (6, 10), Adam(),
    )  # fmt: skip


def test_moments_of_eight_bits_are_near_to_whole_ones_and_are_of_one_byte():
    pytest.importorskip("bitsandbytes")
    found = []
    for bits in (8, 32):
        parameter = begun((64, 96))
        optimizer = GaLore([group(parameter, rank=64)], side="shorter", scale=1.0, interval=2,
                           bits=bits, **ADAM)  # fmt: skip
        found.append(stepped(optimizer, parameter))
    assert (found[0] - found[1]).abs().mean() < 0.1 * RATE
    assert optimizer.state[parameter]["exp_avg"].element_size() == 4
    eight = GaLore([group(parameter, rank=64)], side="shorter", scale=1.0, interval=2, bits=8,
                   **ADAM)  # fmt: skip
    stepped(eight, parameter)
    assert eight.state[parameter]["exp_avg"].element_size() == 1


@pytest.mark.parametrize("rank", [64, None])
def test_moments_of_eight_bits_serve_weights_of_half_precision(rank):
    pytest.importorskip("bitsandbytes")
    found = []
    for dtype in (torch.bfloat16, torch.float32):
        parameter = torch.nn.Parameter(begun((64, 96)).detach().to(dtype))
        optimizer = GaLore([group(parameter, rank=rank)], side="shorter", scale=1.0, interval=2,
                           bits=8, **ADAM)  # fmt: skip
        for gradient in gradients((64, 96)):
            parameter.grad = gradient.to(dtype)
            optimizer.step()
        assert parameter.dtype == dtype
        assert optimizer.state[parameter]["exp_avg"].element_size() == 1
        found.append(parameter.detach().float())
    assert (found[0] - found[1]).abs().mean() < RATE


@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
@pytest.mark.parametrize("per", ["channel", "tensor"])
@pytest.mark.parametrize("layerwise", [False, True])
def test_apollo_scales_the_gradient_by_what_adam_does_to_its_projection(shape, per, layerwise):
    parameter, rank, scale, growth, seed = begun(shape), 3, 1.5, 1.01, 42
    settings = {
        "per": per, "scale": scale, "growth": growth, "interval": 2, "seed": seed,
        "layerwise": layerwise,
    }  # fmt: skip
    optimizer = Apollo([group(parameter, rank=rank)], **settings, **ADAM)
    found = stepped(optimizer, parameter, layerwise=layerwise)
    adam, last = Adam(), []
    p = {n: projection(seed + 1_000_003 * n, rank, torch.empty(6, 10)).double() for n in (0, 1)}

    def direction(g, t):
        lying = g if shape == (6, 10) else g.T
        r = p[(t - 1) // 2] @ lying
        n = adam(r, t)
        if per == "channel":
            scales = torch.diag(n.norm(dim=0) / r.norm(dim=0))
        else:
            scales = torch.eye(10) * (n.norm() / r.norm())
        scaled = scale * lying @ scales.double()
        if last and scaled.norm() > growth * last[-1]:
            scaled = scaled / scaled.norm() * growth * last[-1]
        last.append(scaled.norm())
        return scaled if shape == (6, 10) else scaled.T

    assert_goes(found, shape, direction)


def test_the_values_of_apollos_projection_have_the_variance_of_its_rank():
    drawn = projection(1, 16, torch.empty(500, 600))
    assert drawn.shape == (16, 500)
    assert abs(drawn.var().item() * 16 - 1) < 0.05


def test_lion_goes_along_the_sign_of_a_mean():
    parameter = begun((6, 10))
    found = stepped(Lion([group(parameter)], betas=BETAS), parameter)
    m = [0.0]

    def direction(g, t):
        update = torch.sign(FIRST * m[0] + (1 - FIRST) * g)
        m[0] = SECOND * m[0] + (1 - SECOND) * g
        return update

    assert_goes(found, (6, 10), direction)


@pytest.mark.parametrize(
    ("shape", "rows", "transposed"),
    [((8, 6), 4, False), ((8, 6), 1, False), ((6, 8), 4, True), ((8,), None, False),
     ((2, 8, 6), 1, False)],
)  # fmt: skip
def test_adam_mini_has_one_second_moment_for_a_block(shape, rows, transposed):
    parameter = begun(shape)
    optimizer = AdamMini([group(parameter, rows=rows, transposed=transposed)], **ADAM)
    found = stepped(optimizer, parameter)
    adam = Adam()

    def direction(g, t):
        turned = g.T if transposed else g
        if rows is None:
            squares = torch.full_like(g, (g**2).mean())
        else:
            blocks = turned.reshape(-1, rows * turned.shape[-1])
            means = (blocks**2).mean(1, keepdim=True)
            squares = means.expand_as(blocks).reshape(turned.shape)
            squares = squares.T if transposed else squares
        return adam(g, t, squares)

    assert_goes(found, shape, direction)
    blocks = 1 if rows is None else math.prod(shape) // (6 * rows)
    assert optimizer.state[parameter]["exp_avg_sq"].shape == (blocks,)


def nearly_orthogonal(matrix, iterations=5):
    """Return what the iterations of Newton and Schulz make of a matrix that lies or is square."""
    x = matrix.bfloat16()  # where torch rounds, too
    x = x / x.norm()
    a, b, c = 3.4445, -4.7750, 2.0315
    for _ in range(iterations):
        s = x @ x.T
        x = torch.addmm(x, torch.addmm(s, s, s, beta=b, alpha=c), x, beta=a)
    return x


@pytest.mark.parametrize("adjust", ["match_rms_adamw", "original"])
@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
def test_muon_goes_along_the_nearly_orthogonal_matrix_and_adamw_trains_the_rest(adjust, shape):
    matrix, rest = begun(shape), begun(shape)
    optimizer = MuonWithAdamW(
        [group(matrix, muon=True), group(rest, muon=False)],
        muon={"momentum": 0.95, "nesterov": True, "ns_steps": 5, "adjust_lr_fn": adjust},
        adamw=ADAM,
    )
    found = stepped(optimizer, matrix)
    mean = torch.zeros(shape)
    rows, columns = shape
    scale = {"match_rms_adamw": 0.2 * math.sqrt(10), "original": math.sqrt(max(1, rows / columns))}

    def direction(g, t):
        mean.lerp_(g.float(), 0.05)
        moved = g.float().lerp(mean, 0.95)
        x = nearly_orthogonal(moved) if rows < columns else nearly_orthogonal(moved.T).T
        values = torch.linalg.svdvals(x.float())
        assert values.min() > 0.5
        assert values.max() < 1.3
        return scale[adjust] * x.double()

    assert_goes(found, shape, direction)
    assert_goes(stepped(optimizer, rest), shape, Adam())


@pytest.mark.parametrize(
    ("adjust", "scale"),
    [("adamw", 0.2 * math.sqrt(384)), ("original", math.sqrt(384 / 128))],
)
def test_an_update_of_muon_has_the_size_that_the_run_file_says(adjust, scale, small_run, job_of):
    optimizer = {"name": "muon", "adjust": adjust, "targets": "mlp-up", "nesterov": False}
    training = {"learning_rate": RATE}
    job = job_of(small_run(tuner="full", optimizer=optimizer, training=training))
    weight = job.opened.model.get_parameter("model.layers.0.mlp.up_proj.weight")
    assert weight.shape == (384, 128)
    before, weight.grad = weight.detach().clone(), gradients((384, 128))[0]
    job.optimizer.step()
    mean = 0.05 * weight.grad  # of gradients, and of zero
    expected = before - RATE * scale * nearly_orthogonal(mean.T).T.float()
    assert (weight - expected).abs().max() < 1e-6


def test_lomo_steps_in_the_backward_pass_and_keeps_neither_gradient_nor_state():
    parameter = begun((6, 10))
    before, factors = parameter.detach().clone(), 3 * torch.randn(6, 10)
    optimizer = Lomo([group(parameter)], layerwise=True, clip=1.0)
    (parameter * factors).sum().backward()
    expected = (1 - RATE * DECAY) * before - RATE * factors.clamp(-1, 1)
    assert (parameter - expected).abs().max() < 1e-6
    assert parameter.grad is None
    optimizer.step()
    assert torch.equal(parameter, parameter)
    assert not any(optimizer.state.values())


def test_badam_trains_one_block_at_a_time_and_begins_its_moments_anew():
    one, two = begun((6, 10)), begun((6, 10))
    optimizer = BAdam([group(one, block=0), group(two, block=1)], seed=0, interval=STEPS,
                      order="ascending", **ADAM)  # fmt: skip
    for turn, (active, other) in enumerate([(one, two), (two, one), (one, two)]):
        before = active.detach().clone(), other.detach().clone()
        for gradient in gradients((6, 10)):
            optimizer.train()
            assert (active.requires_grad, other.requires_grad) == (True, False)
            active.grad = gradient.clone()
            optimizer.step()
        assert torch.equal(other, before[1])
        assert not optimizer.state
        active.grad = None
        if turn < 2:
            assert_goes(active.detach(), (6, 10), Adam())
    optimizer.eval()
    assert one.requires_grad
    assert two.requires_grad


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_each_block_has_one_turn_in_a_round(order):
    rounds = [[block_at(5 * n + k, 5, order, 7) for k in range(5)] for n in range(4)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in rounds)
    assert len(set(map(tuple, rounds))) == (4 if order == "random" else 1)


def test_a_state_is_taken_up_in_the_precision_that_it_was_kept_in():
    parameter = torch.nn.Parameter(begun((6, 10)).detach().bfloat16())
    optimizer = AdamMini([group(parameter, rows=1, transposed=False)], **ADAM)
    parameter.grad = torch.randn(6, 10).bfloat16()
    optimizer.step()
    again = AdamMini([group(parameter, rows=1, transposed=False)], **ADAM)
    again.load_state_dict(optimizer.state_dict())
    assert again.state[parameter]["exp_avg_sq"].dtype == torch.float32
    assert again.state[parameter]["exp_avg"].dtype == torch.bfloat16


def muon_of(matrix, rest):
    groups = [group(rest, muon=False), group(matrix, muon=True)]
    settings = {"momentum": 0.95, "nesterov": True, "ns_steps": 5, "adjust_lr_fn": "original"}
    return MuonWithAdamW(groups, muon=settings, adamw=ADAM)


def test_muon_and_its_adamw_have_one_state_of_torchs_form_and_go_on_from_it():
    matrix, rest = begun((6, 10)), begun((4, 4))
    optimizer = muon_of(matrix, rest)
    stepped(optimizer, matrix)
    matrix.grad = None
    stepped(optimizer, rest)
    stored = optimizer.state_dict()
    assert stored.keys() == {"state", "param_groups"}
    assert optimizer.state.keys() == {matrix, rest}
    others = [torch.nn.Parameter(one.detach().clone()) for one in (matrix, rest)]
    other = muon_of(*others)
    other.load_state_dict(copy.deepcopy(stored))
    for one in (*optimizer.param_groups, *other.param_groups):
        one["lr"] = 0.5  # a changed rate acts
    for one in (matrix, rest, *others):
        one.grad = gradients(one.shape)[0]
    before = matrix.detach().clone()
    optimizer.step()
    other.step()
    assert (matrix - before).abs().max() > 0.05
    assert torch.equal(matrix, others[0])
    assert torch.equal(rest, others[1])


def test_adafactor_goes_on_to_the_bit_from_float32_moments_of_half_precision_weights():
    first = torch.nn.Parameter(begun((6, 10)).detach().bfloat16())
    settings = {"scale_parameter": False, "relative_step": False, "beta1": 0.9}
    optimizer = Adafactor([group(first)], **settings)
    for gradient in gradients((6, 10))[:2]:
        first.grad = gradient.bfloat16()
        optimizer.step()
    second = torch.nn.Parameter(first.detach().clone())
    other = Adafactor([group(second)], **settings)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for key, one in optimizer.state[first].items():
        assert torch.equal(torch.as_tensor(other.state[second][key]), torch.as_tensor(one)), key
    for parameter, one in ((first, optimizer), (second, other)):
        parameter.grad = gradients((6, 10))[2].bfloat16()
        one.step()
    assert torch.equal(first, second)


@pytest.mark.parametrize("targets", ["all", ["all", "embedding"]])
def test_of_galore_in_eight_bits_an_embedding_that_is_not_projected_is_whole(
    targets, small_run, job_of
):
    pytest.importorskip("bitsandbytes")
    optimizer = {"name": "galore", "rank": 32, "bits": 8, "targets": targets}
    model = {"path": "tiny", "dtype": "bfloat16"}
    job = job_of(
        small_run(model=model, tuner="full", optimizer=optimizer, training={"precision": "pure"})
    )
    found = {}
    for name, parameter in job.opened.trained().items():
        parameter.grad = torch.randn_like(parameter)
        found[name] = parameter
    job.optimizer.step()
    kept = {name: job.optimizer.state[one]["exp_avg"].dtype for name, one in found.items()}
    projected = targets != "all"
    assert kept["model.embed_tokens.weight"] == (torch.uint8 if projected else torch.float32)
    assert kept["model.norm.weight"] == torch.float32  # too small for 8 bits
    assert kept["model.layers.0.mlp.up_proj.weight"] == torch.uint8


def test_adam_mini_has_a_block_for_each_head_in_the_matrix_of_a_pair_whose_rows_are_outputs(
    small_run, job_of
):
    job = job_of(small_run(tuner={"name": "lora", "rank": 32}, optimizer="adam-mini"))
    names = {one: name for name, one in job.opened.trained().items()}
    rows = {names[p]: g["rows"] for g in job.optimizer.param_groups for p in g["params"]}
    layer = "base_model.model.model.layers.0"
    assert rows[f"{layer}.self_attn.q_proj.lora_B.default.weight"] == 32  # of a head
    assert rows[f"{layer}.self_attn.q_proj.lora_A.default.weight"] == 1
    assert rows[f"{layer}.self_attn.v_proj.lora_B.default.weight"] == 1
