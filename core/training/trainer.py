"""The trainer: transformers' loop with an exact loss, exact figures, and checkpoints of our own.

transformers' own checkpoints hold pickles and are written in place; ours hold none and are whole
or absent. Everything else of the loop is transformers'.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from luthier.core.errors import BadRunFolder, Diverged
from luthier.core.model.attention import backend_of
from luthier.core.run.folder import CHECKPOINT, discard, written_whole
from luthier.core.templates import IGNORED
from luthier.core.training.checkpoints import STATE
from luthier.core.training.loss import token_mean_loss
from luthier.core.training.packed import PackedCollator, require_isolated, tokens_of
from luthier.core.training.state import load_state, random_state, restore_random_state, save_state

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


class Trainer(transformers.Trainer):
    """Trains a model on encoded rows; a stage may give it another loss."""

    def __init__(self, job: TrainingJob, **settings: Any) -> None:
        """Set up the loop of a run.

        Args:
            job: the run's model, data, collator and settings.
            settings: further arguments of transformers' Trainer; `compute_loss_func` replaces
                the loss of next-token prediction.

        Raises:
            BadModel: sequences share a row of a batch, and in this model one would see another.
        """
        settings.setdefault("compute_loss_func", token_mean_loss)
        super().__init__(
            model=job.opened.model,
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
            with self.compute_loss_context_manager():  # by now the model is on its device
                require_isolated(job.opened.model, backend_of(job.opened.model))
        self.job = job
        # of the steps since the last log: summed loss, counted tokens, all tokens
        self._window = torch.zeros(3, dtype=torch.float64)
        self._evaluated = torch.zeros(3, dtype=torch.float64)  # the same of an evaluation
        self._lost = 0  # logs in a row whose loss was no finite number

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
        tokens = tokens_of(inputs)
        result = super().compute_loss(
            model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch
        )
        loss: Any = result[0] if isinstance(result, tuple) else result
        share = trained if num_items_in_batch is None else num_items_in_batch
        figures = torch.stack([loss.detach() * share, trained, tokens]).double()
        if model.training:
            self._window = self._window.to(figures.device) + figures
        else:
            self._evaluated = self._evaluated.to(figures.device) + figures
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
        self._evaluated = torch.zeros(3, dtype=torch.float64)
        output: Any = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
        )
        summed, trained, _ = self._over_processes(self._evaluated)
        # transformers' own is the mean of the batches' means
        output.metrics[f"{metric_key_prefix}_loss"] = summed / trained if trained else math.nan
        output.metrics[f"{metric_key_prefix}_trained_tokens"] = int(trained)
        return output

    def _over_processes(self, figures: torch.Tensor) -> tuple[float, float, float]:
        """Return summed loss, counted tokens and all tokens of all processes together."""
        summed, trained, tokens = self.accelerator.reduce(figures, "sum").tolist()
        # on several devices transformers scales each loss by their number
        return summed / self.accelerator.num_processes, trained, tokens

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log the mean loss over the tokens since the last log, and how many they were.

        Raises:
            Diverged: the loss is no finite number.
        """
        summed = 0.0
        if "loss" in logs:
            summed, trained, tokens = self._over_processes(self._window)
            logs["loss"] = summed / trained if trained else math.nan
            logs["trained_tokens"], logs["tokens"] = int(trained), int(tokens)
            self._window = torch.zeros_like(self._window)
        super().log(logs, start_time)
        self._lost = 0 if math.isfinite(summed) else self._lost + 1
        # in float16 a step that overflows is skipped, and the next may be sound
        if self._lost > (self.accelerator.scaler is not None):
            raise Diverged(_lost(f"the loss is {logs['loss']}", self.state.global_step))

    # --- checkpoints ------------------------------------------------------------------------

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ARG002
        """Write all that a continuation needs, whole or not at all, and drop what is too old."""
        if not self.args.should_save:
            return
        require_finite(self.job.opened.model, self.state.global_step)
        folder = self.job.folder.checkpoints / f"{CHECKPOINT}{self.state.global_step}"
        with written_whole(folder) as beside:
            save_state(trained_parameters(self.job.opened.model), beside / "weights")
            save_state(self._optimizer.state_dict(), beside / "optimizer")
            save_state(self._scheduler.state_dict(), beside / "scheduler")
            save_state(random_state(), beside / "random")
            save_state({"window": self._window, "scaler": self._scaler_state()}, beside / "loop")
            self.state.save_to_json(str(beside / STATE))
        for old in self.job.folder.existing_checkpoints()[: -self.job.run.checkpoints.keep]:
            discard(old)

    @property
    def _optimizer(self) -> Any:
        return self.optimizer

    @property
    def _scheduler(self) -> Any:
        return self.lr_scheduler

    def _scaler_state(self) -> Any:
        scaler = self.accelerator.scaler
        return None if scaler is None else scaler.state_dict()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        stored = load_state(Path(resume_from_checkpoint) / "weights")
        own = trained_parameters(self.job.opened.model)
        if stored.keys() != own.keys():
            raise BadRunFolder(
                f"{resume_from_checkpoint} holds other parameters than this run trains, such as "
                f"{sorted(stored.keys() ^ own.keys())[0]}. Put the model and the plugins back as "
                "they were, or train anew with `--overwrite`."
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(stored[name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self._optimizer.load_state_dict(load_state(Path(checkpoint) / "optimizer"))
            self._scheduler.load_state_dict(load_state(Path(checkpoint) / "scheduler"))

    def _load_scaler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            loop = load_state(Path(checkpoint) / "loop")
            self._window = loop["window"]
            if loop["scaler"] is not None:
                self.accelerator.scaler.load_state_dict(loop["scaler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            restore_random_state(load_state(Path(checkpoint) / "random"))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        raise AssertionError("luthier.core.model.saving saves the model, never transformers")


def trained_parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the parameters that training changes, by name; a tied one once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def require_finite(model: torch.nn.Module, step: int) -> None:
    """Refuse a model whose trained parameters hold what is no finite number.

    Raises:
        Diverged: one does.
    """
    for name, parameter in trained_parameters(model).items():
        if not torch.isfinite(parameter).all():
            raise Diverged(_lost(f"{name} holds what is no finite number", step))


def _lost(fault: str, step: int) -> str:
    return (
        f"{fault} after step {step}, so the training has been stopped: it would come to nothing. "
        "Lower `training.learning_rate`, raise `training.warmup`, or choose a `model.dtype` of "
        "a wider range than float16; look at the data, too. Then train anew with `--overwrite`."
    )


SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


def training_arguments(job: TrainingJob) -> transformers.TrainingArguments:
    """Return a run's settings in transformers' words. Nothing is reported to any service."""
    settings = job.run.training
    on_cpu = job.run.device.kind == "cpu"
    dtype = job.dtype
    return transformers.TrainingArguments(
        output_dir=str(job.folder.checkpoints),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=job.run.evaluation.batch_size or settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=SCHEDULERS[settings.scheduler],
        warmup_steps=settings.warmup,  # below 1 it is a share of all steps
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=dtype == "bfloat16",
        fp16=dtype == "float16",
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        logging_strategy="steps",
        logging_steps=settings.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=job.run.checkpoints.every,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
    )
