"""Results of a correlation: where they go, what is noted on the way, and what is kept of W."""

import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from gsnn_edges import __version__, _io, _validation
from gsnn_edges.channels import filled_up, node_members
from gsnn_edges.evaluation.candidates import top_k
from gsnn_edges.layer_pairs import LayerChoice, checked_layers, layer_spans
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.store import ObservationStore, StoredMatrix, open_matrix, open_store
from gsnn_edges.store.matrix import create_matrix, read_attributes, write_block

# Names in the folder of unfinished work.
_WORK = {"job.json", "done.txt", "pieces", "W.npy", "W.zarr"}
# An edge of a chunk of W on disk, at most: 4 MB each.
_CHUNK = 1024
# Of an array whose rows are looked at some at a time.
_PANEL_VALUES = 1 << 18
# A pair that is kept: two numbers and a score, once in a piece, once joined, once in order; and
# what the allocator keeps of it.
_PAIR_BYTES = 72


class StoreCorrelation:
    """A correlation of a store, checked: what W follows from, whichever function makes it.

    Attributes
    ----------
    store, options, n_components, top, threshold
        The arguments.
    spans : list of (int, int)
        Layer pairs of each matrix to average, half-open.
    length : int
        Observations of a matrix.
    channels : bool
        Whether nodes have several columns.
    members : int array of shape (N, widest)
        Columns of each node, -1 for none.
    settings : dict
        All that W follows from, ready for JSON.
    """

    def __init__(
        self,
        store: Any,
        options: CorrelationOptions,
        layers: LayerChoice = None,
        n_components: int | None = None,
        top: int | None = None,
        threshold: float | None = None,
    ) -> None:
        store = store if isinstance(store, ObservationStore) else open_store(store)
        self.store: ObservationStore = store
        self.options = options
        self.channels = store.score == "channels"
        n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
        if n_components is not None and not self.channels:
            raise ValueError(
                f"n_components={n_components} needs a store of score='channels'; got "
                f"{store.score!r}, which has one column a node: leave n_components out"
            )
        top = _validation.whole_number_or_none("top", top, least=1)
        if top is not None and top > store.nodes:
            raise ValueError(
                f"top must be at most {store.nodes}, the nodes that there are; got {top}"
            )
        if threshold is not None:
            if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
                raise TypeError(f"threshold must be a number; got {threshold!r}")
            if not (math.isfinite(threshold) and threshold >= 0):
                raise ValueError(f"threshold must be at least 0, and finite; got {threshold}")
            threshold = float(threshold)
        self.n_components, self.top, self.threshold = n_components, top, threshold
        self.settings: dict[str, Any] = {
            "observations": store.fingerprint(),
            "score": store.score,
            "method": options.method,
            "ties": options.ties,
            "layers": checked_layers(layers, store.score, store.pairs),
            "n_components": n_components,
            "precision": options.precision,
            "top": top,
            "threshold": threshold,
        }
        self.spans = layer_spans(self.settings["layers"], store.pairs)
        first, last = self.spans[0]
        self.length: int = (last - first) * store.samples
        least = 3 if self.channels else 2
        if self.length < least:
            raise ValueError(
                f"store must have at least {least} observations for each matrix; got "
                f"{self.length}: capture more samples"
            )
        self.members = np.arange(store.columns)[:, None]
        if self.channels:
            columns = np.empty((0, store.columns))
            self.members = node_members("column_nodes", store.column_nodes, columns)
            self.members = filled_up(self.members, store.nodes)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ, as "method was 'spearman' and is 'pearson'"; empty for none.

    >>> differences({"top": 3, "ties": "average"}, {"top": None, "ties": "average"})
    'top was 3 and is None'
    """
    return ", ".join(
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )


class Journal:
    """Finished blocks and tiles, a line each, in a folder beside what they make.

    Attributes
    ----------
    folder : Path
    run : str
        Tells this work from any other that was ever begun in the folder.
    settings : mapping
        What the work follows from, with the version of this package.
    plan : mapping
        What the first call chose by itself, and later ones keep to.
    """

    def __init__(self, folder: Path, run: str, settings: Any, plan: Any) -> None:
        self.folder, self.run = folder, run
        self.settings, self.plan = dict(settings), dict(plan)
        self._path = folder / "done.txt"

    @classmethod
    def begin(cls, folder: Path, settings: Mapping[str, Any], plan: Mapping[str, Any]) -> Self:
        """Begin the work in a folder, or resume it; settings must be those of the first call."""
        settings = {**settings, "gsnn-edges": __version__}
        if not (folder / "job.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            journal = cls(folder, uuid.uuid4().hex, settings, plan)
            # What earlier work has left, if it could not all be removed.
            journal._path.unlink(missing_ok=True)
            journal.mark("run", journal.run)
            job = {"run": journal.run, "settings": settings, "plan": plan}
            _io.write_json(folder / "job.json", job)
            return journal
        journal = cls.read(folder)
        if different := differences(journal.settings, settings):
            raise ValueError(
                f"resume=True must go on with the settings of the first call, kept in "
                f"{str(folder)!r}; {different}: call with those, or with resume=False to begin anew"
            )
        # A last line that was not written to its end must not become the begin of another.
        os.truncate(journal._path, journal._path.read_bytes().rfind(b"\n") + 1)
        return journal

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The journal of a folder; a ValueError where it is broken, or of other work."""
        try:
            job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            journal = cls(folder, job["run"], job["settings"], job["plan"])
            if journal._lines()[:1] == [f"run {journal.run}"]:
                return journal
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise ValueError(
            f"resume=True must go on with a whole journal; that in {str(folder)!r} is broken: give "
            "resume=False to begin anew"
        )

    def _lines(self) -> list[str]:
        """Whole lines: a process that is killed may leave a part of one."""
        text = self._path.read_text(encoding="utf-8")
        return text[: text.rfind("\n") + 1].splitlines()

    def done(self, kind: str) -> set[int]:
        """Numbers of what is finished of a kind."""
        words = [line.split() for line in self._lines()]
        return {int(number) for each, number in words if each == kind}

    def mark(self, kind: str, *numbers: Any) -> None:
        """Note what is finished and on the disk itself."""
        if numbers:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(f"{kind} {number}\n" for number in numbers)
                file.flush()
                os.fsync(file.fileno())


