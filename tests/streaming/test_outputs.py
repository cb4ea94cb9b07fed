"""A result that is there is taken, and nothing else is written over."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from stores import digest, draw, write_store

from gsnn_edges import _io
from gsnn_edges.scale import correlate_store
from gsnn_edges.scale import out_of_core as work
from gsnn_edges.store.matrix import _chunk_file as chunk_file


def test_a_result_that_is_there_is_taken(magnitudes, tmp_path, monkeypatch):
    for name, options in (("W.zarr", {}), ("W.npy", {}), ("t.npz", {"top": 3})):
        correlate_store(magnitudes, tmp_path / name, **options)
        before = digest(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(work.Work, "run", None)
            correlate_store(magnitudes, tmp_path / name, **options)
        assert digest(tmp_path) == before
        with pytest.raises(FileExistsError, match="other settings: method was 'spearman' and is"):
            correlate_store(magnitudes, tmp_path / name, **options, method="pearson")
        correlate_store(magnitudes, tmp_path / name, **options, method="pearson", resume=False)
        assert digest(tmp_path) != before


@pytest.mark.parametrize("name", ["W.zarr", "W.npy"])
def test_what_others_made_is_not_overwritten(magnitudes, tmp_path, name):
    if name == "W.npy":
        np.save(tmp_path / name, np.eye(3))
    else:
        write_store(tmp_path / name, *draw())
    before = digest(tmp_path)
    for resume in (True, False):
        with pytest.raises(FileExistsError, match="is something else: remove it, or choose"):
            correlate_store(magnitudes, tmp_path / name, resume=resume)
    assert digest(tmp_path) == before


def test_what_a_kill_left_beside_a_result_goes(magnitudes, tmp_path):
    scratch = tmp_path / "scratch"
    out = tmp_path / "W.npy"
    correlate_store(magnitudes, out, scratch=scratch.mkdir() or scratch)
    unfinished = tmp_path / "W.npy.unfinished"
    request = SimpleNamespace(output=out, scratch=scratch)
    for leftover in (unfinished, work.scratch_of(request, unfinished)):
        leftover.mkdir()
    correlate_store(magnitudes, out, scratch=scratch)
    assert {path.name for path in tmp_path.iterdir()} == {
        "magnitudes", "scratch", "W.npy", "W.npy.json"
    }  # fmt: skip
    assert list(scratch.iterdir()) == []


def test_a_file_that_was_written_later_is_not_the_result(magnitudes, tmp_path):
    out = tmp_path / "W.npy"
    correlate_store(magnitudes, out)
    np.save(out, np.eye(3))
    for resume in (True, False):
        with pytest.raises(FileExistsError, match="is something else: remove it, or choose"):
            correlate_store(magnitudes, out, resume=resume)
    assert_array_equal(np.load(out), np.eye(3))


def test_a_file_where_the_sidecar_goes_is_not_written_over(magnitudes, tmp_path):
    mine = tmp_path / "W.npy.json"
    mine.write_text(json.dumps({"notes": "mine"}))
    with pytest.raises(FileExistsError, match=r"out needs .*W.npy.json' beside it"):
        correlate_store(magnitudes, tmp_path / "W.npy")
    assert json.loads(mine.read_text()) == {"notes": "mine"}


def test_a_kill_between_a_result_and_its_sidecar_loses_nothing(magnitudes, tmp_path, monkeypatch):
    out = tmp_path / "W.npy"
    correlate_store(magnitudes, out)
    put = _io.put_in_place

    def dying(made, path):
        if path == out:
            pytest.fail("killed")
        put(made, path)

    with monkeypatch.context() as patch:
        patch.setattr(_io, "put_in_place", dying)
        with pytest.raises(pytest.fail.Exception):
            correlate_store(magnitudes, out, method="pearson", resume=False)
    assert (tmp_path / "W.npy.json").exists()
    pearson = correlate_store(magnitudes, out, method="pearson").to_numpy()
    expected = correlate_store(magnitudes, tmp_path / "V.npy", method="pearson").to_numpy()
    assert_array_equal(pearson, expected)


def test_w_of_which_a_part_is_lost_is_not_the_result(magnitudes, tmp_path):
    out = tmp_path / "W.zarr"
    correlate_store(magnitudes, out)
    chunk_file(out, 0, 0).unlink()
    with pytest.raises(ValueError, match="lacks 1 of its chunks, as c/0/0: make it again with"):
        correlate_store(magnitudes, out)
    assert correlate_store(magnitudes, out, resume=False).shape == (23, 23)


@pytest.mark.parametrize("name", ["W.zarr", "a/W.npy"])
def test_a_result_within_its_store_is_refused(magnitudes, tmp_path, name):
    with pytest.raises(ValueError, match="out must lie outside the store of observations"):
        correlate_store(magnitudes, magnitudes.path / name)
