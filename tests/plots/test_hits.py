"""The curve of hits@k, against `evaluate_edges` at every k."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import evaluate_edges
from gsnn_edges.plots import hits, hits_curve


def test_lines_are_the_hits_of_evaluate_edges(ranking):
    curve, chance = hits_curve(ranking).lines
    for k, share, expected in zip(
        curve.get_xdata(), curve.get_ydata(), chance.get_ydata(), strict=True
    ):
        assert_allclose(share, ranking.hits[k])
        assert_allclose(expected, ranking.expected_hits[k])
    assert_array_equal(chance.get_xdata(), curve.get_xdata())


def test_band_runs_from_pessimistic_to_optimistic(ranking):
    (band,) = hits_curve(ranking).collections
    found = {tuple(point) for point in band.get_paths()[0].vertices.round(9).tolist()}
    for k in range(1, int(ranking.queries.candidates.max()) + 1):
        for shares in (ranking.hits_optimistic, ranking.hits_pessimistic):
            assert (float(k), round(shares[k], 9)) in found


def test_no_band_without_ties(evidence, edges):
    ranking = evaluate_edges(evidence.W, edges[1], np.hstack(edges), n_resamples=None)
    assert len(hits_curve(ranking).collections) == 0


def test_several_share_the_axes(ranking, evidence, edges):
    other = evaluate_edges(evidence.W, edges[1], np.hstack(edges), n_resamples=None)
    ax = hits_curve({"in steps": ranking, "as they are": other})
    assert [line.get_label() for line in ax.lines] == ["in steps", "as they are", "random scores"]
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == 3
    assert ax.get_xscale() == "log"


def test_large_pools_take_few_points():
    rng = np.random.default_rng(0)
    sorted_ranks = np.sort(rng.integers(1, 50_001, 1000))
    ks = hits.shown_ks(50_000)
    assert len(ks) <= hits.ALL_UP_TO + hits.BEYOND
    assert (ks[0], ks[-1]) == (1, 50_000)
    assert (np.diff(ks) > 0).all()
    slow = [np.mean(sorted_ranks <= k) for k in ks]
    assert_allclose(hits.share_within(rng.permutation(sorted_ranks), ks), slow)


def test_wrong_calls():
    with pytest.raises(TypeError, match="ranking must be a LinkRanking; got float"):
        hits_curve(0.5)
    with pytest.raises(ValueError, match="ranking must hold something to draw"):
        hits_curve({})
