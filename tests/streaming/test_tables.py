"""Pairs become frames, with names where there are names."""

import numpy as np
import pytest

from gsnn_edges.scale.tables import pair_frame

PAIRS = (np.array([0, 2]), np.array([1, 0]), np.array([0.5, 0.25], np.float32))


def test_numbers_and_names():
    pytest.importorskip("pandas")
    assert pair_frame(*PAIRS, None, 3).to_numpy().tolist() == [[0, 1, 0.5], [2, 0, 0.25]]
    named = pair_frame(*PAIRS, ["x", "y", "z"], 3)
    assert named.columns.tolist() == ["source", "target", "score"]
    assert named.source.tolist() == ["x", "z"]
    assert named.target.tolist() == ["y", "x"]


@pytest.mark.parametrize(
    ("names", "phrase"),
    [
        (["x", "y"], "each of the 3 nodes, in their order; got 2"),
        (["x"] * 3, "differ from each other; got 2 twice"),
        (list("wxyz"), "each of the 3 nodes"),
    ],
)
def test_bad_names_are_explained(names, phrase):
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=phrase):
        pair_frame(*PAIRS, names, 3)
