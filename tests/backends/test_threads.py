"""Work over threads."""

import os
import threading

import pytest

from gsnn_edges.backends import threads
from gsnn_edges.backends.threads import allowed_threads, fair_share, spread


@pytest.mark.parametrize("limit", ["1", "2", "64"])
def test_every_task_runs_once(limit, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    done, lock = [], threading.Lock()

    def work(task):
        with lock:
            done.append(task)

    spread(work, range(0, 50, 7))
    assert sorted(done) == list(range(0, 50, 7))


@pytest.mark.parametrize("limit", ["1", "2"])
def test_an_error_in_a_task_comes_back(limit, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)

    def work(task):
        if task == 3:
            raise ValueError("task 3")

    with pytest.raises(ValueError, match="task 3"):
        spread(work, range(6))


@pytest.mark.parametrize(
    ("limit", "expected"), [("1", 1), ("10000", None), ("0", None), ("", None), ("x", None)]
)
def test_the_variable_may_ask_for_fewer_threads(limit, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    everything = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    assert allowed_threads() == (expected or everything)


@pytest.mark.parametrize(
    ("count", "limit", "expected"), [(1000, 144, 125), (1000, 1000, 500), (3, 10, 2), (0, 5, 1)]
)
def test_two_threads_get_equal_shares(count, limit, expected, monkeypatch):
    monkeypatch.setattr(threads, "allowed_threads", lambda: 2)
    assert fair_share(count, limit) == expected
