"""The commands as functions: what they say of a model or a run that is not there."""

import logging

import pytest

from luthier.core import BadModel, check, load, train
from luthier.core.run import program


@pytest.fixture
def no_hub(monkeypatch):
    def asked(hub, path, revision):
        raise AssertionError(f"the Hub was asked for {path}")

    monkeypatch.setattr(program, "fetched", asked)


def test_a_misspelt_run_folder_is_answered_with_the_nearest_before_the_hub_is_asked(
    tmp_path, monkeypatch, no_hub
):
    (tmp_path / "runs" / "good").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadModel, match=r"no folder runs/goood.*Did you mean 'good'\? In runs"):
        load("runs/goood")
    with pytest.raises(AssertionError, match="the Hub was asked for meta/llama"):
        load("meta/llama")


@pytest.mark.parametrize("family", [{}, {"family": "llama"}])
def test_a_misspelt_model_beside_the_run_file_is_told_before_the_hub_is_asked(
    tmp_path, small_run, no_hub, monkeypatch, family
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(BadModel, match=r"In models there are: no folders"):
        train(small_run(model={"path": "models/llama", **family}, template="chatml"))


def test_what_a_library_says_while_the_hub_is_asked_is_not_on_the_screen(
    small_run, monkeypatch, capsys
):
    def asked(hub, path, revision):
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 8s [Retry 5/5].")
        raise BadModel("none")

    import huggingface_hub  # noqa: F401 - its handler goes to the screen

    monkeypatch.setattr(program, "fetched", asked)
    with pytest.raises(BadModel, match="none"):
        train(small_run(model="meta/llama", template="chatml"))
    assert capsys.readouterr() == ("", "")
    assert check(small_run(model="meta/llama", template="chatml")).family is None
