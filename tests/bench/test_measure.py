"""Rounds, budgets and memory; no test looks at how long something took."""

import gc
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gsnn_edges.bench import measure
from gsnn_edges.bench.measure import Contestant, Measurement, interleaved, wait_for

MEGABYTE = 10**6


def logged(log, name):
    return Contestant(lambda: log.append(name))


def test_contestants_take_turns_after_a_warm_up():
    log = []
    found = interleaved({name: logged(log, name) for name in "ab"}, repeats=2)
    assert log == ["a", "b"] * 3
    assert [len(taken.seconds) for taken in found.values()] == [2, 2]


def test_preparation_comes_before_each_call():
    log = []
    prepared = Contestant(lambda: log.append("call"), before=lambda: log.append("before"))
    interleaved({"a": prepared}, repeats=1)
    assert log == ["before", "call"] * 2


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(measure.time, "perf_counter", clock)
    return clock


def test_a_long_call_is_made_once(clock):
    calls = {"short": Contestant(lambda: clock.wait(1)), "long": Contestant(lambda: clock.wait(6))}
    found = interleaved(calls, repeats=3, budget=10)
    assert {name: taken.seconds for name, taken in found.items()} == {
        "short": (1, 1, 1),
        "long": (6,),
    }


def test_no_round_begins_beyond_the_budget(clock):
    found = interleaved({"a": Contestant(lambda: clock.wait(4))}, repeats=9, budget=10)
    assert found["a"].seconds == (4, 4, 4)


def test_median_and_least():
    taken = Measurement((0.3, 0.1, 0.2), 3 * MEGABYTE)
    assert_allclose([taken.median, taken.least], [0.2, 0.1])
    assert_allclose([taken.milliseconds, taken.peak_mb], [200, 3])


def test_garbage_collection_comes_back():
    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        interleaved({"a": Contestant(fail)})
    assert gc.isenabled()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells the peak of a process")
def test_peak_is_what_a_call_held_at_its_highest():
    def hold():
        first = np.ones(8 * MEGABYTE)
        del first
        return np.ones(MEGABYTE)

    found = interleaved({"a": Contestant(hold)}, repeats=3)
    assert_allclose(found["a"].peak_mb, 64, rtol=0.2)


def test_peak_is_none_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(measure, "_PROCESS", tmp_path / "absent")
    found = interleaved({"a": Contestant(lambda: None)}, repeats=1)
    assert found["a"].peak_mb is None


def test_peak_is_that_of_the_memory_that_is_watched():
    class Account(measure.Resident):
        def reset(self):
            return 5 * MEGABYTE

        def peak(self):
            return 8 * MEGABYTE

    taken = Contestant(lambda: None, memory=Account()).timed()
    assert_allclose(taken.peak_mb, 3)


@pytest.mark.gpu
def test_peak_of_a_cuda_device():
    import torch

    call = Contestant(lambda: torch.ones(MEGABYTE, device="cuda"), memory=measure.CudaMemory())
    assert_allclose(call.timed().peak_mb, 4, rtol=0.01)


def test_results_are_waited_for():
    class Pending:
        ready = False

        def block_until_ready(self):
            self.ready = True

    parts = Pending(), (Pending(),)
    wait_for(parts)
    assert parts[0].ready
    assert parts[1][0].ready
