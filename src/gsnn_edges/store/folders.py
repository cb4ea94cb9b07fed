"""The zarr groups behind stores: how they are made, opened, and which of their files are there."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _io, _validation
from gsnn_edges.store.facts import FORMAT, VERSION, Facts

SIDES = ("a", "g")


def zarr(module: str = "zarr") -> Any:
    """Import zarr, where something is read or written."""
    return _validation.imported(module, "what lies on disk in a .zarr needs zarr", "store")


def checked_path(path: Any) -> Path:
    """Give a path, or say that there is none."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a text or a path; got {type(path).__name__}: name a folder")
    return Path(path)


def make(path: Path, facts: Facts) -> None:
    """Make a store without observations, whole or not at all."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(path.parent)!r} first"
        )
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        fill(unfinished, facts)
        os.rename(unfinished, path)
        _io.flush(path.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def fill(path: Path, facts: Facts) -> None:
    """Make the group, its arrays and its indices."""
    attributes = {"format": FORMAT, "format_version": VERSION, "facts": facts.as_json()}
    group = zarr().create_group(os.fspath(path), zarr_format=3, attributes=attributes)
    padded = -(-facts.columns // facts.chunk_columns) * facts.chunk_columns
    checksum = zarr("zarr.codecs").Crc32cCodec()
    for side in SIDES:
        # A chunk is what is read at a time, a shard what is written: one file for each unit.
        group.create_array(
            side,
            shape=(facts.pairs, facts.samples, facts.columns),
            dtype=facts.dtype,
            chunks=(1, facts.unit, facts.chunk_columns),
            shards=(facts.pairs, facts.unit, padded),
            compressors=checksum,  # not smaller, but bytes that a disk has spoilt are found
            fill_value=0,
            dimension_names=("layer_pair", "sample", "column"),
        )
    indices = {
        "layer_pair": np.arange(facts.pairs),
        "sample": np.arange(facts.samples),
        "column_node": np.array(facts.column_nodes),
    }
    for name, values in indices.items():
        group.create_array(name, data=values.astype(np.int64), compressors=None)


def opened(path: Path, mode: str) -> Any:
    """Open a group that is there."""
    if not path.exists():
        raise FileNotFoundError(
            f"path must be a store of observations; there is none at {str(path)!r}: look at its "
            "folder, or write one by capture_to_store"
        )
    try:
        return zarr().open_group(os.fspath(path), mode=mode, zarr_format=3)
    except ImportError:
        raise
    except Exception as error:  # broken metadata has many kinds of errors
        raise ValueError(
            f"path must be a store of observations; {str(path)!r} is no zarr group of version 3 "
            f"({type(error).__name__}): capture_to_store writes one"
        ) from error


def is_bare(path: Path) -> bool:
    """Whether this is a store of ours that nothing was ever written to."""
    try:
        ours = opened(path, "r").attrs.get("format") == FORMAT
    except ValueError:
        return False
    return ours and not any((path / side / "c").exists() for side in SIDES)


def unit_file(path: Path, side: str, unit: int) -> Path:
    """Give the file of a unit's activations or gradients."""
    return path / side / "c" / "0" / str(unit) / "0"


def note_file(path: Path, unit: int) -> Path:
    """Give the file that vouches for a unit: it is written when both sides are on the disk."""
    return unit_file(path, SIDES[-1], unit).with_name("unit.json")


def vouch(path: Path, unit: int, digests: Mapping[str, str | None]) -> None:
    """Put a unit on the disk itself, and then note the digests of what is in it."""
    for side in SIDES:
        file = unit_file(path, side, unit)
        _io.flush(file)
        _io.flush(file.parent)
    _io.write_whole(note_file(path, unit), json.dumps(digests))


def digests_of(path: Path, unit: int) -> dict[str, str | None]:
    """Read what was noted of a unit."""
    file = note_file(path, unit)
    try:
        found: dict[str, str | None] = json.loads(file.read_text(encoding="utf-8"))
        return {name: found[name] for name in (*SIDES, "inputs")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"path must be a whole store; {str(file)!r} is broken: remove that file, and call "
            f"capture_to_store again to make unit {unit} anew"
        ) from error


def missing_units(path: Path, facts: Facts) -> list[int]:
    """List the units of which a file is missing; one that was cut short is an error."""
    missing = []
    for unit in range(facts.units):
        files = [unit_file(path, side, unit) for side in SIDES]
        sizes = [file.stat().st_size if file.exists() else None for file in files]
        for file, size in zip(files, sizes, strict=True):
            if size not in (None, facts.unit_bytes):
                raise ValueError(
                    f"path must be a whole store; {str(file)!r} has {size:,} bytes and must have "
                    f"{facts.unit_bytes:,}: remove that file, and call capture_to_store again to "
                    f"make unit {unit} anew"
                )
        if None in sizes or not note_file(path, unit).exists():
            missing.append(unit)
    return missing
