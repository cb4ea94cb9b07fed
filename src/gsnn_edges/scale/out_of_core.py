"""Correlate a store of observations under a bound on the memory, in two passes.

Columns are ranked, some at a time, and written standardized to a scratch; then W is made tile by
tile. A journal notes what is done, so that a call that was killed goes on.
"""

import errno
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np

from gsnn_edges import _io, _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends.generic_backend import sum_of_sums
from gsnn_edges.backends.numpy_backend import BLOCK_ELEMENTS, allowed_threads
from gsnn_edges.channels import block_norms
from gsnn_edges.correlation import Operand
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.ranks import correlation_dtype
from gsnn_edges.scale.outputs import (
    Journal,
    NpyMatrix,
    Output,
    PairPieces,
    Result,
    StoreCorrelation,
    Tile,
    TopPieces,
    ZarrMatrix,
    chunk_edge,
    write_all,
)

# Beside the arrays that are counted: threads and buffers of the libraries; and, as a share of the
# bound, what the allocator keeps back.
_FIXED_BYTES = 8 << 20
_COUNTED_SHARE = 0.88
# What compiling takes where a library compiles (measured: 130 MB).
_COMPILER_BYTES = 144 << 20
# What ranking holds for each value of a block: keys, order, bounds of runs, ranks (measured: 57).
_RANKING_BYTES = 60
# Observations that are read and multiplied at a time. Longer stretches save no time.
_STRETCH = 2048
# Nodes that are worth ranking together.
_USUAL_BLOCK = 64
# A tile is worth holding rows for from here on; smaller ones make more reads than products.
_USUAL_TILE = 256
# Of the memory that is free on a device that is not the host.
_DEVICE_SHARE = 0.5
# Seconds of ranking that a kill may cost: waiting for the disk after each block would cost more.
_NOTED_SECONDS = 5.0
# What the journal notes.
_READY, _RANKED, _TILED = "ready", "ranked", "tile"

Span: TypeAlias = tuple[int, int]


