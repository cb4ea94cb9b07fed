"""What is written is on the disk before it counts, and what was left behind goes."""

import os
import sys

import numpy as np
import pytest

from gsnn_edges import correlate_store
from gsnn_edges.store import StoreWriter, open_matrix

SHAPE = {"pairs": 2, "samples": 6, "columns": 5, "unit": 3}


@pytest.fixture
def flushed(monkeypatch):
    """Files that were forced to the disk, in order."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("names of open files are read from /proc")
    paths, force = [], os.fsync

    def recording(handle):
        number = handle if isinstance(handle, int) else handle.fileno()
        paths.append(os.readlink(f"/proc/self/fd/{number}"))
        force(handle)

    monkeypatch.setattr(os, "fsync", recording)
    return paths


def written(path):
    writer = StoreWriter.create(path, **SHAPE)
    for unit in writer.missing:
        writer.put(unit, *np.random.default_rng(unit).random((2, 2, 3, 5), np.float32))
    return writer.finish()


def chunks(folder):
    """Files of numbers of a zarr, as they are named inside it."""
    files = [path for path in folder.rglob("c/**/*") if path.name.isdigit() and path.is_file()]
    return {str(path.relative_to(folder)) for path in files}


def test_observations_reach_the_disk(tmp_path, flushed):
    written(tmp_path / "s.zarr")
    wanted = {name for name in chunks(tmp_path / "s.zarr") if name[0] in "ag"}
    assert len(wanted) >= 4  # two sides of two units
    assert wanted <= {os.path.relpath(path, tmp_path / "s.zarr") for path in flushed}


def test_a_matrix_reaches_the_disk_before_it_has_its_name(tmp_path, flushed):
    store = written(tmp_path / "s.zarr")
    flushed.clear()
    correlate_store(store, tmp_path / "W.zarr")
    (chunk,) = chunks(tmp_path / "W.zarr")
    ends = [path for path in flushed if path.endswith(chunk)]
    assert ends
    assert str(tmp_path / "W.zarr" / chunk) not in ends
    np.testing.assert_array_equal(open_matrix(tmp_path / "W.zarr").to_numpy().shape, (5, 5))


def test_what_a_killed_process_left_in_a_store_goes(tmp_path):
    written(tmp_path / "s.zarr")
    folder = next(path for path in (tmp_path / "s.zarr" / "a").rglob("c/*") if path.is_dir())
    leftovers = [tmp_path / "s.zarr" / "x.partial", folder / "0.0f3c.partial"]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    writer = StoreWriter.resume(tmp_path / "s.zarr", **SHAPE)
    assert writer.missing == []
    assert not any(leftover.exists() for leftover in leftovers)


def test_without_zarr_it_is_said_what_to_install(tmp_path, monkeypatch):
    correlate_store(written(tmp_path / "s.zarr"), tmp_path / "W.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"zarr.*pip install 'gsnn-edges\[store\]'"):
        open_matrix(tmp_path / "W.zarr")
