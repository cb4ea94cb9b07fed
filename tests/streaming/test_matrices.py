"""Tiles become a matrix on disk, to be read by others' readers."""

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from gsnn_edges.scale import matrices, sizes
from gsnn_edges.scale.matrices import NpyMatrix, ZarrMatrix, chunk_edge
from gsnn_edges.scale.products import tiles

NODES = 17


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("edge", [3, 17])
@pytest.mark.parametrize("kind", ["zarr", "npy"])
@pytest.mark.parametrize("chunk", [2, 1024])
def test_a_matrix_is_what_was_put(tmp_path, monkeypatch, dtype, edge, kind, chunk):
    monkeypatch.setattr(matrices, "CHUNK", chunk)
    scores = np.random.default_rng(0).random((NODES, NODES)).astype(dtype)
    path = tmp_path / f"W.{kind}"
    sink = NpyMatrix(path, NODES, dtype) if kind == "npy" else ZarrMatrix(path, NODES, dtype, edge)
    sink.prepare()
    for tile in tiles(NODES, edge):
        sink.put(tile, scores[tile.top : tile.bottom, tile.left : tile.right])
    assert sink.save({"made": {}}) == path
    found = np.load(path) if kind == "npy" else zarr.open_array(path, mode="r")[:]
    assert found.dtype == dtype
    assert_array_equal(found, scores)


def test_leftovers_of_a_killed_process_go(tmp_path):
    sink = ZarrMatrix(tmp_path / "W.zarr", 4, "float32", 2)
    sink.prepare()
    (tmp_path / "W.zarr" / "c").mkdir()
    (tmp_path / "W.zarr" / "c" / "0.123.partial").write_text("")
    sink.save({"made": {"top": None}})
    assert list((tmp_path / "W.zarr").rglob("*.partial")) == []
    assert zarr.open_array(tmp_path / "W.zarr", mode="r").attrs["made"] == {"top": None}


@pytest.mark.parametrize("nodes", [1, 1000, 1024, 4100, 10**5])
def test_chunks_fill_tiles(nodes):
    tile = sizes.even(3000, nodes)
    assert tile % chunk_edge(tile) == 0
    assert chunk_edge(tile) <= sizes.CHUNK
