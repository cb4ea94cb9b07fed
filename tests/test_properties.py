"""What must hold whatever the numbers are, in every library."""

from functools import cache, partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rankings import PykeenRanks

from gsnn_edges import cross_correlation, mrr, rankdata

CONTINUOUS = 1e-6  # law 3, columns without ties; two answers differ by twice that (law 6)
METHODS = ("spearman", "pearson")
TIES = ("average", "ordinal")

# JAX compiles for every shape, so there are few; the fixture gives a library, and no state.
ROWS = st.sampled_from([2, 3, 17])
SHAPES = st.tuples(ROWS, st.just(3))
# Self-edges and queries that are not among the true edges are drawn on purpose.
doubtful = pytest.mark.filterwarnings("ignore:mrr. .* edges in edge_index are:UserWarning")
in_every_library = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def floats(limit):
    """Normal float32 numbers; subnormal ones may rank as zero (law 2)."""
    return st.floats(-limit, limit, width=32, allow_subnormal=False)


def levels(limit):
    """Matrices of whole numbers, most of which occur more than once."""
    return SHAPES.flatmap(lambda shape: hnp.arrays(np.int64, shape, elements=limit))


# Columns without ties.
continuous = SHAPES.flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=floats(100), unique=True)
)
rising = st.lists(floats(2.0**100), min_size=8, max_size=8, unique=True).map(sorted)


@cache
def compiled(function, **options):
    """One compilation for each shape, where `Library.call` would compile at every call."""
    return pytest.importorskip("jax").jit(partial(function, **options))


def called(library, function, *arrays, **options):
    call = (compiled if library.jit else partial)(function, **options)
    return library.numpy(call(*map(library.array, arrays)))


def ranks(library, x, **options):
    return called(library, rankdata, x, **options)


def correlations(library, a, g, **options):
    return called(library, cross_correlation, a, g, **options)


@in_every_library
@given(levels(st.integers(0, 7)), rising, rising, st.sampled_from(TIES))
def test_ranks_do_not_see_a_strictly_rising_map(library, place, before, after, ties):
    x, y = (np.float32(values)[place] for values in (before, after))
    np.testing.assert_array_equal(ranks(library, y, ties=ties), ranks(library, x, ties=ties))


@in_every_library
@given(levels(st.integers(-5, 5)), st.integers(-1000, 1000), st.integers(-100, 100))
def test_spearman_does_not_see_an_exact_shift_or_a_power_of_two(library, place, shift, exponent):
    x, g = place.astype(np.float32), np.roll(place, 1, axis=0).astype(np.float32)
    moved = (x + np.float32(shift)) * np.float32(2.0**exponent)
    np.testing.assert_array_equal(ranks(library, moved), ranks(library, x))
    expected = correlations(library, x, g)
    np.testing.assert_array_equal(correlations(library, moved, g), expected)


@in_every_library
@given(levels(st.integers(-3, 3)), st.randoms(use_true_random=False))
def test_ranks_go_with_their_observations(library, place, random):
    x = place.astype(np.float32)
    order = random.sample(range(len(x)), len(x))
    np.testing.assert_array_equal(ranks(library, x[order]), ranks(library, x)[order])


@in_every_library
@given(continuous, st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_correlations_do_not_see_the_order_of_observations(library, x, method, random):
    g = np.roll(x, 1, axis=0)
    order = random.sample(range(len(x)), len(x))
    first = correlations(library, x, g, method=method)
    second = correlations(library, x[order], g[order], method=method)
    np.testing.assert_allclose(second, first, rtol=0, atol=2 * CONTINUOUS)


@in_every_library
@given(
    continuous,
    st.sampled_from(METHODS),
    st.permutations(range(3)),
    st.permutations(range(3)),
)
def test_correlations_go_with_their_nodes(library, x, method, sources, targets):
    g = np.roll(x, 1, axis=0)
    whole = correlations(library, x, g, method=method)
    moved = correlations(library, x[:, sources], g[:, targets], method=method)
    np.testing.assert_allclose(moved, whole[np.ix_(sources, targets)], rtol=0, atol=CONTINUOUS)


@in_every_library
@given(continuous, st.sampled_from(METHODS))
def test_swapping_activations_and_gradients_transposes(library, x, method):
    g = np.roll(x, 1, axis=0)[:, :2]
    there = correlations(library, x, g, method=method)
    back = correlations(library, g, x, method=method)
    np.testing.assert_allclose(there, back.T, rtol=0, atol=2 * CONTINUOUS)


@st.composite
def rankings(draw):
    """Scores that tie, queries, and true edges, some of which are the queries."""
    nodes = draw(st.sampled_from([2, 5, 12]))
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
@given(rankings())
def test_mrr_is_that_of_pykeens_realistic_ranks(library, problem):
    scores, queries, truths = problem
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
@given(rankings(), st.integers(1, 6), st.data())
def test_mrr_does_not_rise_when_a_competitor_does(library, problem, level, data):
    scores, queries, truths = problem
    cells = {*np.ndindex(scores.shape)} - {*queries, *truths}
    rivals = data.draw(st.sets(st.sampled_from(sorted(cells)))) if cells else set()
    before = score(library, scores, queries, truths)
    after = score(library, raised(scores, rivals, level), queries, truths)
    np.testing.assert_array_less(after, np.nextafter(before, 2))


@doubtful
@in_every_library
@given(rankings(), st.integers(1, 6))
def test_mrr_does_not_see_the_scores_of_true_edges_that_are_not_asked_for(library, problem, level):
    scores, queries, truths = problem
    lifted = raised(scores, {*truths} - {*queries}, level)
    expected = score(library, scores, queries, truths)
    np.testing.assert_array_equal(score(library, lifted, queries, truths), expected)
