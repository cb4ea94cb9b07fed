"""Pairs over a threshold are those of a search of all of W."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.scale import PairsAbove
from gsnn_edges.scale import top as top_module
from gsnn_edges.scale.above import AboveSink, checked_threshold
from gsnn_edges.scale.products import tiles

NODES = 17
SCORES = np.random.default_rng(0).uniform(-1, 1, (NODES, NODES)).astype(np.float32)


def fed(folder, threshold, edge, max_memory=10**7):
    sink = AboveSink(folder, threshold, "float32", max_memory)
    sink.prepare()
    for tile in tiles(NODES, edge):
        for _ in range(2):
            sink.put(tile, SCORES[tile.top : tile.bottom, tile.left : tile.right])
    return sink


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.99, 2.0])
@pytest.mark.parametrize("edge", [5, 17])
@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_equals_a_search(tmp_path, monkeypatch, threshold, edge, block):
    monkeypatch.setattr(top_module, "BLOCK_ELEMENTS", block)
    found = fed(tmp_path, threshold, edge).finish()
    expected = np.nonzero(abs(SCORES) >= threshold)
    assert_array_equal([found.sources, found.targets], expected)
    assert_array_equal(found.scores, SCORES[expected])


def test_it_is_saved_and_shown(tmp_path):
    pytest.importorskip("pandas")
    found = PairsAbove.load(fed(tmp_path, 0.9, 4).save({"made": {}}))
    frame = found.to_frame([f"n{node}" for node in range(NODES)])
    assert frame.source.tolist() == [f"n{node}" for node in found.sources]
    assert frame.score.tolist() == found.scores.tolist()


def test_more_pairs_than_memory_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"at most 150 pairs, which max_memory=9.55 MB can hold"):
        fed(tmp_path, 0.1, 4, max_memory=9_544_800)


@pytest.mark.parametrize(
    ("threshold", "error", "phrase"),
    [
        (-0.1, ValueError, "at least 0, and finite; got -0.1"),
        (np.nan, ValueError, "finite; got nan"),
        ("0.5", TypeError, "threshold must be a number"),
        (True, TypeError, "threshold must be a number"),
    ],
)
def test_bad_thresholds_are_explained(threshold, error, phrase):
    with pytest.raises(error, match=phrase):
        checked_threshold(threshold)
