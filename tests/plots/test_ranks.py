"""The histogram of ranks: counted by hand, and expected by many random rankings."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.plots import rank_histogram, ranks


@pytest.mark.parametrize("bins", [1, 3, 5, 20])
def test_bars_count_the_ranks(ranking, bins):
    bars = rank_histogram(ranking, bins=bins).containers[0]
    most = int(ranking.queries.candidates.max())
    edges = ranks.edges_of(most, bins)
    assert len(bars) == len(edges) - 1 <= bins
    assert (edges[0], edges[-1] >= most + 0.5) == (0.5, True)
    for bar, low, high in zip(bars, edges[:-1], edges[1:], strict=True):
        expected = sum(low <= rank < high for rank in ranking.queries.ranks.realistic.tolist())
        assert_allclose(bar.get_height(), expected)
    assert_allclose(sum(bar.get_height() for bar in bars), len(ranking.queries.scores))


@pytest.mark.parametrize(("most", "bins"), [(50, 20), (1000, 20), (7, 20), (1, 5), (20, 20)])
def test_the_first_bar_is_that_of_rank_1(most, bins):
    edges = ranks.edges_of(most, bins)
    assert tuple(edges[:2]) == (0.5, 1.5)
    assert len(edges) - 1 <= bins
    assert len(set(np.diff(edges[1:]))) <= 1
    assert edges[-1] >= most + 0.5


def test_bars_are_named_by_their_first_rank(ranking):
    ax = rank_histogram(ranking, bins=5)
    first = (ranks.edges_of(int(ranking.queries.candidates.max()), 5)[:-1] + 0.5).astype(int)
    assert [text.get_text() for text in ax.get_xticklabels()] == [str(rank) for rank in first]
    assert ax.get_xlabel() == "rank among the candidates (1, then 4 a bar)"


def test_chance_is_what_random_ranks_give():
    rng = np.random.default_rng(0)
    candidates = rng.integers(3, 15, 12)
    edges = 0.5 + 4 * np.arange(5)
    drawn = rng.integers(1, candidates + 1, (20_000, 12))
    counts = np.array([((low < drawn) & (drawn < low + 4)).sum() for low in edges[:-1]]) / 20_000
    assert_allclose(ranks.expected_counts(candidates, edges), counts, atol=0.03)


def test_line_of_chance(ranking):
    ax = rank_histogram(ranking, bins=5)
    values, places, _ = ax.patches[-1].get_data()
    candidates = ranking.queries.candidates
    edges = ranks.edges_of(int(candidates.max()), 5)
    assert_allclose(values, ranks.expected_counts(candidates, edges))
    assert_allclose(values.sum(), len(ranking.queries.scores))
    assert_array_equal(places[:-1], [bar.get_x() for bar in ax.containers[0]])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(texts) == ["10 queries", "random scores"]
    assert ax.get_ylabel() == "queries"


def test_wrong_calls(ranking):
    with pytest.raises(ValueError, match="bins must be at least 1"):
        rank_histogram(ranking, bins=0)
    with pytest.raises(TypeError, match="ranking must be a LinkRanking"):
        rank_histogram([1, 2])
