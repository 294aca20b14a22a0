"""New tokens get rows of embedding and head, and keep them through save, merge and reload."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from luthier.core import BadModel, check, load, train
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.model.vocabulary import FIXED, fill_with_noisy_mean, fit_vocabulary
from luthier.core.problems import BadRunFile
from luthier.plugins.families.tiny.making import tiny_model
from tests.sweep.miniatures import miniature

NEW = {"add_tokens": ["<alpha>", "<beta>"], "add_special_tokens": ["<|gamma|>"]}


@pytest.fixture
def stored(tmp_path):
    """Make a model of random weights with the tiny model's tokenizer, tied or not, in shards."""

    def make(tied, shard="1GB", spare=0):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(tiny_model())
        torch.manual_seed(1)
        config = LlamaConfig(
            vocab_size=len(tokenizer) + spare, hidden_size=32, intermediate_size=48,
            num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            tie_word_embeddings=tied,
        )  # fmt: skip
        folder = tmp_path / f"model-{tied}-{shard}-{spare}"
        AutoModelForCausalLM.from_config(config).save_pretrained(folder, max_shard_size=shard)
        tokenizer.save_pretrained(folder)
        return folder

    return make


def test_new_rows_have_the_mean_and_the_spread_of_the_old_ones_and_these_stay():
    torch.manual_seed(0)
    weight = torch.randn(20_000, 6) * torch.tensor([1.0, 2, 3, 0.1, 0.5, 0]) + torch.arange(6)
    before = weight.clone()
    fresh = range(5_000, 15_000)
    fill_with_noisy_mean(weight, fresh)
    old = torch.ones(len(weight), dtype=torch.bool)
    old[list(fresh)] = False
    assert torch.equal(weight[old], before[old])
    spread = before[old].std(0)
    assert torch.allclose(weight[~old].mean(0), before[old].mean(0), atol=0.1)
    assert torch.allclose(weight[~old].std(0), spread, rtol=0.05)
    assert len(weight[~old][:, :2].unique(dim=0)) == len(fresh)


