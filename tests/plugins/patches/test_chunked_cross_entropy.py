"""Chunked cross entropy is cross entropy: the same loss, the same gradients, less memory."""

import json

import pytest
import torch
import transformers
from torch import nn
from torch.nn.functional import cross_entropy

from luthier.core import BadModel, check, train
from luthier.core.compatibility import conflicts
from luthier.core.device import device_named
from luthier.core.problems import BadRunFile
from luthier.core.training import PackedCollator, token_mean_loss
from luthier.core.wiring import Selected
from luthier.plugins.patches.chunked_cross_entropy import ChunkedCrossEntropy
from luthier.plugins.patches.deferred_logits import DeferredLogits
from luthier.registry import Entry

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
SMALL = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2}
CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "a tied head": lambda: transformers.Qwen2Config(**SIZES, tie_word_embeddings=True),
    "a bias": lambda: transformers.PhiConfig(**SIZES),
    "a soft cap": lambda: transformers.Gemma2Config(
        **SIZES, head_dim=8, final_logit_softcapping=2.0
    ),
    "a scale": lambda: transformers.CohereConfig(**SIZES, logit_scale=0.3),
    "a divisor": lambda: transformers.GraniteConfig(**SIZES, logits_scaling=3.0),
    "experts": lambda: transformers.MixtralConfig(**SIZES, num_local_experts=4),
    "gpt2": lambda: transformers.GPT2Config(**SMALL, n_embd=32, n_layer=2, n_head=4),
    "bloom": lambda: transformers.BloomConfig(**SMALL, hidden_size=32, n_layer=2, n_head=4),
    "a state": lambda: transformers.MambaConfig(**SMALL, hidden_size=32, num_hidden_layers=2),
}
IDS = torch.arange(2, 26).reshape(2, 12)
LABELS = IDS.clone()
LABELS[0, :5] = LABELS[1, 8:] = -100


def model_of(config, dtype=torch.float32):
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config).to(dtype).train()


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def measured(model, loss_of, *, tokens=None, **batch):
    """Return loss and gradients of a model, and what it gave for logits."""
    undo = ChunkedCrossEntropy(tokens=tokens).patch_model(model, "adapted") if tokens else None
    output = model(**(batch or {"input_ids": IDS}))
    loss = loss_of(output)
    loss.backward()
    if undo:
        undo()
    return loss.detach(), gradients(model), output.logits


def token_mean(output):
    return token_mean_loss(output, LABELS, torch.tensor(30))


def exact_mean(output):
    """The same in the precision of the logits."""
    logits_BTV = output.logits[:, :-1]
    return cross_entropy(logits_BTV.flatten(0, 1), LABELS[:, 1:].flatten(), reduction="sum") / 30


def require_same(found, expected, tolerance):
    torch.testing.assert_close(found[0], expected[0], atol=tolerance, rtol=tolerance)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        scale = gradient.abs().max().clamp_min(1e-12)
        assert (found[1][name] - gradient).abs().max() <= tolerance * scale, name


@pytest.mark.parametrize("config", CONFIGS)
def test_loss_and_gradients_are_the_plain_ones(config):
    expected = measured(model_of(CONFIGS[config]()), token_mean)
    for tokens in (1, 5, 512):
        found = measured(model_of(CONFIGS[config]()), token_mean, tokens=tokens)
        require_same(found, expected, 1e-5)
        assert isinstance(found[2], DeferredLogits)
        assert found[2].made is None, "the logits of all tokens were computed"


@pytest.mark.parametrize(
    "config", sorted(CONFIGS.keys() - {"experts"})
)  # torch has no kernel for these
def test_in_double_precision_they_agree_to_more_digits(config):
    double = torch.float64
    expected = measured(model_of(CONFIGS[config](), double), exact_mean)
    found = measured(model_of(CONFIGS[config](), double), exact_mean, tokens=5)
    # Mamba's code makes its logits float32, whose gradients round before the division or after it
    require_same(found, expected, 1e-6 if config == "a state" else 1e-10)


