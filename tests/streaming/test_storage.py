"""Tables are files that are whole."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.scale.storage import read_arrays, write_arrays


def test_arrays_come_back(tmp_path):
    write_arrays(tmp_path / "x.npz", {"k": [1, None]}, {"a": np.arange(3), "b": np.eye(2)})
    facts, (b, a) = read_arrays(tmp_path / "x.npz", ("b", "a"))
    assert facts == {"k": [1, None]}
    assert_array_equal(a, np.arange(3))
    assert_array_equal(b, np.eye(2))
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_an_error_leaves_what_was_there(tmp_path, monkeypatch):
    write_arrays(tmp_path / "x.npz", {}, {"a": np.arange(3)})
    before = (tmp_path / "x.npz").read_bytes()
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "x.npz", {}, {"a": np.array([None])})
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
    assert (tmp_path / "x.npz").read_bytes() == before


@pytest.mark.parametrize("spoil", ["cut", "other", "text", "array"])
def test_broken_files_are_explained(tmp_path, spoil):
    path = tmp_path / "x.npz"
    write_arrays(path, {}, {"a": np.arange(300)})
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif spoil == "other":
        np.savez(path, a=np.arange(3))
    elif spoil == "text":
        path.write_text("W")
    else:
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    with pytest.raises(ValueError, match=r"whole file of a that correlate_store wrote; .*make it"):
        read_arrays(path, ("a",))
