"""Rows of a store are those of its columns, however its nodes lie."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import backends
from gsnn_edges.ranks import standardize_rows
from gsnn_edges.scale.request import checked_request

OPTIONS = {
    "method": "spearman",
    "ties": "average",
    "layers": None,
    "n_components": None,
    "max_memory": "1GB",
    "top": 1,
    "threshold": None,
    "precision": "float32",
    "backend": "numpy",
    "device": None,
    "scratch": None,
    "resume": True,
    "verbose": False,
}


def standardized(x, shift):
    ops = backends.load("numpy")
    options = {"method": "spearman", "ties": "average", "dtype": "float32", "shift": shift}
    return standardize_rows(x.T, ops=ops, **options)


@pytest.mark.parametrize("pairs", [(0, 3), (1, 2)])
def test_rows_of_magnitudes(magnitudes, observations, pairs):
    sides = checked_request(magnitudes, None, **OPTIONS).sides()
    for side, x, shift in zip(sides, observations, (False, True), strict=True):
        x = x[pairs[0] : pairs[1], :, 4:11].reshape(-1, 7)
        assert_array_equal(side.rows(pairs, 4, 11), standardized(x, shift))


def test_rows_of_channels_are_those_of_each_node(channels, observations):
    side = checked_request(channels, None, **OPTIONS).sides()[1]
    rows = side.rows((1, 2), 3, 9).reshape(6, side.width, -1)
    for node in range(3, 9):
        own = np.flatnonzero(channels.column_nodes == node)
        expected = np.zeros(rows.shape[1:])
        if len(own):
            expected[: len(own)] = standardized(observations[1][1][:, own], True)
        assert_array_equal(rows[node - 3], expected)


def test_directions_keep_what_they_must(channels):
    request = checked_request(channels, None, **OPTIONS | {"n_components": 2})
    side = request.sides()[0]
    whole = dataclasses.replace(side, n_components=None)
    assert (side.width, whole.width) == (2, 4)
    some, all_of_them = (
        np.linalg.norm(s.rows((0, 1), 0, 9).reshape(9, s.width, -1), axis=(1, 2))
        for s in (side, whole)
    )
    few = np.bincount(channels.column_nodes, minlength=9) <= 2
    assert_allclose(some[few], all_of_them[few], rtol=1e-5)
    assert (some <= all_of_them * (1 + 1e-6)).all()


def test_a_block_without_columns_has_rows_of_zeros(channels):
    side = checked_request(channels, None, **OPTIONS).sides()[0]
    assert_array_equal(side.rows((0, 1), 5, 6), np.zeros((4, channels.samples)))
