"""Other models beside the one that is trained, such as a reference or a reward model: frozen."""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadModel
from luthier.core.model.fingerprints import fingerprint_of
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.model.sharing import lay_beside, shares_base, switched_to
from luthier.core.run.program import run_to_serve

if TYPE_CHECKING:
    from luthier.core.model.opening import LocatedModel
    from luthier.core.run.job import TrainingJob


def located_beside(job: TrainingJob, path: str, role: str, remedy: str) -> LocatedModel:
    """Return another model of the same tokenizer, located; no weights are loaded.

    Args:
        job: the run that is trained; its model is open.
        path: a run folder or a model's folder, from where the run file finds models; or a Hub id.
        role: what it is, for messages, such as `the reference`.
        remedy: what to do where its tokenizer is another.

    Raises:
        BadModel: there is no model there, or it is one of another tokenizer.
        BadRunFolder: the run there has not ended.
    """
    folder = job.run.model_base / Path(path).expanduser()
    run = run_to_serve(folder if folder.exists() else path, (), trust_plugins=False)
    located = locate(model_spec(run, training=False))
    if located.tokenizer.get_vocab() != job.opened.tokenizer.get_vocab():
        raise BadModel(
            f"{role} {path} has another tokenizer than the model that is trained. {remedy}"
        )
    return located


@dataclass(frozen=True)
class Companion:
    """A model beside the one that is trained, which may share its weights."""

    model: Any
    switched: Callable[[], AbstractContextManager[None]]
    """Gives the context in which `model` is it."""

    @classmethod
    def opened(cls, job: TrainingJob, located: LocatedModel, name: str) -> Companion:
        """Return a model, open and frozen.

        Where it is an adapter on the very weights that are trained on, it is laid beside the
        run's own until the model is saved; any other is opened as a model by itself.

        Args:
            job: the run that is trained; its model is open.
            located: the model.
            name: what its adapter is called beside another; a second of this name has a number.

        Raises:
            BadModel: it cannot be loaded.
        """
        model, spec = job.opened.model, located.spec
        name = _free(name, job.companions)
        job.companions[name] = fingerprint_of(located)
        if shares_base(model, model_spec(job.run, training=True), spec):
            job.opened.undo.append(lay_beside(model, spec.base / spec.adapters[-1], name))
            return cls(model, partial(switched_to, model, name))
        other = open_model(located, training=False).model
        other.requires_grad_(requires_grad=False).eval()
        if not hasattr(other, "hf_device_map"):  # else each layer is where it belongs
            other.to(model.device)
        return cls(other, nullcontext)


def _free(name: str, taken: Container[str]) -> str:
    numbered = (f"{name}-{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if one not in taken)
