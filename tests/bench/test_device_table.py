"""How the rows of both libraries become one table; a GPU is not needed."""

import json
import subprocess
from functools import partial
from types import SimpleNamespace

import pytest
from libraries import require

require("torch")
require("jax")

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.bench import device_table as table  # noqa: E402
from gsnn_edges.bench.device_cases import Bench, ranking  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402
from gsnn_edges.bench.report import Row  # noqa: E402

FAST = Settings("cpu", repeats=1, budget=0.5)


def own(bench):
    return [Row(f"Spearman, {bench.framework}", "N=1", 2.0 if bench.framework == "jax" else 1.0)]


def fails(bench):
    raise MemoryError("too large\nby far")


@pytest.fixture
def few_cases(monkeypatch):
    cases = [own, partial(table.scaled, fails, ())]
    monkeypatch.setattr(table, "device_cases", lambda scale: cases)
    monkeypatch.setattr(table, "REPEATS", 1)
    monkeypatch.setattr(table, "BUDGET", 0.5)


def here(command, **options):
    """Run what another Python would, in this one."""
    assert options["env"]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    table.measure_jax(command[-1])


def test_sizes_are_scaled_and_not_below_20():
    seen = []
    case = table.device_cases(0.01)[0]
    sizes = case.args[1]
    assert sizes == (100, 3000)
    table.scaled(lambda bench, *given: seen.append(given), sizes, None)
    assert seen == [(100, 3000)]
    assert table.device_cases(1e-9)[0].args[1] == (20, 20)


def test_every_row_of_the_goals_has_its_size():
    sizes = [case.args[1] for case in table.device_cases(1.0) if hasattr(case, "args")]
    assert (10_000, 300_000) in sizes
    assert {(10_000, 100_000), (5000, 50_000), (10_000, 10_000)} <= set(sizes)
    assert {(10_000, 200_000), (5000, 1000)} <= set(sizes)


def test_a_case_that_does_not_fit_leaves_the_rest(few_cases):
    bench = Bench(backends.load("torch"), H200, FAST)
    first, second = table.measured(bench, 1.0, verbose=False)
    assert (first.what, first.milliseconds) == ("Spearman, torch", 1.0)
    assert (second.what, second.note) == ("fails, torch", "failed: too large")


def test_jax_runs_in_a_python_of_its_own_and_stands_over_torch(few_cases, monkeypatch):
    monkeypatch.setattr(subprocess, "run", here)
    rows = table.device_table("cpu", 1e-5, verbose=False)
    names = [row.what for row in rows]
    assert names[-5:] == [
        "Spearman, torch",
        "fails, torch",
        "Spearman, jax",
        "fails, jax",
        "Spearman, jax, over torch",
    ]
    last = rows[-1]
    assert (last.ratio, last.reference, last.at_most) == (2.0, "Spearman, torch", 1.5)


def test_another_python_runs_the_module():
    order = {"device": "nowhere", "scale": 1.0, "card": vars(H200), "file": ""}
    run = subprocess.run(
        [table.sys.executable, "-m", "gsnn_edges.bench.device_table", json.dumps(order)],
        capture_output=True,
        text=True,
    )
    assert "device='nowhere': JAX finds" in run.stderr


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (subprocess.TimeoutExpired("python", 1), f"not done in {table.JAX_SECONDS} s"),
        (subprocess.CalledProcessError(1, "python", stderr="Trace\nBad: news\n"), "failed: Bad: n"),
    ],
)
def test_a_python_that_fails_is_a_row(error, note, monkeypatch):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    (row,) = table.jax_rows("cpu", 1.0, H200)
    assert row.note.startswith(note)


def test_without_jax_a_row_says_so(few_cases, monkeypatch):
    without = SimpleNamespace(load=backends.load, available=lambda: ("torch",))
    monkeypatch.setattr(table, "backends", without)
    rows = table.device_table("cpu", 1e-5, verbose=False)
    assert (rows[-1].what, rows[-1].note) == ("all rows, jax", "not installed")


def test_a_row_survives_the_way_through_json():
    rows = ranking(Bench(backends.load("jax"), H200, FAST), 20, 50)
    assert [Row(**row) for row in json.loads(json.dumps([vars(row) for row in rows]))] == rows


@pytest.mark.gpu
def test_the_table_of_a_small_card():
    rows = table.device_table("cuda", 0.01, verbose=False)
    assert [row.what for row in rows if row.note] == []
