"""The observer that every run has: metrics.jsonl, the progress line, and the curve."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from transformers import TrainerCallback

from luthier.core.data.dataset import VALIDATION
from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import PARTIAL, RunFolder, write_text_whole
from luthier.core.run.ranks import is_first
from luthier.core.run.reporting import Reporter
from luthier.core.training.figures import MEAN

NEAR_ZERO = 0.5
"""A curve is drawn from zero on where its least loss is below this share of its highest."""


class EvaluationSchedule(TrainerCallback):
    """Has the model evaluated every so many steps, or after each epoch; and after the last step."""

    def __init__(self, every: int | None, *, on_start: bool) -> None:
        """Take the steps between two evaluations, None for an epoch; and if one comes before."""
        self.every, self.on_start = every, on_start

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Have a run that begins evaluated first; one that is gone on with has been."""
        args.eval_on_start = self.on_start and state.global_step == 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Ask for an evaluation where it is time; a checkpoint of the same step is written later.

        So a run that goes on from it has this evaluation behind it.
        """
        due = state.global_step % self.every == 0 if self.every else state.epoch % 1 == 0
        if due or state.global_step >= state.max_steps:
            control.should_evaluate = True


class Recorder(TrainerCallback):
    """Writes each logged step to metrics.jsonl and tells the reporter of it."""

    def __init__(self, folder: RunFolder, reporter: Reporter) -> None:
        """Write to the folder of a run."""
        self.folder = folder
        self.reporter = reporter
        self._last = (time.monotonic(), 0)
        self._began: tuple[float, int] | None = None
        self._warned = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Begin the clock, and forget the metrics of steps that a resumed run will do again."""
        self._began = (time.monotonic(), state.global_step)
        self._last = (time.monotonic(), state.global_step)
        if not is_first():
            return
        kept = [row for row in read_metrics(self.folder) if row["step"] <= state.global_step]
        write_text_whole(self.folder.metrics, "".join(json.dumps(row) + "\n" for row in kept))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Move the progress line, and have the last step logged whatever its number."""
        self.reporter.tick(state.global_step)
        if state.global_step >= state.max_steps:
            control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Write one line, if it is of training steps."""
        if not logs or "loss" not in logs or not is_first():
            return
        now, step = time.monotonic(), state.global_step
        seconds = max(now - self._last[0], 1e-9)
        row = {
            "step": step,
            "epoch": round(state.epoch or 0.0, 4),
            "loss": logs["loss"],
            "learning_rate": logs["learning_rate"],
            "grad_norm": logs.get("grad_norm"),
            "tokens": logs["tokens"],
            "trained_tokens": logs["trained_tokens"],
            "tokens_per_second": round(logs["tokens"] / seconds, 1),
            **(means := _means(logs, MEAN)),
        }
        self._last = (now, step)
        self._write(row)
        self.reporter.advance(step, self._figures(row, means, now, step, state.max_steps))
        if not self._warned and not math.isfinite(row["loss"]):
            self._warned = True
            self.reporter.warn(
                f"the loss of step {step} is {row['loss']}, which is no finite number"
            )

    def on_evaluate(self, args: Any, state: Any, control: Any, **told: Any) -> None:  # noqa: ARG002
        """Write one line for the validation set, and leave its time out of what steps took."""
        metrics = told["metrics"]
        key = next(key for key in metrics if key.endswith("_trained_tokens"))
        prefix = key.removesuffix("_trained_tokens")
        name, seconds = prefix.removeprefix("eval_"), metrics[f"{prefix}_runtime"]
        row = {
            "step": state.global_step,
            "epoch": round(state.epoch or 0.0, 4),
            VALIDATION: name,
            "loss": metrics[f"{prefix}_loss"],
            "trained_tokens": metrics[key],
            "seconds": seconds,
            **(means := _means(metrics, f"{prefix}_{MEAN}")),
        }
        self._write(row)
        self.leave_out(seconds)
        of = "" if name == VALIDATION else f"{name}: "
        found = "".join(f", {name} {value:.4f}" for name, value in means.items())
        step = f"at step {state.global_step}"
        self.reporter.say(VALIDATION, f"{of}loss {row['loss']:.4f}{found} {step}")

    def leave_out(self, seconds: float) -> None:
        """Leave a time that something else took out of what steps take."""
        self._last = (self._last[0] + seconds, self._last[1])
        if self._began is not None:
            self._began = (self._began[0] + seconds, self._began[1])

    def _write(self, row: dict[str, Any]) -> None:
        if not is_first():
            return
        with self.folder.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def _figures(
        self, row: dict[str, Any], means: dict[str, float], now: float, step: int, total: int
    ) -> str:
        first = (f"  {name} {value:.4g}" for name, value in list(means.items())[:SHOWN_MEANS])
        text = f"loss {row['loss']:.4f}{''.join(first)}  {row['tokens_per_second']:,.0f} tokens/s"
        if self._began is not None and step > self._began[1]:
            rate = (step - self._began[1]) / max(now - self._began[0], 1e-9)
            text += f"  {rate:.3g} steps/s  {duration((total - step) / rate)} left"
        return text


