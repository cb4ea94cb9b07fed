"""Paths: what can be read, what can be written, and files that are written whole or not at all."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

AnyPath = str | PathLike[str]

# How files of some kinds begin, to say what a file is that its ending does not fit.
BEGINNINGS = {
    b"\x93NUMPY": "a .npy file",
    b"PK\x03\x04": "a zip archive, as .npz files and torch's .pt files are",
    b"PAR1": "a .parquet file",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip archive",
    b"\x80\x02": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}


def ending(path: Path) -> str:
    """Give the ending of a path in small letters, as ".csv"."""
    return path.suffix.lower()


def checked_ending(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Reject a path with another ending than these."""
    if not isinstance(path, str | PathLike):
        raise TypeError(f"{name} must be a path; got {type(path).__name__}: pass a str or a Path")
    found = Path(path)
    if ending(found) not in endings:
        raise ValueError(
            f"{name} must end in {', '.join(endings)}; got {str(path)!r}: the ending says how a "
            "file is read and written"
        )
    return found


def readable(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Give the path of a file that is there; a folder for .zarr only."""
    found = checked_ending(name, path, endings)
    if not found.exists():
        raise FileNotFoundError(
            f"{name} must be a file that is there; there is none at {str(path)!r}{near(found)}"
        )
    if found.is_dir() and ending(found) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: name a file")
    if found.is_file() and found.stat().st_size == 0:
        raise ValueError(f"{name} must hold something; {str(path)!r} is empty: write it again")
    return found


def near(path: Path) -> str:
    """Say what lies where a file was looked for."""
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r} either"
    from difflib import get_close_matches

    close = get_close_matches(path.name, sorted(os.listdir(path.parent)), 1)
    return f": did you mean {str(path.parent / close[0])!r}?" if close else ": look at its folder"


def writable(name: str, path: AnyPath, endings: Collection[str]) -> Path:
    """Give the path of a file that can be written; found out before any work is done."""
    found = checked_ending(name, path, endings)
    folder = found.parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{name} must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(folder)!r} first"
        )
    if found.is_dir() and ending(found) != ".zarr":
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: add a name")
    try:
        with TemporaryDirectory(dir=folder, prefix=".unfinished-"):
            pass
    except OSError as error:
        raise PermissionError(
            f"{name} must lie in a folder that can be written; {str(folder)!r} cannot "
            f"({error.strerror}): choose another"
        ) from error
    return found


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of ``path`` when all has gone well."""
    # Beside its place: a rename within a file system is all or nothing.
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
            unfinished = Path(folder) / path.name
            yield unfinished
            os.replace(unfinished, path)
    except OSError as error:
        if error.errno is None:
            raise  # a sentence of this package, or of a library that writes
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"{str(path)!r} cannot be written ({reason}); nothing is left of it"
        ) from error


def foreign(name: str, path: Path, error: Any) -> ValueError:
    """Say that a file is not what its ending says."""
    reason = reason_of(error)
    return ValueError(
        f"{name} must be a whole {ending(path)} file; {str(path)!r} {looks_like(path)}"
        f"{reason and f' ({reason})'}: give it its true ending, or write it again"
    )


def reason_of(error: Any) -> str:
    """Say in a line what was found, without NumPy's advice to unpickle what nobody trusts."""
    reason = " ".join(str(error).split())[:200]
    if "Object arrays" in reason:
        return "it holds Python objects, which are not unpickled"
    return "" if "allow_pickle" in reason else reason


def looks_like(path: Path) -> str:
    """Say what the first bytes of a file are those of."""
    if path.is_dir():
        return "is a folder of something else"
    with path.open("rb") as file:
        head = file.read(8)
    kinds = [kind for beginning, kind in BEGINNINGS.items() if head.startswith(beginning)]
    return f"begins as {kinds[0]}" if kinds else "is broken or something else"
