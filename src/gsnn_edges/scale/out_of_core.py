"""Correlate a store of observations under a bound on the memory, in two passes.

Columns are ranked, some at a time, and written standardized to a scratch; then W is made tile by
tile. A journal notes what is done, so that a call that was killed goes on.
"""

import errno
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from gsnn_edges import _io, _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.backends.numpy_backend import BLOCK_ELEMENTS
from gsnn_edges.backends.summation import sum_of_sums
from gsnn_edges.backends.threads import allowed_threads
from gsnn_edges.channels import block_norms, filled_up, node_members
from gsnn_edges.correlation import Operand
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS
from gsnn_edges.scale.outputs import (
    Journal,
    NpyMatrix,
    Output,
    PairPieces,
    Result,
    Sink,
    Tile,
    TopPieces,
    ZarrMatrix,
    checked_settings,
    chunk_edge,
    layer_spans,
    write_all,
)
from gsnn_edges.store import ObservationStore, open_store

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
    150 MB. The generic backend ranks all columns of a block at once. What a GPU's driver takes on
    the host does not count. With ``top`` the result counts twice, 12 bytes for each score (16 in
    float64); with ``threshold`` 72 bytes for each pair that is kept, beside 8 MB and an eighth of
    the bound.

    Everything unfinished lies in ``out`` + ".unfinished": ``out`` is there when it is whole, and
    not before. A journal in that folder notes the blocks of columns and the tiles that are done;
    what a process that was killed leaves unnoted is made again, and the bytes of the result are
    those of a run that nobody stopped. What is noted is on the disk itself, so that a loss of
    power takes no more than a kill does. Two processes must not work on one ``out``.

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
    options = CorrelationOptions(
        method=method, ties=ties, precision=precision, backend=backend, device=device
    )
    if top is not None and threshold is not None:
        raise ValueError(
            f"top and threshold must not both be given; got {top} and {threshold}: call twice"
        )
    store = store if isinstance(store, ObservationStore) else open_store(store)
    run = _Run(
        store,
        options,
        checked_settings(store, options, layers, n_components, top, threshold),
        _io.parse_bytes("max_memory", max_memory),
        _checked_scratch(scratch),
        _validation.flag("verbose", verbose),
    )
    kind = "matrix" if top is threshold is None else "threshold" if top is None else "top"
    resume = _validation.flag("resume", resume)
    if out is None:
        if kind == "matrix":
            raise ValueError(
                "out must name a .zarr or a .npy for W, which is never held; got None: name one, "
                "or give top= or threshold="
            )
        with TemporaryDirectory(dir=run.scratch, prefix="correlate-") as folder:
            return _Work.begin(run, Path(folder) / "work", None).finish()
    output = Output.checked(out, kind, store)
    finished = output.is_finished(run.settings, resume=resume)
    if finished or not resume:
        _forget(output.unfinished)
    if not finished:
        return _Work.begin(run, output.unfinished, output).finish()
    return output.load()


def _checked_scratch(scratch: Any) -> Path | None:
    if scratch is None:
        return None
    path = _io.as_path("scratch", scratch).absolute()
    if not path.is_dir():
        raise NotADirectoryError(
            f"scratch must be a folder that is there; got {str(path)!r}: make it first"
        )
    return path


def _forget(folder: Path) -> None:
    """Remove unfinished work with its scratch."""
    with suppress(ValueError):  # without a journal there is no scratch
        _io.discard(_scratch_of(Journal.read(folder)))
    _io.discard(folder)


def _scratch_of(journal: Journal) -> Path:
    """The folder of the standardized rows; no two runs share one."""
    base = Path(journal.settings.get("scratch") or journal.folder)
    return base / f"{journal.folder.name}.{journal.run}.rows"


