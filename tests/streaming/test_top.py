"""The strongest targets are those of a sort of all of W."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.scale import TopTargets
from gsnn_edges.scale import top as top_module
from gsnn_edges.scale.products import tiles
from gsnn_edges.scale.top import TopSink, checked_top

NODES = 17


def tied_scores(levels=4):
    rng = np.random.default_rng(0)
    return (rng.integers(-levels, levels, (NODES, NODES)) / 8).astype(np.float32)


def fed(folder, scores, k, edge, times=1):
    sink = TopSink(folder, NODES, k, "float32")
    sink.prepare()
    for tile in tiles(NODES, edge):
        for _ in range(times):
            sink.put(tile, scores[tile.top : tile.bottom, tile.left : tile.right])
    return sink


@pytest.mark.parametrize("k", [1, 5, 17])
@pytest.mark.parametrize("edge", [5, 17])
@pytest.mark.parametrize("block", [1, 100, 10**6])
def test_equals_a_stable_sort(tmp_path, monkeypatch, k, edge, block):
    monkeypatch.setattr(top_module, "BLOCK_ELEMENTS", block)
    scores = tied_scores()
    found = fed(tmp_path, scores, k, edge).finish()
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert_array_equal(found.targets, expected)
    assert_array_equal(found.scores, np.take_along_axis(scores, expected, axis=1))


def test_a_tile_that_comes_again_changes_nothing(tmp_path):
    once = fed(tmp_path / "once", tied_scores(), 5, 4).finish()
    twice = fed(tmp_path / "twice", tied_scores(), 5, 4, times=2).finish()
    assert_array_equal(once.targets, twice.targets)


def test_it_is_saved_and_shown(tmp_path):
    pytest.importorskip("pandas")
    sink = fed(tmp_path, tied_scores(), 3, 4)
    found = TopTargets.load(sink.save({"made": {}}))
    frame = found.to_frame([f"n{node}" for node in range(NODES)])
    assert len(frame) == 3 * NODES
    assert frame["rank"].tolist() == [1, 2, 3] * NODES
    assert frame.source[4] == "n1"
    assert frame.target[4] == f"n{found.targets[1, 1]}"
    assert found.to_frame().score.tolist() == found.scores.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("top", "error", "phrase"),
    [
        (18, ValueError, "top must be at most 17, the nodes"),
        (0, ValueError, "top must be at least 1"),
        (True, TypeError, "top must be a whole number"),
    ],
)
def test_bad_numbers_are_explained(top, error, phrase):
    with pytest.raises(error, match=phrase):
        checked_top(top, NODES)
