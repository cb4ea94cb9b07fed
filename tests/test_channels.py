"""The channel score equals norms of blocks of SciPy's correlations."""

import numpy as np
import pytest
from columns import kinds, matrix
from oracles import correlation

from gsnn_edges import backends, channel_correlation, cross_correlation

ROWS, NODES = 200, 8
# Ragged and unsorted; node 5 has no channel on either side.
LEFT = np.array([3, 0, 0, 1, 7, 3, 1, 2, 2, 2, 6, 4, 4, 3, 0, 1])
EVEN = np.repeat([0, 1, 2, 3, 4, 6, 7, 5], 2)
METHODS = ("spearman", "pearson")


def observations(rows=ROWS):
    return [matrix(*kinds(rows, seed))[:, : len(LEFT)] for seed in (0, 1)]


def norms_of_blocks(a, g, left, right, **options):
    """An obvious loop over pairs of nodes."""
    W, whole = np.zeros((NODES, NODES)), correlation(a, g, **options)
    for i, j in np.ndindex(W.shape):
        W[i, j] = np.linalg.norm(whole[np.ix_(left == i, right == j)])
    return W


def score(library, a, g, left, right, **options):
    return library.run(channel_correlation, a, g, a_nodes=left, g_nodes=right, **options)


@pytest.mark.parametrize("right", [LEFT[::-1], EVEN], ids=["ragged", "even"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"row_chunk": 3}, {"ties": "ordinal"}], ids=str)
def test_norms_equal_those_of_scipy(eager, method, options, right):
    a, g = observations()
    found = score(eager, a, g, LEFT, right, method=method, **options)
    ties = options.get("ties", "average")
    expected = norms_of_blocks(a, g, LEFT, right, method=method, ties=ties)
    # Law 3 for each of at most 16 correlations of a block.
    np.testing.assert_allclose(found, expected, rtol=0, atol=4 * 4e-6)


def test_one_channel_a_node_gives_absolute_correlations(eager):
    a, g = observations()
    nodes = np.arange(len(LEFT))
    expected = np.abs(eager.run(cross_correlation, a, g))
    np.testing.assert_allclose(score(eager, a, g, nodes, nodes), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_components", [1, 2, 3, 9])
def test_directions_equal_principal_components_and_never_add(eager, n_components):
    a, g = observations()
    options = {"method": "pearson", "n_components": n_components}
    found = score(eager, a, g, LEFT, EVEN, **options)
    left, right = (
        {n: leading(x[:, nodes == n], n_components) for n in range(NODES)}
        for x, nodes in ((a, LEFT), (g, EVEN))
    )
    expected = [[np.linalg.norm(left[i] @ right[j].T) for j in range(NODES)] for i in range(NODES)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    whole = score(eager, a, g, LEFT, EVEN, method="pearson")
    assert (whole - found).min() > -1e-6


def leading(columns, n_components):
    """Principal components of standardized columns, by a singular value decomposition."""
    x = columns[:, (columns != columns[:1]).any(axis=0)].astype(np.float64)
    x /= np.abs(x).max(axis=0)
    x -= x.mean(axis=0)
    x /= np.linalg.norm(x, axis=0)
    vectors = np.linalg.svd(x, full_matrices=False)[2]
    return (x @ vectors.T).T[:n_components]


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


def test_nodes_may_be_more_than_have_channels():
    a, g = observations()
    W = channel_correlation(a, g, LEFT, EVEN, nodes=12)
    assert W.shape == (12, 12)
    np.testing.assert_array_equal(W[8:], 0)
    np.testing.assert_array_equal(W[:, 8:], 0)


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_the_result_is_an_array_of_the_backend(name):
    W = channel_correlation(*observations(), LEFT, EVEN, backend=name)
    assert backends.of(W).name == name


@pytest.mark.parametrize(("precision", "bound"), [("float32", 4 * 4e-6), ("float64", 1e-8)])
def test_precision_is_that_of_the_result(precision, bound):
    a, g = observations()
    W = channel_correlation(a, g, LEFT, EVEN, precision=precision)
    assert W.dtype == precision
    np.testing.assert_allclose(W, norms_of_blocks(a, g, LEFT, EVEN), rtol=0, atol=bound)


@pytest.mark.parametrize(
    ("rows", "options", "phrase"),
    [
        (2, {}, "a and g must be at least 3; got 2"),
        (ROWS, {"a_nodes": LEFT[1:]}, "a_nodes .* 16 columns"),
        (ROWS, {"g_nodes": LEFT - 1}, "g_nodes .* counted from 0"),
        (ROWS, {"a_nodes": LEFT / 1.0}, "a_nodes .* whole number"),
        (ROWS, {"nodes": 7}, "nodes must be at least 8; got 7"),
        (ROWS, {"n_components": 0}, "n_components must be at least 1"),
        (ROWS, {"row_chunk": 0}, "row_chunk must be at least 1"),
        (ROWS, {"method": "kendall"}, "method must be one of"),
    ],
)
def test_wrong_calls_say_what_is_wrong(rows, options, phrase):
    with pytest.raises(ValueError, match=phrase):
        channel_correlation(*observations(rows), **{"a_nodes": LEFT, "g_nodes": LEFT} | options)
