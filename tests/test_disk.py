"""Files that a kill leaves whole, and folders that go at once."""

import errno
import os

import pytest

from gsnn_edges import _io


def test_a_quota_is_a_full_disk():
    assert [_io.is_full(OSError(n, "")) for n in (errno.ENOSPC, errno.EDQUOT, errno.EIO)] == [
        True, True, False
    ]  # fmt: skip


def test_bytes_are_flushed_before_they_get_their_name(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(_io, "flush", lambda path: steps.append(("flush", path.name)))
    replace = os.replace
    monkeypatch.setattr(
        _io.os, "replace", lambda old, new: (steps.append(("name", new.name)), replace(old, new))
    )
    _io.write_whole(tmp_path / "x", "text")
    assert (tmp_path / "x").read_text() == "text"
    assert steps == [("flush", ".x.unfinished"), ("name", "x"), ("flush", tmp_path.name)]


def test_half_a_line_does_not_count(tmp_path):
    path = tmp_path / "lines"
    assert _io.whole_lines(path) == []
    _io.mend(path)
    _io.append_line(path, "one")
    with path.open("a") as file:
        file.write("two")
    assert _io.whole_lines(path) == ["one"]
    _io.mend(path)
    _io.append_line(path, "three")
    assert _io.whole_lines(path) == ["one", "three"]


def test_what_is_discarded_loses_its_name_first(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "job").write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr(_io, "remove", lambda path: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            _io.discard(tmp_path / "work")
    assert not (tmp_path / "work").exists()
    assert len(list(tmp_path.iterdir())) == 1
    _io.discard(tmp_path / "work")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    _io.discard(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
