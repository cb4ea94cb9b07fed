"""Files: paths, sizes in bytes, files that are written whole or not at all, one npz container."""

import errno
import glob
import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows locks nothing
    fcntl = None  # type: ignore[assignment]

from gsnn_edges import __version__, _validation

# A quota is a disk that is full for one user.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNITS = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
_HEADER, _VERSION = "header", 1
# Begins the format of whatever this package writes.
_OURS = "gsnn-edges "


def parse_bytes(name: str, amount: Any) -> int:
    """Bytes of a size such as "2GB".

    Parameters
    ----------
    name : str
        The argument's name, for errors.
    amount : int or str
        Bytes, or a text of a number with a unit: ``"2GB"``, ``"500 MB"`` (powers of 1000),
        ``"1.5 GiB"`` (of 1024), ``"80B"``. Capitals do not matter.

    Raises
    ------
    TypeError, ValueError
        For anything else, and for less than a byte.

    Examples
    --------
    >>> parse_bytes("max_memory", "2GB"), parse_bytes("max_memory", "1.5 KiB")
    (2000000000, 1536)
    """
    if isinstance(amount, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", amount, re.ASCII)
        if match is not None and not match[2]:
            raise ValueError(
                f"{name} must have a unit, as '{match[1]}GB' or '{match[1]}MB'; got {amount!r}: "
                f"write bytes as '{match[1]}B'"
            )
        if match is None or match[2].upper() not in _UNITS:
            raise ValueError(
                f"{name} must be bytes, or a number with a unit such as '2GB', '500 MB' or "
                f"'1.5 GiB'; got {_validation.shown(amount)}"
            )
        amount = int(float(match[1]) * _UNITS[match[2].upper()])
    return _validation.whole_number(name, amount, least=1, hint=" bytes")


def format_bytes(count: float) -> str:
    """Bytes with a unit and three digits, rounded up; `parse_bytes` reads it.

    >>> format_bytes(1200), format_bytes(2_500_001), format_bytes(12_340_000_000)
    ('1.2 kB', '2.51 MB', '12.4 GB')
    """
    rounded = math.ceil(count)
    step = 10 ** max(0, len(str(rounded)) - 3)
    rounded = -(-rounded // step) * step
    for power, unit in enumerate(("B", "kB", "MB", "GB")):
        if rounded < 1000 ** (power + 1):
            return f"{rounded / 1000**power:g} {unit}"
    return f"{rounded / 10**12:,.12g} TB"


def as_path(name: str, value: Any) -> Path:
    """A `Path`, or a TypeError for what is neither a text nor a path."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a text or a path; got {type(value).__name__}")
    return Path(value)


def ending(path: Any) -> str:
    """Last part of a path in small letters, as ".csv" or ".csv.gz"."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    return "".join(suffixes if suffixes[-1:] == [".gz"] else suffixes[-1:])


def check_ending(name: str, value: Any, endings: Collection[str]) -> Path:
    """A path with one of these endings."""
    path = as_path(name, value)
    if ending(path) not in endings:
        raise ValueError(
            f"{name} must end in {', '.join(endings)}; got {str(path)!r}: the ending says how a "
            "file is read and written"
        )
    return path


def new_path(name: str, value: Any) -> Path:
    """A path to write to, whose folder exists."""
    path = as_path(name, value)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"{name} must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(path.parent)!r} first"
        )
    for folder in path.absolute().parents:
        about = folder / "zarr.json"
        if about.is_file() and _OURS in about.read_text(encoding="utf-8", errors="replace"):
            raise ValueError(
                f"{name} must lie outside of other stores; got {str(path)!r}, within "
                f"{str(folder)!r}: choose another folder"
            )
    return path


def is_full(error: OSError) -> bool:
    """Whether there was no room, on the disk or in the user's quota."""
    return error.errno in _FULL


def flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A new path beside ``path``: what is written there replaces ``path``, or goes on an error."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.unfinished")
    try:
        yield unfinished
        put_in_place(unfinished, path)
    except BaseException:
        _remove(unfinished)
        raise


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write values as JSON to a file, whole or not at all."""
    with whole(path) as unfinished:
        text = json.dumps(values, indent=1, sort_keys=True, allow_nan=False)
        unfinished.write_text(f"{text}\n", encoding="utf-8")


def put_in_place(made: Path, path: Path) -> None:
    """Rename a file or folder that is whole: its bytes are on the disk before its name."""
    flush(made)
    os.replace(made, path)
    flush(path.parent)


@contextmanager
def locked(name: str, path: Path) -> Iterator[None]:
    """Keep an output for one call; the lock ends with the process, also with one that is killed.

    Where files cannot be locked, as on some network disks, nothing is.

    Raises
    ------
    BlockingIOError
        At once, where another call is writing it.
    """
    place = path.with_name(f".{path.name}.gsnn-edges.lock")
    with ExitStack() as held:
        while fcntl is not None:
            try:
                file = held.enter_context(place.open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BlockingIOError(
                    f"{name} must be written by one process at a time; another one is at work on "
                    f"{str(path)!r}: wait for it, or choose another name"
                ) from error
            except OSError:
                break
            # Whoever held it may have removed the file after it was opened here.
            if place.exists() and os.path.samestat(os.fstat(file.fileno()), place.stat()):
                held.callback(place.unlink, missing_ok=True)
                break
        yield


def discard(path: Path) -> None:
    """Remove a file or a folder, which loses its name first: nothing half removed keeps it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 32}.discarded"):
        _remove(left)
    if path.exists():
        going = path.with_name(f".{path.name}.{uuid.uuid4().hex}.discarded")
        os.rename(path, going)
        _remove(going)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_arrays(
    path: Path, kind: str, attributes: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write arrays with attributes to an npz file, without pickle, whole or not at all.

    Parameters
    ----------
    path : Path
    kind : str
        What the file holds, as "evidence": `read_arrays` rejects another kind.
    attributes : mapping
        Ready for JSON.
    arrays : mapping of str to array
    """
    _reject_folder("path", path)
    about = {"format": f"{_OURS}{kind}", "format_version": _VERSION, "gsnn-edges": __version__}
    header = np.array(json.dumps({**attributes, **about}, sort_keys=True, allow_nan=False))
    for name, array in arrays.items():
        if array.dtype == object:  # which NumPy would pickle
            raise ValueError(f"{name} must hold numbers or texts; got Python objects: convert them")
    members: dict[str, Any] = {_HEADER: header, **arrays}
    with whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **members)


def read_arrays(
    path: Path, kind: str, *, name: str = "path"
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Attributes and arrays of a file that `write_arrays` wrote.

    Parameters
    ----------
    path : Path
    kind : str
    name : str
        The argument's name, for errors.

    Raises
    ------
    OSError
        Where no file can be read.
    ValueError
        For a file that is broken, of another kind, or of a newer version.
    """
    _reject_folder(name, path)
    if not path.exists():
        raise FileNotFoundError(
            f"{name} must be a file of gsnn-edges {kind}; there is none at {str(path)!r}: look at "
            "its folder and its ending"
        )
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            attributes = json.loads(str(archive[_HEADER]))
            right = attributes["format"] == f"gsnn-edges {kind}"
            version = attributes["format_version"]
            arrays = {key: archive[key] for key in archive.files if key != _HEADER and right}
    except (OSError, MemoryError):
        raise
    except Exception as error:  # broken archives have many kinds of errors
        raise ValueError(
            f"{name} must be a whole file of gsnn-edges {kind}; {str(path)!r} is broken or of "
            f"another kind ({type(error).__name__}: {error}): write it again"
        ) from error
    if not right:
        raise ValueError(
            f"{name} must be a file of gsnn-edges {kind}; {str(path)!r} holds "
            f"{attributes['format']}: name another file"
        )
    if type(version) is not int or version > _VERSION:
        raise ValueError(
            f"{name} must be of format version {_VERSION} or older; {str(path)!r} has version "
            f"{version}: install a newer gsnn-edges to read it"
        )
    return attributes, arrays


def _reject_folder(name: str, path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{name} must be a file; {str(path)!r} is a folder: add a name")
