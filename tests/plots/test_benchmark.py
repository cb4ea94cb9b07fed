"""Times against sizes: rows as objects, as mappings, as the file of a benchmark."""

import json
from types import SimpleNamespace

import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.plots import benchmark, scaling


def row(what, size, milliseconds=None):
    return SimpleNamespace(what=what, size=size, milliseconds=milliseconds)


ROWS = [
    row("product", "N=1000, M=10000", milliseconds=100.0),
    row("Spearman", "N=4000, M=10000", milliseconds=8000.0),
    row("Spearman", "N=1000, M=10000", milliseconds=500.0),
    row("Spearman", "N=1000, M=20000", milliseconds=900.0),
    row("product", "N=4000, M=10000", milliseconds=1600.0),
    row("SciPy", "N=1000, M=10000", milliseconds=3000.0),
    row("JAX", "N=1000, M=10000"),
    row("mrr", "N=5000, E=50000", milliseconds=390.0),
]


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.lines}


@pytest.fixture(params=["rows", "mappings", "report", "file", "path"])
def rows(request, tmp_path):
    """The same rows as they may come."""
    mappings = [vars(each) for each in ROWS]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"machine": "any", "rows": mappings}))
    return {
        "rows": ROWS,
        "mappings": mappings,
        "report": {"rows": mappings},
        "file": str(path),
        "path": path,
    }[request.param]


def test_lines_are_the_rows(rows):
    ax = scaling(rows)
    found = lines(ax)
    assert_allclose(found["Spearman"], [[1000, 500], [4000, 8000]])
    assert_allclose(found["product"], [[1000, 100], [4000, 1600]])
    assert_allclose(found["as N²"], [[1000, 100], [4000, 1600]])
    assert len(found) == 3, "SciPy has one size, JAX no time"
    assert ax.get_xlabel() == "N (M = 10,000)"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1,000", "4,000"]


def test_another_size():
    found = lines(scaling(ROWS, against="M"))
    assert_allclose(found["Spearman"], [[10_000, 500], [20_000, 900]])
    assert_allclose(found["as M"], [[10_000, 500], [20_000, 1000]])


def test_names_choose_and_order():
    found = lines(scaling(ROWS, names=["product"]))
    assert list(found) == ["product", "as N²"]
    with pytest.raises(ValueError, match="names must be one of 'product', 'Spearman'"):
        scaling(ROWS, names=["Spearman", "SciPy"])


def test_other_sizes_are_named_where_they_differ():
    more = [row("Spearman", f"N={n}, M=20000", milliseconds=1.0) for n in (1000, 4000)]
    found = list(lines(scaling([*ROWS[:3], ROWS[4], *more])))
    assert found[:3] == ["product; M = 10,000", "Spearman; M = 10,000", "Spearman; M = 20,000"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (ROWS[:1], ValueError, "two sizes that differ in N alone; got 1 rows"),
        ([], ValueError, "got 0 rows"),
        ([1, 2], TypeError, "rows must be mappings or objects"),
        ({"lines": []}, TypeError, "rows must be mappings or objects"),
        ([{"what": "a"}], TypeError, "with what, size and milliseconds"),
        ("nowhere.json", FileNotFoundError, "'nowhere.json', which is no file"),
    ],
)
def test_wrong_rows(wrong, error, message):
    with pytest.raises(error, match=message):
        scaling(wrong)


def test_file_that_is_no_json(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text("what,size\n")
    with pytest.raises(ValueError, match=r"must be the JSON of a benchmark.*is not JSON"):
        scaling(path)


def test_sizes_of_other_letters():
    assert benchmark.sizes_of("N=10, C=4, M=7") == {"N": 10, "C": 4, "M": 7}
    assert_array_equal(list(benchmark.sizes_of("no size")), [])


@pytest.mark.parametrize(
    ("times", "named"),
    [
        ((100.0, 4000.0), ["100", "200", "500", "1,000", "2,000", "5,000"]),
        ((1.0, 5e4), ["1", "10", "100", "1,000", "10,000", "100,000"]),
    ],
)
def test_times_are_named_in_plain_milliseconds(times, named):
    rows = [row("a", f"N={n}, M=5", milliseconds=t) for n, t in zip((10, 90), times, strict=True)]
    ax = scaling(rows)
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    ticks = ax.yaxis.get_majorticklabels()
    texts = [t.get_text() for t in ticks if low <= t.get_position()[1] <= high]
    assert texts[:5] == named[:5]
    assert ax.get_ylabel() == "time, ms"
