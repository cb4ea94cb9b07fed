"""Tiles are products over all stretches, reduced part by part."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gsnn_edges import backends
from gsnn_edges.scale.products import Products, Tile, tiles
from gsnn_edges.scale.rows import HeldRows


def test_tiles_cover_all_pairs_once():
    covered = np.zeros((11, 11), int)
    numbers = []
    for tile in tiles(11, 4):
        covered[tile.top : tile.bottom, tile.left : tile.right] += 1
        numbers.append(tile.number)
    assert (covered == 1).all()
    assert numbers == list(range(9))


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("channels", [False, True])
def test_equals_a_mean_of_products(backend, channels):
    pytest.importorskip(backend)
    rng = np.random.default_rng(0)
    rows = rng.uniform(-0.1, 0.1, (3, 2, 12, 50)).astype(np.float32)
    parts = [tuple(HeldRows(side, 7) for side in part) for part in rows]
    widths = (3, 2) if channels else (1, 1)
    tile = Tile(0, 1, 3, 2, 5)
    found = Products(backends.load(backend), parts, widths, channels).tile(tile)
    expected = 0
    for a, g in rows.astype(float):
        product = a[tile.top * widths[0] : tile.bottom * widths[0]]
        product = product @ g[tile.left * widths[1] : tile.right * widths[1]].T
        if channels:
            blocks = product.reshape(2, 3, 3, 2)
            product = np.sqrt((blocks**2).sum(axis=(1, 3)))
        expected = expected + product.clip(-1, 1) / len(rows)
    assert_allclose(found, expected, atol=1e-6)
