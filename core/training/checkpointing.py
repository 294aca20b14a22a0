"""The trainer's checkpoints: all that a continuation needs, whole or absent, and no pickle."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from accelerate.utils import gather_object

from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import CHECKPOINT, discard, step_of, written_whole
from luthier.core.run.ranks import rank, world
from luthier.core.training.checkpoints import STATE
from luthier.core.training.figures import Figures
from luthier.core.training.making import NAMES, Made, put_back, regrouped
from luthier.core.training.parameters import require_finite
from luthier.core.training.state import load_state, random_state, restore_random_state, save_state
from luthier.core.training.streaming import Stream

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.training.best import Best
    from luthier.core.training.watch import Watch

logger = logging.getLogger(__name__)


class Checkpointing(transformers.Trainer):
    """A trainer whose checkpoints are our own; `Trainer` sets what it keeps in them."""

    job: TrainingJob
    best: Best | None
    watch: Watch
    _trained: dict[str, torch.nn.Parameter]
    _window: Figures
    _written: int
    _made: Made

    def _write_rejected(self, *, ended: bool = False) -> None:
        raise NotImplementedError

    def stage_state(self) -> dict[str, Any]:
        """Return what a stage goes on with besides: a tree that `save_state` can write."""
        return {}

    def restore_stage(self, state: dict[str, Any]) -> None:
        """Go on with what `stage_state` told."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ARG002
        """Write all that a continuation needs, whole or not at all, and drop what is too old."""
        require_finite(self._trained, self.state.global_step)
        self._write_rejected()
        states = gather_object([self._own_state()])
        if not self.args.should_save:
            return
        folder = self.job.folder.checkpoints / f"{CHECKPOINT}{self.state.global_step}"
        with written_whole(folder) as beside:
            save_state(self._trained, beside / "weights")
            save_state(self._optimizer.state_dict(), beside / "optimizer")
            save_state(self._scheduler.state_dict(), beside / "scheduler")
            save_state([one.pop("random") for one in states], beside / "random")
            save_state(self._loop_state(states), beside / "loop")
            self.state.save_to_json(str(beside / STATE))
        best = self.best.step if self.best is not None else None
        for old in self.job.folder.existing_checkpoints()[: -self.job.run.checkpoints.keep]:
            if step_of(old) != best:
                discard(old)

    @property
    def _optimizer(self) -> Any:
        return self.optimizer

    @property
    def _scheduler(self) -> Any:
        return self.lr_scheduler

    def _loop_state(self, processes: list[dict[str, Any]]) -> dict[str, Any]:
        """Return where the loop stands, in all processes and in each."""
        scaler = self.accelerator.scaler
        return {
            "processes": processes,
            "scaler": None if scaler is None else scaler.state_dict(),
            "written": self._written,
            "optimizer": self._optimizer_name,
            "made": self._made,
            "skipped": self.watch.skipped,
            "best": None if self.best is None else self.best.state(),
        }

    def _own_state(self) -> dict[str, Any]:
        """Return what this process has for itself."""
        stream = self.train_dataset.state() if isinstance(self.train_dataset, Stream) else None
        return {
            "random": random_state(), "window": self._window.sums, "stream": stream,
            "stage": self.stage_state(),
        }  # fmt: skip

    # --- going on ---------------------------------------------------------------------------

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        stored = load_state(Path(resume_from_checkpoint) / "weights")
        other = stored.keys() ^ self._trained.keys()
        other |= {n for n, p in self._trained.items() if n in stored and stored[n].shape != p.shape}
        if other:
            raise BadRunFolder(
                f"{resume_from_checkpoint} holds other parameters than this run trains, such as "
                f"{sorted(other)[0]}. Put the model, the tuner and the patches back as they were, "
                "which `--accept-changes` cannot do without; or train anew with `--overwrite`."
            )
        with torch.no_grad():
            for name, parameter in self._trained.items():
                parameter.copy_(stored[name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        loop = load_state(Path(checkpoint) / "loop")
        before = loop["made"]
        if loop["optimizer"] != self._optimizer_name:
            logger.warning(
                "the optimizer is another than that of %s, so it begins anew: what that one knew "
                "of the gradients is lost", Path(checkpoint).name,
            )  # fmt: skip
            before = self._made
        else:
            stored = load_state(Path(checkpoint) / "optimizer")
            if [one[NAMES] for one in before] != [one[NAMES] for one in self._made]:
                stored, before = regrouped(stored, before, self._made)
            self._optimizer.load_state_dict(stored)
        self._scheduler.load_state_dict(load_state(Path(checkpoint) / "scheduler"))
        put_back(self._optimizer, self._scheduler, self._made, before)

    @property
    def _optimizer_name(self) -> str | None:
        return next((one.name for one in self.job.run.of("optimizers")), None)

    def _load_scaler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        loop = load_state(Path(checkpoint) / "loop")
        self._written, self.watch.skipped = loop["written"], loop["skipped"]
        if self.best is not None and loop["best"] is not None:
            self.best.restore(loop["best"])
        if loop["scaler"] is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(loop["scaler"])
        self._go_on(loop["processes"], checkpoint)

    def _go_on(self, processes: list[dict[str, Any]], checkpoint: str) -> None:
        """Take up what this process had for itself; of as many as there were, if they are others.

        Raises:
            BadRunFolder: there are other processes now, and their rows are a stream.
        """
        same = len(processes) == world()
        if not same and isinstance(self.train_dataset, Stream):
            raise BadRunFolder(
                f"{checkpoint} needs as many processes as wrote it, {len(processes)}, and there "
                f"are {world()} here: each has its own place in the stream. Go on with as many, "
                "or train anew."
            )
        own = processes[rank()] if same else processes[0]
        if same:
            self._window.sums = own["window"]
        elif rank() == 0:
            self._window.sums = sum(one["window"].cpu() for one in processes)
        self.restore_stage(own["stage"])
        if isinstance(self.train_dataset, Stream):
            self.train_dataset.restore(own["stream"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            states = load_state(Path(checkpoint) / "random")
            if len(states) == world():  # other processes begin with the seed
                restore_random_state(states[rank()])

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        raise AssertionError("luthier.core.model.saving saves the model, never transformers")
