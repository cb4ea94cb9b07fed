"""Observations straight to disk, a part of the data at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gsnn_edges import __version__, _io, _validation
from gsnn_edges._progress import track
from gsnn_edges._typing import Agg, Device, Norm
from gsnn_edges.activations.batches import Batch, checked_kwargs, cut, for_model, rows_in
from gsnn_edges.activations.channels import check_alike
from gsnn_edges.activations.identity import Digest, digest_of
from gsnn_edges.activations.model_layout import Layers, find_layers
from gsnn_edges.activations.modes import Mode
from gsnn_edges.activations.nodes import AGGS, NORMS, ChannelKeeper, NodeReducer, Reducer
from gsnn_edges.activations.parts import Data, data_of
from gsnn_edges.activations.passes import Criterion, Reduction, precision_of, run_passes
from gsnn_edges.store import ObservationStore, StoreWriter
from gsnn_edges.store.observations import SCORES, is_empty_store, usual_unit

# Batches and samples of a unit at most: a process that is killed loses the unit that it was at.
MOST_BATCHES, MOST_SAMPLES = 64, 4096

# Batches, each with its number.
Numbered: TypeAlias = Iterator[tuple[int, tuple[Batch, Batch]]]


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
    at all; a process that is killed loses the one it was at. The model comes back as it was, after
    each batch.

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
    batch_size = _validation.whole_number_or_none("batch_size", batch_size, least=1)
    samples = _validation.whole_number_or_none("samples", samples, least=1)
    layers = find_layers(model, blocks, groups, node_names)
    if score == "channels":
        check_alike(layers)
    recording = Recording(
        model=model,
        crit=crit,
        layers=layers,
        data=data_of(x, y, batch_size, samples, _validation.flag("repeatable", repeatable)),
        reduction=None if score == "channels" else {"norm": norm, "agg": agg},
        seed=_validation.whole_number_or_none("seed", seed, least=0),
        forward_kwargs=checked_kwargs(forward_kwargs),
        settings={
            "use_prenorm": use_prenorm,
            "device": device,
            "loss_reduction": loss_reduction,
            "mode": mode,
        },
    )
    facts = recording.facts() | {"edge_index": edge_index}
    verbose = _validation.flag("verbose", verbose)
    writer = begun(_io.as_path("path", path), facts, resume=_validation.flag("resume", resume))
    try:
        recording.write(writer, verbose=verbose)
    except BaseException:
        if len(writer.missing) == writer.units:
            _io.discard(writer.path)  # nothing is in it, and the next call may be another
        raise
    return writer.finish()


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Everything that is settled before the first pass.

    ``reduction`` are the norm and the aggregation of channels to nodes, None to keep channels.
    """

    model: nn.Module
    crit: Criterion
    layers: Layers
    data: Data
    reduction: dict[str, Any] | None
    seed: int | None
    forward_kwargs: dict[str, Any]
    settings: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """Say what the store will hold, and how it was made."""
        first, layers = self.data.first(), self.layers
        # As the passes see it: a csv gives float64 to a model of float32.
        x = for_model(first[0], torch.device("cpu"), self.model)
        channels = layers.groups[0].cpu().numpy()
        nodes = np.arange(layers.nodes) if self.reduction else channels
        pairs, dtype = len(layers.blocks) - 1, str(precision_of(self.model, x))[6:]
        fitting = min(usual_unit(pairs, len(nodes), dtype), most_samples(self.data.batch_size))
        return {
            "pairs": pairs,
            "samples": self.data.samples,
            "columns": len(nodes),
            "score": "magnitude" if self.reduction else "channels",
            "nodes": layers.nodes,
            "column_nodes": nodes,
            "unit": max(1, fitting // self.data.batch_size) * self.data.batch_size,
            "node_names": layers.node_names,
            "dtype": dtype,
            "provenance": self.provenance(first),
        }

    def provenance(self, first: tuple[Batch, Batch]) -> dict[str, Any]:
        """Say how the observations are made, so that no other way goes on with them."""
        where = {id(module): name for name, module in self.model.named_modules()}
        named = isinstance(self.crit, nn.Module)
        return {
            "gsnn-edges": __version__,
            "torch": torch.__version__,
            "model": type(self.model).__qualname__,
            "sha256 of the modules": digest_of(repr(self.model)),
            "sha256 of the parameters": digest_of(self.model.state_dict()),
            "sha256 of the first batch": digest_of(*first),
            "blocks": [where.get(id(block), "") for block in self.layers.blocks],
            "sha256 of groups": digest_of(self.layers.groups),
            "sha256 of forward_kwargs": digest_of(self.forward_kwargs),
            "sha256 of crit": digest_of(self.crit),
            "crit": repr(self.crit) if named else getattr(self.crit, "__qualname__", "a callable"),
            "batch_size": self.data.batch_size,
            "seed": self.seed,
            **self.settings,
            "device": str(self.settings["device"]),
            **(self.reduction or {}),
        }

    def write(self, writer: StoreWriter, *, verbose: bool) -> None:
        """Fill the units that are missing, and see that the others are of the same inputs."""
        missing, data = set(writer.missing), self.data
        if not missing and isinstance(data.source, DataLoader):
            return  # its batches would all be read for nothing else
        tracked = track(data.checked_batches(), data.count, "capturing", verbose=verbose)
        batches = enumerate(tracked)
        # One unit of all samples may end within a batch.
        each = -(-writer.unit // data.batch_size)
        for unit in range(writer.units):
            own = islice(batches, each)
            if unit in missing:
                self.record(unit, own, writer)
            else:
                self.compare(unit, own, writer)
        next(batches, None)  # a loader that has more than was said raises here

    def record(self, unit: int, batches: Numbered, writer: StoreWriter) -> None:
        """Run the passes of a unit, batch by batch, and write it."""
        first, last = writer.rows_of(unit)
        shape = writer.pairs, last - first, writer.columns
        a, g = (np.empty(shape, writer.dtype) for _ in range(2))
        seen, top = Digest(), 0
        for number, (x, y) in batches:
            seen.add((x, y))
            rows = slice(top, top := top + rows_in(x))
            found = self.passes(number, slice(first + rows.start, first + top), x, y)
            for side, values in zip((a, g), found, strict=True):
                side[:, rows] = values.cpu().numpy().reshape(writer.pairs, -1, writer.columns)
        writer.put(unit, a, g, seen.hexdigest())

    def compare(self, unit: int, batches: Numbered, writer: StoreWriter) -> None:
        """Reject inputs that are not those of a unit that is there."""
        seen = Digest()
        for _, pair in batches:
            seen.add(pair)
        if seen.hexdigest() != writer.inputs(unit):
            first, last = writer.rows_of(unit)
            raise ValueError(
                f"x and y must be those that {str(writer.path)!r} was begun with; samples {first} "
                f"to {last - 1} are others: pass the same data in the same order, or choose "
                "another path"
            )

    def passes(self, number: int, rows: slice, x: Batch, y: Batch) -> tuple[Tensor, Tensor]:
        """Run the passes of a batch."""
        whole = self.data.samples
        kwargs = {name: cut(value, rows, whole) for name, value in self.forward_kwargs.items()}
        own = None if self.seed is None else np.random.SeedSequence([self.seed, number])
        return run_passes(
            self.model,
            self.crit,
            x,
            y,
            self.layers,
            self.reducer,
            forward_kwargs=kwargs,
            seed=None if own is None else int(own.generate_state(1)[0]),
            part_of=whole,
            **self.settings,
        )

    def reducer(self, group: Tensor) -> Reducer:
        """Give what makes columns of the channels of a block."""
        if self.reduction is None:
            return ChannelKeeper(group)
        return NodeReducer(group, self.layers.nodes, **self.reduction)


def most_samples(batch_size: int) -> int:
    """Give how many samples a unit holds at most."""
    return max(MOST_BATCHES * batch_size, MOST_SAMPLES)


def begun(path: Path, facts: dict[str, Any], *, resume: bool) -> StoreWriter:
    """Make a store, or go on with one; one that nothing was written to counts as none."""
    if path.exists() and is_empty_store(path):
        _io.discard(path)
    if resume and path.exists():
        return StoreWriter.resume(path, **facts)
    return StoreWriter.create(path, **facts)
