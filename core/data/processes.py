"""Work on batches that several processes share, its results in the order of the batches."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe
from pickle import PicklingError
from typing import Generic, TypeVar

from luthier.core.errors import LuthierError

logger = logging.getLogger("luthier")

Batch = TypeVar("Batch")
Made = TypeVar("Made")

FEW = 1
"""So many batches are worked on here before others are started: what that leaves in memory, such as
renderings to be used again, the others have from the start."""
MOST = 8
"""More processes than one can read rows for would wait."""

_PARALLEL = "TOKENIZERS_PARALLELISM"


def wanted() -> int:
    """Return how many processes are to work: one for each processor that this one may use.

    The tokenizers library's own variables are heeded: RAYON_NUM_THREADS, TOKENIZERS_PARALLELISM.
    Where the system is none that copies a process as it stands, it is one.
    """
    off = os.environ.get(_PARALLEL, "").lower() in ("false", "off", "0", "no")
    if off or sys.platform != "linux":
        return 1
    told = os.environ.get("RAYON_NUM_THREADS", "")
    # what is no number over 0 is passed over by that library, too
    threads = int(told) if told.isascii() and told.isdecimal() else 0
    return min(threads or len(os.sched_getaffinity(0)), MOST)


def in_order(
    work: Callable[[Batch], Made], batches: Iterator[Batch], processes: int
) -> Iterator[Made]:
    """Yield what becomes of each batch, in their order, as if all were worked on here.

    What cannot be handed over is worked on here, and so is a batch at which another process ended:
    if it ended of a fault, the fault is met again, here and in its turn.

    Args:
        work: makes of a batch what can be pickled; it must not start threads.
        batches: read here, one after the other.
        processes: how many work at once.
    """
    for _, batch in zip(range(FEW), batches, strict=False):
        yield work(batch)
    following = next(batches, None) if processes > 1 else None
    if following is None:
        yield from map(work, batches)
        return
    with _copies(work, processes) as idle:
        busy: deque[_Copy[Batch, Made]] = deque()
        fault = None
        while following is not None:
            if not idle:
                idle.append(busy[0])
                yield busy.popleft().take()
            busy.append(idle.popleft())
            busy[-1].give(following)
            try:
                following = next(batches, None)
            except LuthierError as met:  # it is behind what is being worked on
                following, fault = None, met
        while busy:
            yield busy.popleft().take()
        if fault is not None:
            raise fault


class _Copy(Generic[Batch, Made]):
    """A copy of this process, which works on one batch at a time."""

    def __init__(self, pid: int, connection: Connection, work: Callable[[Batch], Made]) -> None:
        self.pid, self._connection, self._work = pid, connection, work
        self._batch: Batch
        self._given = True

    def give(self, batch: Batch) -> None:
        """Hand a batch over."""
        self._batch = batch
        try:
            self._connection.send(batch)
            self._given = True
        except (OSError, PicklingError, TypeError, AttributeError):
            self._given = False  # it has ended, or a row is of a kind that cannot be handed over

    def take(self) -> Made:
        """Return what became of the batch."""
        if self._given:
            with suppress(EOFError, OSError):
                made: Made = self._connection.recv()
                return made
        made = self._work(self._batch)
        logger.debug("made here what process %d could not", self.pid)
        return made

    def end(self) -> None:
        """End it, whatever it does: it holds nothing that is not here too."""
        self._connection.close()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@contextmanager
def _copies(work: Callable[[Batch], Made], count: int) -> Iterator[deque[_Copy[Batch, Made]]]:
    """Start copies of this process; none outlives it.

    A copy has the rows' format, template and tokenizer at hand without being told of them. It has
    no thread of this process but the one that works, so it leaves alone what others do in threads:
    the tokenizers library is told so, and neither torch nor pyarrow is asked for anything.
    """
    before = os.environ.get(_PARALLEL)
    os.environ[_PARALLEL] = "false"  # else the library warns of the copying
    copies: deque[_Copy[Batch, Made]] = deque()
    ours: list[Connection] = []
    try:
        for _ in range(count):
            here, there = Pipe()
            ours.append(here)
            with warnings.catch_warnings():
                # from Python 3.12 on each copy of a process with threads is warned of
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if not pid:
                _serve(work, there, ours)
            there.close()
            copies.append(_Copy(pid, here, work))
        _restore(before)
        yield deque(copies)
    finally:
        _restore(before)
        for one in copies:
            one.end()


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(_PARALLEL, None)
    else:
        os.environ[_PARALLEL] = before


def _serve(work: Callable[[Batch], Made], connection: Connection, others: list[Connection]) -> None:
    """Work until the first process ends or closes the connection; then end without a word."""
    try:
        for one in others:  # were they open here, no copy could tell that the first has ended
            one.close()
        gc.freeze()  # so that a collection does not write to memory that is shared
        while True:
            connection.send(work(connection.recv()))
            gc.collect()
    finally:
        os._exit(0)
