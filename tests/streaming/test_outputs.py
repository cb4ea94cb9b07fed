"""A result that is there is taken, and nothing else is written over."""

import numpy as np
import pytest
from stores import digest, draw, write_store

from gsnn_edges.streaming import correlate_store, work


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
    for leftover in (tmp_path / "W.npy.unfinished", scratch / "W.npy.unfinished.rows"):
        leftover.mkdir()
    correlate_store(magnitudes, out, scratch=scratch)
    assert {path.name for path in tmp_path.iterdir()} == {
        "magnitudes", "scratch", "W.npy", "W.npy.json"
    }  # fmt: skip
    assert list(scratch.iterdir()) == []
