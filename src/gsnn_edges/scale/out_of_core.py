"""The two passes over a store: columns are ranked, then tiles are correlated."""

import errno
import hashlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gsnn_edges import _io
from gsnn_edges._io import format_bytes
from gsnn_edges._progress import track
from gsnn_edges.scale.above import AboveSink
from gsnn_edges.scale.journal import Journal
from gsnn_edges.scale.matrices import NpyMatrix, ZarrMatrix
from gsnn_edges.scale.outputs import Result
from gsnn_edges.scale.products import Products, Rows, tiles
from gsnn_edges.scale.request import Request
from gsnn_edges.scale.rows import HeldRows, RowFile
from gsnn_edges.scale.sides import Side
from gsnn_edges.scale.sizes import STRETCH, Sizes, sizes_for
from gsnn_edges.scale.top import TopSink

Sink = NpyMatrix | ZarrMatrix | TopSink | AboveSink
RANKED, TILED, READY = "ranked", "tile", "ready"
# In the scratch: of which job it is.
OWNER = "job.txt"
# Seconds of ranking that a kill may cost: waiting for the disk after each block would cost more.
NOTED = 5.0


class Unit(NamedTuple):
    """Columns of some nodes on one side, for one matrix of the mean."""

    part: int
    side: int
    low: int
    high: int


def scratch_of(request: Request, folder: Path) -> Path:
    """Give the folder of the standardized rows; a job that cannot be gone on with keeps its own.

    Results of one name may share a scratch, so that the whole path tells them apart.
    """
    base = folder if request.output is None else request.scratch or folder
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
    return base / f"{folder.name}.{place[:16]}.rows"


