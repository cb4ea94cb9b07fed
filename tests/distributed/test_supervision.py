"""What the caller's process makes of all that a worker may do; the workers here only pretend."""

import sys
import threading

import pytest

from gsnn_edges.scale import crew, supervision
from gsnn_edges.scale.crew import Crew, Loss
from gsnn_edges.scale.job import Job
from gsnn_edges.scale.multihost_journal import Output
from gsnn_edges.scale.supervision import Watch

START = """
import json, os, signal, sys, time
def say(kind, **facts): print(json.dumps({"kind": kind, **facts}), flush=True)
job = json.loads(sys.stdin.readline())
say("joined", process=0, count=COUNT)
assert sys.stdin.readline() == "go\\n"
say("started")
"""
ROUNDS = 'for done in range(4): say("progress", done=done, total=3)\n'
LOST = 'say("error", type="ValueError", text="UNKNOWN: Gloo failed", lost=True); os._exit(1)'
WAIT = "time.sleep(600)"


@pytest.fixture
def watch(tmp_path, monkeypatch):
    """Watch a worker that follows a script, in a crew of so many."""
    monkeypatch.setattr(crew, "BEAT", 0.05)
    monkeypatch.setattr(supervision, "BEAT", 0.05)
    facts = dict.fromkeys(Job.__annotations__) | {"store": "s", "out": "o", "start_timeout": 9}

    def make(script, count=1, timeout=1.0, start=START):
        whole = start.replace("COUNT", str(count)) + script
        monkeypatch.setattr(supervision, "COMMAND", (sys.executable, "-c", whole))
        job = Job(**facts | {"processes": count, "process": 0, "coordinator": "here:1"})
        return Watch(job, Output(tmp_path / "W.zarr", {}, 4), timeout)

    return make


def test_progress_until_the_end(watch, tmp_path):
    watching = watch(ROUNDS + 'say("done")')
    assert list(watching.progress()) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert list(tmp_path.iterdir()) == []


def test_what_a_library_prints_is_no_message(watch):
    assert list(watch('print("hello", 3, sep="\\n")\n' + ROUNDS + 'say("done")').progress())[
        -1
    ] == (3, 3)


@pytest.mark.parametrize(
    ("script", "error", "phrase"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", RuntimeError, "killed by signal 9"),
        ("os.abort()", RuntimeError, "ended with status -6; what it said is in .*worker-"),
        ('say("error", type="TypeError", text="bad", lost=False)', TypeError, "^bad$"),
        ('say("error", type="KeyError", text="odd", lost=False)', RuntimeError, "odd"),
        (
            'say("error", type="OSError", text="No space left on device", lost=False)',
            OSError,
            "No space left on device; no block is finished yet; run the same command again",
        ),
        (
            'say("error", type="X", text="RESOURCE_EXHAUSTED: 9 bytes\\nmore", lost=True)',
            MemoryError,
            "9 bytes: give a smaller row_chunk, or more devices",
        ),
        (LOST, RuntimeError, "JAX's runtime gave up: UNKNOWN: Gloo failed"),
    ],
)
def test_ends_of_a_worker(watch, script, error, phrase):
    with pytest.raises(error, match=phrase):
        list(watch(script).progress())


@pytest.mark.parametrize("script", [WAIT, LOST, "os.abort()"])
def test_a_silent_process_is_named(watch, script):
    with pytest.raises(
        RuntimeError, match=r"process 1 of 2 is gone: no sign of life for 1 s; no block .* again"
    ):
        list(watch(script, count=2).progress())


def test_others_learn_of_a_failure_here(watch, tmp_path):
    with pytest.raises(RuntimeError, match="signal 9"):
        list(watch("os.kill(os.getpid(), signal.SIGKILL)", count=2, timeout=60).progress())
    other = Crew(tmp_path / "W.zarr.journal", 1, 2, timeout=60)
    other.watch()
    loss = other.lost()
    assert loss.process == 0
    assert "signal 9" in loss.why


def test_a_loss_that_another_has_seen_is_told_as_it_is(watch, tmp_path):
    progress = watch(ROUNDS + WAIT, count=3, timeout=60).progress()
    next(progress)
    Crew(tmp_path / "W.zarr.journal", 1, 3, 60).say("failed", Loss(2, "no sign of life for 60 s"))
    with pytest.raises(RuntimeError, match="process 2 of 3 is gone: no sign of life for 60 s"):
        list(progress)


# A worker that has not joined.
NOT_YET = START.partition('say("joined"')[0]


def test_a_failure_elsewhere_ends_the_waiting_for_all_to_join(watch, tmp_path):
    folder = tmp_path / "W.zarr.journal"
    folder.mkdir()
    other = Crew(folder, 1, 2, 60)
    other.say("failed", Loss(1, "of an earlier run"))
    watching = watch(WAIT, count=2, start=NOT_YET)
    failing = threading.Timer(1.0, lambda: other.say("failed", Loss(1, "no such store")))
    failing.start()
    with pytest.raises(RuntimeError, match="process 1 of 2 is gone: no such store"):
        list(watching.progress())


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("os.abort()", "it aborted"),
        ('say("error", type="X", text="UNAVAILABLE", lost=True); os._exit(1)', "UNAVAILABLE"),
    ],
)
def test_processes_that_do_not_find_each_other_are_told_where(watch, script, says):
    with pytest.raises(
        RuntimeError,
        match=r"process 0 did not reach all others by way of here:1 within 9 s, and no sign came "
        rf"from process 1: start all of them, .* JAX says: {says}; the rest is in .*worker-",
    ):
        list(watch(script, count=2, start=NOT_YET).progress())


def test_an_interrupted_caller_leaves_no_worker(watch):
    watching = watch('say("progress", done=0, total=1); ' + WAIT)
    progress = watching.progress()
    next(progress)
    with pytest.raises(KeyboardInterrupt):
        progress.throw(KeyboardInterrupt)
    assert watching.crew.read(0)["lost"] == [0, "KeyboardInterrupt"]
