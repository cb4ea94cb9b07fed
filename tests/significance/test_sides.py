"""Rows whose layers are ranked apart, and the columns of each side."""

import numpy as np
import pytest
import scipy.stats

from gsnn_edges import backends
from gsnn_edges.correlation import Operand
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.significance.sides import checked_tables, score_of, taken

LAYERS, SAMPLES, NODES = 3, 20, 3
OWN = np.array([0, 1, 1, 2, 2, 2])
TABLE = np.array([[0, -1, -1], [1, 2, -1], [3, 4, 5]])


def observations():
    x = np.random.default_rng(0).standard_normal((LAYERS * SAMPLES, len(OWN)))
    x[:, 0] = np.round(x[:, 0])  # ties
    return x.astype(np.float32)


def slow_layer(x):
    """Centred ranks of length 1 of one layer, as rows."""
    ranks = scipy.stats.rankdata(x, axis=0) - (len(x) + 1) / 2
    return (ranks / np.linalg.norm(ranks, axis=0)).T


def made(library, table=None, n_components=None, apart=LAYERS):
    if library.jit:
        pytest.skip("columns become rows outside of what is compiled")
    x = library.array(observations())
    usual = (x, backends.of(x), "float32", CorrelationOptions())
    shifts = (False, n_components is None)
    return [Operand(*usual, shift, table, n_components, apart) for shift in shifts]


def test_each_layer_is_ranked_by_itself(library):
    sources, targets = made(library)
    rows = library.numpy(sources.rows(0, len(OWN)))
    for layer in range(LAYERS):
        part = slice(layer * SAMPLES, (layer + 1) * SAMPLES)
        np.testing.assert_allclose(rows[:, part], slow_layer(observations()[part]), atol=1e-6)
    # Products with targets, which are shifted within each layer, are those of centred rows.
    product = library.numpy(targets.rows(0, len(OWN))) @ rows.T
    np.testing.assert_allclose(product, rows @ rows.T, rtol=0, atol=1e-5)


def test_directions_are_those_of_each_layer(library):
    sources, targets = made(library, TABLE, n_components=1)
    for side in (sources, targets):
        rows = library.numpy(side.rows(0, NODES))
        for layer in range(LAYERS):
            part = slice(layer * SAMPLES, (layer + 1) * SAMPLES)
            full = slow_layer(observations()[part])
            for node in range(NODES):
                vectors = np.linalg.svd(full[node == OWN], full_matrices=False)
                leading = vectors[1][0] * vectors[2][0]
                found = rows[node, part]
                np.testing.assert_allclose(
                    np.outer(found, found), np.outer(leading, leading), rtol=0, atol=1e-5
                )


@pytest.mark.parametrize("apart", [1, LAYERS])
@pytest.mark.parametrize("table", [None, TABLE], ids=["columns", "nodes"])
def test_sides_count_nodes(table, apart):
    x = observations()
    usual = (x, backends.of(x), "float32", CorrelationOptions())
    side = Operand(*usual, True, table, layers=apart)
    assert side.count == (len(OWN) if table is None else NODES)
    assert side.rows(0, 1).shape == (side.width, len(x))


@pytest.mark.parametrize(
    ("layers", "score", "choice", "rows", "apart"),
    [
        (None, "magnitude", "pooled", slice(None), None),
        (None, "channels", "mean", slice(None), LAYERS),
        ("last", "magnitude", "last", slice(-SAMPLES, None), 1),
        (0, "channels", 0, slice(0, SAMPLES), 1),
    ],
)
def test_taken_rows_are_those_of_the_layer_pairs(layers, score, choice, rows, apart):
    x = observations()
    found = taken(x, -x, SAMPLES, layers, score)
    np.testing.assert_array_equal(found.a, x[rows])
    np.testing.assert_array_equal(found.g, -x[rows])
    assert found[2:] == (LAYERS, choice, apart)


@pytest.mark.parametrize("nodes", [(OWN, None), (None, OWN), (OWN, OWN)])
def test_nodes_make_a_score_of_channels(nodes):
    assert score_of(*nodes) == "channels"
    assert score_of(None, None) == "magnitude"


def test_without_nodes_there_is_no_table():
    x = observations()
    assert checked_tables(x, x, None, None, None, None) is None
    left, right = checked_tables(x, x, OWN, OWN, None, 2)
    np.testing.assert_array_equal(left, TABLE)
    np.testing.assert_array_equal(right, TABLE)
