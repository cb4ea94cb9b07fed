"""The channel score equals norms of blocks of SciPy's correlations."""

import numpy as np
import pytest
from columns import kinds, matrix
from oracles import channel_score, standardized

from gsnn_edges import channel_correlation, cross_correlation

ROWS, NODES = 200, 8
# Ragged and unsorted; node 5 has no channel on either side.
LEFT = np.array([3, 0, 0, 1, 7, 3, 1, 2, 2, 2, 6, 4, 4, 3, 0, 1])
EVEN = np.repeat([0, 1, 2, 3, 4, 6, 7, 5], 2)
METHODS = ("spearman", "pearson")


def observations(rows=ROWS):
    return [matrix(*kinds(rows, seed))[:, : len(LEFT)] for seed in (0, 1)]


def score(library, a, g, left, right, **options):
    return library.run(channel_correlation, a, g, a_nodes=left, g_nodes=right, **options)


@pytest.mark.parametrize("right", [LEFT[::-1], EVEN], ids=["ragged", "even"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_components", [None, 1, 3, 9])
def test_equals_norms_of_blocks_and_components_never_add(eager, method, n_components, right):
    a, g = observations()
    found = score(eager, a, g, LEFT, right, method=method, n_components=n_components)
    expected = channel_score(a, g, LEFT, right, NODES, n_components, method)
    # Law 3 for each of at most 16 correlations of a block.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    whole = channel_score(a, g, LEFT, right, NODES, None, method)
    assert (whole - found).min() > -2e-5


@pytest.mark.parametrize("row_chunk", [None, 3])
def test_ordinal_ranks_in_chunks(eager, row_chunk):
    a, g = observations()
    found = score(eager, a, g, LEFT, EVEN, ties="ordinal", row_chunk=row_chunk)
    sides = (standardized(x, ties="ordinal") for x in (a, g))
    expected = channel_score(*sides, LEFT, EVEN, NODES, method="pearson")
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_one_channel_a_node_gives_absolute_correlations(eager):
    a, g = observations()
    nodes = np.arange(len(LEFT))
    expected = np.abs(eager.run(cross_correlation, a, g))
    np.testing.assert_allclose(score(eager, a, g, nodes, nodes), expected, rtol=0, atol=1e-6)


def test_noise_has_the_norm_that_the_docstring_says():
    widths = np.array([1, 2, 4, 9])
    nodes = np.repeat(np.arange(4), widths)
    sets = np.random.default_rng(0).standard_normal((200, 2, 50, len(nodes))).astype(np.float32)
    squares = np.mean([channel_correlation(*pair, nodes, nodes) ** 2 for pair in sets], axis=0)
    # 200 sets: for one correlation 0.1 is a standard error of its square's mean.
    np.testing.assert_allclose(squares * 49 / np.outer(widths, widths), 1, rtol=0, atol=0.3)


def test_signs_of_channels_do_not_matter():
    a, g = observations()
    signs = np.where(np.arange(len(LEFT)) % 2, 1, -1).astype(np.float32)
    found = channel_correlation(a * signs, g, LEFT, EVEN)
    np.testing.assert_allclose(found, channel_correlation(a, g, LEFT, EVEN), atol=1e-6)


@pytest.mark.parametrize(("precision", "bound"), [("float32", 4 * 4e-6), ("float64", 1e-8)])
def test_precision_backend_and_nodes_are_those_of_the_result(precision, bound):
    a, g = observations()
    W = channel_correlation(a, g, LEFT, EVEN, precision=precision, backend="torch", nodes=12)
    assert W.numpy().dtype == precision
    expected = channel_score(a, g, LEFT, EVEN, 12)
    np.testing.assert_allclose(W, expected, rtol=0, atol=bound)


@pytest.mark.parametrize(
    ("rows", "options", "phrase"),
    [
        (2, {}, "a and g must be at least 3; got 2"),
        (ROWS, {"a_nodes": LEFT / 1.0}, "a_nodes .* whole number"),
        (ROWS, {"nodes": 7}, "nodes must be at least 8; got 7"),
        (ROWS, {"row_chunk": 0}, "row_chunk must be at least 1"),
        (ROWS, {"method": "kendall"}, "method must be one of"),
    ],
)
def test_wrong_calls_say_what_is_wrong(rows, options, phrase):
    with pytest.raises(ValueError, match=phrase):
        channel_correlation(*observations(rows), **{"a_nodes": LEFT, "g_nodes": LEFT} | options)
