"""The family of a model: recognised, or not known yet."""

import pytest

from luthier.core import LuthierError, check, train


def test_a_model_of_the_hub_that_cannot_be_reached_is_named(small_run):
    run = small_run(model={"path": "nobody/nothing"}, template="chatml")
    assert check(run).family is None
    with pytest.raises(
        LuthierError, match="no folder nobody/nothing here, and the Hub gives no model"
    ):
        train(run)
