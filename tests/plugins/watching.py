"""A training run that is watched: its model as it began, and as it ended."""

from typing import NamedTuple

import pytest
import torch

from luthier.core import train
from luthier.core.model import opening
from luthier.core.run import execution
from luthier.core.run.folder import RunFolder
from luthier.core.run.job import TrainingJob

IDS = torch.arange(40)[None]


class Watched(NamedTuple):
    """What was seen of a run."""

    folder: RunFolder
    before: dict[str, torch.Tensor]
    """All parameters, once the model is open, by full name; a tied one once."""
    after: dict[str, torch.Tensor]
    """The same, after the last step, before patches are taken back."""
    trained: set[str]
    """Those of which a gradient is made."""
    logits: torch.Tensor
    """What the model gives to IDS when it is saved."""
    job: TrainingJob
    """The run itself, its model in memory."""

    @property
    def changed(self):
        """Return the full names of the parameters that are not what they were."""
        return {name for name, one in self.after.items() if not one.equal(self.before[name])}


def watched(contents):
    """Train a run, and return what was seen of it."""
    seen = {}
    open_model, unpatch, equip = opening.open_model, opening.OpenModel.unpatch, execution._equip

    def opening_model(*args, **settings):
        opened = open_model(*args, **settings)
        seen["before"] = _copied(opened.model)
        return opened

    def equipping(job, reporter):
        seen["job"] = job
        equip(job, reporter)

    def unpatching(opened):
        seen["after"] = _copied(opened.model)
        seen["trained"] = {n for n, p in opened.model.named_parameters() if p.requires_grad}
        unpatch(opened)
        with torch.no_grad():
            seen["logits"] = opened.model.eval()(input_ids=IDS).logits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "open_model", opening_model)
        patch.setattr(opening.OpenModel, "unpatch", unpatching)
        patch.setattr(execution, "_equip", equipping)
        folder = train(contents)
    return Watched(folder, **seen)


def _copied(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def held_out_loss(model, job):
    """Return the mean loss of a model over the tokens of a run's held-out rows, one at a time."""
    (rows,) = job.validation.values()
    total = tokens = 0
    for row in (rows[n] for n in range(len(rows))):
        ids, labels = torch.tensor(row["input_ids"])[None], torch.tensor(row["labels"])[1:]
        with torch.no_grad():
            logits = model.eval()(input_ids=ids).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        tokens += (labels != -100).sum().item()
    return total / tokens
