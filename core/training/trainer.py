"""The trainer: transformers' loop with an exact loss, exact figures, and checkpoints of our own.

transformers' own checkpoints hold pickles and are written in place; ours hold none and are whole
or absent. Everything else of the loop is transformers'.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import transformers
from accelerate.utils import gather_object

from luthier.core.data.shards import Counts
from luthier.core.errors import Diverged
from luthier.core.model.attention import backend_of
from luthier.core.run.folder import CHECKPOINT
from luthier.core.run.ranks import is_first, world
from luthier.core.templates import IGNORED
from luthier.core.training.arguments import place_reports, training_arguments
from luthier.core.training.best import Best
from luthier.core.training.checkpointing import Checkpointing
from luthier.core.training.figures import LOSS, Figures, Telling
from luthier.core.training.filling import Filled
from luthier.core.training.grouping import GroupedByLength
from luthier.core.training.loss import token_mean_loss
from luthier.core.training.making import made_with
from luthier.core.training.measuring import measured
from luthier.core.training.numbering import Numbered, NumberedCollator
from luthier.core.training.packed import PackedCollator, require_isolated, tokens_of
from luthier.core.training.parameters import lost
from luthier.core.training.scheduling import scheduled
from luthier.core.training.state import random_state, restore_random_state
from luthier.core.training.streaming import Stream
from luthier.core.training.watch import Watch

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


class Trainer(Telling, Checkpointing):
    """Trains a model on encoded rows; a stage may give it another loss."""

    def __init__(self, job: TrainingJob, **settings: Any) -> None:
        """Set up the loop of a run.

        Args:
            job: the run's model, data, collator and settings.
            settings: further arguments of transformers' Trainer; `compute_loss_func` replaces
                the loss of next-token prediction.

        Raises:
            BadModel: sequences share a row of a batch, and in this model one would see another.
            LuthierError: `evaluation.best` names a figure that there is not.
        """
        settings.setdefault("compute_loss_func", token_mean_loss)
        super().__init__(
            model=job.trainee,
            args=training_arguments(job),
            train_dataset=job.dataset,
            eval_dataset=dict(job.validation) or None,
            data_collator=job.collator,
            processing_class=job.opened.tokenizer,
            optimizers=(job.optimizer, None),
            callbacks=list(job.callbacks),
            **settings,
        )
        self.remove_callback(transformers.PrinterCallback)
        if isinstance(job.collator, PackedCollator):
            with self.accelerator.autocast():  # by now the model is on its device
                require_isolated(job.opened.model, backend_of(job.opened.model))
        self.job = job
        # told now: some optimizers freeze in turn what they train
        self._trained = job.opened.trained()
        self._sampler = None
        if job.run.training.group_by_length:
            rows = self._train_batch_size * self.args.gradient_accumulation_steps * world()
            self._sampler = GroupedByLength(job.dataset, rows, self.args.seed)
        self._window, self._evaluated = (Figures(self.means, self.logged_means) for _ in range(2))
        self._lost = 0  # logs in a row whose loss was no finite number
        self._written = 0  # rows of a stream that stand in rejected.jsonl
        self._observe()

    def _observe(self) -> None:
        """Set up what looks at steps and evaluations for the run itself."""
        figures = (LOSS, *self.logged_means(dict.fromkeys(self.means, 0.5)))  # shares, for one
        self.watch = Watch(self)
        self.best = Best.of(self.job, figures, self.falling, self.best_figure)
        for one in (self.watch, self.best):
            if one is not None:
                self.add_callback(one)
        place_reports(self.callback_handler.callbacks, self.job.folder)

    def train(self, *args: Any, **settings: Any) -> Any:
        """Train, and leave the weights as they are to be used: the best, or those of the end."""
        result = super().train(*args, **settings)
        leave = getattr(self.optimizer, "eval", None)  # of one that averages, or that freezes
        if leave is not None:
            leave()
        if self.best is not None and self.best.step not in {None, self.state.global_step}:
            # it was written after an evaluation, so its weights are as they are to be used
            folder = self.job.folder.checkpoints / f"{CHECKPOINT}{self.best.step}"
            if folder.is_dir():
                self._take(str(folder))
            else:
                self.best.lost = True
        return result

    def _take(self, checkpoint: str) -> None:
        """Take the weights of a checkpoint, and have observers know what they knew by then.

        An observer that keeps something in the optimizer's state, such as which ranks are cut, has
        a method `on_restored` that is given the optimizer.
        """
        self._load_from_checkpoint(checkpoint)
        knowing = [one.on_restored for one in self.job.callbacks if hasattr(one, "on_restored")]
        if knowing:
            self._load_optimizer_and_scheduler(checkpoint)
        for restored in knowing:
            restored(self.optimizer)

    def _run_epoch(self, *args: Any, **settings: Any) -> None:
        """Take the steps of an epoch; none where the checkpoint that is gone on with has all."""
        has_all = self.state.global_step >= self.state.max_steps
        if has_all or (self.best is not None and self.best.ended):
            self.control.should_training_stop = True
            return
        super()._run_epoch(*args, **settings)  # type: ignore[no-untyped-call]

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Return the run's scheduler, made once."""
        if self.lr_scheduler is None:
            run = self.job.run
            self.lr_scheduler = scheduled(
                optimizer or self.optimizer, run.training.scheduler, run.schedule,
                warmup=self.args.get_warmup_steps(num_training_steps), steps=num_training_steps,
            )  # fmt: skip
            self._created_lr_scheduler = True
            self._made = made_with(self.optimizer, self._trained)
        return self.lr_scheduler

    # --- data ---------------------------------------------------------------------------------

    def get_train_dataloader(self) -> Any:
        """Return the batches. Of a stream each process draws its own share, so none is split."""
        if not isinstance(self.train_dataset, Stream):
            given = self.train_dataset, self.data_collator
            self.train_dataset, self.data_collator = Numbered(given[0]), NumberedCollator(given[1])
            try:
                return super().get_train_dataloader()
            finally:
                self.train_dataset, self.data_collator = given
        return torch.utils.data.DataLoader(
            self.train_dataset, batch_size=self._train_batch_size, collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
            generator=torch.Generator(),  # else it draws a seed of the chance that is restored
        )  # fmt: skip

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Return the batches of a validation set, by its name or itself; each row is in one."""
        sets: Any = self.eval_dataset
        rows = sets[eval_dataset] if isinstance(eval_dataset, str) else eval_dataset
        if world() > 1:
            rows = Filled(rows, self.args.eval_batch_size * world())
        return super().get_eval_dataloader(rows)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self._sampler or super()._get_train_sampler(train_dataset)

    def get_batch_samples(self, *args: Any, **settings: Any) -> Any:
        """Return the batches of a step, each watched from here on, and how many items they have."""
        batches, items = super().get_batch_samples(*args, **settings)
        self.watch.begin(batches, items)
        return batches, items

    def _get_grad_norm(self, *args: Any, **settings: Any) -> Any:
        self.watch.norm = super()._get_grad_norm(*args, **settings)  # type: ignore[no-untyped-call]
        return self.watch.norm

    @property
    def step_losses(self) -> torch.Tensor:
        """The losses of all steps since the last log, summed."""
        losses: torch.Tensor = self._tr_loss
        return losses

    @step_losses.setter
    def step_losses(self, losses: torch.Tensor) -> None:
        self._tr_loss = losses

    @property
    def window(self) -> Figures:
        """The figures since the last log."""
        return self._window

    def read(self) -> Counts | None:
        """Return what became of all rows of a stream, and write those that were left out.

        Called when the run has ended, by all processes; None where nothing is streamed.
        """
        if not isinstance(self.train_dataset, Stream):
            return None
        self._write_rejected(ended=True)
        total = Counts()
        for one in gather_object([self.train_dataset.counts()]):
            total += one
        return total

    def _write_rejected(self, *, ended: bool = False) -> None:
        """Add to rejected.jsonl what the stream has left out since the last time."""
        if isinstance(self.train_dataset, Stream):
            rows = gather_object(self.train_dataset.rejected(ended=ended))
            if rows and is_first():
                self.job.folder.write_rejected(rows, after=self._written)
            self._written += len(rows)

    # --- figures ----------------------------------------------------------------------------

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: FBT001, FBT002 - transformers' signature
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return transformers' loss, and keep what the logged means are made of."""
        trained = (inputs["labels"][:, 1:] != IGNORED).sum()
        tokens, items = tokens_of(inputs), self.items_of(inputs, trained)
        result = super().compute_loss(
            model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch
        )
        loss: Any = result[0] if isinstance(result, tuple) else result
        share = items if num_items_in_batch is None else num_items_in_batch
        figures = self._window if model.training else self._evaluated
        if model.training or items:  # of the rows that only fill a batch there is no mean
            figures.add(loss * share, items, trained, tokens, *self.sums_of_means())
        return result

    def evaluate(self, *args: Any, **settings: Any) -> dict[str, float]:
        """Return the losses of the validation sets; the training goes on as if nobody had asked."""
        state = random_state()
        try:
            found: dict[str, float] = super().evaluate(*args, **settings)
        finally:
            restore_random_state(state)
        return found

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,  # noqa: FBT001 - transformers' signature
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        """Return transformers' result, its loss the mean over all tokens that are counted."""
        self._evaluated = Figures(self.means, self.logged_means)
        output: Any = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
        )
        # transformers' own loss is the mean of the batches' means
        own = self._evaluated.taken(self.accelerator)
        found = measured(self.job, metric_key_prefix.removeprefix("eval_")) | own
        output.metrics.update({f"{metric_key_prefix}_{n}": one for n, one in found.items()})
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log the mean loss over the tokens since the last log, and how many they were.

        Raises:
            Diverged: the loss is no finite number.
        """
        sound = True
        if "loss" in logs:
            logs |= self._window.taken(self.accelerator)
            sound = math.isfinite(logs["loss"]) or not logs["trained_tokens"]
        if isinstance(self.train_dataset, Stream):
            # transformers counts this from where the run was gone on with
            self.state.epoch = self.state.global_step / self.state.max_steps
        super().log(logs, start_time)
        self._lost = 0 if sound else self._lost + 1
        # in float16 a step that overflows is skipped, and the next may be sound
        if self._lost > (self.accelerator.scaler is not None):
            raise Diverged(lost(f"the loss is {logs['loss']}", self.state.global_step))
