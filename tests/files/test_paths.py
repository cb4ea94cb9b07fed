"""Paths that can be read and written, and files that are whole or not there."""

import pytest

from gsnn_edges.cli.tables import readable, writable


def test_readable_gives_the_path_of_a_file(tmp_path):
    file = tmp_path / "x.NPY"
    file.write_bytes(b"1")
    assert readable("x", str(file), [".npy"]) == file


@pytest.mark.parametrize(
    ("name", "kind", "phrase"),
    [
        ("x.txt", ValueError, "x must end in .npy, .csv; got"),
        ("edgs.csv", FileNotFoundError, "did you mean .*edges.csv"),
        ("nowhere/x.csv", FileNotFoundError, "there is none at .*nowhere"),
        ("folder.npy", IsADirectoryError, "is a folder: name a file"),
        ("empty.csv", ValueError, "is empty: write it again"),
    ],
)
def test_what_cannot_be_read_is_explained(name, kind, phrase, tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(kind, match=phrase):
        readable("x", tmp_path / name, [".npy", ".csv"])


def test_a_path_is_a_text_or_a_path():
    with pytest.raises(TypeError, match="x must be a path; got int: pass a str or a Path"):
        readable("x", 3, [".npy"])


def test_writable_changes_nothing(tmp_path):
    old = tmp_path / "out.csv"
    old.write_text("old")
    assert writable("--out", old, [".csv"]) == old
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.csv", "old")]


@pytest.mark.parametrize(
    ("name", "kind", "phrase"),
    [
        ("out.txt", ValueError, "--out must end in .csv"),
        ("nowhere/out.csv", FileNotFoundError, "make .*nowhere.* first"),
        ("folder.csv", IsADirectoryError, "is a folder: add a name"),
    ],
)
def test_what_cannot_be_written_is_explained(name, kind, phrase, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(kind, match=phrase):
        writable("--out", tmp_path / name, [".csv"])


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(PermissionError, match=r"cannot \(Read-only file system\): choose another"):
        writable("--out", tmp_path / "out.csv", [".csv"])
