"""Files and folders that a kill or a loss of power leaves whole: written, flushed, removed."""

import errno
import json
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# A quota is a disk that is full for one user.
FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether there was no room, on the disk or in one's quota."""
    return error.errno in FULL


def flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Write a text to a file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    put_in_place(unfinished, path)


def put_in_place(made: Path, path: Path) -> None:
    """Rename what is whole, its bytes before its name."""
    flush(made)
    os.replace(made, path)
    flush(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, which it may make."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path) -> list[str]:
    """Give the lines of a file; the last one may have been cut off, and does not count."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def mend(path: Path) -> None:
    """Cut off a line that was not written to its end."""
    if path.exists():
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)


def discard(path: Path) -> None:
    """Remove a file or a folder; none that is half removed keeps the name."""
    for left in path.parent.glob(f".{path.name}.*.discarded"):
        remove(left)
    if path.exists():
        going = path.with_name(f".{path.name}.{uuid.uuid4().hex}.discarded")
        os.rename(path, going)
        remove(going)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as it goes."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


# Of the npz files of this package: evidence, observations, tables of pairs.
NPZ_VERSION = 1


def write_npz(
    path: Path, kind: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write arrays, and facts as JSON beside them, to an npz file, whole or not at all."""
    text = json.dumps(
        {"format": f"gsnn-edges {kind}", "format_version": NPZ_VERSION, **facts}, allow_nan=False
    )
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.unfinished")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, header=np.array(text), **arrays)
        put_in_place(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_npz(
    path: Path, kind: str, *, name: str = "path"
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and arrays of a file that `write_npz` wrote for the same kind."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (
        ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{name} must be a whole .npz file of {kind}; {str(path)!r} is broken or of another "
            f"kind ({type(error).__name__}: {error}): write it again"
        ) from error
    try:
        facts = dict(json.loads(str(arrays.pop("header", "{}"))))
    except (TypeError, ValueError):
        facts = {}
    if facts.get("format") != f"gsnn-edges {kind}":
        held = facts.get("format") or ", ".join(map(repr, arrays)) or "nothing"
        raise ValueError(
            f"{name} must be an .npz file of {kind}; {str(path)!r} holds {held}: name another file"
        )
    version = facts.get("format_version")
    if not isinstance(version, int) or version > NPZ_VERSION:
        raise ValueError(
            f"{name} must be a file of format version {NPZ_VERSION} or older; {str(path)!r} has "
            f"version {version}: install a newer gsnn-edges to read it"
        )
    return facts, arrays
