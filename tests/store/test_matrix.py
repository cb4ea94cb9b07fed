import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from gsnn_edges.store import matrix, open_matrix

W = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)


def as_npy(folder):
    np.save(folder / "W.npy", W)
    return folder / "W.npy"


def as_array(folder):
    zarr.create_array(str(folder / "W.zarr"), data=W, chunks=(4, 3))
    return folder / "W.zarr"


def as_group(folder):
    zarr.create_group(str(folder / "all.zarr")).create_array("W", data=W, chunks=(4, 3))
    return folder / "all.zarr"


@pytest.fixture(params=[as_npy, as_array, as_group])
def stored(request, tmp_path):
    return open_matrix(request.param(tmp_path))


def test_it_looks_like_a_matrix(stored):
    assert (stored.shape, stored.ndim, stored.dtype) == ((9, 7), 2, np.float32)
    assert_array_equal(stored.to_numpy(), W)


@pytest.mark.parametrize("indices", [[], [3], [2, 3, 4], [5, 0, 5], [6, 4, 1]])
def test_rows_and_columns(stored, indices):
    assert_array_equal(stored.rows(indices), W[np.array(indices, int)])
    assert_array_equal(stored.columns(indices), W[:, np.array(indices, int)])


def test_blocks_are_all_rows(stored, monkeypatch):
    monkeypatch.setattr(matrix, "BLOCK_BYTES", 4 * 7 * 4)
    blocks = list(stored.blocks())
    assert [top for top, _ in blocks] == [0, 4, 8]
    assert_array_equal(np.concatenate([rows for _, rows in blocks]), W)


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"no matrix", "is broken or of another kind"),
        (b"\x93NUMPY\x01\x00", "is broken or of another kind"),
    ],
)
def test_a_broken_file_is_an_error(tmp_path, content, phrase):
    (tmp_path / "W.npy").write_bytes(content)
    with pytest.raises(ValueError, match=phrase):
        open_matrix(tmp_path / "W.npy")


def test_a_pickle_is_not_loaded(tmp_path):
    np.save(tmp_path / "W.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="is broken or of another kind"):
        open_matrix(tmp_path / "W.npy")


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 2), int)])
def test_what_is_no_matrix_of_floats(tmp_path, values):
    np.save(tmp_path / "W.npy", values)
    with pytest.raises(ValueError, match="must be a matrix of floating-point numbers"):
        open_matrix(tmp_path / "W.npy")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is none at"):
        open_matrix(tmp_path / "W.npy")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ValueError, match="is broken or of another kind"):
        open_matrix(tmp_path / "empty.zarr")
