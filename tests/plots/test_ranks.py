"""The histogram of ranks: counted by hand, and expected by many random rankings."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.plots import rank_histogram, ranks


@pytest.mark.parametrize("bins", [1, 3, 5, 20])
def test_bars_count_the_ranks(ranking, bins):
    ax = rank_histogram(ranking, bins=bins)
    bars = ax.containers[0]
    assert len(bars) <= bins
    for bar in bars:
        low, high = bar.get_x(), bar.get_x() + bar.get_width()
        expected = sum(low <= rank < high for rank in ranking.queries.ranks.realistic.tolist())
        assert_allclose(bar.get_height(), expected)
    assert_allclose(sum(bar.get_height() for bar in bars), len(ranking.queries.scores))


def test_chance_is_what_random_ranks_give():
    rng = np.random.default_rng(0)
    candidates = rng.integers(3, 15, 12)
    edges = 0.5 + 4 * np.arange(5)
    drawn = rng.integers(1, candidates + 1, (20_000, 12))
    counts = np.array([((low < drawn) & (drawn < low + 4)).sum() for low in edges[:-1]]) / 20_000
    assert_allclose(ranks.expected_counts(candidates, edges), counts, atol=0.03)


def test_line_of_chance(ranking):
    ax = rank_histogram(ranking, bins=5)
    values, edges, _ = ax.patches[-1].get_data()
    assert_allclose(values, ranks.expected_counts(ranking.queries.candidates, edges))
    assert_allclose(values.sum(), len(ranking.queries.scores))
    assert_array_equal(edges[:-1], [bar.get_x() for bar in ax.containers[0]])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(texts) == ["10 queries", "random scores"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rank among the candidates", "queries")


def test_wrong_calls(ranking):
    with pytest.raises(ValueError, match="bins must be at least 1"):
        rank_histogram(ranking, bins=0)
    with pytest.raises(TypeError, match="ranking must be a LinkRanking"):
        rank_histogram([1, 2])
