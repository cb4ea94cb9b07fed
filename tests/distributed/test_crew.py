"""Signs of life, and their absence."""

import errno

import pytest

from gsnn_edges.scale import crew
from gsnn_edges.scale.crew import Crew, Loss


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock by one that a test moves."""
    now = [100.0]
    monkeypatch.setattr(crew.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(crew.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


@pytest.fixture
def pair(tmp_path, clock):
    """Two processes of two, which watch each other."""
    both = [Crew(tmp_path, process, 2, timeout=5) for process in range(2)]
    for one in both:
        one.beat()
    for one in both:
        one.watch()
    return both


def test_a_beat_a_second_is_enough(pair, clock):
    for _ in range(20):
        clock[0] += 1
        pair[1].beat()
        assert pair[0].lost() is None
    assert pair[1].beats == 21


def test_silence_is_a_loss(pair, clock):
    assert pair[0].lost() is None
    clock[0] += 5
    assert pair[0].lost() is None
    clock[0] += 0.1
    assert pair[0].lost() == Loss(1, "no sign of life for 5 s")


def test_a_process_that_never_said_a_word_is_a_loss(tmp_path, clock):
    alone = Crew(tmp_path, 0, 2, timeout=5)
    alone.watch()
    clock[0] += 6
    assert alone.lost() == Loss(1, "no sign of life for 5 s")


def test_silence_of_the_finished_is_none(pair, clock):
    pair[1].say("done")
    assert pair[0].lost() is None
    clock[0] += 60
    assert pair[0].lost() is None
    assert pair[0].all_done()
    assert not pair[1].all_done()


def test_a_loss_is_passed_on(pair):
    pair[1].say("failed", Loss(2, "no sign of life for 5 s"))
    assert pair[0].lost() == Loss(2, "no sign of life for 5 s")


def test_words_of_an_earlier_run_count_for_nothing_before_watching(tmp_path, clock):
    Crew(tmp_path, 1, 2, timeout=5).say("failed", Loss(1, "long ago"))
    assert Crew(tmp_path, 0, 2, timeout=5).lost() is None


def test_what_was_said_before_one_arrived_is_old(tmp_path, clock):
    Crew(tmp_path, 1, 2, timeout=5).say("failed", Loss(1, "long ago"))
    here, there = Crew(tmp_path, 0, 2, timeout=5), Crew(tmp_path, 1, 2, timeout=5)
    here.arrive()
    assert here.failed() is None
    assert here.absent() == [1]
    there.arrive()
    assert here.absent() == []
    there.say("failed", Loss(1, "just now"))
    assert here.failed() == Loss(1, "just now")


def test_what_a_network_disk_gives_for_a_while_is_no_sign(pair, clock, monkeypatch):
    clock[0] += 1
    pair[1].beat()
    assert pair[0].lost() is None
    pair[1].path(1).write_text("")
    assert pair[0].read(1) is None
    assert pair[0].lost() is None

    def stale(*_):
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(crew.Path, "read_text", stale)
        assert pair[0].lost() is None
    with monkeypatch.context() as patch:
        patch.setattr(crew.os, "replace", stale)
        clock[0] += 2
        pair[1].beat()
    clock[0] += 2
    pair[1].beat()
    assert pair[0].lost() is None


def test_waiting_finds_who_is_silent(pair):
    assert pair[0].wait_for_loss() == Loss(1, "no sign of life for 5 s")


def test_waiting_ends_where_all_are_alive(pair, clock, monkeypatch):
    def sleep(seconds):
        clock[0] += seconds
        pair[1].beat()

    monkeypatch.setattr(crew.time, "sleep", sleep)
    assert pair[0].wait_for_loss() is None
    assert clock[0] == pytest.approx(107, abs=0.5)
