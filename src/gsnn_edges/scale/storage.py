"""Tables of a few arrays in a file: npz, without pickle, whole or not at all."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _io

HEADER = "header"


def write_arrays(path: Path, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, and facts as JSON beside them; an error leaves what was there before."""
    header = np.array(json.dumps(dict(facts), sort_keys=True, allow_nan=False))
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **{HEADER: header}, **arrays)
        _io.put_in_place(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_arrays(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read the facts, and the arrays of these names."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return json.loads(str(found[HEADER])), [found[name] for name in names]
    except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"path must be a whole file of {', '.join(names)} that correlate_store wrote; "
            f"{str(path)!r} is broken or of another kind ({type(error).__name__}: {error}): make "
            "it again"
        ) from error
