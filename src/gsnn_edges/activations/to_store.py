"""Observations straight to disk, a part of the data at a time."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gsnn_edges import __version__, _io, _validation
from gsnn_edges._progress import track
from gsnn_edges._typing import Agg, Device, Norm
from gsnn_edges.activations.batches import (
    Batch,
    checked_kwargs,
    for_model,
    in_batches,
    iter_batches,
    rows_in,
    select_arguments,
)
from gsnn_edges.activations.hooks import AGGS, NORMS
from gsnn_edges.activations.model_layout import find_layout
from gsnn_edges.activations.modes import Mode
from gsnn_edges.activations.passes import Criterion, Passes, Reduction
from gsnn_edges.activations.preserve_state import generators_unchanged, gpus_of
from gsnn_edges.store import ObservationStore, StoreWriter
from gsnn_edges.store.observations import SCORES, is_empty_store, usual_unit

# Batches and samples of a unit at most: a process that is killed loses the unit that it was at.
_MOST_BATCHES, _MOST_SAMPLES = 64, 4096

# Batches, each with its number.
_Numbered: TypeAlias = Iterator[tuple[int, tuple[Batch, Batch]]]
_PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, type(None))


def capture_to_store(
    path: Any,
    model: nn.Module,
    crit: Criterion,
    x: Any,
    y: Any = None,
    *,
    score: Literal["magnitude", "channels"] = "magnitude",
    use_prenorm: bool = True,
    norm: Norm = "l1",
    agg: Agg = "sum",
    device: Device = "cpu",
    batch_size: int | None = None,
    seed: int | None = 0,
    forward_kwargs: Mapping[str, Any] | None = None,
    blocks: Sequence[nn.Module | str] | None = None,
    groups: Any = None,
    loss_reduction: Reduction | None = None,
    mode: Mode = None,
    node_names: Sequence[str] | None = None,
    edge_index: Any = None,
    samples: int | None = None,
    repeatable: bool = False,
    resume: bool = True,
    verbose: bool = False,
) -> ObservationStore:
    """Capture activations and gradients to disk, more than memory holds.

    Parameters
    ----------
    path : str or path
        Folder to write, as "observations.zarr". One that an earlier call has begun is gone on
        with, one that is finished is opened.
    model, crit, use_prenorm, norm, agg, device, blocks, groups, loss_reduction, mode, node_names
        As of `capture`.
    x, y : as of `capture`
        Or x is a torch DataLoader of repeatable order (``shuffle=False``), whose batches are
        pairs (x, y); they are read one after another and never held together.
    score : {"magnitude", "channels"}
        What is kept: one column for each node, as `capture` gives it, or all channels with their
        signs, as `capture_channels` does.
    batch_size : int, optional
        Rows of a pass; 256 by default, and a DataLoader's own.
    seed : int, optional
        Seeds dropout, each batch by its own number, so that a capture that was cut off
        draws the same masks when it goes on. None leaves them to torch's global generator.
    forward_kwargs : mapping, optional
        Further arguments of the forward pass; tensors with a row for each sample are cut.
    edge_index : array-like of whole numbers, shape (2, E), optional
        Edges that the model knows, to be kept with the observations.
    samples : int, optional
        How many a DataLoader gives, where it has no length.
    repeatable : bool
        Says that a DataLoader with a sampler of its own gives the same order each time.
    resume : bool
        Go on with what is there; otherwise it is an error that something is.
    verbose : bool
        Show progress, and the time left.

    Returns
    -------
    ObservationStore
        Of (L - 1) layer pairs, B samples, and N or C columns.

    Raises
    ------
    TypeError, ValueError
        As `capture`; for a DataLoader that shuffles; and where what is there was made in another
        way, by another model or of other data.
    FileExistsError
        With ``resume=False``, where observations are there.
    BlockingIOError
        When another process is at work on ``path``.
    OSError
        When the disk is full; what is written is kept.
    ImportError
        When zarr is not installed.

    Notes
    -----
    The numbers are those of `capture` with the same ``batch_size``, to the bit. A unit is 64 MB a
    side, and at most 64 batches or 4,096 samples, whichever is more; where 64 MB hold fewer than
    1,000 samples it grows towards these, up to 256 MB a side. Peak memory is five times a side,
    and that of a pass over one batch, however wide its inputs are. A unit is written whole or not
    at all; a process that is killed loses the one it was at. The model comes back as it was when
    the call returns or raises.

    What a store was made of is kept as digests: the model's modules and parameters, the blocks and
    groups, the loss with its state and its code, ``forward_kwargs``, all options, and the inputs of
    each unit, which are compared where they are read again: always for arrays, and for a DataLoader
    while units are missing. Not told are the code of a model's forward pass and what a function
    calls.

    Examples
    --------
    >>> import tempfile, torch
    >>> from gsnn_edges import capture_to_store
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    >>> x, y = torch.randn(10, 4), torch.randn(10, 3)
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = capture_to_store(
    ...     f"{folder.name}/seen.zarr", network, torch.nn.MSELoss(), x, y,
    ...     blocks=[network[0], network[2]], groups=range(3),
    ... )
    >>> store.pairs, store.samples, store.columns
    (1, 10, 3)
    >>> folder.cleanup()
    """
    _validation.choice("score", score, SCORES)
    _validation.choice("norm", norm, NORMS)
    _validation.choice("agg", agg, AGGS)
    seed = _validation.whole_number_or_none("seed", seed, least=0)
    resume, verbose = _validation.flag("resume", resume), _validation.flag("verbose", verbose)
    layout = find_layout(model, blocks, groups, node_names)
    settings: dict[str, Any] = {"norm": norm, "agg": agg}
    if score == "channels":
        layout.check_same_channels()
        settings = {"norm": None, "agg": "sum"}
    settings |= {"use_prenorm": use_prenorm, "device": device}
    settings |= {"loss_reduction": loss_reduction, "mode": mode}
    passes = Passes(model, crit, layout, **settings)
    x, y = passes.match_frames(x, y)
    data = in_batches(x, y, batch_size, samples, repeatable)
    recording = _Recording(passes, *data, seed, forward_kwargs)
    metadata = recording.metadata(score, settings) | {"edge_index": edge_index}
    path = _io.as_path("path", path)
    with _io.locked("path", path):
        if path.exists() and is_empty_store(path):  # of a call that was killed at once
            _io.discard(path)
        begin = StoreWriter.resume if resume and path.exists() else StoreWriter.create
        writer = begin(path, **metadata)
        try:
            recording.write(writer, verbose=verbose)
        except BaseException:
            if len(writer.missing) == writer.units:
                _io.discard(writer.path)  # nothing is in it, and the next call may be another
            raise
        return writer.finish()


@dataclass
class _Recording:
    """Everything that is settled before the first pass."""

    passes: Passes
    x: Any
    y: Any
    batch_size: int
    samples: int
    seed: int | None
    forward_kwargs: Any

    def _batches(self) -> Iterator[tuple[Batch, Batch]]:
        return iter_batches(self.x, self.y, self.batch_size, self.samples)

    def metadata(self, score: str, settings: dict[str, Any]) -> dict[str, Any]:
        """What the store will hold, and how it was made."""
        first = next(self._batches(), None)
        if first is None:
            raise ValueError("x must be a DataLoader with at least one batch; got an empty one")
        self.forward_kwargs = checked_kwargs(self.forward_kwargs, first[0])
        layout, columns = self.passes.layout, self.passes.reducers[0].width
        # As the passes see it: a csv gives float64 to a model of float32.
        x = for_model(first[0], torch.device("cpu"), self.passes.model)
        dtype = str(self.passes.precision(x)).removeprefix("torch.")
        most = max(_MOST_BATCHES * self.batch_size, _MOST_SAMPLES)
        unit = min(usual_unit(layout.pairs, columns, dtype), most)
        nodes = layout.groups[0].numpy() if score == "channels" else np.arange(columns)
        return {
            "pairs": layout.pairs,
            "samples": self.samples,
            "columns": columns,
            "score": score,
            "nodes": layout.nodes,
            "column_nodes": nodes,
            "unit": max(1, unit // self.batch_size) * self.batch_size,
            "node_names": layout.node_names,
            "dtype": dtype,
            "provenance": self._provenance(first) | settings | {"device": str(settings["device"])},
        }

    def _provenance(self, first: tuple[Batch, Batch]) -> dict[str, Any]:
        """How the observations are made, so that no other way goes on with them."""
        model, crit, layout = self.passes.model, self.passes.crit, self.passes.layout
        names = {id(module): name for name, module in model.named_modules()}
        named = isinstance(crit, nn.Module)
        return {
            "gsnn-edges": __version__,
            "torch": torch.__version__,
            "model": type(model).__qualname__,
            "sha256 of the modules": _Digest(repr(model)).hexdigest(),
            "sha256 of the parameters": _Digest(model.state_dict()).hexdigest(),
            "sha256 of the first batch": _Digest(*first).hexdigest(),
            "blocks": [names.get(id(block), "") for block in layout.blocks],
            "sha256 of groups": _Digest(layout.groups).hexdigest(),
            "sha256 of forward_kwargs": _Digest(self.forward_kwargs).hexdigest(),
            "sha256 of crit": _Digest(crit).hexdigest(),
            "crit": repr(crit) if named else getattr(crit, "__qualname__", "a callable"),
            "batch_size": self.batch_size,
            "seed": self.seed,
        }

    def write(self, writer: StoreWriter, *, verbose: bool) -> None:
        """Fill the units that are missing, and see that the others are of the same inputs."""
        missing = set(writer.missing)
        if not missing and isinstance(self.x, DataLoader):
            return  # its batches would all be read for nothing else
        count = -(-self.samples // self.batch_size)
        batches = enumerate(track(self._batches(), count, "capturing", verbose=verbose))
        # One unit of all samples may end within a batch.
        each = -(-writer.unit // self.batch_size)
        with self.passes.guarded(None):
            for unit in range(writer.units):
                fill = self._record if unit in missing else self._compare
                fill(unit, islice(batches, each), writer)
        next(batches, None)  # a loader that has more than was said raises here

    def _record(self, unit: int, batches: _Numbered, writer: StoreWriter) -> None:
        """Run the passes of a unit, batch by batch, and write it."""
        first, last = writer.rows_of(unit)
        shape = writer.pairs, last - first, writer.columns
        a, g = (np.empty(shape, writer.dtype) for _ in range(2))
        digest, top = _Digest(), 0
        for number, (x, y) in batches:
            digest.add((x, y))
            rows = slice(top, top := top + rows_in(x))
            kwargs = select_arguments(
                self.forward_kwargs, slice(first + rows.start, first + top), self.samples
            )
            with generators_unchanged(gpus_of(self.passes.model), self._seed_of(number)):
                sides = self.passes.run(x, y, kwargs, None, self.samples)
            for side, values in zip((a, g), sides, strict=True):
                side[:, rows] = values.numpy(force=True).reshape(shape[0], -1, shape[2])
        writer.put(unit, a, g, digest.hexdigest())

    def _seed_of(self, batch: int) -> int | None:
        """Seed of a batch by its number: a capture that goes on draws the same masks."""
        if self.seed is None:
            return None
        return int(np.random.SeedSequence([self.seed, batch]).generate_state(1)[0])

    def _compare(self, unit: int, batches: _Numbered, writer: StoreWriter) -> None:
        """Reject inputs that are not those of a unit that is there."""
        digest = _Digest()
        for _, pair in batches:
            digest.add(pair)
        if digest.hexdigest() != writer.inputs(unit):
            first, last = writer.rows_of(unit)
            raise ValueError(
                f"x and y must be those that {str(writer.path)!r} was begun with; samples {first} "
                f"to {last - 1} are others: pass the same data in the same order, or choose "
                "another path"
            )


class _Digest:
    """SHA-256 of tensors, arrays, plain values, containers, functions and modules.

    Of any other object its type and its public attributes count. Not told are the code that a
    function calls, and what lies behind names that begin with an underscore.
    """

    def __init__(self, *values: Any) -> None:
        self._hash = hashlib.sha256()
        self._within: set[int] = set()  # objects that may hold themselves
        for value in values:
            self.add(value)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        """Add a value, with its type."""
        if isinstance(value, np.ndarray) and value.dtype != object:
            self._add_text("array")
            value = torch.from_numpy(np.array(value))
        self._add_text(type(value).__qualname__)
        if isinstance(value, _PLAIN):
            self._add_text(repr(value))
        elif isinstance(value, Tensor):
            values = value.detach().cpu().resolve_neg().resolve_conj().contiguous()
            self._add_text(f"{values.dtype} {tuple(values.shape)}")
            self._hash.update(values.reshape(-1).view(torch.uint8).numpy().data)
        elif id(value) not in self._within:
            self._within.add(id(value))
            for part in _contents_of(value):
                self.add(part)
            self._within.discard(id(value))

    def _add_text(self, text: str) -> None:
        # With its length, so that no two lists of texts are one.
        self._hash.update(f"{len(text)} {text}".encode())


def _contents_of(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, nn.Module):
        return [repr(value), value.state_dict(), *map(_public_attributes, value.modules())]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__code__, value.__defaults__, value.__kwdefaults__, cells]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_consts, value.co_names]
    return [getattr(value, "__qualname__", ""), _public_attributes(value)]


def _public_attributes(value: Any) -> dict[str, Any]:
    """Attributes of an object with public names, but for its mode and modules."""
    attributes = getattr(value, "__dict__", {})
    if isinstance(value, type) or not isinstance(attributes, dict):
        return {}
    return {
        name: part
        for name, part in attributes.items()
        if not name.startswith("_") and name != "training" and not isinstance(part, nn.Module)
    }
