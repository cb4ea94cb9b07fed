"""What a child has measured stays, whatever becomes of it; it is begun anew at the next case."""

import os
import sys
import time
from pathlib import Path

import pytest

from gsnn_edges.bench.supervision import Child, Limits, supervised

SCRIPT = Path(__file__).with_name("odd_cases.py")


def outcomes(*names, case=30.0, seconds=60.0):
    """What is said of each case: names of rows, and why it was lost."""
    begun = []

    def command(first):
        begun.append(first)
        return [sys.executable, str(SCRIPT), str(first), ",".join(names)]

    limits = Limits(30.0, case, time.monotonic() + seconds)
    found = [
        (report["case"], report["row"]["what"] if "row" in report else report["lost"])
        for report in supervised(command, len(names), limits, dict(os.environ))
    ]
    return found, begun


ROWS = "good", "good again"


def of(case):
    return [(case, what) for what in ROWS]


def test_cases_that_come_to_their_end_take_one_child():
    assert outcomes("good", "good") == ([*of(0), *of(1)], [0])


def test_an_error_loses_one_case_and_not_its_rows():
    found, begun = outcomes("raising", "good")
    assert found == [(0, "before an error"), (0, "failed: ValueError: too bad"), *of(1)]
    assert begun == [0, 1]


def test_a_crash_loses_one_case_and_not_its_rows():
    found, begun = outcomes("good", "killing", "good")
    words = "failed: killed by SIGKILL: a last word"
    assert found == [*of(0), (1, "before a crash"), (1, words), *of(2)]
    assert begun == [0, 2]


def test_a_hang_loses_one_case_and_not_its_rows():
    found, begun = outcomes("hanging", "good", case=1.0)
    assert found == [(0, "before a hang"), (0, "stopped: not done in 1 s"), *of(1)]
    assert begun == [0, 1]


def test_the_last_case_may_fail_too():
    found, begun = outcomes("good", "raising")
    assert found[-1] == (1, "failed: ValueError: too bad")
    assert begun == [0]


def test_beyond_the_end_nothing_is_begun():
    found, begun = outcomes("hanging", "good", "good", seconds=3.0)
    assert found[-2:] == [(1, "not reached"), (2, "not reached")]
    # A slow machine may not have come to its first row.
    assert found[-3][1] in ("stopped: the time for all cases is over", "not reached")
    assert begun == [0]


def test_a_child_that_cannot_begin_is_not_asked_again():
    found, begun = outcomes("broken", "good")
    assert found == [(case, "failed: ended with 1: cannot begin") for case in (0, 1)]
    assert begun == [0]


def test_a_child_that_ends_between_two_cases_is_begun_at_the_second():
    found, begun = outcomes("good", "leaving")
    assert found == [*of(0), *of(1)]
    assert begun == [0, 1]


def test_a_child_is_ended_where_the_caller_stops_to_listen():
    children = []
    start = Child.__init__

    def remembered(self, *given):
        start(self, *given)
        children.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Child, "__init__", remembered)
        command = [sys.executable, str(SCRIPT), "0", "hanging"]
        limits = Limits(30.0, 30.0, time.monotonic() + 60)
        reports = supervised(lambda first: command, 1, limits, dict(os.environ))
        assert next(reports)["row"]["what"] == "before a hang"
        reports.close()
    assert children[0].process.poll() is not None


def test_limits_do_not_go_beyond_the_end():
    limits = Limits(1.0, 2.0, time.monotonic() + 5)
    assert limits.after(100) == limits.end
    assert limits.after(1) < limits.end
