"""Every group on sizes that take no time; nothing here looks at the times."""

import pytest

from gsnn_edges import backends
from gsnn_edges.bench import cases
from gsnn_edges.bench.group import MISSING, Settings
from gsnn_edges.bench.measure import Measurement

SETTINGS = Settings(repeats=1)


@pytest.fixture
def numpy_alone(monkeypatch):
    monkeypatch.setattr(cases, "installed", lambda device: {"numpy": backends.load("numpy")})
    monkeypatch.setattr(cases, "find_spec", lambda package: None)


def labels(rows):
    return [row.what for row in rows]


def test_correlation_has_limits_ours_and_the_naive_pattern():
    rows = cases.correlation(6, 50, SETTINGS)
    assert rows[0].what.startswith("bare product, ")
    assert labels(rows)[1:] == [
        "key sort",
        "Spearman, numpy",
        "Spearman, torch",
        "Spearman, jax",
        "naive torch pattern",
        "Pearson, numpy",
        "Pearson, torch",
        "Pearson, jax",
    ]
    assert {row.size for row in rows} == {"N=6, M=50"}
    assert [row.reference for row in rows[2:7:4]] == ["bare product + key sort", "bare product"]


def test_goals_are_those_of_the_size(monkeypatch):
    monkeypatch.setitem(cases.SPEARMAN_AT_MOST, (6, 50), 1.5)
    monkeypatch.setitem(cases.PEARSON_AT_MOST, (6, 50), 1.6)
    monkeypatch.setitem(cases.NAIVE_AT_LEAST, (6, 50), 1.7)
    rows = cases.correlation(6, 50, SETTINGS)
    goals = [row.at_most or row.at_least for row in rows]
    assert sorted(goal for goal in goals if goal) == [1.5, 1.6, 1.7]


@pytest.mark.usefixtures("numpy_alone")
def test_missing_libraries_leave_their_rows():
    rows = [
        *cases.correlation(6, 50, SETTINGS),
        *cases.peer("scipy", 6, 50, SETTINGS),
        *cases.ranking(9, 20, SETTINGS),
    ]
    assert [row.what for row in rows if row.note == MISSING] == [
        "Spearman, torch",
        "Spearman, jax",
        "naive torch pattern",
        "Pearson, torch",
        "Pearson, jax",
        "SciPy spearmanr",
        "mrr, torch",
        "mrr, jax",
        "per-query gather, torch",
    ]


@pytest.mark.parametrize("package", cases.PEERS)
def test_peer_is_divided_by_ours(package):
    pytest.importorskip(package)
    (row,) = cases.peer(package, 5, 40, SETTINGS)
    assert row.reference == "Spearman, numpy"
    assert row.ratio > 0


def test_ranking_has_ours_and_the_gather():
    rows = cases.ranking(9, 20, SETTINGS)
    assert labels(rows) == ["mrr, numpy", "mrr, torch", "mrr, jax", "per-query gather, torch"]
    assert rows[-1].reference == "mrr, torch"


def test_growth_has_a_row_for_each_direction():
    rows = cases.growth((4, 8), (20, 40, 80), SETTINGS)
    assert labels(rows) == [
        "Spearman, torch, N doubled: worst of 3",
        "Spearman, torch, M doubled: worst of 4",
    ]
    assert [row.at_most for row in rows] == [4.1, 2.2]


@pytest.mark.usefixtures("numpy_alone")
def test_growth_without_torch_is_that_of_numpy():
    assert cases.growth((4, 8), (20, 40), SETTINGS)[0].what.startswith("Spearman, numpy")


def test_worst_step_is_the_one_that_grows_most():
    one, two, nine = (Measurement((float(seconds),)) for seconds in (1, 2, 9))
    steps = [(one, two, (1, 5), (2, 5)), (two, nine, (2, 5), (4, 5))]
    row = cases.worst_step("N doubled", steps, at_most=4.1)
    assert (row.ratio, row.milliseconds, row.met) == (4.5, 9000.0, False)
    assert (row.size, row.reference) == ("N=4, M=5", "N=2, M=5")
