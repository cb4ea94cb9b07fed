"""The cases of each library, and the process that runs them."""

import io
import json
import subprocess
import sys
import weakref

import pytest
from libraries import require

require("torch")
require("jax")

from gsnn_edges.bench import device_child as module  # noqa: E402
from gsnn_edges.bench.ceilings import COPY, PRODUCTS  # noqa: E402
from gsnn_edges.bench.device_bench import Bench  # noqa: E402
from gsnn_edges.bench.device_child import device_cases, with_card  # noqa: E402
from gsnn_edges.bench.group import Settings  # noqa: E402
from gsnn_edges.bench.paper import H200  # noqa: E402
from gsnn_edges.bench.report import Row  # noqa: E402


def order(library, first=0, **others):
    given = {"library": library, "device": "cpu", "scale": 1e-6, "card": vars(H200)}
    return json.dumps({**given, "first": first, **others})


def child(*given, **others):
    command = [sys.executable, "-m", module.__name__, order(*given, **others)]
    return subprocess.run(command, capture_output=True, text=True)


def test_sizes_are_scaled_and_not_below_20():
    assert [c.size for c in device_cases("torch", 0.01) if c.name == "spearman, torch"] == [
        "100 x 3000",
        "100 x 1000",
        "50 x 500",
        "100 x 100",
    ]
    small = [c.size for c in device_cases("jax", 1e-9) if c.name.startswith("spearman")]
    assert small == ["20 x 20"] * 4


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_every_row_of_the_goals_has_its_size(library):
    named = {(case.name, case.size) for case in device_cases(library)}
    wanted = [
        ("spearman", "10000 x 300000"),
        ("spearman", "10000 x 100000"),
        ("spearman", "5000 x 50000"),
        ("spearman", "10000 x 10000"),
        ("from host", "10000 x 300000"),
        ("pearson", "10000 x 100000"),
        ("ranking", "10000 x 200000"),
        ("fit", "5000 x 1000"),
        ("channel score", "5000 x 2000"),
        ("sorts", "27 rows of 300000"),
        ("sorts", "838 rows of 10000"),
    ]
    assert {(f"{name}, {library}", size) for name, size in wanted} - named == set()
    alone = {"naive, torch", "gather, torch", "pinned, torch", "copies, torch"}
    assert (alone <= {name for name, _ in named}) == (library == "torch")


def test_ceilings_come_first():
    names = [case.name for case in device_cases("torch")]
    assert names[:4] == ["copies, torch", *(f"{name}, torch" for name in PRODUCTS.values())]


# JAX compiles for most of a minute; its cases run one by one in the tests beside this.
@pytest.mark.parametrize("library", ["torch", pytest.param("jax", marks=pytest.mark.slow)])
def test_every_case_runs_on_a_cpu(library, monkeypatch):
    channel = io.StringIO()
    monkeypatch.setattr(module, "own_channel", lambda: channel)
    monkeypatch.setattr(module, "REPEATS", 0)
    assert module.main(order(library)) == 0
    reports = [json.loads(line) for line in channel.getvalue().splitlines()]
    cases = device_cases(library, 1e-6)
    assert [r["case"] for r in reports if "done" in r] == list(range(len(cases)))
    rows = [Row(**report["row"]) for report in reports if "row" in report]
    assert [row.what for row in rows if row.milliseconds is None or row.rate is None] == []
    assert {row.unit for row in rows} == {"B/s", "flop/s"}


def test_a_child_begins_where_it_is_asked_to():
    last = len(device_cases("torch")) - 1
    run = child("torch", last)
    assert {json.loads(line)["case"] for line in run.stdout.splitlines()} == {last}


def test_a_device_that_is_not_there_is_an_error():
    run = child("jax", device="nowhere")
    assert run.returncode != 0
    assert "device='nowhere': JAX finds" in run.stderr


def test_a_bench_learns_the_card():
    bench = Bench(None, H200, Settings("cpu"))
    assert with_card(bench, Row(COPY, "", 1.0, rate=7.0)).card.copy == 7.0


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_memory_is_let_go(library):
    """Things that hold each other, as an error and its frames do."""
    thing = Row(COPY, "", 1.0)
    around, held = [thing], weakref.ref(thing)
    around.append(around)
    del thing, around
    module.let_go(library)
    assert held() is None
