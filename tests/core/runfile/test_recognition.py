"""The family of a model: recognised, or not known yet."""

import pytest

from luthier.core import LuthierError, check, train
from luthier.core.problems import BadRunFile


def test_a_model_of_the_hub_that_cannot_be_reached_is_named(small_run):
    run = small_run(model={"path": "nobody/nothing"}, template="chatml")
    assert check(run).family is None
    with pytest.raises(
        LuthierError, match="no folder nobody/nothing here, and the Hub gives no model"
    ):
        train(run)


def test_a_template_that_the_family_does_not_have_must_be_named(small_run):
    from luthier.plugins.families.tiny.making import tiny_model

    run = small_run(model={"path": str(tiny_model())})
    with pytest.raises(BadRunFile, match="'llama' has no chat template of its own") as fault:
        check(run)
    assert "`luthier plugins templates` lists them" in str(fault.value)
    assert check({**run, "template": "chatml"}).family.name == "llama"
