"""Choosing plugins: by default, by the command line, and twice."""

import json

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile
from luthier.core.runfile.nodes import COMMAND_LINE, DEFAULT


@pytest.fixture
def run(data_file):
    return {"data": [str(data_file)]}


def test_an_option_on_the_command_line_is_the_default_plugins_where_none_is_named(run):
    resolved = check(run, ["tuner.rank=16", "stage.packing=true"])
    (tuner,) = resolved.of("tuners")
    assert (tuner.name, tuner.plugin.rank) == ("lora", 16)
    assert resolved.tree.at(("tuner", "name")).place == DEFAULT
    assert resolved.tree.at(("tuner", "rank")).place == COMMAND_LINE
    assert resolved.of("stages")[0].plugin.packing is True


def test_an_option_that_the_default_plugin_does_not_have_is_answered_with_those_it_has(run):
    with pytest.raises(BadRunFile, match=r"command line: tuner\.rnak: unknown key\n +Did you mean"):
        check(run, ["tuner.rnak=16"])


def test_where_there_is_no_default_it_has_to_be_said_which_plugin_an_option_is_of(run):
    with pytest.raises(BadRunFile, match="it does not say which of the quantizers"):
        check(run, ["quantizer.bits=4"])


def test_a_colon_without_a_space_behind_it_is_told_as_what_it_is(run):
    with pytest.raises(BadRunFile, match="there is no space behind the colon of `name:neftune`"):
        check(run, ["patches=[{name:neftune, alpha: 5}]"])


def test_rows_in_the_order_of_their_lengths_are_refused_where_batches_are_no_single_rows(run):
    ordered = {**run, "training": {"group_by_length": True}}
    for changes in ({"stage": {"name": "sft", "packing": True}}, {"stage": "pt"}):
        with pytest.raises(BadRunFile, match=r"group_by_length: batches are made of packs, blocks"):
            check({**ordered, **changes})
    assert check(ordered).training.group_by_length


def test_a_weight_that_nothing_asks_for_is_refused(run):
    weighted = {"data": [{"path": run["data"][0], "weight": 2}]}
    with pytest.raises(BadRunFile, match=r"data\.0\.weight: datasets that stand one after"):
        check(weighted)
    assert check({**weighted, "mix": {"strategy": "once"}}).data[0].section.weight == 2


def test_packing_of_a_model_that_mixes_rows_is_refused_before_it_is_loaded(run, tmp_path):
    config = {"model_type": "mamba", "architectures": ["MambaForCausalLM"], "vocab_size": 64}
    (tmp_path / "mamba").mkdir()
    (tmp_path / "mamba" / "config.json").write_text(json.dumps(config))
    declared = {**run, "model": str(tmp_path / "mamba"), "stage": {"name": "sft", "packing": True}}
    with pytest.raises(BadRunFile, match=r"stage\.packing: in models of the type mamba a state"):
        check(declared)


def test_a_plugin_that_is_chosen_twice_conflicts_once(run):
    with pytest.raises(BadRunFile) as fault:
        check({**run, "patches": ["sdpa", "eager", "sdpa"]})
    said = [problem.problem for problem in fault.value.problems]
    assert said[0] == "patches/sdpa is chosen twice (first as patches.0)"
    assert said[1].startswith("patches/sdpa cannot go with patches/eager")
    assert len(said) == 2
