"""The channel score equals norms of blocks of SciPy's correlations."""

import numpy as np
import pytest
from columns import kinds, matrix
from oracles import correlation

from gsnn_edges import backends, cross_correlation
from gsnn_edges.channels import channel_correlation, filled_up, node_members

ROWS, NODES = 200, 8
# Ragged and unsorted; node 5 has no channel on either side.
LEFT = np.array([3, 0, 0, 1, 7, 3, 1, 2, 2, 2, 6, 4, 4, 3, 0, 1])
EVEN = np.repeat([0, 1, 2, 3, 4, 6, 7, 5], 2)
OPTIONS = [{}, {"row_chunk": 1}, {"row_chunk": 3}, {"ties": "ordinal"}]


def observations(rows=ROWS):
    return (matrix(*kinds(rows, seed))[:, : len(LEFT)] for seed in (0, 1))


def block_norms(a, g, left, right, **options):
    """An obvious loop over pairs of nodes."""
    W, whole = np.zeros((NODES, NODES)), correlation(a, g, **options)
    for i in range(NODES):
        for j in range(NODES):
            W[i, j] = np.linalg.norm(whole[np.ix_(left == i, right == j)])
    return W


def eager(library):
    if library.jit:
        pytest.skip("eager only, as the docstring says")


@pytest.mark.parametrize("right", [LEFT[::-1], EVEN], ids=["ragged", "even"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_norms_equal_those_of_scipy(library, method, options, right):
    eager(library)
    a, g = observations()
    W = channel_correlation(
        library.array(a), library.array(g), LEFT, right, method=method, **options
    )
    ties = options.get("ties", "average")
    expected = block_norms(a, g, LEFT, right, method=method, ties=ties)
    # Law 3 for each of at most 16 correlations of a block.
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=4 * 4e-6)


def test_one_channel_a_node_gives_absolute_correlations(library):
    eager(library)
    a, g = observations()
    nodes = np.arange(len(LEFT))
    W = channel_correlation(library.array(a), library.array(g), nodes, nodes)
    expected = np.abs(library.numpy(cross_correlation(library.array(a), library.array(g))))
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_components", [1, 2, 3, 9])
def test_directions_equal_principal_components(library, n_components):
    eager(library)
    a, g = observations()
    W = channel_correlation(
        library.array(a), library.array(g), LEFT, EVEN, method="pearson", n_components=n_components
    )
    left, right = (
        {n: leading(x[:, own == n], n_components) for n in range(NODES)}
        for x, own in ((a, LEFT), (g, EVEN))
    )
    expected = [[np.linalg.norm(left[i] @ right[j].T) for j in range(NODES)] for i in range(NODES)]
    np.testing.assert_allclose(library.numpy(W), expected, rtol=0, atol=2e-5)


def leading(columns, n_components):
    """Principal components of standardized columns, by a singular value decomposition."""
    x = columns[:, (columns != columns[:1]).any(axis=0)].astype(np.float64)
    x /= np.abs(x).max(axis=0)
    x -= x.mean(axis=0)
    x /= np.linalg.norm(x, axis=0)
    vectors = np.linalg.svd(x, full_matrices=False)[2]
    return (x @ vectors.T).T[:n_components]


@pytest.mark.parametrize("n_components", [1, 2])
def test_directions_never_add(library, n_components):
    eager(library)
    a, g = (library.array(x) for x in observations())
    some = library.numpy(channel_correlation(a, g, LEFT, LEFT, n_components=n_components))
    whole = library.numpy(channel_correlation(a, g, LEFT, LEFT))
    assert (whole - some).min() > -1e-6


def test_noise_has_the_norm_that_the_docstring_says():
    widths = np.array([1, 2, 4, 9])
    own = np.repeat(np.arange(4), widths)
    sets = np.random.default_rng(0).standard_normal((200, 2, 50, len(own))).astype(np.float32)
    squares = np.mean([channel_correlation(*pair, own, own) ** 2 for pair in sets], axis=0)
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


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_precision_is_that_of_the_result(precision):
    a, g = observations()
    W = channel_correlation(a, g, LEFT, EVEN, precision=precision)
    bound = {"float32": 4 * 4e-6, "float64": 1e-8}[precision]
    assert W.dtype == precision
    np.testing.assert_allclose(W, block_norms(a, g, LEFT, EVEN), rtol=0, atol=bound)


def test_members_lists_the_columns_of_each_node():
    table = node_members("a_nodes", [2, 0, 2, 2], np.zeros((3, 4)))
    np.testing.assert_array_equal(table, [[1, -1, -1], [-1, -1, -1], [0, 2, 3]])
    np.testing.assert_array_equal(filled_up(table, 4)[3], [-1, -1, -1])


WRONG = {
    "two observations": ({"rows": 2}, {}, ValueError, "a and g must be at least 3; got 2"),
    "too few nodes": ({}, {"a_nodes": LEFT[1:]}, ValueError, "a_nodes .* 16 columns"),
    "node below 0": ({}, {"g_nodes": LEFT - 1}, ValueError, "g_nodes .* counted from 0"),
    "nodes not whole": ({}, {"a_nodes": LEFT / 1.0}, ValueError, "a_nodes .* whole number"),
    "nodes too small": ({}, {"nodes": 7}, ValueError, "nodes must be at least 8; got 7"),
    "no n_components": ({}, {"n_components": 0}, ValueError, "n_components must be at least 1"),
    "row_chunk 0": ({}, {"row_chunk": 0}, ValueError, "row_chunk must be at least 1"),
    "method unknown": ({}, {"method": "kendall"}, ValueError, "method must be one of"),
}


@pytest.mark.parametrize(("shape", "options", "error", "phrase"), WRONG.values(), ids=WRONG)
def test_wrong_calls_say_what_is_wrong(shape, options, error, phrase):
    arguments = {"a_nodes": LEFT, "g_nodes": LEFT} | options
    with pytest.raises(error, match=phrase):
        channel_correlation(*observations(**shape), **arguments)
