"""W on disk while many processes write it: which rows are finished, and that it is whole."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _checks
from gsnn_edges.streaming.journal import reject_other_settings

# Columns of a chunk of W on disk: its rows are those that a device makes at a time.
CHUNK_COLUMNS = 4096
FORMAT = "gsnn-edges matrix"
NOTES = "rows-*.txt"


@dataclass(frozen=True)
class Output:
    """W of shape (N, N) at ``path``, made by ``facts``; until it is whole, in a folder beside it.

    A chunk on disk is written under another name and then renamed, by zarr, and noted after that:
    what is noted is whole, whenever a process is killed.
    """

    path: Path
    facts: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Folder of the journal and of W, until W is whole."""
        return self.path.with_name(f"{self.path.name}.journal")

    @property
    def unfinished(self) -> Path:
        """W until it is whole."""
        return self.folder / "W.zarr"

    @property
    def nodes(self) -> int:
        """Rows and columns of W."""
        return int(self.facts["nodes"])

    def begin(self, rows: int, *, resume: bool) -> None:
        """Take up W, or make room for it, in chunks of so many rows; one process does this."""
        if resume and self.unfinished.exists():
            return
        room = self.folder / "room"
        for old in (self.unfinished, room):
            shutil.rmtree(old, ignore_errors=True)
        for notes in self.folder.glob(NOTES):
            notes.unlink()
        about = {"format": FORMAT, "version": 1, "facts": dict(self.facts)}
        zarr().create_group(room, attributes=about).create_array(
            "W",
            shape=(self.nodes, self.nodes),
            chunks=(min(rows, self.nodes), min(self.nodes, CHUNK_COLUMNS)),
            dtype="float32",
            compressors=None,
        )
        os.replace(room, self.unfinished)

    def check(self, *, resume: bool) -> None:
        """Reject a path that holds something else, or W of other settings."""
        for path in filter(Path.exists, (self.path, self.unfinished)):
            about = attributes(path)
            if about.get("format") != FORMAT or "facts" not in about:
                raise FileExistsError(
                    f"out must be a new path, or W that an earlier call made; {str(path)!r} "
                    "holds something else: give another path"
                )
            if resume:
                reject_other_settings(about["facts"], self.facts, path)

    def complete(self) -> bool:
        """Whether W is whole."""
        return self.path.exists()

    def array(self) -> Any:
        """W, to write to."""
        return zarr().open_group(self.unfinished, mode="r+")["W"]

    def chunk_rows(self) -> int:
        """Rows of a chunk, which the first call has chosen."""
        return int(self.array().chunks[0])

    def finished(self) -> np.ndarray:
        """Say of each row of W whether it is on disk."""
        done = np.zeros(self.nodes, bool)
        for path in sorted(self.folder.glob(NOTES)):
            for line in path.read_text().splitlines(keepends=True):
                # A process may have been killed while it wrote its last line.
                if line.endswith("\n"):
                    low, high = map(int, line.split())
                    done[low:high] = True
        return done

    def notes(self, process: int) -> Path:
        """File of the notes of a process."""
        return self.folder / NOTES.replace("*", str(process))

    def note(self, process: int, low: int, high: int) -> None:
        """Note that rows are on disk."""
        with self.notes(process).open("a") as file:
            file.write(f"{low} {high}\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Put W in its place, as it is whole; one process does this."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.replace(self.unfinished, self.path)

    def mend(self, process: int) -> None:
        """Cut off a note that was not written to its end."""
        path = self.notes(process)
        if path.exists():
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)

    def progress(self) -> str:
        """Say how much of W is on disk."""
        if not self.unfinished.exists():
            return "no block is finished yet"
        rows, done = self.chunk_rows(), self.finished()
        whole = sum(done[low : low + rows].all() for low in range(0, self.nodes, rows))
        return f"finished blocks {whole} of {-(-self.nodes // rows)} are kept in {self.folder}"


def attributes(path: Path) -> dict[str, Any]:
    """Attributes of a zarr group; none of anything else."""
    try:
        return dict(zarr().open_group(path, mode="r").attrs)
    except (OSError, ValueError):
        return {}


def zarr() -> Any:
    """Give zarr, or say what to install."""
    return _checks.imported("zarr", "W on disk needs zarr", "store")
