"""Parts partition the edges, connectivity is networkx's; hidden edges are ranked as by a loop."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gsnn_edges import recover_edges, split_edges


def graph(seed, nodes=30, edges=120):
    """Random edges with duplicates and self-edges."""
    drawn = np.random.default_rng(seed).integers(0, nodes, (2, edges))
    return np.concatenate([drawn, drawn[:, :5]], axis=1)


def sorted_columns(edges):
    return edges[:, np.lexsort(edges[::-1])]


def pairs(edges):
    return set(map(tuple, edges.T.tolist()))


def components(edges):
    """Weakly connected components of the nodes that have an edge, by networkx."""
    found = nx.weakly_connected_components(nx.DiGraph(edges.T.tolist()))
    return sorted(map(sorted, found))


SHARES = st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(0, 60), SHARES, st.booleans())
def test_parts_partition_the_edges(seed, nodes, count, shares, stratified):
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, nodes, (2, count))
    kinds = edges[0] % 3 if stratified else None
    parts = split_edges(edges, np.array(shares) / sum(shares), seed=seed, stratify=kinds)
    assert_array_equal(sorted_columns(np.concatenate(parts, axis=1)), sorted_columns(edges))
    assert sum(len(pairs(part)) for part in parts) == len(pairs(edges))
    assert {part.dtype for part in parts} == {np.dtype("int64")}


@pytest.mark.parametrize(
    ("count", "shares", "sizes"),
    [
        (10, (0.8, 0.1, 0.1), [8, 1, 1]),
        (15, (0.8, 0.1, 0.1), [12, 2, 1]),  # equal remainders: the earlier part
        (7, (0.5, 0.3, 0.2), [4, 2, 1]),  # quotas 3.5, 2.1, 1.4
        (100, (0.29, 0.71), [29, 71]),  # 0.29 * 100 is below 29
        (100, (0.07, 0.93), [7, 93]),  # 0.07 * 100 is above 7
        (6, (0.1, 0.3, 0.6), [0, 2, 4]),  # quotas 0.6, 1.8, 3.6
        (3, (1.0,), [3]),
        (3, (0.0, 1.0), [0, 3]),
        (0, (0.5, 0.5), [0, 0]),
    ],
)
def test_sizes_are_largest_remainders(count, shares, sizes):
    edges = np.stack([np.arange(count), np.arange(count) + 1])
    parts = split_edges(edges, shares, seed=0)
    assert [part.shape[1] for part in parts] == sizes


def test_duplicates_stay_together_and_columns_in_order():
    edges = graph(1)
    parts = split_edges(edges, seed=3)
    shared = [pairs(a) & pairs(b) for a in parts for b in parts if a is not b]
    assert set().union(*shared) == set()
    column = {pair: k for k, pair in reversed([*enumerate(map(tuple, edges.T.tolist()))])}
    first_seen = [list(dict.fromkeys(map(tuple, part.T.tolist()))) for part in parts]
    for seen in first_seen:
        assert_array_equal(np.diff([column[pair] for pair in seen]) > 0, True)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_first_part_keeps_the_components(seed, stratified):
    # Two communities, and a node that has a self-edge alone.
    edges = np.concatenate([graph(seed), graph(seed + 100) + 30, [[70], [70]]], axis=1)
    kinds = edges[0] % 2 if stratified else None
    shares = (0.6, 0.2, 0.2)
    first, *rest = split_edges(edges, shares, seed=seed, keep_connected=True, stratify=kinds)
    assert components(first) == components(edges)
    assert sum(len(pairs(part)) for part in (first, *rest)) == len(pairs(edges))


def test_a_tree_leaves_nothing_to_hold_out():
    tree = np.array([[0, 1, 1, 3], [1, 2, 3, 4]])
    first, rest = split_edges(tree, (1.0, 0.0), seed=0, keep_connected=True)
    assert_array_equal(first, tree)
    assert rest.shape == (2, 0)
    with pytest.raises(ValueError, match=r"spanning forest takes 4 of 4, the first part has 3"):
        split_edges(tree, (0.75, 0.25), seed=0, keep_connected=True)


def test_a_cycle_can_lose_one_edge_only():
    cycle = np.stack([np.arange(10), (np.arange(10) + 1) % 10])
    first, held_out = split_edges(cycle, (0.9, 0.1), seed=0, keep_connected=True)
    assert components(first) == components(cycle)
    assert held_out.shape == (2, 1)
    with pytest.raises(ValueError, match="takes 9 of 10, the first part has 8"):
        split_edges(cycle, (0.8, 0.2), seed=0, keep_connected=True)


SOME = np.array([[0, 1, 0], [1, 2, 1]])


@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"fractions": (1.2, -0.2)}, ValueError, "fractions must lie in 0 .. 1"),
        ({"fractions": (float("nan"), 1)}, ValueError, "fractions must lie in 0 .. 1"),
        ({"fractions": ()}, ValueError, "fractions must lie in 0 .. 1"),
        ({"fractions": 0.8}, TypeError, "fractions must be a sequence of numbers; got 0.8"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": None}, TypeError, "seed must be a whole number"),
        ({"nodes": 2}, ValueError, "edge_index must hold targets in 0 .. 1"),
        ({"nodes": 2.5}, TypeError, "nodes must be a whole number"),
        ({"edge_index": [[0, 1], [1, 2], [2, 3]]}, ValueError, "transpose it"),
        ({"keep_connected": 1}, TypeError, "keep_connected must be True or False"),
        ({"stratify": np.array(["a", 1, "a"], object)}, TypeError, "labels of one type"),
        ({"stratify": [0, 1]}, ValueError, "a label for each of the 3 edges"),
        ({"stratify": [0, 0, 1]}, ValueError, "edge 0 -> 1 has several"),
    ],
)
def test_bad_splits_are_explained(options, error, phrase):
    with pytest.raises(error, match=phrase):
        split_edges(**{"edge_index": SOME, "seed": 0, **options})


EDGES = np.array([[0, 1, 2, 3, 4, 0, 5, 2, 2], [1, 2, 3, 4, 5, 1, 0, 2, 5]])  # 0 -> 1 twice


class Recorder:
    """Scores that depend on the mask: a hidden edge loses half of its score."""

    def __init__(self, seed=0):
        self.scores = np.random.default_rng(seed).random((6, 6)).astype(np.float32)
        self.masks = []

    def __call__(self, keep):
        self.masks.append(keep.copy())
        scores = self.scores.copy()
        scores[tuple(EDGES[:, ~keep])] /= 2
        keep[:] = False
        return scores


def test_draws_are_of_the_fraction():
    # Seven different edges between different nodes; 0.4 of them are 2.8.
    found, again = (
        recover_edges(Recorder(), EDGES, fraction=0.4, repeats=50, seed=0) for _ in range(2)
    )
    assert_array_equal(np.concatenate(found.edges, axis=1), np.concatenate(again.edges, axis=1))
    assert [len(pairs(edges)) for edges in found.edges] == [3] * 50
    assert set().union(*map(pairs, found.edges)) == pairs(EDGES) - {(2, 2)}
    twice = [(edges.T == [0, 1]).all(1).sum() for edges in found.edges]
    assert set(twice) == {0, 2}


@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"fraction": 0.0}, ValueError, "0.0 of 7 edges between different nodes hides 0"),
        ({"fraction": 0.05}, ValueError, "fraction must hide at least one edge"),
        ({"fraction": 0.99}, ValueError, "hides 7: take another fraction"),
        ({"fraction": 1.0}, ValueError, r"fraction must lie in \[0, 1\)"),
        ({"fraction": "half"}, TypeError, "fraction must be a number"),
        ({"repeats": 0}, ValueError, "repeats must be at least 1"),
        ({"seed": None}, TypeError, "seed must be a whole number"),
        ({"edge_index": EDGES.T}, ValueError, r"edge_index must have shape \(2, E\)"),
        ({"infer": lambda keep: np.full((6, 6), np.nan)}, ValueError, "A must be finite"),
    ],
)
def test_bad_recoveries_are_explained(options, error, phrase):
    options = {"infer": Recorder(), "edge_index": EDGES, "fraction": 0.4, "seed": 0, **options}
    with pytest.raises(error, match=phrase):
        recover_edges(**options)
