"""W on disk while many processes write it: which rows are finished, and that it is whole."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _io
from gsnn_edges.scale.journal import reject_other_settings
from gsnn_edges.store.matrix import create_matrix, read_attributes, write_attributes, write_block

# Columns of a chunk of W on disk: its rows are those that a device makes at a time.
CHUNK_COLUMNS = 4096


@dataclass(frozen=True)
class Output:
    """W of shape (N, N) at ``path``, made by ``settings``; in a folder beside it until it is whole.

    A chunk on disk is written under another name and then renamed, by zarr, and noted after that:
    what is noted is whole, whenever a process is killed.
    """

    path: Path
    settings: Mapping[str, Any]
    nodes: int

    @property
    def folder(self) -> Path:
        """Folder of the journal and of W, until W is whole."""
        return journal_of(self.path)

    @property
    def unfinished(self) -> Path:
        """W until it is whole."""
        return self.folder / "W.zarr"

    def begin(self, rows: int, *, resume: bool) -> None:
        """Take up W, or make room for it, in chunks of so many rows; one process does this."""
        if resume and self.unfinished.exists():
            return
        room = self.folder / "room"
        for old in (self.unfinished, room):
            _io.discard(old)
        # Notes bear the number of the run, so that those of another count for nothing.
        facts = {"made": dict(self.settings), "run": uuid.uuid4().hex}
        create_matrix(room, self.nodes, "float32", (rows, CHUNK_COLUMNS))
        write_attributes(room, facts)
        _io.put_in_place(room, self.unfinished)

    def check(self, *, resume: bool) -> None:
        """Reject a path that holds something else, or W of other settings."""
        for path in filter(Path.exists, (self.path, self.unfinished)):
            about = read_attributes(path)
            if about is None or "made" not in about:
                raise FileExistsError(
                    f"out must be a new path, or W that an earlier call made; {str(path)!r} "
                    "holds something else: give another path"
                )
            if resume:
                reject_other_settings(about["made"], self.settings, path)

    def complete(self) -> bool:
        """Whether W is whole."""
        return self.path.exists()

    def run(self) -> str:
        """Give the number of the run; none where this process does not see W."""
        return str((read_attributes(self.unfinished) or {}).get("run", ""))

    def chunk_rows(self) -> int:
        """Rows of a chunk, which the first call has chosen."""
        import zarr

        return int(zarr.open_array(str(self.unfinished), mode="r").chunks[0])

    def put(self, low: int, rows: np.ndarray) -> None:
        """Write rows from number ``low`` on; they are on the disk itself then."""
        write_block(self.unfinished, low, 0, rows)

    def finished(self) -> np.ndarray:
        """Say of each row of W whether it is on disk."""
        done = np.zeros(self.nodes, bool)
        for path in sorted(self.folder.glob(f"rows-{self.run()}-*.txt")):
            for line in _io.read_lines(path):
                low, high = map(int, line.split())
                done[low:high] = True
        return done

    def notes(self, process: int) -> Path:
        """File of the notes of a process."""
        return self.folder / f"rows-{self.run()}-{process}.txt"

    def note(self, process: int, low: int, high: int) -> None:
        """Note that rows are on disk."""
        _io.append_line(self.notes(process), f"{low} {high}")

    def mend(self, process: int) -> None:
        """Cut off a note that was not written to its end."""
        _io.cut_off_line(self.notes(process))

    def finish(self) -> None:
        """Put W in its place, as it is whole; one process does this."""
        _io.discard(self.path)
        _io.put_in_place(self.unfinished, self.path)

    def progress(self) -> str:
        """Say how much of W is on disk."""
        if not self.unfinished.exists():
            return "no block is finished yet"
        rows, done = self.chunk_rows(), self.finished()
        whole = sum(done[low : low + rows].all() for low in range(0, self.nodes, rows))
        return f"finished blocks {whole} of {-(-self.nodes // rows)} are kept in {self.folder}"


def journal_of(path: Path) -> Path:
    """Give the folder beside W that is there until W is whole."""
    return path.with_name(f"{path.name}.journal")
