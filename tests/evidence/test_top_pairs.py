"""The strongest pairs equal a slow sort, ties by source, then by target."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gsnn_edges.evidence import pool_mask, scored_edges, strongest


def slow_order(scores, pool):
    """Flat indices of the pool: score falling, then source, then target."""
    pairs = [(i, j) for i, j in np.ndindex(scores.shape) if pool[i, j]]
    pairs.sort(key=lambda pair: (-float(scores[pair]), *pair))
    return np.array([i * len(scores) + j for i, j in pairs], int)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 200), st.integers(1, 160))
def test_strongest_equals_a_slow_sort(seed, nodes, levels, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels, levels, (nodes, nodes)) / 4
    scores[rng.random(scores.shape) < 0.1] *= -0.0
    pool = rng.random(scores.shape) < 0.7
    expected = slow_order(scores, pool)
    assert_array_equal(strongest(scores, pool, k), expected[:k])
    assert_array_equal(strongest(scores, pool, None), expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_dtype_and_order(dtype, order):
    scores = np.random.default_rng(0).integers(0, 20, (9, 9)).astype(dtype, order=order)
    scores.flags.writeable = False
    pool = ~np.eye(9, dtype=bool)
    assert_array_equal(strongest(scores, pool, 30), slow_order(scores, pool)[:30])


@pytest.mark.parametrize("exclude_self", [True, False])
@pytest.mark.parametrize("known", [None, np.array([[0, 2], [1, 0]])])
@pytest.mark.parametrize("candidates", [None, "mask", "P* -> R*"])
def test_pool_equals_a_loop(exclude_self, known, candidates):
    names = ["P0", "R1", "P2", "R3"]
    mask = np.random.default_rng(1).random((4, 4)) < 0.7
    given = mask if candidates == "mask" else candidates
    before = mask.copy()
    pool = pool_mask(4, names, known, exclude_self=exclude_self, candidates=given)
    expected = np.zeros((4, 4), bool)
    for i, j in np.ndindex(4, 4):
        allowed = {
            None: True,
            "mask": mask[i, j],
            "P* -> R*": names[i].startswith("P") and names[j].startswith("R"),
        }[candidates]
        new = known is None or [i, j] not in known.T.tolist()
        expected[i, j] = allowed and new and not (exclude_self and i == j)
    assert_array_equal(pool, expected)
    assert_array_equal(mask, before)


@pytest.mark.parametrize("names", [None, ["a", "b", "c"]])
def test_scored_edges_are_named_tuples_of_plain_numbers(names):
    scores = np.arange(9, dtype=np.float32).reshape(3, 3)
    first, second = scored_edges(scores, np.array([5, 3]), names)
    ends = ("b", "c", "b", "a") if names else (None,) * 4
    assert first == (1, 2, *ends[:2], 5.0, 1)
    assert second == (1, 0, *ends[2:], 3.0, 2)
    assert [type(value) for value in (first.source, first.score, first.rank)] == [int, float, int]