SHOWN_MEANS = 2
"""How many of a stage's own figures the line of a step shows; metrics.jsonl has all."""


def _means(logs: dict[str, Any], prefix: str) -> dict[str, float]:
    """Return the figures of a stage's own."""
    return {key.removeprefix(prefix): v for key, v in logs.items() if key.startswith(prefix)}


def duration(seconds: float) -> str:
    """Return a stretch of time as a person reads it: `48 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004 - seconds of an hour
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def read_metrics(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the rows of metrics.jsonl; a last line that was cut by a kill is left out.

    Raises:
        BadRunFolder: another line is none that a run writes.
    """
    if not folder.metrics.exists():
        return []
    lines = folder.metrics.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line)
            rows.append({**row, "step": row["step"], "loss": float(row["loss"])})
        except (ValueError, KeyError, TypeError) as fault:
            raise BadRunFolder(
                f"{folder.metrics}:{number}: this is no line of metrics. Delete it."
            ) from fault
    return rows


def figures_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the last figures of the training, and of each validation set by its name."""
    found: dict[str, Any] = {}
    beside = {
        VALIDATION, "epoch", "seconds", "trained_tokens", "tokens", "tokens_per_second",
        "learning_rate", "grad_norm",
    }  # fmt: skip
    for row in rows:
        if VALIDATION in row:
            of_sets = found.setdefault(VALIDATION, {})
            of_sets[row[VALIDATION]] = {k: v for k, v in row.items() if k not in beside}
        else:
            found["training"] = {k: v for k, v in row.items() if k not in beside}
    return found


def plot_loss(folder: RunFolder) -> None:
    """Draw loss.png: the loss as it was logged, its running mean, and what evaluations found."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in read_metrics(folder) if math.isfinite(row["loss"])]
    trained = [row for row in rows if VALIDATION not in row]
    if not trained:
        return
    steps, losses = _curve(trained)
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(steps, losses, color="#9db8d9", linewidth=1, label="logged")
    axes.plot(steps, smoothed(losses), color="#1f4e8c", linewidth=2, label="smoothed")
    names = dict.fromkeys(row[VALIDATION] for row in rows if VALIDATION in row)
    for number, name in enumerate(names, 1):
        at, found = _curve([row for row in rows if row.get(VALIDATION) == name])
        axes.plot(at, found, "o-", color=f"C{number}", markersize=4, label=name)
    axes.set(xlabel="optimizer step", ylabel="loss", title=folder.path.name)
    every = [row["loss"] for row in rows]
    if 0 <= min(every) < NEAR_ZERO * max(every):  # else it would press the curve together
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    beside = folder.loss_plot.with_name(f".{folder.loss_plot.name}{PARTIAL}")
    figure.savefig(beside, format="png")
    beside.replace(folder.loss_plot)


def _curve(rows: list[dict[str, Any]]) -> tuple[list[int], list[float]]:
    return [row["step"] for row in rows], [row["loss"] for row in rows]


def smoothed(values: list[float]) -> list[float]:
    """Return the mean of each value and those before it: a tenth of them all, three at least."""
    width = max(3, len(values) // 10)
    return [
        math.fsum(values[max(0, n + 1 - width) : n + 1]) / (n + 1 - max(0, n + 1 - width))
        for n in range(len(values))
    ]
