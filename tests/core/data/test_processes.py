"""Batches that several processes share: the results are those of one, and no process is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luthier.core import BadData
from luthier.core.data import processes
from luthier.core.data.processes import FEW, in_order

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux")

HERE = os.getpid()


def told(number):
    """What a batch comes to, and whether it was made here."""
    return number * number, os.getpid() == HERE


@pytest.mark.parametrize(
    ("told", "count"), [("2", 2), ("99", processes.MOST), ("auto", None), ("0", None), ("-1", None)]
)
def test_what_is_no_number_of_threads_is_passed_over(monkeypatch, told, count):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)
    otherwise = processes.wanted()
    monkeypatch.setenv("RAYON_NUM_THREADS", told)
    assert processes.wanted() == (count or otherwise)


@pytest.fixture(autouse=True)
def no_copy_is_left():
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("count", [0, FEW, FEW + 1, 40])
def test_results_come_in_the_order_of_the_batches(count):
    found = list(in_order(told, iter(range(count)), 3))
    assert [result for result, _ in found] == [n * n for n in range(count)]
    assert [here for _, here in found] == [n < FEW for n in range(count)]


def test_one_process_makes_all_itself():
    assert all(here for _, here in in_order(told, iter(range(9)), 1))


def test_a_fault_is_that_of_one_process_and_comes_after_what_is_before_it():
    def work(number):
        if number == 11:
            raise BadData("the eleventh")
        return number

    found = []
    with pytest.raises(BadData, match="the eleventh"):
        taken(found, in_order(work, iter(range(30)), 2))
    assert found == list(range(11))


def test_a_fault_of_reading_comes_after_what_was_read_before_it():
    def batches():
        yield from range(10)
        raise BadData("no further")

    found = []
    with pytest.raises(BadData, match="no further"):
        taken(found, in_order(lambda n: n, batches(), 2))
    assert found == list(range(10))


def test_what_a_process_did_not_live_to_make_is_made_here():
    def work(number):
        if number == 9 and os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return told(number)

    found = list(in_order(work, iter(range(20)), 2))
    assert [result for result, _ in found] == [n * n for n in range(20)]
    assert found[9][1]


def test_what_cannot_be_handed_over_is_made_here():
    batches = [lambda n=n: n for n in range(12)]
    assert list(in_order(lambda batch: batch(), iter(batches), 2)) == list(range(12))


def test_results_that_are_not_asked_for_any_more_leave_no_process():
    results = in_order(told, iter(range(100)), 2)
    for _ in range(10):
        next(results)
    results.close()


def test_the_variables_of_the_tokenizers_library_are_heeded(monkeypatch):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    monkeypatch.setenv("RAYON_NUM_THREADS", "3")
    assert processes.wanted() == 3
    monkeypatch.setenv("RAYON_NUM_THREADS", "99")
    assert processes.wanted() == processes.MOST
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    assert processes.wanted() == 1
    list(in_order(told, iter(range(9)), 2))
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"


KILLED = """
import os, time
from itertools import count
from luthier.core.data.processes import in_order
for pid in in_order(lambda n: (time.sleep(0.01), os.getpid())[1], count(), 2):
    print(pid, flush=True)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_the_one_that_started_it(sent):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as first:
        found = {int(next(first.stdout)) for _ in range(FEW + 6)}
        assert len(found) == 3
        first.send_signal(sent)
    deadline = time.monotonic() + 20
    while any(map(is_alive, found)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def taken(found, results):
    """Keep the results that there are before a fault."""
    for one in results:
        found.append(one)


def is_alive(pid):
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"  # one that nobody has waited for has ended, too
