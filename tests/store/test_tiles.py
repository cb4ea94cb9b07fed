"""W in chunks: what is lost of it is missed, and never 0."""

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from gsnn_edges.store import open_matrix
from gsnn_edges.store.tiles import (
    check_whole,
    chunk_file,
    facts_of_matrix,
    make_matrix,
    opened_matrix,
    write_block,
)

W = np.zeros((9, 9), np.float32)


@pytest.fixture
def path(tmp_path):
    make_matrix(tmp_path / "W.zarr", 9, "float32", (4, 6), {"made": {"seed": 1}})
    return tmp_path / "W.zarr"


def test_blocks_of_any_place_and_of_zeros_are_kept(path):
    write_block(path, 0, 0, W[:3])
    with pytest.raises(ValueError, match="lacks 4 of its chunks, as c/1/0"):
        open_matrix(path)
    write_block(path, 3, 0, W[3:, :5])
    write_block(path, 3, 5, W[3:, 5:])
    assert_array_equal(open_matrix(path).to_numpy(), W)


def test_a_lost_chunk_is_not_a_number(path):
    write_block(path, 0, 0, W)
    chunk_file(path, 1, 0).unlink()
    found = opened_matrix(path)[:]
    assert_array_equal(np.isnan(found), np.outer(np.arange(9) // 4 == 1, np.arange(9) < 6))


def test_only_ours_is_counted(path, tmp_path):
    assert facts_of_matrix(path)["made"] == {"seed": 1}
    zarr.create_array(str(tmp_path / "V.zarr"), shape=(3, 3), dtype="float32")
    assert facts_of_matrix(tmp_path / "V.zarr") is None
    assert facts_of_matrix(tmp_path) is None
    check_whole(tmp_path / "V.zarr", zarr.open_array(str(tmp_path / "V.zarr")))
