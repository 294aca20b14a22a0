"""What the tests of optimizers share: a run that draws no picture, which takes half of its time."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _undrawn():
    patch = pytest.MonkeyPatch()
    patch.setattr("luthier.core.training.recording.plot_loss", lambda folder: None)
    yield
    patch.undo()