def correlate_store(
    store: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    method: Method = "spearman",
    ties: Ties = "average",
    layers: LayerChoice = None,
    n_components: int | None = None,
    max_memory: int | str = "2GB",
    top: int | None = None,
    threshold: float | None = None,
    precision: Precision = "float32",
    backend: str = "numpy",
    device: Device = None,
    scratch: str | os.PathLike[str] | None = None,
    resume: bool = True,
    verbose: bool = False,
) -> Result:
    """Correlate observations that need not fit in memory, into a W that need not either.

    W is that of `cross_correlation` for a store of magnitudes, and of `channel_correlation` for
    one of channels, within twice their accuracy.

    Parameters
    ----------
    store : ObservationStore, or its path
        P layer pairs of S samples; C columns of N nodes.
    out : path, optional
        Where the result goes: W to a folder ``.zarr`` or a file ``.npy``, what ``top`` or
        ``threshold`` leave of it to a file ``.npz``, or back in memory where ``out`` is None.
    method, ties, precision, backend, device
        As of `cross_correlation`.
    layers : {"pooled", "mean", "last"} or int, optional
        All layer pairs ranked together, the mean of a matrix for each, or one of them. By default
        "pooled" for magnitudes and "mean" for channels.
    n_components : int, optional
        As of `channel_correlation`; for channels only.
    max_memory : int or str
        Bytes, or a text such as "2GB", "500 MB" or "1.5 GiB": what the call may hold at a time,
        beyond what the process holds after its imports.
    top : int, optional
        Keep the so many largest W of each source, and their targets.
    threshold : float, optional
        Keep every pair with ``|W| >= threshold``.
    scratch : path, optional
        A folder for the ranked columns, on a fast disk; by default beside ``out``, or where the
        system keeps temporary files.
    resume : bool
        Go on where a call with the same arguments was stopped, and take a result that is there
        already; else begin anew.
    verbose : bool
        Show progress, with the time left.

    Returns
    -------
    StoredMatrix, TopTargets or PairsAbove
        W on disk; or what ``top`` or ``threshold`` left of it.

    Raises
    ------
    TypeError, ValueError, ImportError
        For arguments that break the rules above, ``max_memory`` below what one node takes (the
        message says how much), NaN or infinity in the store, or work begun with other settings.
    FileExistsError
        When ``out`` is there already, and not the result of this call.
    BlockingIOError
        When another process is at work on ``out``.
    OSError
        When a disk is full. What is done is kept, and the same call goes on from there.

    Notes
    -----
    Two passes. The first ranks each column once, as many at a time as fit, and writes it,
    standardized, to ``scratch``: 4 bytes for each value of the store, both sides, all layer pairs
    that count (8 in float64). The second makes W by square tiles, as large as fit; their products
    are added up over stretches of 2,048 observations. A tile of edge T reads 2 T rows, so that
    the scratch is read N / T times. Where all rows fit beside a tile, there is no scratch.

    Time: one ranking of all columns and one product, and reading the store once, writing the
    scratch once and reading it N / T times. With b bytes, T is about the square root of b / 28,
    over the columns of a node: 6,000 nodes for 1 GB. Products of 2 T flops for each value read
    outrun any disk from a few hundred nodes on.

    Memory: a column of M observations takes up to 72 M bytes while it is ranked, and the columns
    of a chunk of one unit are read together, so that ``max_memory`` must hold that; JAX compiles in
    150 MB. What a GPU's driver takes on the host does not count. With ``top`` the result counts
    twice, 12 bytes for each score (16 in float64); with ``threshold`` 72 bytes for each pair that
    is kept, beside 8 MB and an eighth of the bound.

    Everything unfinished lies in ``out`` + ".unfinished": ``out`` is there when it is whole, and
    not before. A journal in that folder notes the blocks of columns and the tiles that are done;
    what a process that was killed leaves unnoted is made again, and the bytes of the result are
    those of a run that nobody stopped. What is noted is on the disk itself, so that a loss of
    power takes no more than a kill does. While a call works on ``out``, others raise at once.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gsnn_edges.store import StoreWriter
    >>> folder = tempfile.TemporaryDirectory()
    >>> writer = StoreWriter.create(f"{folder.name}/seen", pairs=1, samples=3, columns=2)
    >>> a = np.array([[[1.0, 5.0], [2.0, 7.0], [3.0, 6.0]]], dtype="float32")
    >>> writer.put(0, a, a)
    >>> W = correlate_store(f"{folder.name}/seen", f"{folder.name}/W.zarr", max_memory="100 MB")
    >>> W.to_numpy().round(4)
    array([[1. , 0.5],
           [0.5, 1. ]], dtype=float32)
    >>> correlate_store(f"{folder.name}/seen", top=1).targets
    array([[0],
           [1]])
    >>> folder.cleanup()
    """
    if top is not None and threshold is not None:
        raise ValueError(
            f"top and threshold must not both be given; got {top} and {threshold}: call twice"
        )
    resume = _validation.flag("resume", resume)
    kind = "matrix" if top is threshold is None else "threshold" if top is None else "top"
    if out is None and kind == "matrix":
        raise ValueError(
            "out must name a .zarr or a .npy for W, which is never held; got None: name one, or "
            "give top= or threshold="
        )
    run = _Run(
        store,
        CorrelationOptions(
            method=method, ties=ties, precision=precision, backend=backend, device=device
        ),
        (layers, n_components, top, threshold),
        max_memory=max_memory,
        scratch=scratch,
        verbose=verbose,
    )
    if out is None:
        with TemporaryDirectory(dir=scratch, prefix="correlate-") as folder:
            return run.finish(Path(folder) / "work", None)
    output = Output(out, kind, run.store)
    with _io.locked("out", output.path):
        finished = output.is_finished(run.settings, resume=resume)
        if finished or not resume:
            _forget(output.unfinished)
        return output.load() if finished else run.finish(output.unfinished, output)


