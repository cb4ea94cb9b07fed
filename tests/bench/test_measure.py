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


def test_a_warm_up_counts_only_where_there_is_nothing_else(clock):
    times = iter([9, 2, 3])
    found = interleaved({"a": Contestant(lambda: clock.wait(next(times)))}, budget=4, least=2)
    assert found["a"].seconds == (2, 3)


def test_short_calls_fill_a_round(clock):
    log = []

    def call(name, seconds):
        return Contestant(lambda: log.append(name) or clock.wait(seconds))

    calls = {"short": call("short", 0.25), "long": call("long", 3)}
    found = interleaved(calls, repeats=1, short=1.0)
    assert log == ["short", "long", *4 * ["short"], "long"]
    assert {name: taken.seconds for name, taken in found.items()} == {
        "short": (0.25,),
        "long": (3,),
    }


def test_a_call_that_is_prepared_for_is_made_once_in_a_round():
    prepared = Contestant(lambda: None, before=lambda: None)
    assert (prepared.calls_in(1.0, 0.01), Contestant(lambda: None).calls_in(1.0, 0.01)) == (1, 100)
    assert Contestant(lambda: None).calls_in(9.0, 1e-6) == measure.MOST_CALLS


def test_no_call_meets_the_result_of_the_one_before():
    class Result:
        there = 0

        def __init__(self):
            Result.there += 1

        def __del__(self):
            Result.there -= 1

    counts = []
    measure.repeated(lambda: counts.append(Result.there) or Result(), 3)
    assert counts == [0, 0, 0]


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


class Pool:
    """JAX's account of a device, of one peak for the whole process."""

    def __init__(self):
        self.held, self.highest = 0, 0

    def memory_stats(self):
        return {"bytes_in_use": self.held, "peak_bytes_in_use": self.highest}

    def use(self, held, highest):
        self.held, self.highest = held, max(highest, self.highest)


def test_jax_tells_a_peak_that_is_a_new_one():
    pool, steps = Pool(), iter([(MEGABYTE, 3), (MEGABYTE, 3)])

    def call():
        held, highest = next(steps)
        pool.use(held, highest * MEGABYTE)

    pool.use(MEGABYTE, MEGABYTE)
    watched = Contestant(call, memory=measure.JaxMemory(pool))
    found = interleaved({"a": watched}, repeats=1)
    # The warm-up went beyond all before it, the round after it did not.
    assert_allclose(found["a"].peak_mb, 2)


def test_a_jax_device_that_does_not_tell_has_no_peak():
    class Silent:
        def memory_stats(self):
            return None

    watched = Contestant(lambda: None, memory=measure.JaxMemory(Silent()))
    assert watched.timed().peak_mb is None


@pytest.mark.gpu
def test_events_time_a_stream():
    import torch

    x = torch.randn(4000, 4000, device="cuda")
    clocks = [clock.seconds(lambda: x @ x, 50) for clock in (measure.Clock(), measure.CudaClock())]
    assert_allclose(clocks[1], clocks[0], rtol=0.5)


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
