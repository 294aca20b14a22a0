"""What looks at each step before it is taken: whether its loss and its gradient are numbers.

It costs one wait for the device in each optimizer step, after the last backward pass, and none in a
micro-batch. Where rows are bad is looked for only when something is found.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback

from luthier.core.errors import Diverged
from luthier.core.model.attention import backend_of
from luthier.core.problems import counted
from luthier.core.run.folder import write_text_whole
from luthier.core.run.ranks import is_first
from luthier.core.runfile.measuring import NO_SKIP
from luthier.core.training.locating import first_bad
from luthier.core.training.numbering import NUMBERS

if TYPE_CHECKING:
    from luthier.core.training.trainer import Trainer

logger = logging.getLogger(__name__)

IN_SCALED = 1
"""Steps in a row whose loss may overflow in float16, where the scaler of gradients skips them."""
MOST_NAMED = 8


class Watch(TrainerCallback):
    """Judges each optimizer step of a trainer, and stops the run or has the step skipped."""

    def __init__(self, trainer: Trainer) -> None:
        """Watch a trainer."""
        self.trainer = trainer
        self.skipped = 0
        """Steps that were skipped so far."""
        self.norm: Any = None
        """The norm of the gradient of the step at hand."""
        self._batches: list[Any] = []
        self._numbers: list[list[int]] = []
        self._items: Any = None
        self._before: tuple[torch.Tensor, torch.Tensor] | None = None
        self._in_a_row = 0

    def begin(self, batches: Sequence[Any], items: Any) -> None:
        """Note the batches of the step that comes, and what all before it have added up to.

        Args:
            batches: its micro-batches; their items' numbers are taken out of them.
            items: how many items its loss is the mean of; None where that is not counted.
        """
        self._batches = list(batches)
        self._numbers = [batch.pop(NUMBERS, []) for batch in batches]
        self._items = items
        self._before = (self.trainer.step_losses.clone(), self.trainer.window.sums.clone())

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Forget the faults of steps that a resumed run will do again."""
        file = self.trainer.job.folder.faults
        if is_first() and file.exists():
            lines = file.read_text("utf-8").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            write_text_whole(file, "".join(kept))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Judge the step that is about to be taken.

        Raises:
            Diverged: it would put what is no finite number into the weights, or trains nothing.
        """
        fault = self._fault()
        if fault is None:
            self._in_a_row = 0
            return
        step = state.global_step + 1
        self._in_a_row += 1
        told = self._told(f"{fault} in step {step}", step)
        if self.trainer.accelerator.scaler is not None and self._in_a_row <= IN_SCALED:
            self._forget()  # the scaler itself skips the step
            logger.warning("%s\n    The step is skipped, as float16 has it.", told)
            return
        faults = self.trainer.job.run.faults
        left = faults.most_skipped - self.skipped if faults.non_finite == "skip" else 0
        if left <= 0 or self._is_lost():
            raise Diverged(f"{told}\n    {self._remedy()}")
        self.skipped += 1
        self._skip()
        logger.warning("%s\n    The step is skipped; %d more may be.", told, left - 1)

    def _is_lost(self) -> bool:
        """Return whether a weight that is trained is no number already, so that no skip helps."""
        trained = self.trainer.job.opened.trained().values()
        return not all(bool(torch.isfinite(parameter).all()) for parameter in trained)

    def _fault(self) -> str | None:
        """Return what is wrong with the step, the same in all processes."""
        trainer = self.trainer
        loss = trainer.step_losses.detach().float()
        norm = torch.as_tensor(0.0 if self.norm is None else self.norm).to(loss)
        items = torch.as_tensor(1.0 if self._items is None else self._items).to(loss)
        found = torch.stack([loss.reshape(()), norm.reshape(()), items.max().reshape(())])
        loss_, norm_, items_ = trainer.accelerator.reduce(found, "sum").tolist()
        if items_ == 0:
            return "no token is trained"
        if not math.isfinite(loss_):
            return f"the loss is {loss_}"
        # gradients that are scaled overflow by design, and the scaler skips such a step
        if not math.isfinite(norm_) and trainer.accelerator.scaler is None:
            return f"the norm of the gradient is {norm_}"
        return None

    # --- what is told of it -----------------------------------------------------------------

    def _told(self, fault: str, step: int) -> str:
        """Return the fault with all that is known of it, and write the rows of the step."""
        job = self.trainer.job
        model = job.opened.model
        found = [(None, None)] if self._items_are_none() else self._looked_at()
        number, module = next((one for one in found if one[1] is not None), (None, None))
        everywhere = gather_object([(self._rows(number), module)])
        # of the processes those count in which something was found, if there are any
        guilty = [one for one in everywhere if one[1] is not None] or everywhere
        rows, module = [row for own, _ in guilty for row in own], guilty[0][1]
        if is_first():
            facts = {"step": step, "problem": fault}
            with job.folder.faults.open("a", encoding="utf-8") as stream:
                for row in rows:
                    stream.write(json.dumps({**facts, **row}, ensure_ascii=False) + "\n")
        precision = f", {job.run.training.precision}" if job.dtype != "float32" else ""
        return (
            f"{fault}\n    rows: {_named(rows)} ({job.folder.faults})"
            f"\n    computed in {job.dtype}{precision}, with the attention {backend_of(model)}"
            f"\n    {self._whence(module)}"
        )

    def _items_are_none(self) -> bool:
        return self._items is not None and not bool(torch.as_tensor(self._items).any())

    def _looked_at(self) -> list[tuple[int | None, str | None]]:
        """Return of each micro-batch its number, and the first module whose output is bad."""
        trainee, context = self.trainer.job.trainee, self.trainer.accelerator.autocast
        return [(n, first_bad(trainee, batch, context)) for n, batch in enumerate(self._batches)]

    def _whence(self, module: str | None) -> str:
        if module is not None:
            return f"the first output that is not finite is that of {module}"
        if self._items_are_none():
            return "the labels of all these rows are left out of the loss"
        return "the outputs of all modules are finite: it arose in the loss or in the backward pass"

    def _rows(self, number: int | None) -> list[dict[str, Any]]:
        """Return the rows of a micro-batch, or of all of them, as faults.jsonl has them."""
        job = self.trainer.job
        batches = range(len(self._batches)) if number is None else [number]
        rows = [row for n in batches for item in self._numbers[n] for row in job.rows_of(item)]
        if rows:
            return rows
        tokenizer = job.opened.tokenizer  # of a stream the rows have no numbers
        return [
            {"text": tokenizer.decode([int(one) for one in ids])}
            for n in batches for ids in self._batches[n].get("input_ids", ())
        ]  # fmt: skip

    def _remedy(self) -> str:
        folder = self.trainer.job.folder.path
        if self._is_lost():
            return (
                "Weights are no numbers already, so the training has been stopped: it would come "
                f"to nothing. Go on from the newest checkpoint: `luthier resume {folder}`."
            )
        skips = "Or go on without such steps: set `faults.non_finite: skip`"
        if self.skipped:
            before = counted(self.skipped, "step was", "steps were")
            skips = f"{before} skipped before it. Or raise `faults.most_skipped`"
        causes = "Raise `training.batch_size`, or leave these rows out."
        if not self._items_are_none():
            causes = (
                "Look at these rows. Lower `training.learning_rate`, raise `training.warmup`, or "
                "choose a `model.dtype` of a wider range than float16, and train anew with "
                "`--overwrite`."
            )
        traits = frozenset[str]().union(*(one.traits for one in self.trainer.job.run.selected))
        early = not traits.isdisjoint(NO_SKIP)
        return (
            f"The run has been stopped{'' if early else ' before that step changed a weight'}.\n"
            f"    {causes} {skips} in the run folder's run.yaml, and `luthier resume {folder}`."
        )

    # --- skipping ---------------------------------------------------------------------------

    def _skip(self) -> None:
        """Have the optimizer take no step, and leave no trace of this one."""
        for parameter in self.trainer.job.opened.trained().values():
            if parameter.grad is not None:
                parameter.grad.zero_()
        # accelerate's optimizer takes no step where gradients are still to be added up
        self.trainer.accelerator.gradient_state._set_sync_gradients(False)  # noqa: SLF001, FBT003
        self._forget()

    def _forget(self) -> None:
        """Put the sums of losses back to what they were before the step."""
        assert self._before is not None  # noqa: S101 - `begin` came before
        losses, sums = self._before
        self.trainer.step_losses = losses.clone()
        self.trainer.window.sums = sums.clone()


def _named(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a message names them: those of each dataset together."""
    datasets: dict[str, list[str]] = {}
    for row in rows:
        if "row" in row:
            datasets.setdefault(row.get("file") or row["dataset"], []).append(str(row["row"]))
    if not datasets:
        return counted(len(rows), "row of a stream", "rows of a stream")
    told = []
    for name, numbers in datasets.items():
        more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
        told.append(f"{', '.join(numbers[:MOST_NAMED])}{more} of {name}")
    return "; ".join(told)