def _forget(folder: Path) -> None:
    """Remove unfinished work with its scratch."""
    with suppress(ValueError):  # without a journal there is no scratch
        _io.discard(_scratch_of(Journal.read(folder)))
    _io.discard(folder)


def _scratch_of(journal: Journal) -> Path:
    """The folder of the standardized rows; no two runs share one."""
    base = Path(journal.settings.get("scratch") or journal.folder)
    return base / f"{journal.folder.name}.{journal.run}.rows"


class _Run(StoreCorrelation):
    """A checked call: its sizes, and both passes."""

    def __init__(
        self,
        store: Any,
        options: CorrelationOptions,
        choices: tuple[Any, ...],
        *,
        max_memory: int | str,
        scratch: Any,
        verbose: bool,
    ) -> None:
        super().__init__(store, options, *choices)
        self.max_memory = _io.parse_bytes("max_memory", max_memory)
        self.verbose = _validation.flag("verbose", verbose)
        self.scratch = None if scratch is None else _io.as_path("scratch", scratch).absolute()
        if self.scratch is not None and not self.scratch.is_dir():
            raise NotADirectoryError(
                f"scratch must be a folder that is there; got {str(self.scratch)!r}: make it first"
            )
        self.ops = backends.load(str(options.backend), options.device)
        self.dtype = correlation_dtype(self.ops.xp, options.precision, self.length)
        if self.store.dtype == np.float64:
            _validation.float64_there(self.ops.xp, "a store of dtype float64")
        self.item = int(np.dtype(self.dtype).itemsize)
        self.nodes, self.widest = map(int, self.members.shape)
        self.width = min(self.widest, self.n_components or self.widest)
        # Standardized rows of each matrix of the mean, of both sides.
        self.shape = (len(self.spans), 2, self.nodes * self.width, self.length)
        self.row_bytes = math.prod(self.shape) * self.item
        # torch's libraries pack the operands of a product (measured).
        self.copies = 3 if self.ops.name in ("jax", "torch") else 1
        kept = 2 * (8 + self.item) * self.nodes * (self.top or 0)
        if kept >= self.max_memory:
            raise ValueError(
                f"top must leave room in max_memory={_io.format_bytes(self.max_memory)}; got "
                f"{self.top}, which takes {_io.format_bytes(kept)}: keep fewer, or give more memory"
            )
        self.free = self.max_memory - kept
        self.room = int(_COUNTED_SHARE * self.free) - _FIXED_BYTES

    def finish(self, folder: Path, output: Output | None) -> Result:
        """Do what is left of the work in a folder, and put the result in its place."""
        made = (self.nodes, self.dtype, self.settings)
        scratch = None if output is None or self.scratch is None else str(self.scratch)
        settings = {"max_memory": self.max_memory, "backend": self.ops.name, "scratch": scratch}
        journal = Journal.begin(folder, self.settings | settings, asdict(self._choose_sizes()))
        sizes = _Sizes(**journal.plan)
        sink: TopPieces | PairPieces | NpyMatrix | ZarrMatrix
        if self.top is not None:
            sink = TopPieces(folder / "pieces", *made, self.top)
        elif self.threshold is not None:
            sink = PairPieces(folder / "pieces", *made, self.threshold, self.room, self.max_memory)
        elif output is not None and output.path.suffix == ".npy":
            sink = NpyMatrix(folder / "W.npy", self.nodes, self.dtype)
        else:
            sink = ZarrMatrix(folder / "W.zarr", *made, (chunk_edge(sizes.tile),) * 2)
        rows = _Rows(self.shape, self.dtype, None if sizes.held else _scratch_of(journal))
        try:
            if not journal.done(_READY):
                sink.prepare()
                rows.prepare()
                journal.mark(_READY, 0)
            done = journal.done(_TILED)
            left = [tile for tile in _tiles(self.nodes, sizes.tile) if tile.number not in done]
            if left:
                self._rank(journal, sizes, rows)
            for tile in track(left, len(left), "correlating", verbose=self.verbose):
                sink.put(tile, self._tile(rows, tile))
                journal.mark(_TILED, tile.number)
            if output is None:
                assert isinstance(sink, TopPieces | PairPieces)
                return sink.result()
            output.put(sink.finish(), self.settings)
        except OSError as error:
            if not _io.is_full(error):
                raise
            ranked, tiled = (len(journal.done(kind)) for kind in (_RANKED, _TILED))
            kept = (
                f"{ranked} blocks of ranked columns and {tiled} tiles are kept in "
                f"{str(folder)!r}: make room, and call again with the same arguments"
                if output is not None
                else "nothing was kept: make room, or name a larger disk by scratch="
            )
            raise OSError(errno.ENOSPC, f"the disk is full ({error.strerror}); {kept}") from error
        _forget(folder)
        return output.load()

    def _rank(self, journal: Journal, sizes: "_Sizes", rows: "_Rows") -> None:
        """Standardize all columns; those on disk are made once, and noted when they are on it."""
        rows.check()
        done = set() if sizes.held else journal.done(_RANKED)
        starts = range(0, self.nodes, sizes.block)
        blocks = enumerate(product(range(len(self.spans)), (0, 1), starts))
        left = [block for block in blocks if block[0] not in done]
        written: list[int] = []
        noted = time.monotonic()

        def note() -> None:
            if not sizes.held:
                rows.flush()
                journal.mark(_RANKED, *written)
            written.clear()

        try:
            tracked = track(left, len(left), "ranking", verbose=self.verbose)
            for number, (part, side, low) in tracked:
                high = min(low + sizes.block, self.nodes)
                standardized = self._standardized(self.spans[part], side, low, high)
                rows.write(part, side, low * self.width, standardized)
                del standardized
                written.append(number)
                if time.monotonic() - noted > _NOTED_SECONDS:
                    note()
                    noted = time.monotonic()
        finally:
            note()

    def _standardized(self, span: Span, side: int, low: int, high: int) -> np.ndarray:
        """Standardized rows of the nodes ``low`` to ``high``, on the host.

        Each column is standardized over all samples of the layer pairs together.
        """
        members = self.members[low:high]
        columns = np.unique(members[members >= 0])
        # Columns that lie side by side are read at once.
        runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1) if len(columns) else []
        spans = [(int(run[0]), int(run[-1]) + 1) for run in runs]
        parts = (self.store.read("ag"[side], each, span) for each in spans)
        if len(spans) == 1:
            x = next(parts)
        else:
            x = np.zeros((self.length, max(1, len(columns))), self.store.dtype)
            for (first, last), part in zip(spans, parts, strict=True):
                at = int(np.searchsorted(columns, first))
                x[:, at : at + last - first] = part
        # Principal directions are those of centred rows, which a shift does not leave.
        shift = side == 1 and self.n_components is None
        operand = Operand(x, self.ops, self.dtype, self.options, shift)
        if self.channels:
            places = np.where(members >= 0, np.searchsorted(columns, members), -1)
            operand = replace(operand, members=places, n_components=self.n_components)
        return self.ops.to_numpy(operand.rows(0, high - low))

    def _tile(self, rows: "_Rows", tile: Tile) -> np.ndarray:
        """One tile of W, on the host: the mean over all matrices."""
        stretches, width, total = _stretches(self.length), self.width, np.zeros(0)
        for part in range(len(self.spans)):

            def add(products: Array | None, number: int, _: int, part: int = part) -> Array:
                where = stretches[number]
                sources = rows.read(part, 0, *where, tile.top * width, tile.bottom * width)
                targets = rows.read(part, 1, *where, tile.left * width, tile.right * width)
                more = self.ops.matmul(self.ops.take_over(sources), self.ops.take_over(targets))
                if products is not None:
                    products += more
                    more = products
                # Libraries that compute later would pile up the stretches that they still need.
                self.ops.to_numpy(more[:1, :1])
                return more

            products = sum_of_sums(add, len(stretches), 1)
            if self.channels:
                products = self.ops.call(block_norms, products, left=width, right=width)
            else:
                products = self.ops.xp.clip(products, -1, 1)
            # JAX hands out its own memory, which is not to be written to.
            matrix = np.require(self.ops.to_numpy(products), requirements="W")
            total = np.add(total, matrix, out=total) if part else matrix
        total /= len(self.spans)
        return total

    def _ranking_bytes(self, nodes: int) -> int:
        """Bytes that ranking so many nodes takes."""
        read = int(self.store.dtype.itemsize)
        values = nodes * self.widest * self.length
        # As read, side by side for the threads, ranked; and gathered where nodes have several.
        arrays = values * (2 * read + self.item)
        if self.widest > 1:
            arrays += values * (read + self.item)
        if self.copies > 1:
            arrays += values * self.item
        # The store reads whole chunks before it puts them together.
        unit = min(self.store.unit * (self.spans[0][1] - self.spans[0][0]), self.length)
        arrays += 2 * unit * max(self.store.chunk_columns, nodes * self.widest) * read
        together = allowed_threads() * max(BLOCK_ELEMENTS, self.length)
        # Columns are ranked in blocks that threads share, or all at once.
        busy = min(values, together) if self.ops.ranker().name == "numpy" else values
        return int(arrays + busy * _RANKING_BYTES)

    def _tile_bytes(self, nodes: int) -> int:
        """Bytes that a tile of so many sources and targets takes."""
        rows = nodes * self.width
        operands = 2 * rows * min(_STRETCH, self.length) * self.item * self.copies
        # Sums of sums hold four products at most; the mean and its last term are on the host.
        return int(operands + (4 * rows**2 + 3 * nodes**2) * self.item)

    def _choose_sizes(self) -> "_Sizes":
        """The largest sizes that fit; the bound is on the host, devices have their own."""
        nodes, on_host = self.nodes, self.ops.ranker().name == "numpy"
        tiling = _COMPILER_BYTES if self.ops.name == "jax" else 0
        ranking = 0 if on_host and self.n_components is None else tiling
        least = max(self._ranking_bytes(1) + ranking, self._tile_bytes(1) + tiling)
        least = int((_FIXED_BYTES + least) / _COUNTED_SHARE) + 1
        if self.free < least:
            least += self.max_memory - self.free
            raise ValueError(
                f"max_memory must hold a node of {self.length} observations while it is ranked; "
                f"got {_io.format_bytes(self.max_memory)}: give {_io.format_bytes(least)} or more"
            )
        usual = max(
            self._ranking_bytes(min(_USUAL_BLOCK, nodes)) + ranking,
            self._tile_bytes(min(_USUAL_TILE, nodes)) + tiling,
        )
        held = self.room - self.row_bytes >= usual
        room = self.room - self.row_bytes if held else self.room
        limits = [room - ranking, room - tiling]
        if not on_host and (free := self.ops.free_bytes()) is not None:
            limits = [min(limit, int(_DEVICE_SHARE * free)) for limit in limits]
        block = _largest(self._ranking_bytes, limits[0], nodes)
        # Whole chunks of the store, or an even part of one.
        together = max(1, self.store.chunk_columns // self.widest)
        block -= block % together if block >= together else 0
        if block < together:
            block = 1 << (block.bit_length() - 1)
        # As few tiles, about equal, each of whole chunks of W.
        edge = _largest(self._tile_bytes, limits[1], nodes)
        edge = -(-nodes // -(-nodes // edge))
        chunk = chunk_edge(edge)
        return _Sizes(block, -(-edge // chunk) * chunk, held)


@dataclass(frozen=True)
class _Sizes:
    """Nodes that are ranked at a time, nodes on an edge of a tile, and whether rows are held."""

    block: int
    tile: int
    held: bool


def _largest(cost: Callable[[int], int], limit: int, most: int) -> int:
    """The largest number from 1 to ``most`` whose cost is within the limit, by halving.

    >>> _largest(lambda n: n * n, 50, 100)
    7
    """
    low, high = 1, max(1, most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= limit else (low, middle - 1)
    return low


def _tiles(nodes: int, edge: int) -> Iterator[Tile]:
    """Cover W by tiles, those of the first sources first.

    >>> [tuple(tile) for tile in _tiles(3, 2)]
    [(0, 0, 2, 0, 2), (1, 0, 2, 2, 3), (2, 2, 3, 0, 2), (3, 2, 3, 2, 3)]
    """
    starts = range(0, nodes, edge)
    for number, (top, left) in enumerate(product(starts, starts)):
        yield Tile(number, top, min(top + edge, nodes), left, min(left + edge, nodes))


def _stretches(length: int) -> list[tuple[int, int]]:
    """First and last observation of each stretch, half-open."""
    return [(start, min(start + _STRETCH, length)) for start in range(0, length, _STRETCH)]


class _Rows:
    """Standardized rows of shape (parts, 2, rows, observations), in memory or in flat files.

    A file holds stretch after stretch of the observations, so that a tile is read in one go. Plain
    reads and writes: pages of a mapped file count as memory of the process.
    """

    def __init__(self, shape: tuple[int, int, int, int], dtype: str, folder: Path | None) -> None:
        self.shape, self.dtype, self.folder = shape, np.dtype(dtype), folder
        self.held = np.empty(shape if folder is None else 0, dtype)
        self.bytes = math.prod(shape[2:]) * self.dtype.itemsize
        files = () if folder is None else product(range(shape[0]), "ag")
        self.files = {(part, "ag".index(s)): Path(f"{folder}/{s}-{part}") for part, s in files}

    def prepare(self) -> None:
        """Make the files at their full length."""
        if self.folder is None:
            return
        _io.discard(self.folder)
        self.folder.mkdir(parents=True)
        need, free = len(self.files) * self.bytes, shutil.disk_usage(self.folder).free
        if free < need:
            raise OSError(
                f"scratch must hold the standardized rows, {_io.format_bytes(need)}; got "
                f"{_io.format_bytes(free)} free in {str(self.folder)!r}: name a folder on a larger "
                "disk"
            )
        for file in self.files.values():
            file.touch()
            os.truncate(file, self.bytes)

    def check(self) -> None:
        """Reject files that are missing or cut short."""
        for file in self.files.values():
            if not file.is_file() or file.stat().st_size != self.bytes:
                raise FileNotFoundError(
                    f"the rows ranked so far must lie in {str(file)!r}, which is missing or cut "
                    "short: give resume=False to begin anew"
                )

    def flush(self) -> None:
        """Put all files on the disk itself."""
        for file in self.files.values():
            _io.flush(file)

    def write(self, part: int, side: int, low: int, rows: np.ndarray) -> None:
        """Put rows at ``low`` and after it."""
        if self.folder is None:
            self.held[part, side, low : low + len(rows)] = rows
            return
        with self.files[part, side].open("r+b", buffering=0) as file:
            for start, stop in _stretches(self.shape[3]):
                file.seek(self._place(start, stop, low))
                write_all(file, np.ascontiguousarray(rows[:, start:stop]))

    def read(self, part: int, side: int, start: int, stop: int, low: int, high: int) -> np.ndarray:
        """A stretch of the rows ``low`` to ``high``."""
        if self.folder is None:
            return self.held[part, side, low:high, start:stop]
        count, place = (high - low) * (stop - start), self._place(start, stop, low)
        values = np.fromfile(self.files[part, side], self.dtype, count, offset=place)
        return values.reshape(high - low, stop - start)

    def _place(self, start: int, stop: int, low: int) -> int:
        """Where in a file a stretch of a row begins."""
        return (self.shape[2] * start + low * (stop - start)) * self.dtype.itemsize