@dataclass(frozen=True)
class _Run:
    """A checked call: what both passes compute."""

    store: ObservationStore
    options: CorrelationOptions
    settings: dict[str, Any]
    max_memory: int
    scratch: Path | None
    verbose: bool

    @cached_property
    def spans(self) -> list[Span]:
        """Layer pairs of each matrix of the mean."""
        return layer_spans(self.settings["layers"], self.store.pairs)

    @cached_property
    def length(self) -> int:
        """Observations of a matrix."""
        first, last = self.spans[0]
        return (last - first) * self.store.samples

    @cached_property
    def ops(self) -> Backend:
        """The backend of ranks and products."""
        ops = backends.load(str(self.options.backend), self.options.device)
        if self.dtype == "float64":
            _validation.float64_there(ops.xp, "this correlation")
        if self.store.dtype == np.float64:
            _validation.float64_there(ops.xp, "a store of dtype float64")
        return ops

    @property
    def dtype(self) -> str:
        """Of ranks and result."""
        return "float64" if self.length >= FLOAT32_OBSERVATIONS else self.options.precision

    @property
    def channels(self) -> bool:
        """Whether nodes have several columns."""
        return self.store.score == "channels"

    @cached_property
    def members(self) -> np.ndarray:
        """Columns of each node, (N, widest), -1 for none."""
        if not self.channels:
            return np.arange(self.store.columns)[:, None]
        shape = np.empty((0, self.store.columns))
        table = node_members("column_nodes", self.store.column_nodes, shape)
        return filled_up(table, self.store.nodes)

    @property
    def width(self) -> int:
        """Rows of a node."""
        widest = int(self.members.shape[1])
        return min(widest, self.settings["n_components"] or widest)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the standardized rows of a side, for one matrix."""
        return len(self.members) * self.width, self.length

    @property
    def row_bytes(self) -> int:
        """Bytes of all standardized rows, both sides."""
        return 2 * len(self.spans) * math.prod(self.shape) * self.item

    @property
    def item(self) -> int:
        """Bytes of a computed number."""
        return np.dtype(self.dtype).itemsize

    def rows(self, side: str, span: Span, low: int, high: int) -> np.ndarray:
        """Standardized rows of the nodes ``low`` to ``high``, on the host.

        Each column is standardized over all samples of the layer pairs together.
        """
        members, n_components = self.members[low:high], self.settings["n_components"]
        columns = np.unique(members[members >= 0])
        x = self._read(side, span, columns)
        # Principal directions are those of centred rows, which a shift does not leave.
        shift = side == "g" and n_components is None
        operand = Operand(x, self.ops, self.dtype, self.options, shift)
        if self.channels:
            places = np.where(members >= 0, np.searchsorted(columns, members), -1)
            operand = replace(operand, members=places, n_components=n_components)
        return self.ops.to_numpy(operand.rows(0, high - low))

    def _read(self, side: str, span: Span, columns: np.ndarray) -> np.ndarray:
        """Read columns, those that lie side by side at once."""
        runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
        if len(runs) == 1 and len(columns):
            return self.store.read(side, (int(columns[0]), int(columns[-1]) + 1), span)
        x = np.zeros((self.length, max(1, len(columns))), self.store.dtype)
        for run in filter(len, runs):
            first = int(np.searchsorted(columns, run[0]))
            part = self.store.read(side, (int(run[0]), int(run[-1]) + 1), span)
            x[:, first : first + len(run)] = part
        return x

    def tile(self, parts: Sequence[tuple["_Rows", "_Rows"]], tile: Tile) -> np.ndarray:
        """One tile of W, on the host: the mean over all parts."""
        total = np.zeros(0)
        for number, (sources, targets) in enumerate(parts):
            products = self._product(sources, targets, tile)
            if self.channels:
                norms = {"left": self.width, "right": self.width}
                products = self.ops.call(block_norms, products, **norms)
            else:
                products = self.ops.xp.clip(products, -1, 1)
            # JAX hands out its own memory, which is not to be written to.
            part = np.require(self.ops.to_numpy(products), requirements="W")
            total = np.add(total, part, out=total) if number else part
        total /= len(parts)
        return total

    def _product(self, sources: "_Rows", targets: "_Rows", tile: Tile) -> Array:
        """Multiply the rows of a tile, stretch by stretch of the observations."""
        stretches, width = _stretches(self.length), self.width

        def add(total: Array | None, number: int, _: int) -> Array:
            rows = sources.read(*stretches[number], tile.top * width, tile.bottom * width)
            columns = targets.read(*stretches[number], tile.left * width, tile.right * width)
            product = self.ops.matmul(self.ops.take_over(rows), self.ops.take_over(columns))
            if total is not None:
                total += product
                product = total
            # Libraries that compute later would pile up the stretches that they have not used.
            self.ops.to_numpy(product[:1, :1])
            return product

        return sum_of_sums(add, len(stretches), 1)

    def ranking_bytes(self, nodes: int) -> int:
        """Bytes that ranking so many nodes takes."""
        read, widest = self.store.dtype.itemsize, int(self.members.shape[1])
        values = nodes * widest * self.length
        # As read, side by side for the threads, ranked; and gathered where nodes have several.
        arrays = values * (2 * read + self.item)
        if widest > 1:
            arrays += values * (read + self.item)
        if self._operand_copies > 1:
            arrays += values * self.item
        # The store reads whole chunks before it puts them together.
        unit = self.store.unit * (self.spans[0][1] - self.spans[0][0])
        columns = max(self.store.chunk_columns, nodes * widest)
        arrays += 2 * min(unit, self.length) * columns * read
        together = allowed_threads() * max(BLOCK_ELEMENTS, self.length)
        # Columns are ranked in blocks that threads share, or all at once.
        busy = min(values, together) if self.ops.ranker().name == "numpy" else values
        return arrays + busy * _RANKING_BYTES

    def tile_bytes(self, nodes: int) -> int:
        """Bytes that a tile of so many sources and targets takes."""
        rows = nodes * self.width
        operands = 2 * rows * min(_STRETCH, self.length) * self.item * self._operand_copies
        # Sums of sums hold four products at most; the mean and its last term are on the host.
        return operands + (4 * rows**2 + 3 * nodes**2) * self.item

    @property
    def _operand_copies(self) -> int:
        """How often a product holds its operands: torch's libraries pack them (measured)."""
        return 3 if self.ops.name in ("jax", "torch") else 1

    @property
    def free(self) -> int:
        """The bound without what the best targets of each source take."""
        kept = 2 * (8 + self.item) * self.store.nodes * (self.settings["top"] or 0)
        if kept >= self.max_memory:
            raise ValueError(
                f"top must leave room in max_memory={_io.format_bytes(self.max_memory)}; got "
                f"{self.settings['top']}, which takes {_io.format_bytes(kept)}: keep fewer, or "
                "give more memory"
            )
        return self.max_memory - kept

    @property
    def room(self) -> int:
        """Bytes of the bound that arrays may take."""
        return int(_COUNTED_SHARE * self.free) - _FIXED_BYTES


