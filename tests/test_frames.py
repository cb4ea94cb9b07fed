"""DataFrames in the place of arrays: by the names of their columns, as tables in files."""

import sys
from subprocess import run

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from gsnn_edges import (
    EdgeEvidence,
    FunctionEdgeInferer,
    bootstrap_interval,
    capture_to_store,
    channel_correlation,
    cross_correlation,
    evaluate_edges,
    mrr,
    partial_correlation,
    permutation_test,
    rankdata,
)
from gsnn_edges.demo import GSNN, tutorial

PROBLEM = tutorial(seed=0)
NAMES = PROBLEM.node_names_dict
X, Y = (side[:40] for side in (PROBLEM.x_test, PROBLEM.y_test))
SAMPLES = [f"patient {number}" for number in range(len(X))]
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(30, 4))
W = RNG.normal(size=(4, 4))


def frame(values, names, index=None):
    return pd.DataFrame(np.asarray(values), columns=names, index=index)


def shuffled(table):
    return table.sample(frac=1, axis=1, random_state=0)


@pytest.fixture(scope="module")
def inferer():
    model = GSNN(PROBLEM.edge_index_dict, NAMES, layers=2, seed=0).eval()
    return FunctionEdgeInferer(model, torch.nn.MSELoss(), PROBLEM.known_edges)


@pytest.fixture(scope="module")
def expected(inferer):
    return inferer.fit(X, Y)


def sides(index=None):
    return frame(X, NAMES["input"], index), frame(Y, NAMES["output"], index)


def test_columns_find_the_nodes_of_their_names(inferer, expected, tmp_path):
    x, y = sides(SAMPLES)
    assert_array_equal(inferer.fit(x, y), expected)
    with pytest.warns(UserWarning, match=r"x the DataFrame has its columns in another order than"):
        found = inferer.fit(shuffled(x), torch.as_tensor(Y))
    assert_array_equal(found, expected)
    with pytest.warns(UserWarning, match="put in the model's order"):
        store = capture_to_store(
            tmp_path / "seen.zarr", inferer.model, torch.nn.MSELoss(), shuffled(x), y
        )
    assert_array_equal(cross_correlation(store.read("a"), store.read("g")), expected)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda x, y: (x.iloc[:, 1:], y), "missing: '"),
        (lambda x, y: (x.rename(columns={x.columns[0]: "other"}), y), "unknown: 'other'"),
        (lambda x, y: (x, y.iloc[::-1]), "x and y must have the same samples, in the same order"),
        (lambda x, y: (x.astype(object).where(x > 0), y), "must have a value everywhere"),
        (lambda x, y: (x > 0, y), "has .*True|has .*False"),
        (lambda x, y: (x.astype(str), y), "cannot be read; the DataFrame has '"),
        (lambda x, y: (pd.concat({"x": x}, axis=1), y), "must have one name for each column"),
    ],
)
def test_what_does_not_fit_is_refused(inferer, change, phrase):
    x, y = change(*sides(SAMPLES))
    with pytest.raises(ValueError, match=phrase):
        inferer.fit(x, y)


def test_names_on_one_side_are_said_once(inferer, expected):
    x, y = (table.set_axis(range(table.shape[1]), axis=1) for table in sides())
    with pytest.warns(UserWarning, match=r"x .* and y .*: columns are matched .* by pos") as shown:
        assert_array_equal(inferer.fit(x, y), expected)
    assert len(shown) == 1


def test_the_one_column_that_is_no_node_names_the_samples(inferer, expected):
    x, y = sides()
    x.insert(3, "sample", SAMPLES)
    with pytest.warns(UserWarning, match="column 'sample' is taken as the names of samples"):
        assert_array_equal(inferer.fit(x, y), expected)


CALLS = {
    "cross_correlation": lambda a: cross_correlation(a, a),
    "channels": lambda a: channel_correlation(a, a, [0, 0, 1, 1], [0, 0, 1, 1]),
    "partial": lambda a: partial_correlation(a, a, conditions=VALUES[:, :1] ** 2),
    "ranks": rankdata,
    "permutations": lambda a: permutation_test(a, a, 30, n_resamples=9, seed=0).p,
    "bootstrap": lambda a: bootstrap_interval(a, a, 30, n_resamples=9, seed=0).low,
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["float64", "Float64", object])
def test_a_frame_is_its_values(name, dtype):
    table = frame(VALUES, list("abcd"), index=range(5, 35)).astype(dtype)
    assert_array_equal(CALLS[name](table), CALLS[name](VALUES))


def test_rows_of_other_names_are_not_correlated():
    a = frame(VALUES, list("abcd"), index=range(5, 35))
    with pytest.raises(ValueError, match="a and g must have the same samples, in the same order"):
        cross_correlation(a, a.iloc[::-1])


def test_scores_and_edges_go_by_names():
    nodes = list("pqrs")
    table = frame(W, nodes, nodes)
    edges, known = np.array([[0, 2], [1, 3]]), np.array([[1], [2]])
    by_name = pd.DataFrame({"target": ["q", "s"], "source": ["p", "r"]})
    expected = evaluate_edges(W, edges, node_names=nodes, n_resamples=None)
    found = evaluate_edges(table, by_name, n_resamples=None)
    assert str(found) == str(expected)
    assert list(found.node_names) == nodes
    assert mrr(table, by_name, by_name) == mrr(W, edges, edges)
    evidence = EdgeEvidence(table, known_edges=pd.DataFrame({"source": [1], "target": [2]}))
    assert evidence.node_names == nodes
    assert_array_equal(evidence.W, W)
    assert_array_equal(evidence.known_edges, known)
    assert evidence.evaluate(by_name, n_resamples=None).mrr > 0
    with pytest.raises(ValueError, match="must have the same nodes in its rows and in its columns"):
        EdgeEvidence(table.iloc[::-1])
    with pytest.raises(ValueError, match="'x', which is not the name of a node"):
        evaluate_edges(table, by_name.replace("q", "x"))
    with pytest.raises(ValueError, match="must have one column source"):
        evaluate_edges(table, by_name.rename(columns={"source": "from"}))


def test_polars_frames_too():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({name: VALUES[:, k] for k, name in enumerate("abcd")})
    assert_array_equal(cross_correlation(table, table), cross_correlation(VALUES, VALUES))


def test_pandas_is_not_imported_for_arrays():
    code = "import sys, numpy, gsnn_edges as g; x = numpy.eye(4); g.cross_correlation(x, x); "
    code += "g.mrr(x, [[0], [1]], [[0], [1]]); sys.exit('pandas' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