class Tile(NamedTuple):
    """A rectangle of W: sources ``top`` to ``bottom``, targets ``left`` to ``right``."""

    number: int
    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, eq=False)
class TopTargets:
    """The k targets of the largest scores, for each of N sources; the source itself is one too.

    Attributes
    ----------
    targets : int64 array of shape (N, k)
        Best first; equal scores stand by the number of the target.
    scores : array of shape (N, k)
        Their W.

    Examples
    --------
    >>> import numpy as np
    >>> top = TopTargets(np.array([[1], [2], [0]]), np.array([[0.9], [0.8], [0.3]]))
    >>> top.to_frame(["a", "b", "c"]).to_dict("list")["target"]
    ['b', 'c', 'a']
    """

    targets: np.ndarray
    scores: np.ndarray

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "TopTargets":
        """Read what ``correlate_store(..., out, top=k)`` wrote.

        Raises
        ------
        ValueError
            When the file is broken, or of another kind.
        """
        return cls(**_io.read_arrays(Path(path), "top")[1])

    def to_frame(self, node_names: Sequence[str] | None = None) -> Any:
        """Table of the pairs, a pandas DataFrame: "source", "target", "score", "rank".

        Parameters
        ----------
        node_names : sequence of str, optional
            Names that stand for the numbers of nodes.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        nodes, k = self.targets.shape
        sources = np.repeat(np.arange(nodes), k)
        frame = _frame(sources, self.targets.ravel(), self.scores.ravel(), node_names, nodes)
        frame["rank"] = np.tile(np.arange(1, k + 1), nodes)
        return frame


@dataclass(frozen=True, eq=False)
class PairsAbove:
    """Every pair of nodes with ``|W| >= threshold``, by source, then by target.

    Attributes
    ----------
    sources, targets : int64 arrays of shape (K,)
    scores : array of shape (K,)
        Their W, signed.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = PairsAbove(np.array([0, 2]), np.array([1, 0]), np.array([0.9, -0.7]))
    >>> pairs.to_frame(["a", "b", "c"]).to_dict("list")["source"]
    ['a', 'c']
    """

    sources: np.ndarray
    targets: np.ndarray
    scores: np.ndarray

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "PairsAbove":
        """Read what ``correlate_store(..., out, threshold=t)`` wrote.

        Raises
        ------
        ValueError
            When the file is broken, or of another kind.
        """
        return cls(**_io.read_arrays(Path(path), "threshold")[1])

    def to_frame(self, node_names: Sequence[str] | None = None) -> Any:
        """Table of the pairs, a pandas DataFrame: "source", "target", "score".

        Parameters
        ----------
        node_names : sequence of str, optional
            Names that stand for the numbers of nodes.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        return _frame(self.sources, self.targets, self.scores, node_names, None)


