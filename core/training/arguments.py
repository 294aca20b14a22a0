"""A run's settings in the words of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers
from transformers.integrations.integration_utils import TensorBoardCallback

from luthier.core.training.streaming import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luthier.core.run.folder import RunFolder
    from luthier.core.run.job import TrainingJob


def training_arguments(job: TrainingJob) -> transformers.TrainingArguments:
    """Return a run's settings in transformers' words; only what the file names is reported to."""
    settings = job.run.training
    on_cpu = job.run.device.kind == "cpu"
    mixed = job.dtype if settings.precision == "mixed" else None
    return transformers.TrainingArguments(
        output_dir=str(job.folder.checkpoints),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=job.run.evaluation.batch_size or settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,  # below 1 it is a share of all steps
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=mixed == "bfloat16",
        fp16=mixed == "float16",  # its gradients are scaled, but on a CPU
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        logging_strategy="steps",
        logging_steps=settings.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=job.run.checkpoints.every,
        remove_unused_columns=False,
        label_names=["labels"],  # which a model with value heads does not tell by its arguments
        disable_tqdm=True,
        report_to=list(settings.report_to) or "none",
        run_name=job.folder.path.name,
        ignore_data_skip=isinstance(job.dataset, Stream),  # it goes to its place by itself
    )


def place_reports(callbacks: Iterable[Any], folder: RunFolder) -> None:
    """Have those that write files write them into the run folder, unless they were told where."""
    for one in callbacks:
        if isinstance(one, TensorBoardCallback) and one.logging_dir is None:
            one.logging_dir = str(folder.path / "tensorboard")
