"""Datasets of the Hub, without one."""

import pytest

from luthier.core import BadData, check
from luthier.core.data.dataset import standardized


def test_a_set_of_the_hub_that_cannot_be_reached_is_named():
    spec = check({"data": ["hf:nobody/nothing"]}).data[0]
    assert spec.location == "nobody/nothing"
    assert spec.source.name == "hf"
    with pytest.raises(BadData, match="nobody/nothing cannot be loaded"):
        standardized(spec)