Result: TypeAlias = StoredMatrix | TopTargets | PairsAbove


def _frame(
    sources: np.ndarray,
    targets: np.ndarray,
    scores: np.ndarray,
    node_names: Sequence[str] | None,
    nodes: int | None,
) -> Any:
    pandas = _validation.imported("pandas", "to_frame needs pandas", "frames")
    ends: list[Any] = [sources, targets]
    if node_names is not None:
        count = len(node_names) if nodes is None else nodes
        names = _validation.node_names(node_names, count)
        # Categories: a row holds two small numbers, and each name is stored once.
        ends = [pandas.Categorical.from_codes(end, categories=names) for end in ends]
    return pandas.DataFrame({"source": ends[0], "target": ends[1], "score": scores})


class Output:
    """A place for a result of some kind: "matrix", "top" or "threshold".

    Attributes
    ----------
    path : Path
    unfinished : Path
        The folder of a journal and of what is made, until it is whole.
    """

    def __init__(
        self, out: Any, kind: str, store: ObservationStore, endings: tuple[str, ...] = ()
    ) -> None:
        self.kind, self.path = kind, _io.as_path("out", out).absolute()
        endings = endings or ((".zarr", ".npy") if kind == "matrix" else (".npz",))
        if self.path.suffix not in endings:
            what = "W" if kind == "matrix" else f"{kind}="
            raise ValueError(
                f"out must end with {' or '.join(endings)} for {what}; got {self.path.name!r}: "
                "rename it"
            )
        _io.new_path("out", self.path)
        inside, place = store.path.resolve(), self.path.resolve()
        if inside in (place, *place.parents):
            raise ValueError(
                f"out must lie outside the store of observations; got {str(out)!r}, within "
                f"{str(store.path)!r}: choose another folder"
            )
        self.unfinished = self.path.with_name(f"{self.path.name}.unfinished")
        if self.unfinished.exists() and not _is_work(self.unfinished):
            raise FileExistsError(
                f"out needs {str(self.unfinished)!r} for unfinished work, and that is something "
                "else: choose another name"
            )
        # Says what a .npy, which cannot say it, was made of.
        self._sidecar = self.path.with_name(f"{self.path.name}.json")

    def is_finished(self, settings: Mapping[str, Any], *, resume: bool) -> bool:
        """Whether the result of these settings is there already.

        Raises
        ------
        FileExistsError
            Where something else is there, which nobody meant to lose.
        """
        if self.path.suffix == ".npy" and self._sidecar.exists():
            self._read_sidecar()
        if not self.path.exists():
            return False
        made = self._settings()
        if made is None:
            raise FileExistsError(
                f"out must be new, or a result of correlate_store; {str(self.path)!r} is something "
                "else: remove it, or choose another name"
            )
        if resume and (different := differences(made, settings)):
            raise FileExistsError(
                f"out={str(self.path)!r} holds a result of other settings: {different}; choose "
                "another name, or give resume=False to write over it"
            )
        return resume

    def _settings(self) -> Mapping[str, Any] | None:
        """Settings of the result that is there; None for what is no result."""
        try:
            if self.kind != "matrix":
                made: Any = _io.read_arrays(self.path, self.kind)[0]
            elif self.path.suffix == ".npy":
                made = self._read_sidecar()
                if made["file"] != _file_state(self.path):  # written after the sidecar
                    return None
            else:
                made = read_attributes(self.path)
            return dict(made["made"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _read_sidecar(self) -> dict[str, Any]:
        try:
            sidecar: dict[str, Any] = json.loads(self._sidecar.read_text(encoding="utf-8"))
            return {name: sidecar[name] for name in ("made", "file")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileExistsError(
                f"out needs {str(self._sidecar)!r} beside it, and that is something else: choose "
                "another name"
            ) from error

    def put(self, made: Path, settings: Mapping[str, Any]) -> None:
        """Put what is whole in its place."""
        _io.discard(self.path)
        if self.path.suffix == ".npy":
            sidecar = {"made": dict(settings), "file": _file_state(made)}
            _io.write_json(self._sidecar, sidecar)
        _io.put_in_place(made, self.path)

    def load(self) -> Result:
        """Open or read the result."""
        if self.kind == "matrix":
            return open_matrix(self.path)
        return TopTargets.load(self.path) if self.kind == "top" else PairsAbove.load(self.path)


def _is_work(folder: Path) -> bool:
    """Whether a folder holds nothing but what unfinished work leaves there."""
    if not folder.is_dir():
        return False
    names = (entry.name for entry in folder.iterdir())
    return all(
        name in _WORK or name.startswith(".job.json.") or name.endswith(".rows") for name in names
    )


def _file_state(path: Path) -> dict[str, int]:
    """Tells a file from one that was written later."""
    state = path.stat()
    return {"bytes": state.st_size, "changed": state.st_mtime_ns}


@dataclass(frozen=True)
class ZarrMatrix:
    """W of shape (N, N) as a zarr array; a chunk is a part of one tile."""

    path: Path
    nodes: int
    dtype: str
    settings: Mapping[str, Any]
    chunks: tuple[int, int]

    def prepare(self) -> None:
        """Make an array without chunks."""
        _io.discard(self.path)
        made = {"made": dict(self.settings)}
        create_matrix(self.path, self.nodes, self.dtype, self.chunks, made)

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Write a tile."""
        write_block(self.path, tile.top, tile.left, block)

    def finish(self) -> Path:
        """Path of the array."""
        for leftover in self.path.rglob("*.partial"):  # what a killed process was writing
            leftover.unlink()
        return self.path


@dataclass(frozen=True)
class NpyMatrix:
    """W of shape (N, N) as a .npy file."""

    path: Path
    nodes: int
    dtype: str

    def prepare(self) -> None:
        """Make a file of its full length."""
        shape = (self.nodes, self.nodes)
        np.lib.format.open_memmap(self.path, "w+", self.dtype, shape)

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Write a tile, row by row: mapped pages would count as memory of the process."""
        start = self.path.stat().st_size - self.nodes**2 * block.itemsize
        with self.path.open("r+b", buffering=0) as file:
            for row, values in enumerate(np.ascontiguousarray(block), tile.top):
                file.seek(start + (row * self.nodes + tile.left) * block.itemsize)
                write_all(file, values)
            os.fsync(file.fileno())

    def finish(self) -> Path:
        """Path of the file."""
        return self.path


def write_all(file: Any, values: np.ndarray) -> None:
    """Write an array to a raw file; the system may take it in several pieces."""
    flat: Any = values.reshape(-1).view(np.uint8)
    left = memoryview(flat)
    while left:
        left = left[file.write(left) :]


def chunk_edge(tile: int) -> int:
    """Edge of chunks that fill a tile; a chunk of two tiles would be written twice.

    >>> chunk_edge(4000), chunk_edge(300)
    (1000, 300)
    """
    return -(-tile // -(-tile // _CHUNK))


@dataclass(frozen=True)
class _Pieces:
    """What is kept of each tile, a file each, whose name says its place and its length."""

    folder: Path
    nodes: int
    dtype: str
    settings: Mapping[str, Any]

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def finish(self) -> Path:
        """Path of a file of the result."""
        result, path = self.result(), self.folder / "result"
        kind = "top" if isinstance(result, TopTargets) else "threshold"
        _io.write_arrays(path, kind, {"made": dict(self.settings)}, vars(result))
        return path

    def result(self) -> TopTargets | PairsAbove:
        """Join all pieces."""
        raise NotImplementedError

    def _write(self, tile: Tile, arrays: Mapping[str, np.ndarray]) -> None:
        name = f"{tile.top}-{tile.left}-{len(arrays['scores'])}.npz"
        _io.write_arrays(self.folder / name, "piece", {}, arrays)

    def _places(self) -> list[tuple[int, int, int]]:
        """First source, first target and length of each piece, in order."""
        names = (path.stem.split("-") for path in self.folder.glob("[0-9]*.npz"))
        return sorted((int(top), int(left), int(length)) for top, left, length in names)

    def _bands(self) -> Iterator[tuple[int, Iterator[dict[str, np.ndarray]]]]:
        """Pieces of the same sources, by their first target, with the first source."""
        places = self._places()
        for top in dict.fromkeys(place[0] for place in places):
            paths = [self.folder / "{}-{}-{}.npz".format(*p) for p in places if p[0] == top]
            yield top, (_io.read_arrays(path, "piece")[1] for path in paths)


@dataclass(frozen=True)
class TopPieces(_Pieces):
    """The best ``k`` targets of each source."""

    k: int

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Keep the best targets within a tile."""
        targets, scores = best_targets(block, self.k)
        self._write(tile, {"targets": targets + tile.left, "scores": scores})

    def result(self) -> TopTargets:
        """Merge the tiles of each band of sources."""
        targets = np.empty((self.nodes, self.k), np.int64)
        scores = np.empty((self.nodes, self.k), self.dtype)
        for top, pieces in self._bands():
            best = next(pieces)
            for piece in pieces:
                both = {name: np.concatenate([best[name], piece[name]], axis=1) for name in best}
                # Of equal scores, those of smaller targets stand before the others.
                order, kept = best_targets(both["scores"], self.k)
                best = {
                    "targets": np.take_along_axis(both["targets"], order, axis=1),
                    "scores": kept,
                }
            rows = slice(top, top + len(best["scores"]))
            targets[rows], scores[rows] = best["targets"], best["scores"]
        return TopTargets(targets, scores)


def best_targets(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the ``k`` largest scores of each row, best first.

    Equal scores stand by the number of their column. All columns where there are fewer than k.
    Peak memory: that of the result, and of a few rows.

    >>> best_targets(np.array([[0.1, 0.7, 0.7, 0.2]]), 3)
    (array([[1, 2, 3]]), array([[0.7, 0.7, 0.2]]))
    """
    rows, width = scores.shape
    k = min(k, width)
    columns, best = np.empty((rows, k), np.int64), np.empty((rows, k), scores.dtype)
    height = max(1, _PANEL_VALUES // width)
    for start in range(0, rows, height):
        panel = slice(start, start + height)
        columns[panel] = top_k(scores[panel], k)[1].reshape(-1, k)
        best[panel] = np.take_along_axis(scores[panel], columns[panel], axis=1)
    return columns, best


@dataclass(frozen=True)
class PairPieces(_Pieces):
    """The pairs whose score is at least ``threshold`` away from 0; so many bytes hold them."""

    threshold: float
    room: int
    max_memory: int

    def put(self, tile: Tile, block: np.ndarray) -> None:
        """Keep the pairs of a tile, by source, then by target."""
        here, above = (tile.top, tile.left), abs(block) >= self.threshold
        count = sum(length for *place, length in self._places() if tuple(place) != here)
        most = max(0, self.room // _PAIR_BYTES)
        if count + np.count_nonzero(above) > most:
            raise ValueError(
                f"threshold must leave at most {most} pairs, which max_memory="
                f"{_io.format_bytes(self.max_memory)} can hold; got {self.threshold}, and more of "
                "them: raise one of the two, with resume=False, or write all of W to a .zarr"
            )
        row, column = np.nonzero(above)
        arrays = {"sources": row + tile.top, "targets": column + tile.left, "scores": block[above]}
        self._write(tile, arrays)

    def result(self) -> PairsAbove:
        """Join the pieces, band by band."""
        count = sum(length for *_, length in self._places())
        joined = {
            "sources": np.empty(count, np.int64),
            "targets": np.empty(count, np.int64),
            "scores": np.empty(count, self.dtype),
        }
        start = 0
        for _, pieces in self._bands():
            band = list(pieces)
            arrays = {name: np.concatenate([piece[name] for piece in band]) for name in joined}
            # Stable: the pieces of a band stand by their targets.
            order = np.argsort(arrays["sources"], kind="stable")
            for name, values in arrays.items():
                joined[name][start : start + len(order)] = values[order]
            start += len(order)
        return PairsAbove(**joined)
