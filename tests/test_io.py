"""Sizes in bytes, files that a kill leaves whole, and the npz container."""

import errno
import json
import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges import _io


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (12, 12),
        ("12 B", 12),
        ("2GB", 2 * 10**9),
        (" 500 MB ", 5 * 10**8),
        ("1.5 GiB", 3 * 2**29),
        ("1kB", 1000),
        ("3 TiB", 3 * 2**40),
    ],
)
def test_bytes_are_parsed(text, count):
    assert _io.parse_bytes("max_memory", text) == count


@pytest.mark.parametrize(
    ("amount", "error", "phrase"),
    [
        ("80", ValueError, "must have a unit, as '80GB' or '80MB'; got '80': write bytes"),
        ("2 parsecs", ValueError, "number with a unit such as '2GB'"),
        ("GB", ValueError, "got 'GB'"),
        ("-2GB", ValueError, "max_memory must be bytes"),
        (0, ValueError, "at least 1; got 0 bytes"),
        (None, TypeError, "must be a whole number"),
    ],
)
def test_wrong_sizes_are_errors(amount, error, phrase):
    with pytest.raises(error, match=phrase):
        _io.parse_bytes("max_memory", amount)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (2_500_000, "2.5 MB"),
        (999_900_000, "1 GB"),
        (5.4e13, "54 TB"),
        (3 * 10**18, "3,000,000 TB"),
    ],
)
def test_bytes_are_written_with_three_digits_and_rounded_up(count, text):
    assert _io.format_bytes(count) == text


@pytest.mark.parametrize("count", [1, 1234, 99_999, 10**6 + 1, 123_456_789_012])
def test_written_bytes_are_enough(count):
    assert _io.parse_bytes("memory", _io.format_bytes(count)) >= count


def test_a_quota_is_a_full_disk():
    full = [_io.is_full(OSError(n, "")) for n in (errno.ENOSPC, errno.EDQUOT, errno.EIO)]
    assert full == [True, True, False]


def test_paths_are_checked(tmp_path):
    assert _io.new_path("out", str(tmp_path / "x")) == tmp_path / "x"
    with pytest.raises(TypeError, match="out must be a text or a path; got int"):
        _io.new_path("out", 3)
    with pytest.raises(FileNotFoundError, match=r"out must lie in a folder .* make '.*no' first"):
        _io.new_path("out", tmp_path / "no" / "x")


def test_bytes_are_flushed_before_they_get_their_name(tmp_path, monkeypatch):
    steps, replace = [], os.replace
    monkeypatch.setattr(_io.os, "fsync", lambda handle: steps.append("flush"))
    monkeypatch.setattr(_io.os, "replace", lambda *a: (steps.append("name"), replace(*a)))
    _io.write_json(tmp_path / "x", {"a": [1]})
    assert json.loads((tmp_path / "x").read_text()) == {"a": [1]}
    assert steps == ["flush", "name", "flush"]


def test_what_is_discarded_loses_its_name_first(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "job").write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr(_io.shutil, "rmtree", lambda *_, **__: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            _io.discard(tmp_path / "work")
    assert not (tmp_path / "work").exists()
    assert len(list(tmp_path.iterdir())) == 1
    _io.discard(tmp_path / "work")
    (tmp_path / "file").write_text("x")
    _io.discard(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_arrays_and_attributes_come_back(tmp_path):
    path = tmp_path / "x.npz"
    _io.write_arrays(path, "pairs", {"k": [1, None]}, {"a": np.arange(3), "b": np.eye(2)})
    attributes, arrays = _io.read_arrays(path, "pairs")
    assert attributes["k"] == [1, None]
    assert set(arrays) == {"a", "b"}
    assert_array_equal(arrays["a"], np.arange(3))
    assert_array_equal(arrays["b"], np.eye(2))
    assert [one.name for one in tmp_path.iterdir()] == ["x.npz"]


def test_an_error_leaves_the_old_file(tmp_path):
    _io.write_arrays(tmp_path / "x.npz", "pairs", {}, {"a": np.arange(3)})
    before = (tmp_path / "x.npz").read_bytes()
    with pytest.raises(ValueError, match="a must hold numbers or texts; got Python objects"):
        _io.write_arrays(tmp_path / "x.npz", "pairs", {}, {"a": np.array([None])})
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
    assert (tmp_path / "x.npz").read_bytes() == before


def cut(path):
    path.write_bytes(path.read_bytes()[:500])


def one_array(path):
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def with_header(text):
    return lambda path: np.savez(path, header=np.array(text), a=np.arange(3))


def with_version(version):
    return with_header(json.dumps({"format": "gsnn-edges pairs", "format_version": version}))


@pytest.mark.parametrize(
    ("spoil", "phrase"),
    [
        (cut, "is broken or of another kind"),
        (lambda path: path.write_text("W"), "is broken or of another kind"),
        (lambda path: np.savez(path, a=np.arange(3)), r"of another kind .*: write it again"),
        (one_array, "of another kind"),
        (with_header("[1]"), "of another kind"),
        (with_header('{"format": "gsnn-edges evidence", "format_version": 1}'),
         "holds gsnn-edges evidence: name another file"),
        (with_version(99), "has version 99: install a newer"),
        (with_version("1"), "has version 1: install a newer"),
    ],
)  # fmt: skip
def test_other_files_are_errors(tmp_path, spoil, phrase):
    path = tmp_path / "x.npz"
    _io.write_arrays(path, "pairs", {}, {"a": np.arange(300)})
    spoil(path)
    with pytest.raises(ValueError, match=f"^kept must be .*{phrase}"):
        _io.read_arrays(path, "pairs", name="kept")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is none at .*x\.npz"):
        _io.read_arrays(tmp_path / "x.npz", "pairs")