@dataclass(frozen=True)
class _Sizes:
    """Nodes that are ranked at a time, nodes on an edge of a tile, and whether rows are held."""

    block: int
    tile: int
    held: bool


def _choose_sizes(run: _Run) -> _Sizes:
    """The largest sizes that fit; the bound is on the host, devices have their own."""
    nodes, on_host = len(run.members), run.ops.ranker().name == "numpy"
    tiling = _COMPILER_BYTES if run.ops.name == "jax" else 0
    compiled = run.settings["n_components"] is not None or not on_host
    ranking = tiling if compiled else 0
    least = _FIXED_BYTES + max(run.ranking_bytes(1) + ranking, run.tile_bytes(1) + tiling)
    least = int(least / _COUNTED_SHARE) + 1
    if run.free < least:
        least += run.max_memory - run.free
        raise ValueError(
            f"max_memory must hold a node of {run.length} observations while it is ranked; got "
            f"{_io.format_bytes(run.max_memory)}: give {_io.format_bytes(least)} or more"
        )
    usual = max(
        run.ranking_bytes(min(_USUAL_BLOCK, nodes)) + ranking,
        run.tile_bytes(min(_USUAL_TILE, nodes)) + tiling,
    )
    held = run.room - run.row_bytes >= usual
    room = run.room - run.row_bytes if held else run.room
    block, tile = room - ranking, room - tiling
    if not on_host and (free := run.ops.free_bytes()) is not None:
        block, tile = (min(limit, int(_DEVICE_SHARE * free)) for limit in (block, tile))
    width, line = int(run.members.shape[1]), run.store.chunk_columns
    return _Sizes(
        _whole_chunks(_largest(run.ranking_bytes, block, nodes), max(1, line // width)),
        _even(_largest(run.tile_bytes, tile, nodes), nodes),
        held,
    )


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


def _whole_chunks(nodes: int, together: int) -> int:
    """Round nodes down to those that a store keeps together, or to an even part of them.

    >>> _whole_chunks(1000, 64), _whole_chunks(50, 64)
    (960, 32)
    """
    if nodes >= together:
        return nodes - nodes % together
    return 1 << (nodes.bit_length() - 1)


def _even(edge: int, nodes: int) -> int:
    """Edge of as few tiles, about equal, each of whole chunks of W.

    >>> _even(7, 10), _even(2100, 4100)
    (5, 2052)
    """
    count = max(1, -(-nodes // edge))
    edge = max(1, -(-nodes // count))
    chunk = chunk_edge(edge)
    return -(-edge // chunk) * chunk


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


@dataclass(frozen=True)
class _HeldRows:
    """Standardized rows in memory."""

    values: np.ndarray

    def write(self, low: int, rows: np.ndarray) -> None:
        """Put rows at ``low`` and after it."""
        self.values[low : low + len(rows)] = rows

    def read(self, start: int, stop: int, low: int, high: int) -> np.ndarray:
        """A stretch of the rows ``low`` to ``high``, a view."""
        return self.values[low:high, start:stop]


@dataclass(frozen=True)
class _RowFile:
    """Standardized rows in a flat file, stretch after stretch, so that a tile reads in one go.

    Plain reads and writes: pages of a mapped file count as memory of the process.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Length of the whole file."""
        return math.prod(self.shape) * self.dtype.itemsize

    def write(self, low: int, rows: np.ndarray) -> None:
        """Put rows at ``low`` and after it."""
        with self.path.open("r+b", buffering=0) as file:
            for start, stop in _stretches(self.shape[1]):
                file.seek(self._place(start, stop, low))
                write_all(file, np.ascontiguousarray(rows[:, start:stop]))

    def read(self, start: int, stop: int, low: int, high: int) -> np.ndarray:
        """A stretch of the rows ``low`` to ``high``, a new array."""
        count, place = (high - low) * (stop - start), self._place(start, stop, low)
        values = np.fromfile(self.path, self.dtype, count, offset=place)
        if len(values) < count:
            raise OSError(
                f"{str(self.path)!r} must hold all standardized rows; it was cut short while it "
                "was read: call again with resume=False to make it anew"
            )
        return values.reshape(high - low, stop - start)

    def _place(self, start: int, stop: int, low: int) -> int:
        """Where in the file a stretch of a row begins."""
        return (self.shape[0] * start + low * (stop - start)) * self.dtype.itemsize


_Rows: TypeAlias = _HeldRows | _RowFile


class _Block(NamedTuple):
    """Nodes of one side that are ranked together, for one matrix of the mean."""

    number: int
    part: int
    side: int
    low: int
    high: int


@dataclass(frozen=True)
class _Work:
    """A run in a folder; what the journal of the folder notes is not done again."""

    run: _Run
    output: Output | None
    journal: Journal
    sizes: _Sizes

    @classmethod
    def begin(cls, run: _Run, folder: Path, output: Output | None) -> "_Work":
        """Begin the work in a folder, or resume it."""
        scratch = None if output is None or run.scratch is None else str(run.scratch)
        settings = {"max_memory": run.max_memory, "backend": run.ops.name, "scratch": scratch}
        plan = asdict(_choose_sizes(run))
        journal = Journal.begin(folder, run.settings | settings, plan)
        return cls(run, output, journal, _Sizes(**journal.plan))

    def finish(self) -> Result:
        """Do what is left of both passes, and put the result in its place."""
        try:
            sink = self._sink()
            self._fill(sink)
            if self.output is None:
                assert isinstance(sink, TopPieces | PairPieces)
                return sink.result()
            self.output.put(sink.save(self.run.settings), self.run.settings)
        except OSError as error:
            self._explain(error)
            raise
        _forget(self.journal.folder)
        return self.output.load()

    def _explain(self, error: OSError) -> None:
        """Say what a full disk has left."""
        if not _io.is_full(error):
            return
        ranked, tiled = (len(self.journal.done(kind)) for kind in (_RANKED, _TILED))
        kept = (
            f"{ranked} blocks of ranked columns and {tiled} tiles are kept in "
            f"{str(self.journal.folder)!r}: make room, and call again with the same arguments"
            if self.output is not None
            else "nothing was kept: make room, or name a larger disk by scratch="
        )
        raise OSError(errno.ENOSPC, f"the disk is full ({error.strerror}); {kept}") from error

    def _sink(self) -> Sink:
        """What takes the tiles."""
        run, folder = self.run, self.journal.folder
        nodes, top, threshold = len(run.members), run.settings["top"], run.settings["threshold"]
        if top is not None:
            return TopPieces(folder / "pieces", nodes, run.dtype, top)
        if threshold is not None:
            bounds = (run.room, run.max_memory)
            return PairPieces(folder / "pieces", nodes, run.dtype, threshold, *bounds)
        assert self.output is not None, "W has a place"
        path = folder / f"W{self.output.path.suffix}"
        if path.suffix == ".npy":
            return NpyMatrix(path, nodes, run.dtype)
        return ZarrMatrix(path, nodes, run.dtype, (chunk_edge(self.sizes.tile),) * 2)

    def _fill(self, sink: Sink) -> None:
        """Rank all columns, and then make all tiles, but for those that are done."""
        if not self.journal.done(_READY):
            sink.prepare()
            self._prepare_scratch()
            self.journal.mark(_READY, 0)
        done = self.journal.done(_TILED)
        tiles = _tiles(len(self.run.members), self.sizes.tile)
        left = [tile for tile in tiles if tile.number not in done]
        if left:
            parts = self._ranked()
            for tile in track(left, len(left), "correlating", verbose=self.run.verbose):
                sink.put(tile, self.run.tile(parts, tile))
                self.journal.mark(_TILED, tile.number)

    def _files(self) -> list[tuple[_RowFile, _RowFile]]:
        """Files of the rows of both sides, for each matrix of the mean."""
        scratch, dtype = _scratch_of(self.journal), np.dtype(self.run.dtype)
        return [
            (
                _RowFile(scratch / f"a-{part}", self.run.shape, dtype),
                _RowFile(scratch / f"g-{part}", self.run.shape, dtype),
            )
            for part in range(len(self.run.spans))
        ]

    def _prepare_scratch(self) -> None:
        """Make the files of the rows at their full length, where rows are not held."""
        if self.sizes.held:
            return
        scratch = _scratch_of(self.journal)
        _io.discard(scratch)
        scratch.mkdir(parents=True)
        need, free = self.run.row_bytes, shutil.disk_usage(scratch).free
        if free < need:
            raise OSError(
                f"scratch must hold the standardized rows, {_io.format_bytes(need)}; got "
                f"{_io.format_bytes(free)} free in {str(scratch)!r}: name a folder on a larger disk"
            )
        for file in chain.from_iterable(self._files()):
            file.path.touch()
            os.truncate(file.path, file.nbytes)

    def _rows(self) -> list[tuple[_Rows, _Rows]]:
        """Room for the rows of both sides, for each matrix of the mean."""
        if self.sizes.held:
            return [
                (
                    _HeldRows(np.empty(self.run.shape, self.run.dtype)),
                    _HeldRows(np.empty(self.run.shape, self.run.dtype)),
                )
                for _ in self.run.spans
            ]
        files = self._files()
        for file in chain.from_iterable(files):
            if not file.path.is_file() or file.path.stat().st_size != file.nbytes:
                raise FileNotFoundError(
                    f"the rows ranked so far must lie in {str(file.path)!r}, which is missing or "
                    "cut short: give resume=False to begin anew"
                )
        return [*files]

    def _blocks(self) -> Iterator[_Block]:
        """Columns to rank, some at a time."""
        starts = range(0, count := len(self.run.members), step := self.sizes.block)
        each = product(range(len(self.run.spans)), (0, 1), starts)
        for number, (part, side, low) in enumerate(each):
            yield _Block(number, part, side, low, min(low + step, count))

    def _ranked(self) -> list[tuple[_Rows, _Rows]]:
        """Standardized rows; those on disk are made once, and noted when they are on it."""
        rows, run = self._rows(), self.run
        done = set() if self.sizes.held else self.journal.done(_RANKED)
        left = [block for block in self._blocks() if block.number not in done]
        written: list[int] = []
        noted = time.monotonic()
        try:
            for block in track(left, len(left), "ranking", verbose=run.verbose):
                values = run.rows("ag"[block.side], run.spans[block.part], block.low, block.high)
                rows[block.part][block.side].write(block.low * run.width, values)
                del values
                written.append(block.number)
                if time.monotonic() - noted > _NOTED_SECONDS:
                    self._note(rows, written)
                    noted = time.monotonic()
        finally:
            self._note(rows, written)
        return rows

    def _note(self, rows: list[tuple[_Rows, _Rows]], written: list[int]) -> None:
        if not self.sizes.held:
            for file in chain.from_iterable(rows):
                if isinstance(file, _RowFile):
                    _io.flush(file.path)
            self.journal.mark(_RANKED, *written)
        written.clear()