@pytest.mark.parametrize("shard", ["1GB", "40KB"], ids=["single", "sharded"])
@pytest.mark.parametrize("tuner", ["full", {"name": "lora", "rank": 4}], ids=["full", "lora"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_new_and_old_tokens_keep_their_logits(stored, small_run, data_file, tied, tuner, shard):
    text = data_file.read_text().replace("It is", "<alpha><beta> It is")
    data_file.write_text(text)
    folder = stored(tied, shard)
    assert (len([*folder.glob("*.safetensors")]) > 1) == (shard == "40KB")
    model = {"path": str(folder), **NEW, "pad_vocabulary": 64}
    training = {"max_steps": 3, "batch_size": 2, "learning_rate": 1e-2}
    trained = {}

    def kept(opened, *others, **named):
        trained["model"] = opened.model
        original(opened, *others, **named)

    from luthier.core.model import saving

    original = saving.save_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "save_model", kept)
        run = train(small_run(model=model, tuner=tuner, training=training, template="chatml"))
    rows = trained["model"].get_input_embeddings().weight.shape[0]
    assert rows % 64 == 0
    told = json.loads(run.manifest.read_text())["vocabulary"]
    assert told["tokens"] == ["<alpha>", "<beta>", "<|gamma|>"]
    assert told["rows"] == rows

    loaded = load(run.path)
    tokenizer = loaded.tokenizer
    ids = torch.tensor([[*tokenizer("Hello <alpha>").input_ids, *told["ids"], 5, 6, 7]])
    assert set(told["ids"][:1]) <= set(ids[0, :-6].tolist()), "the text becomes the token"
    expected = trained["model"].eval()(input_ids=ids).logits
    found = loaded.model.eval()(input_ids=ids).logits
    assert torch.allclose(found, expected, atol=1e-5)
    whole = loaded.model
    whole = whole.merge_and_unload() if hasattr(whole, "merge_and_unload") else whole
    assert torch.allclose(whole(input_ids=ids).logits, expected, atol=1e-5)
    again = run.path / "merged"
    whole.save_pretrained(again, max_shard_size=shard)
    reloaded = AutoModelForCausalLM.from_pretrained(again).eval()
    assert torch.allclose(reloaded(input_ids=ids).logits, expected, atol=1e-5)
    same = reloaded.get_input_embeddings().weight.data_ptr()
    assert (same == reloaded.get_output_embeddings().weight.data_ptr()) == tied


def test_new_tokens_are_trained_and_no_old_ones_next_to_an_adapter(stored, small_run, data_file):
    data_file.write_text(data_file.read_text().replace("It is", "<alpha><beta> It is"))
    model = {"path": str(stored(tied=False)), "add_tokens": ["<alpha>", "<beta>"]}
    run = train(small_run(model=model, tuner="lora", template="chatml"))
    from safetensors.torch import load_file

    weights = load_file(run.model / "adapter_model.safetensors")
    rows = {name: w.shape for name, w in weights.items() if "lora_" not in name}
    assert {tuple(shape) for shape in rows.values()} == {(2, 32)}
    assert len(rows) == 2, "of the embedding and of the head"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_tokens_that_a_model_has_rows_to_spare_for_are_new_all_the_same(stored, small_run, dtype):
    folder = stored(tied=True, spare=10)
    contents = small_run(model={"path": str(folder), "dtype": dtype, **NEW}, tuner="lora",
                         template="chatml")  # fmt: skip
    run = check(contents)
    opened = open_model(locate(model_spec(run, training=True)), training=True)
    assert opened.vocabulary.rows == opened.vocabulary.rows_before
    assert len(opened.vocabulary.ids) == 3
    opened.model(input_ids=torch.tensor([list(opened.vocabulary.ids)])).logits.sum().backward()
    trained = {n: p for n, p in opened.model.named_parameters() if p.requires_grad}
    (rows,) = [p for n, p in trained.items() if "trainable_tokens" in n]
    assert rows.grad.abs().sum() > 0


def test_a_model_whose_tokenizer_fits_is_left_alone(small_run):
    run = check(small_run())
    opened = open_model(locate(model_spec(run, training=True)), training=True)
    assert not opened.vocabulary.changed
    assert opened.vocabulary.modules(opened.model) == {}


def test_a_token_that_the_tokenizer_has_is_told_and_an_empty_one_refused(small_run):
    held = {"path": "tiny", "add_tokens": ["the", "<new>"], "add_special_tokens": ["<|gamma|>"]}
    run = train(small_run(model=held, training={"max_steps": 1}))
    assert "tokens of the model already, as they stay: 'the'\n" in run.log.read_text()
    with pytest.raises(BadRunFile, match=r"model\.add_tokens\.1: .*at least 1 character"):
        check(small_run(model={"path": "tiny", "add_tokens": ["<new>", ""]}))


# --- what cannot -------------------------------------------------------------------------------


def tokenizer_of(folder):
    from transformers import AutoTokenizer

    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text((tiny_model() / name).read_text())
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("kind", FIXED)
def test_a_model_whose_vocabulary_cannot_grow_is_refused_by_check_and_as_it_loads(
    kind, small_run, tmp_path
):
    model = miniature(kind)
    before = model.get_input_embeddings().weight.shape
    with pytest.raises(BadModel, match=rf"the type {kind} cannot grow: .*Leave out `add_tokens`"):
        fit_vocabulary(model, tokenizer_of(tmp_path), before[0])
    assert model.get_input_embeddings().weight.shape == before
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(tmp_path)
    for field in ("add_tokens", "add_special_tokens"):
        section = {"path": str(tmp_path), "family": "auto", field: ["<alpha>"]}
        with pytest.raises(BadRunFile, match=rf"model\.{field}: the vocabulary of .* cannot grow"):
            check(small_run(model=section, template="chatml"))


def fails(model, rows):
    return model.nothing_of_this_name


def forgets_the_head(model, rows):
    model.set_input_embeddings(torch.nn.Embedding(rows, 32))


@pytest.mark.parametrize(("resize", "said"), [(fails, "nothing_of"), (forgets_the_head, "has 99")])
def test_a_model_of_unknown_code_that_cannot_grow_is_refused_too(resize, said, tmp_path):
    model = miniature("gpt_neox")
    model.resize_token_embeddings = lambda rows, **_: resize(model, rows)
    with pytest.raises(BadModel, match=rf"of GPTNeoXForCausalLM cannot grow: .*{said}"):
        fit_vocabulary(model, tokenizer_of(tmp_path), 99)
