"""Datasets of ModelScope, without it."""

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile
from luthier.plugins.sources.modelscope import ModelScope


def test_the_package_that_modelscope_needs_is_named(monkeypatch):
    monkeypatch.setattr(ModelScope, "packages", ("luthier-no-such-package>=1",))
    with pytest.raises(
        BadRunFile, match=r'(?s)luthier-no-such-package>=1.*pip install "luthier-no'
    ):
        check({"data": [{"path": "modelscope:owner/name", "format": "alpaca"}]})


def test_options_of_modelscope_are_checked():
    source = {"name": "modelscope", "revison": "v1"}
    with pytest.raises(BadRunFile, match=r"source(\.revison)?: "):
        check({"data": [{"path": "modelscope:o/n", "format": "alpaca", "source": source}]})
    assert ModelScope(revision="v1", data_dir="data").revision == "v1"
