"""How the rows of both libraries become one table; a GPU is not needed."""

import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from libraries import require

require("torch")
require("jax")

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import device_table as module  # noqa: E402
from gsnn_edges.bench.ceilings import COPY  # noqa: E402
from gsnn_edges.bench.device_table import device_table, over_torch  # noqa: E402
from gsnn_edges.bench.report import Row  # noqa: E402
from gsnn_edges.bench.reporting import Case  # noqa: E402
from gsnn_edges.bench.supervision import supervised  # noqa: E402

SCRIPT = Path(__file__).with_name("odd_cases.py")


def ours(library, milliseconds):
    return Row(f"Spearman, {library}", "N=1", milliseconds)


@pytest.fixture
def said(monkeypatch):
    """What children say, in place of children: reports of each library."""
    asked, reports = [], {}

    def give(command, cases, limits, environment):
        order = command(0)[-1]
        asked.append((order, environment, limits.end - time.monotonic()))
        library = "torch" if '"library": "torch"' in order else "jax"
        yield from reports.get(library, [])

    monkeypatch.setattr(module, "supervised", give)
    return SimpleNamespace(asked=asked, reports=reports)


def report(row, case=0):
    return {"case": case, "row": vars(row)}


def test_jax_stands_over_torch_and_lost_cases_say_why(said):
    said.reports["torch"] = [report(ours("torch", 1.0))]
    said.reports["jax"] = [report(ours("jax", 2.0)), {"case": 1, "lost": "not reached"}]
    seen = []
    rows = device_table("cpu", 1.0, verbose=False, each=lambda rows: seen.append(len(rows)))
    first, second, over, lost = rows
    assert (first, second) == (ours("torch", 1.0), ours("jax", 2.0))
    assert (over.what, over.ratio, over.reference, over.at_most) == (
        "Spearman, jax, over torch",
        2.0,
        "Spearman, torch",
        1.5,
    )
    assert (lost.what, lost.size, lost.note) == (
        "spearman, jax",
        "10000 x 300000",
        "not reached",
    )
    assert seen == [1, 2, 3, 4]


def test_ceilings_of_torch_are_handed_to_jax(said):
    said.reports["torch"] = [report(Row(COPY, "", 1.0, rate=7.0))]
    device_table("cpu", 1.0, verbose=False)
    assert '"copy": 7.0' in said.asked[1][0]
    assert {environment["XLA_PYTHON_CLIENT_PREALLOCATE"] for _, environment, _ in said.asked} == {
        "false"
    }


def test_torch_leaves_time_for_jax(said):
    device_table("cpu", 1.0, verbose=False)
    ends = [end for _, _, end in said.asked]
    assert ends == pytest.approx([0.6 * module.SECONDS, module.SECONDS], abs=1)


def test_rows_are_shown_as_they_come(said, capsys):
    said.reports["torch"] = [report(ours("torch", 1.0)), {"case": 1, "lost": "failed: hard"}]
    device_table("cpu", 1.0, verbose=True)
    assert capsys.readouterr().err.splitlines()[0].startswith("Spearman, torch | N=1 | 1.0")
    device_table("cpu", 1.0, verbose=False)
    assert capsys.readouterr().err == ""


def test_without_jax_a_row_says_so(said, monkeypatch):
    without = SimpleNamespace(load=backends.load, available=lambda: ("torch",))
    monkeypatch.setattr(module, "backends", without)
    rows = device_table("cpu", 1.0, verbose=False)
    assert [(row.what, row.note) for row in rows] == [("all rows, jax", "not installed")]


def test_a_table_outlives_what_goes_wrong_in_its_children(monkeypatch):
    names = "raising", "killing", "hanging", "good"
    cases = [Case(name, "", None) for name in names]
    monkeypatch.setattr(module, "device_cases", lambda library, scale: cases)
    monkeypatch.setattr(module, "CASE_SECONDS", 1.0)

    def odd(command, *given):
        def other(first):
            command(first)
            return [sys.executable, str(SCRIPT), str(first), ",".join(names)]

        return supervised(other, *given)

    monkeypatch.setattr(module, "supervised", odd)
    monkeypatch.setattr(module, "LIBRARIES", ("torch", "none"))
    rows = device_table("cpu", 1.0, verbose=False)
    assert [(row.what, row.note) for row in rows] == [
        ("before an error", ""),
        ("raising", "failed: ValueError: too bad"),
        ("before a crash", ""),
        ("killing", "failed: killed by SIGKILL: a last word"),
        ("before a hang", ""),
        ("hanging", "stopped: not done in 1 s"),
        ("good", ""),
        ("good again", ""),
        ("all rows, none", "not installed"),
    ]


@pytest.mark.parametrize(
    ("row", "others"),
    [
        (ours("torch", 1.0), [ours("torch", 1.0)]),
        (ours("jax", 1.0), []),
        (Row("Spearman, jax", "N=2", 1.0), [ours("torch", 1.0)]),
        (Row("Spearman, jax", "N=1", note="failed"), [ours("torch", 1.0)]),
        (ours("jax", 1.0), [Row("Spearman, torch", "N=1", note="failed")]),
        (Row("bare product, jax", "", 1.0), [Row("bare product, torch", "", 1.0)]),
    ],
)
def test_only_what_both_measured_and_is_ours_is_compared(row, others):
    assert over_torch(row, others) is None


@pytest.mark.gpu
def test_the_table_of_a_small_card():
    rows = partial(device_table, "cuda", 0.01)(verbose=False)
    assert [row.what for row in rows if row.note] == []