@dataclass(frozen=True)
class Work:
    """A job in a folder: what is done is noted there, and is not done again.

    Attributes
    ----------
    folder : Path
        Of the journal, and of the unfinished result.
    scratch : Path
        Of the standardized rows.
    """

    request: Request
    folder: Path
    scratch: Path
    journal: Journal
    sizes: Sizes
    sides: tuple[Side, Side]

    @classmethod
    def begin(cls, request: Request, folder: Path) -> "Work":
        """Take up the work in a folder, or begin it."""
        sizes = sizes_for(request.job(), request.free_memory, request.ops)
        settings = request.settings | {
            "max_memory": request.max_memory,
            "backend": request.ops.name,
            "scratch": None if request.scratch is None else str(request.scratch),
        }
        journal = Journal.begin(folder, settings, asdict(sizes))
        scratch, sizes = scratch_of(request, folder), Sizes(**journal.plan)
        return cls(request, folder, scratch, journal, sizes, request.sides())

    def run(self) -> None:
        """Do all that is left."""
        sink = self.sink()
        if not self.journal.done(READY):
            sink.prepare()
            self.prepare_rows()
            self.journal.mark(READY, 0)
        left = list(tiles(self.sides[0].count, self.sizes.tile))
        done = self.journal.done(TILED)
        left = [tile for tile in left if tile.number not in done]
        if not left:
            return
        parts = self.ranked()
        widths = self.sides[0].width, self.sides[1].width
        products = Products(self.request.ops, parts, widths, self.request.channels)
        for tile in track(left, len(left), "correlating", verbose=self.request.verbose):
            sink.put(tile, products.tile(tile))
            self.journal.mark(TILED, tile.number)

    def ranked(self) -> list[tuple[Rows, Rows]]:
        """Give the standardized rows of each matrix of the mean; those on disk are made once."""
        rows = self.rows()
        units = list(enumerate(self.units()))
        done = set() if self.sizes.held else self.journal.done(RANKED)
        left = [unit for unit in units if unit[0] not in done]
        written: list[int] = []
        noted = time.monotonic()
        try:
            for number, unit in track(left, len(left), "ranking", verbose=self.request.verbose):
                side = self.sides[unit.side]
                found = side.rows(self.request.spans[unit.part], unit.low, unit.high)
                rows[unit.part][unit.side].write(unit.low * side.width, found)
                del found
                written.append(number)
                if time.monotonic() - noted > NOTED:
                    self.note_ranked(rows, written)
                    noted = time.monotonic()
        finally:
            self.note_ranked(rows, written)
        return rows

    def note_ranked(self, rows: list[tuple[Rows, Rows]], written: list[int]) -> None:
        """Put rows on the disk itself, and then note them; rows that are held are not kept."""
        if not self.sizes.held:
            for file in {file for pair in rows for file in pair if isinstance(file, RowFile)}:
                file.flush()
            self.journal.mark(RANKED, *written)
        written.clear()

    def units(self) -> Iterator[Unit]:
        """Columns to rank, some at a time."""
        block = self.sizes.block
        for part in range(len(self.request.spans)):
            for number, side in enumerate(self.sides):
                for low in range(0, side.count, block):
                    yield Unit(part, number, low, min(low + block, side.count))

    def rows(self) -> list[tuple[Rows, Rows]]:
        """Room for the rows of each matrix, or the files that hold them."""
        if self.sizes.held:
            shape = (self.sides[0].count * self.sides[0].width, self.request.length)
            dtype = self.request.precision
            return [
                (HeldRows.empty(shape, dtype, STRETCH), HeldRows.empty(shape, dtype, STRETCH))
                for _ in self.request.spans
            ]
        files, owner = self.files(), self.scratch / OWNER
        if owner.exists() and owner.read_text(encoding="utf-8") != self.journal.run:
            raise FileExistsError(
                f"the rows in {str(self.scratch)!r} must be those of this job, and are of another: "
                "give resume=False to begin anew"
            )
        broken = [file.path.name for pair in files for file in pair if not file.is_whole()]
        if broken:
            raise FileNotFoundError(
                f"the rows ranked so far must lie in {str(self.scratch)!r}; {', '.join(broken)} "
                "are missing or cut short: give resume=False to begin anew"
            )
        return list(files)

    def files(self) -> list[tuple[RowFile, RowFile]]:
        """Give the files of the rows of each matrix."""
        dtype = np.dtype(self.request.precision)

        def file(part: int, side: Side) -> RowFile:
            shape = (side.count * side.width, self.request.length)
            return RowFile(self.scratch / f"{side.name}-{part}", shape, dtype, STRETCH)

        sources, targets = self.sides
        return [
            (file(part, sources), file(part, targets)) for part in range(len(self.request.spans))
        ]

    def prepare_rows(self) -> None:
        """Make the files of the rows, where rows are not held."""
        if self.sizes.held:
            return
        _io.discard(self.scratch)
        self.scratch.mkdir(parents=True)
        _io.write_whole(self.scratch / OWNER, self.journal.run)
        need, free = self.request.job().row_bytes, shutil.disk_usage(self.scratch).free
        if free < need:
            raise OSError(
                errno.ENOSPC,
                f"scratch must hold the standardized rows, {format_bytes(need)}; got "
                f"{format_bytes(free)} free: name a folder on a larger disk",
                str(self.scratch),
            )
        for pair in self.files():
            for rows in pair:
                rows.prepare()

    def sink(self) -> Sink:
        """Give what takes the tiles."""
        request, nodes, dtype = self.request, self.sides[0].count, self.request.precision
        if request.top is not None:
            return TopSink(self.folder / "top", nodes, request.top, dtype)
        if request.threshold is not None:
            return AboveSink(self.folder / "pairs", request.threshold, dtype, request.max_memory)
        assert request.output is not None
        path = self.folder / f"W{request.output.path.suffix}"
        if path.suffix == ".npy":
            return NpyMatrix(path, nodes, dtype)
        return ZarrMatrix(path, nodes, dtype, self.sizes.tile)

    def finish(self) -> Result:
        """Put the result in its place, or give it back; the rest of the work is removed."""
        output, sink = self.request.output, self.sink()
        if isinstance(sink, TopSink | AboveSink) and output is None:
            return sink.finish()
        assert output is not None, "W has a place"
        output.take(sink.save({"made": self.request.settings}), self.request.settings)
        self.remove()
        return output.load()

    def remove(self) -> None:
        """Remove what a finished job, or one that is begun anew, leaves."""
        _io.discard(self.scratch)
        _io.discard(self.folder)
