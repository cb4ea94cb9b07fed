"""How benchmarks are sized, timed and shown: `make bench` runs them all."""

import statistics
import time
from importlib.metadata import version

import pandas as pd
import pytest
from benchmarks.measuring import clocked

ROUNDS, BUDGET = 5, 15.0  # a call that takes long is made once in these seconds
# Threads of a matrix library spin for a tenth of a second after a product, and would take a
# processor from the next call.
SETTLE_SECONDS = 0.2
ROWS: list[dict] = []


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="a small size of each, one round")


def pytest_generate_tests(metafunc):
    mark = metafunc.definition.get_closest_marker("sizes")
    if mark is not None:
        quick = {letter: max(4, number // 20) for letter, number in mark.args[0].items()}
        sizes = [quick] if metafunc.config.getoption("quick") else mark.args
        metafunc.parametrize("size", sizes, ids=text_of)


def text_of(size: dict[str, int]) -> str:
    return ", ".join(f"{letter}={number}" for letter, number in size.items())


@pytest.fixture(params=["numpy", "torch", "jax"])
def library(request):
    return pytest.importorskip(request.param).__name__


@pytest.fixture
def record(size):
    """Add a row to the table."""

    def record(what: str, seconds: float, cpu: float, **more) -> dict:
        row = {"what": what, "size": text_of(size), "milliseconds": 1e3 * seconds}
        ROWS.append({**row, "cpu_ms": 1e3 * cpu, "ratio": None, "over": "", **more})
        return ROWS[-1]

    return record


@pytest.fixture
def timed(benchmark, record, pytestconfig):
    """Time a call by turns with the one that it is compared with, after a warm-up of both.

    The row holds medians, and the median of the ratios of each round.
    """

    quick = pytestconfig.getoption("quick")

    def timed(what, call, over="", other=lambda: None, times=1):
        first = clocked(call)[0] + clocked(other)[0]
        taken, others = [], []

        def setup():
            others.append(clocked(other)[0])
            time.sleep(0 if quick else SETTLE_SECONDS)

        rounds = 1 if quick else min(ROUNDS, max(1, int(BUDGET / first)))
        benchmark.pedantic(lambda: taken.append(clocked(call)), setup=setup, rounds=rounds)
        seconds, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        ratios = [own / (times * rest) for (own, _), rest in zip(taken, others, strict=True)]
        ratio = statistics.median(ratios) if over else None
        benchmark.extra_info = record(what, seconds, cpu, ratio=ratio, over=over)
        return benchmark.extra_info

    return timed


def pytest_benchmark_update_machine_info(machine_info):
    del machine_info["node"]
    machine_info["cpu"] = {"brand_raw": machine_info["cpu"].get("brand_raw")}
    machine_info["versions"] = {name: version(name) for name in ("numpy", "scipy", "torch", "jax")}


def pytest_benchmark_update_json(output_json):
    output_json["rows"] = ROWS


def pytest_terminal_summary(terminalreporter):
    table = pd.DataFrame(ROWS).to_string(index=False, float_format="{:,.4g}".format, na_rep="")
    terminalreporter.write_line(table)