@pytest.mark.parametrize("targets", [["q_proj"], ["q_proj", "lm_head"]], ids=["off", "on"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_an_adapter_on_the_head_or_beside_it_has_the_plain_gradients(targets, dropout):
    from peft import LoraConfig, get_peft_model

    def adapted():
        model = model_of(CONFIGS["llama"]())
        config = LoraConfig(
            r=4, lora_dropout=dropout if len(targets) == 1 else 0.0, target_modules=targets,
            init_lora_weights=False, task_type="CAUSAL_LM",
        )  # fmt: skip
        return get_peft_model(model, config).train()

    one, other = adapted(), adapted()
    other.load_state_dict(one.state_dict())
    torch.manual_seed(1)
    expected = measured(one, token_mean)
    torch.manual_seed(1)
    require_same(measured(other, token_mean, tokens=4), expected, 1e-5)
    assert all("lora" in name for name in expected[1])


def test_dropout_in_an_adapter_of_the_head_is_the_same_when_it_is_computed_again():
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=4, lora_dropout=0.5, target_modules=["lm_head"], init_lora_weights=False,
    )  # fmt: skip
    model = get_peft_model(model_of(CONFIGS["llama"]()), config).double().train()
    ChunkedCrossEntropy(tokens=4).patch_model(model, "adapted")
    weight = model.get_output_embeddings().lora_A["default"].weight

    def loss():
        torch.manual_seed(3)
        return exact_mean(model(input_ids=IDS))

    loss().backward()
    with torch.no_grad():
        direction = torch.randn_like(weight)
        weight += 1e-6 * direction
        above = loss()
        weight -= 2e-6 * direction
        slope = (above - loss()) / 2e-6
    assert (weight.grad * direction).sum().item() == pytest.approx(slope.item(), rel=1e-5)


@pytest.mark.parametrize("config", ["llama", "a tied head", "a soft cap"])
def test_mixed_precision_is_kept_where_the_head_is_called_later(config):
    def loss_of(model, tokens=None):
        undo = ChunkedCrossEntropy(tokens=tokens).patch_model(model, "adapted") if tokens else None
        with torch.autocast("cpu", torch.bfloat16):
            output = model(input_ids=IDS)
        assert output.logits.dtype == torch.bfloat16
        loss = token_mean(output)  # as accelerate does, without the autocast of the model
        loss.backward()
        if undo:
            undo()
        return loss.detach(), gradients(model)

    expected = loss_of(model_of(CONFIGS[config]()))
    found = loss_of(model_of(CONFIGS[config]()), tokens=5)
    assert found[0] == pytest.approx(expected[0].item(), abs=1e-6)
    require_same(found, expected, 2e-2)  # bfloat16, divided after it was rounded and not before


def test_weights_that_the_head_holds_out_of_sight_have_their_gradients():
    def loss_of(tokens=None):
        model = model_of(CONFIGS["llama"]())
        hidden = [torch.full((64,), 0.5, requires_grad=True)]  # PEFT keeps tied adapters so
        head = model.lm_head
        head.forward = lambda states: nn.functional.linear(states, head.weight) * hidden[0]
        found = measured(model, token_mean, tokens=tokens)
        return found[0], {**found[1], "hidden": hidden[0].grad}

    require_same(loss_of(tokens=5), loss_of(), 1e-5)


def test_gradients_that_are_asked_for_twice_are_refused():
    model = model_of(CONFIGS["llama"]())
    ChunkedCrossEntropy().patch_model(model, "adapted")
    loss = token_mean(model(input_ids=IDS))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once only"):
        loss.backward()


def test_packs_have_the_plain_gradients():
    rows = [
        {"input_ids": list(range(2, 2 + n)), "labels": list(range(2, 2 + n))} for n in (7, 4, 9)
    ]
    batch = PackedCollator(0, "rows")([rows[:2], rows[2:]])
    labels = batch.pop("labels")

    def loss(output):
        return token_mean_loss(output, labels)

    expected = measured(model_of(CONFIGS["llama"]()), loss, **batch)
    require_same(measured(model_of(CONFIGS["llama"]()), loss, tokens=4, **batch), expected, 1e-5)


def test_the_loss_that_a_model_computes_itself_is_the_plain_one():
    def own(output):
        return output.loss

    batch = {"input_ids": IDS, "labels": LABELS}
    expected = measured(model_of(CONFIGS["llama"]()), own, **batch)
    found = measured(model_of(CONFIGS["llama"]()), own, tokens=4, **batch)
    require_same(found, expected, 1e-5)
    assert found[2].made is None


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_each_reduction_is_that_of_torch(reduction, smoothing):
    def loss(output):
        losses = cross_entropy(
            output.logits[:, :-1].reshape(-1, 64), LABELS[:, 1:].reshape(-1),
            reduction=reduction, label_smoothing=smoothing,
        )  # fmt: skip
        return losses if reduction != "none" else (losses * torch.arange(len(losses))).sum()

    expected = measured(model_of(CONFIGS["llama"]()), loss)
    require_same(measured(model_of(CONFIGS["llama"]()), loss, tokens=4), expected, 1e-5)


def test_a_batch_without_a_label_has_a_loss_of_zero_and_gradients_of_zero():
    labels = torch.full_like(IDS, -100)

    def loss(output):
        return token_mean_loss(output, labels, torch.tensor(30))

    found = measured(model_of(CONFIGS["llama"]()), loss, tokens=4)
    expected = measured(model_of(CONFIGS["llama"]()), loss)
    assert found[0] == expected[0] == 0
    require_same(found, expected, 1e-5)


ASKED = {
    "the softmax": lambda x: x.softmax(-1),
    "the likeliest": lambda x: x.argmax(-1).double(),
    "one row": lambda x: x[1].log_softmax(-1),
    "a mask of tokens": lambda x: x[LABELS != -100] @ torch.ones(64),
    "some of the vocabulary": lambda x: (x[..., 3:9] * 2).exp(),
    "the last token": lambda x: torch.cat([x[:, -1, :], x[:, -2, :]]),
    "one entry": lambda x: x[..., 3] + 1,
    "a new axis": lambda x: x[:, None].sum(1),
    "a whole axis": lambda x: x.flatten(),
    "another view": lambda x: x.view(2, 12, 8, 8).amax(-1),
    "a number for each token": lambda x: x / (1 + torch.arange(24.0).reshape(2, 12, 1)),
    "one less another": lambda x: x - x[0],
    "a list": lambda x: torch.tensor(x.tolist()),
    "changed in place": lambda x: (x.__setitem__((0, slice(3)), 0.0), x * 2)[1],
    "of one weight": lambda x: cross_entropy(
        x.flatten(0, 1), IDS.flatten(), weight=torch.arange(64.0)
    ),
    "of shares": lambda x: cross_entropy(x[0], torch.full((12, 64), 1 / 64)),
}


@pytest.mark.parametrize("asked", ASKED)
def test_whatever_else_is_asked_of_logits_is_answered_as_if_they_were_there(asked):
    model = model_of(CONFIGS["llama"]()).eval()
    with torch.no_grad():
        plain = model(input_ids=IDS).logits
        ChunkedCrossEntropy().patch_model(model, "adapted")
        deferred = model(input_ids=IDS).logits
        assert deferred.shape == plain.shape
        assert (deferred.dtype, deferred.device) == (plain.dtype, plain.device)
        torch.testing.assert_close(ASKED[asked](deferred), ASKED[asked](plain))


def test_a_model_that_is_patched_generates_what_it_did():
    model = model_of(CONFIGS["llama"]()).eval()
    settings = {"max_new_tokens": 5, "do_sample": False, "attention_mask": torch.ones_like(IDS)}
    plain = model.generate(IDS, **settings)
    ChunkedCrossEntropy().patch_model(model, "adapted")
    assert torch.equal(model.generate(IDS, **settings), plain)


def test_undoing_it_puts_the_head_back_as_it_was():
    model = model_of(CONFIGS["llama"]())
    assert ChunkedCrossEntropy().patch_model(model, "built") is None
    undo = ChunkedCrossEntropy().patch_model(model, "adapted")
    assert "forward" in vars(model.lm_head)
    undo()
    assert "forward" not in vars(model.lm_head)
    assert type(model(input_ids=IDS).logits) is torch.Tensor


class Odd(transformers.LlamaForCausalLM):
    """A model of which each logit depends on those of other tokens."""

    def forward(self, input_ids, **settings):
        output = super().forward(input_ids, **settings)
        output.logits = output.logits.cumsum(1)
        return output


class Unasked(transformers.LlamaForCausalLM):
    """A model that multiplies by the weights of its head itself."""

    def forward(self, input_ids, **settings):
        output = super().forward(input_ids, **settings)
        hidden = self.model(input_ids).last_hidden_state
        output.logits = nn.functional.linear(hidden, self.lm_head.weight)
        return output


def test_a_model_whose_logits_need_each_other_is_refused_and_left_as_it_was():
    model = Odd(CONFIGS["llama"]())
    with pytest.raises(BadModel, match=r"Odd does `cumsum` to its logits.*Leave"):
        ChunkedCrossEntropy().patch_model(model, "adapted")
    assert "forward" not in vars(model.lm_head)
    assert model.training


def test_a_model_that_does_not_hand_its_logits_on_is_refused():
    with pytest.raises(BadModel, match="Unasked does not use the logits of its output embedding"):
        ChunkedCrossEntropy().patch_model(Unasked(CONFIGS["llama"]()), "adapted")
    headless = transformers.LlamaModel(CONFIGS["llama"]())
    with pytest.raises(BadModel, match="LlamaModel has no output embedding"):
        ChunkedCrossEntropy().patch_model(headless, "adapted")


def test_two_that_compute_the_head_refuse_each_other():
    entry = Entry("patches", "x", "x:y", "luthier", "1.0")
    two = [Selected("patches", name, ChunkedCrossEntropy(), entry) for name in "ab"]
    (told,) = conflicts(two, device_named("cpu"))
    assert "the head and its loss are computed in one way" in told.problem


@pytest.mark.parametrize(
    "changes",
    [
        {"tuner": "full"},
        {"tuner": "lora", "stage": {"name": "sft", "packing": True}},
        {"model": {"path": "tiny", "dtype": "bfloat16"}, "tuner": "lora"},
    ],
    ids=["full", "packed", "mixed"],
)
def test_a_run_has_the_losses_of_one_without_it(small_run, tmp_path, changes):
    def losses(name, **more):
        training = {"max_steps": 2, "batch_size": 2, "gradient_accumulation": 2, "log_every": 1}
        run = small_run(
            **changes, **more, training=training, validation=4, output=str(tmp_path / name)
        )
        folder = train(run)
        rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
        assert "the logits of all tokens are computed" not in folder.log.read_text()
        return [(row["loss"], row["trained_tokens"]) for row in rows]

    plain = losses("plain", patches=["~chunked-cross-entropy"])
    chunked = losses("chunked", patches=[{"name": "chunked-cross-entropy", "tokens": 7}])
    rough = 1e-3 if "model" in changes else 1e-5
    for (loss, trained), (expected, counted) in zip(chunked, plain, strict=True):
        assert trained == counted
        assert loss == pytest.approx(expected, abs=rough)


def test_it_is_a_default_of_one_process_alone(small_run, monkeypatch):
    def patches(**changes):
        return [one.name for one in check(small_run(**changes)).of("patches")]

    assert "chunked-cross-entropy" in patches()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "chunked-cross-entropy" not in patches()
    with pytest.raises(BadRunFile, match="2 processes would not find the gradients"):
        patches(patches=["chunked-cross-entropy"])
