"""What must hold whatever the numbers are, in every library."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from model_state import global_state
from rankings import PykeenRanks

from gsnn_edges import (
    bootstrap_interval,
    compare,
    cross_correlation,
    evaluate_edges,
    mrr,
    permutation_test,
    rankdata,
    recover_edges,
    split_edges,
)
from gsnn_edges.demo import graph, simulate

# Law 3, columns without ties and with many; two answers differ by twice that (law 6).
CONTINUOUS, TIED = 1e-6, 4e-6
METHODS = ("spearman", "pearson")
TIES = ("average", "ordinal")

# Self-edges and queries that are not among the true edges are drawn on purpose.
doubtful = pytest.mark.filterwarnings("ignore:mrr. .* edges in edge_index are:UserWarning")
in_every_library = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def floats(limit):
    """Normal float32 numbers; subnormal ones may rank as zero (law 2)."""
    return st.floats(-limit, limit, width=32, allow_subnormal=False)


def shapes(library):
    """Few columns of any length; JAX compiles for each shape, and meets one."""
    rows = st.just(17) if library.name == "jax" else st.integers(2, 40)
    return st.tuples(rows, st.just(3))


def levels(library, limit):
    """Whole numbers, most of which occur more than once."""
    return hnp.arrays(np.int64, shapes(library), elements=limit)


def continuous(library):
    """Columns without ties."""
    return hnp.arrays(np.float32, shapes(library), elements=floats(100), unique=True)


rising = st.lists(floats(2.0**100), min_size=8, max_size=8, unique=True).map(sorted)


@in_every_library
@given(st.data(), rising, rising, st.sampled_from(TIES))
def test_ranks_do_not_see_a_strictly_rising_map(library, data, before, after, ties):
    place = data.draw(levels(library, st.integers(0, 7)))
    x, y = (np.float32(values)[place] for values in (before, after))
    expected = library.run(rankdata, x, ties=ties)
    np.testing.assert_array_equal(library.run(rankdata, y, ties=ties), expected)


@in_every_library
@given(st.data(), st.integers(-1000, 1000), st.integers(-100, 100))
def test_spearman_does_not_see_an_exact_shift_or_a_power_of_two(library, data, shift, exponent):
    place = data.draw(levels(library, st.integers(-5, 5)))
    x, g = place.astype(np.float32), np.roll(place, 1, axis=0).astype(np.float32)
    moved = (x + np.float32(shift)) * np.float32(2.0**exponent)
    np.testing.assert_array_equal(library.run(rankdata, moved), library.run(rankdata, x))
    expected = library.run(cross_correlation, x, g)
    np.testing.assert_array_equal(library.run(cross_correlation, moved, g), expected)


@in_every_library
@given(st.data(), st.randoms(use_true_random=False))
def test_ranks_go_with_their_observations(library, data, random):
    x = data.draw(levels(library, st.integers(-3, 3))).astype(np.float32)
    order = random.sample(range(len(x)), len(x))
    expected = library.run(rankdata, x)[order]
    np.testing.assert_array_equal(library.run(rankdata, x[order]), expected)


@in_every_library
@given(st.data(), st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_correlations_do_not_see_the_order_of_observations(library, data, method, random):
    x = data.draw(continuous(library))
    g = np.roll(x, 1, axis=0)
    order = random.sample(range(len(x)), len(x))
    first = library.run(cross_correlation, x, g, method=method)
    second = library.run(cross_correlation, x[order], g[order], method=method)
    np.testing.assert_allclose(second, first, rtol=0, atol=2 * CONTINUOUS)


@in_every_library
@given(
    st.data(),
    st.sampled_from(METHODS),
    st.permutations(range(3)),
    st.permutations(range(3)),
)
def test_correlations_go_with_their_nodes(library, data, method, sources, targets):
    x = data.draw(continuous(library))
    g = np.roll(x, 1, axis=0)
    whole = library.run(cross_correlation, x, g, method=method)
    moved = library.run(cross_correlation, x[:, sources], g[:, targets], method=method)
    np.testing.assert_allclose(moved, whole[np.ix_(sources, targets)], rtol=0, atol=CONTINUOUS)


@in_every_library
@given(st.data(), st.sampled_from(METHODS))
def test_swapping_activations_and_gradients_transposes(library, data, method):
    x = data.draw(continuous(library))
    g = np.roll(x, 1, axis=0)[:, :2]
    there = library.run(cross_correlation, x, g, method=method)
    back = library.run(cross_correlation, g, x, method=method)
    np.testing.assert_allclose(there, back.T, rtol=0, atol=2 * CONTINUOUS)


columns = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 40), st.integers(1, 4)),
    elements=st.floats(-100, 100, width=16),
)


@settings(deadline=None)
@given(columns, st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_neither_sides_nor_order_matter_for_columns_with_ties(x, method, random):
    order = random.sample(range(len(x)), len(x))
    g = x[::-1, ::-1] ** 2
    W = cross_correlation(x, g, method=method)
    back = cross_correlation(g, x, method=method)
    moved = cross_correlation(x[order], g[order], method=method)
    np.testing.assert_allclose(W, back.T, rtol=0, atol=2 * TIED)
    np.testing.assert_allclose(W, moved, rtol=0, atol=2 * TIED)


A, EDGES = np.random.default_rng(0).random((20, 20)), np.array([[0, 1, 2], [1, 2, 3]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: permutation_test(A, A, 10, n_resamples=3, seed=0),
        lambda: bootstrap_interval(A, A, 10, n_resamples=3, seed=0),
        lambda: evaluate_edges(A, EDGES, n_resamples=100, seed=0),
        lambda: compare({"W": A}, EDGES[:, :2], EDGES, known_edges=EDGES[:, 2:], seed=0),
        lambda: split_edges(EDGES, (0.5, 0.5), seed=0),
        lambda: recover_edges(lambda keep: A, EDGES, fraction=0.4, seed=0),
        lambda: simulate(graph("dream4-1"), seed=0, train_rows=20, test_rows=10),
    ],
    ids=lambda call: call.__code__.co_names[0],
)
def test_what_draws_moves_no_global_generator(call):
    before = global_state()
    call()
    assert global_state() == before


@st.composite
def rankings(draw, library):
    """Scores that tie, queries, and true edges, some of which are the queries."""
    nodes = 5 if library.name == "jax" else draw(st.sampled_from([2, 5, 12]))
    scores = draw(hnp.arrays(np.float32, (nodes, nodes), elements=st.integers(0, 6)))
    pairs = st.lists(st.tuples(*[st.integers(0, nodes - 1)] * 2), min_size=1, max_size=20)
    queries, others = draw(pairs), draw(pairs)
    return scores, queries, [*queries[: draw(st.integers(0, 20))], *others]


def score(library, scores, queries, truths):
    if library.jit:
        pytest.skip("mrr is eager only")
    return mrr(library.array(scores), np.transpose(queries), np.transpose(truths))


def raised(scores, pairs, level):
    """Lift the scores of some pairs above where they were."""
    scores = scores.copy()
    for source, target in pairs:
        scores[source, target] += level
    return scores


@doubtful
@in_every_library
@given(st.data())
def test_mrr_is_that_of_pykeens_realistic_ranks(library, data):
    scores, queries, truths = data.draw(rankings(library))
    rivals = torch.tensor(scores)[[source for source, _ in queries]]
    own = rivals[range(len(queries)), [target for _, target in queries]]
    for row, (source, target) in zip(rivals, queries, strict=True):
        row[[t for s, t in truths if s == source and t != target]] = torch.nan  # filtered out
    realistic = PykeenRanks.from_scores(own[:, None], rivals).realistic
    expected = (1 / realistic.double()).mean()
    found = score(library, scores, queries, truths)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert 0 < found <= 1


@doubtful
@in_every_library
@given(st.data(), st.integers(1, 6))
def test_mrr_does_not_rise_when_a_competitor_does(library, data, level):
    scores, queries, truths = data.draw(rankings(library))
    cells = {*np.ndindex(scores.shape)} - {*queries, *truths}
    rivals = data.draw(st.sets(st.sampled_from(sorted(cells)))) if cells else set()
    before = score(library, scores, queries, truths)
    after = score(library, raised(scores, rivals, level), queries, truths)
    np.testing.assert_array_less(after, np.nextafter(before, 2))


@doubtful
@in_every_library
@given(st.data(), st.integers(1, 6))
def test_mrr_does_not_see_the_scores_of_true_edges_that_are_not_asked_for(library, data, level):
    scores, queries, truths = data.draw(rankings(library))
    lifted = raised(scores, {*truths} - {*queries}, level)
    expected = score(library, scores, queries, truths)
    np.testing.assert_array_equal(score(library, lifted, queries, truths), expected)
