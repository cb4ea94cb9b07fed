"""One file for a matrix and what is known of it: npz, without pickle, whole or not at all."""

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

FORMAT = "gsnn-edges evidence"
VERSION = 1
HEADER = "header"


def as_path(path: Any) -> Path:
    """Give a path, or say that there is none."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"path must be a text or a path; got {type(path).__name__}: name the file to write or "
            "to read"
        )
    return Path(path)


def reject_folder(path: Path) -> None:
    """Reject a folder where a file is wanted."""
    if path.is_dir():
        raise IsADirectoryError(
            f"path must be a file; {str(path)!r} is a folder: add a name such as 'evidence.npz'"
        )


def write_file(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, and facts as JSON beside them, to a new or an existing file.

    The file is written beside ``path`` and then put in its place, so that nobody ever reads half
    of it, and an error leaves the old one as it was.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(path.parent)!r} first"
        )
    reject_folder(path)
    header = json.dumps({"format": FORMAT, "format_version": VERSION, **facts}, allow_nan=False)
    with TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
        unfinished = Path(folder) / "evidence.npz"
        np.savez(unfinished, allow_pickle=False, **{HEADER: np.array(header)}, **arrays)
        os.replace(unfinished, path)


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the facts and the arrays of a file that `write_file` wrote."""
    reject_folder(path)
    if not path.exists():
        raise FileNotFoundError(
            f"path must be a file that EdgeEvidence.save wrote; there is none at {str(path)!r}: "
            "look at its folder and its ending"
        )
    arrays = read_arrays(path)
    facts = facts_of(path, arrays.pop(HEADER, np.array("")))
    version = facts.get("format_version")
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(
            f"path must be a file of format version {VERSION} or older; {str(path)!r} has version "
            f"{version}: install a newer gsnn-edges to read it"
        )
    return facts, arrays


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise ValueError("one array, without names")
            return {name: found[name] for name in found.files}
    except (
        ValueError,
        KeyError,
        EOFError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(
            f"path must be a whole file that EdgeEvidence.save wrote; {str(path)!r} is broken or "
            f"of another kind ({type(error).__name__}: {error}): save it again"
        ) from error


def facts_of(path: Path, header: np.ndarray) -> dict[str, Any]:
    """Read the JSON of a file, and see that it is one of ours."""
    try:
        facts = json.loads(str(header))
    except json.JSONDecodeError:
        facts = None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(
            f"path must be a file that EdgeEvidence.save wrote; {str(path)!r} is an npz of other "
            "arrays: read it with numpy.load"
        )
    return facts
