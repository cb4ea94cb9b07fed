"""A report for each step of a case, written at once."""

import io
import json
import os
import subprocess
import sys

import pytest

from gsnn_edges.bench.report import Row
from gsnn_edges.bench.reporting import LONGEST_REASON, Case, reason_of, run_cases

ROW = Row("ours", "N=1", 2.0, rate=1e12, unit="B/s")


def gives(given):
    yield ROW


def fails(given):
    yield ROW
    raise MemoryError("too large")


def reports(channel):
    return [json.loads(line) for line in channel.getvalue().splitlines()]


def test_each_step_is_a_line_and_rows_survive_it():
    channel = io.StringIO()
    assert run_cases([Case("a", "", gives), Case("b", "", gives)], 1, None, channel)
    begin, row, done = reports(channel)
    assert (begin, done) == ({"case": 1, "begin": True}, {"case": 1, "done": True})
    assert Row(**row["row"]) == ROW


def test_a_case_that_fails_is_the_last():
    channel = io.StringIO()
    assert not run_cases([Case("a", "", fails), Case("b", "", gives)], 0, None, channel)
    assert [list(report)[1] for report in reports(channel)] == ["begin", "row", "failed"]
    assert reports(channel)[-1]["failed"] == "MemoryError: too large"


def test_an_interrupt_is_not_kept():
    def stop(given):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cases([Case("a", "", stop)], 0, None, io.StringIO())


def test_what_is_learned_reaches_the_next_case_and_all_is_cleaned_up():
    seen, cleaned = [], []

    def looks(given):
        seen.append(given)
        yield ROW

    run_cases(
        [Case("a", "", looks), Case("b", "", looks)],
        0,
        0,
        io.StringIO(),
        learn=lambda given, row: given + 1,
        clean=lambda: cleaned.append(True),
    )
    assert (seen, cleaned) == ([0, 1], [True, True])


def test_a_reason_is_a_short_line():
    assert reason_of(ValueError("a\n  b")) == "ValueError: a b"
    assert len(reason_of(ValueError("x" * 1000))) == LONGEST_REASON


def test_what_others_print_is_no_report():
    script = (
        "import os; from gsnn_edges.bench.reporting import own_channel; print('early');"
        "channel = own_channel(); print('late'); os.system('echo later');"
        "print('report', file=channel, flush=True)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert run.stdout.split() == ["early", "report"]
    assert sorted(run.stderr.split()) == ["late", "later"]
