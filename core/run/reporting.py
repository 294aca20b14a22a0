"""What a run says while it runs: plain sentences and one progress line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from luthier.core.run.ranks import is_first

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

logger = logging.getLogger("luthier")

MANY_ROWS = 10_000
"""From so many rows on, their preparation takes a while."""
TOLD_EVERY = 30.0
"""Seconds between two lines that tell how far something is."""


def now_and_then(tell: Callable[[int], None]) -> Callable[[int], None]:
    """Return what takes a count at any time, and has it told no more often than `TOLD_EVERY`."""
    last = time.monotonic()

    def counted(count: int) -> None:
        nonlocal last
        if time.monotonic() - last >= TOLD_EVERY:
            last = time.monotonic()
            tell(count)

    return counted


class Reporter:
    """Says things to the log alone. The command line takes `ConsoleReporter` instead."""

    def say(self, subject: str, text: str) -> None:
        """Tell one fact of the run, such as ("data", "320 rows")."""
        logger.info("%s: %s", subject, text)

    def warn(self, text: str) -> None:
        """Tell something that the user should look at."""
        logger.warning(text)
        self.show(text)

    def show(self, warning: str) -> None:
        """Show a warning that is in the log already."""

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Show what luthier's own code warns of meanwhile, such as a patch that does nothing."""
        handler = _Hearing(self)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    def prepared(self, dataset: str, rows: int) -> None:
        """Tell that so many rows of a dataset are prepared."""
        logger.info("data: %s: %d rows prepared", dataset, rows)

    @contextmanager
    def progress(self, total: int) -> Iterator[Reporter]:
        """Begin a stretch of `total` optimizer steps; `advance` moves within it."""
        logger.info("%d optimizer steps", total)
        yield self

    def advance(self, step: int, text: str) -> None:
        """Tell that `step` steps are done; `text` holds the figures."""
        logger.info("step %d: %s", step, text)

    def tick(self, step: int) -> None:
        """Tell that `step` steps are done, with nothing to say of them."""


class _Hearing(logging.Handler):
    """Hands warnings to a reporter, but for those that come from it."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != logger.name:
            self._reporter.show(record.getMessage())


class ConsoleReporter(Reporter):
    """Writes to a terminal with a moving progress line, and to a pipe in plain lines."""

    def __init__(self, console: Console) -> None:
        """Write to `console`; of several processes of one run only the first does."""
        self.console = console
        self.console.quiet |= not is_first()
        self._total = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def say(self, subject: str, text: str) -> None:
        """Print one fact of the run, its subject in a column of its own."""
        super().say(subject, text)
        self.console.print(f"{subject:<10} {text}", markup=False, highlight=False, soft_wrap=True)

    def prepared(self, dataset: str, rows: int) -> None:
        """Print how far a large dataset is; the whole is told when it is done."""
        super().prepared(dataset, rows)
        if rows >= MANY_ROWS:
            self.say("data", f"{rows:,} rows of {dataset} prepared")

    def show(self, warning: str) -> None:
        """Print a warning."""
        self.console.print(f"warning    {warning}", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, total: int) -> Iterator[Reporter]:
        """Show a progress line on a terminal; in a pipe, a line for each log."""
        self._total = total
        if not self.console.is_terminal:
            yield self
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (
            TextColumn("training  "),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=self.console, transient=False) as bar:
            self._progress, self._task = bar, bar.add_task("training", total=total, figures="")
            try:
                yield self
            finally:
                self._progress = self._task = None

    def advance(self, step: int, text: str) -> None:
        """Move the progress line, or print a plain one."""
        super().advance(step, text)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=step, figures=text)
        else:
            width = len(str(self._total))
            line = f"step       {step:>{width}}/{self._total}  {text}"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def tick(self, step: int) -> None:
        """Move the progress line between two logs."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=step)


LOUD = ("datasets", "huggingface_hub", "transformers")
"""The libraries whose loggers write to the screen by handlers of their own."""


class _Silent(logging.NullHandler):
    """Stands among the root's handlers while libraries are quiet."""


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Send what libraries log and warn to the log file, if there is one, and never to the screen.

    A user of ours can do nothing about most of it; what they can, we say ourselves.
    """
    root = logging.getLogger()
    if any(isinstance(one, _Silent) for one in root.handlers):  # they are quiet already
        yield
        return
    silent = _Silent()
    logging.captureWarnings(True)
    root.addHandler(silent)  # before the imports, in which some already have something to say
    import datasets
    import transformers

    shown = datasets.is_progress_bar_enabled()
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity(logging.INFO)
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    try:
        with _heard_by_root(LOUD):
            yield
    finally:
        if shown:
            datasets.enable_progress_bars()
        transformers.logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        transformers.logging.set_verbosity(verbosity)
        root.removeHandler(silent)
        logging.captureWarnings(False)


@contextmanager
def _heard_by_root(names: Iterable[str]) -> Iterator[None]:
    """Take their own handlers from loggers, so that those of the root alone hear them."""
    before = [(one, one.handlers, one.propagate) for one in map(logging.getLogger, names)]
    for one, _, _ in before:
        one.handlers, one.propagate = [], True
    try:
        yield
    finally:
        for one, handlers, propagate in before:
            one.handlers, one.propagate = handlers, propagate
