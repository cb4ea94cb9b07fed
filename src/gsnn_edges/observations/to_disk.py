"""Observations straight to disk, a part of the data at a time."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from gsnn_edges import __version__, _checks
from gsnn_edges._typing import Agg, Device, Norm
from gsnn_edges.observations.channels import check_alike
from gsnn_edges.observations.finding import Layers, find_layers
from gsnn_edges.observations.inputs import (
    Batch,
    checked_kwargs,
    cut,
    for_model,
    rows_in,
    tensors,
)
from gsnn_edges.observations.modes import Mode
from gsnn_edges.observations.nodes import AGGS, NORMS, ChannelKeeper, NodeReducer, Reducer
from gsnn_edges.observations.parts import Data, data_of
from gsnn_edges.observations.passes import Criterion, Reduction, precision_of, run_passes
from gsnn_edges.progress import track
from gsnn_edges.store import ObservationStore, StoreWriter
from gsnn_edges.store.facts import SCORES, usual_unit
from gsnn_edges.store.folders import checked_path


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
        Seeds dropout, each part of the data by its own number, so that a capture that was cut off
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
        With ``resume=False``, where something is there.
    OSError
        When the disk is full; what is written is kept.
    ImportError
        When zarr is not installed.

    Notes
    -----
    The numbers are those of `capture` with the same ``batch_size``, to the bit. Peak memory is that
    of one unit, about 128 MB, and of a pass over one batch. A unit is written whole or not at all;
    a process that is killed loses the one it was at. The model comes back as it was, after each.

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
    _checks.choice("score", score, SCORES)
    _checks.choice("norm", norm, NORMS)
    _checks.choice("agg", agg, AGGS)
    batch_size = _checks.whole_number_or_none("batch_size", batch_size, least=1)
    samples = _checks.whole_number_or_none("samples", samples, least=1)
    layers = find_layers(model, blocks, groups, node_names)
    if score == "channels":
        check_alike(layers)
    recording = Recording(
        model=model,
        crit=crit,
        layers=layers,
        data=data_of(x, y, batch_size, samples, _checks.flag("repeatable", repeatable)),
        reduction=None if score == "channels" else {"norm": norm, "agg": agg},
        seed=_checks.whole_number_or_none("seed", seed, least=0),
        forward_kwargs=checked_kwargs(forward_kwargs),
        settings={
            "use_prenorm": use_prenorm,
            "device": device,
            "loss_reduction": loss_reduction,
            "mode": mode,
        },
    )
    facts = recording.facts() | {"edge_index": edge_index}
    writer = begun(checked_path(path), facts, resume=_checks.flag("resume", resume))
    recording.write(writer, verbose=_checks.flag("verbose", verbose))
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
        first, layers = next(self.data.parts(1)), self.layers
        # As the passes see it: a csv gives float64 to a model of float32.
        x = for_model(first[0], torch.device("cpu"), self.model)
        channels = layers.groups[0].cpu().numpy()
        nodes = np.arange(layers.nodes) if self.reduction else channels
        pairs, dtype = len(layers.blocks) - 1, str(precision_of(self.model, x))[6:]
        fitting = usual_unit(pairs, len(nodes), dtype)
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
        state = self.model.state_dict()
        named = isinstance(self.crit, nn.Module)
        return {
            "gsnn-edges": __version__,
            "torch": torch.__version__,
            "model": type(self.model).__qualname__,
            "sha256 of the parameters": digest(part for part in state.values()),
            "sha256 of the first batch": digest(part for side in first for part in tensors(side)),
            "crit": repr(self.crit) if named else getattr(self.crit, "__qualname__", "a callable"),
            "batch_size": self.data.batch_size,
            "seed": self.seed,
            **self.settings,
            "device": str(self.settings["device"]),
            **(self.reduction or {}),
        }

    def write(self, writer: StoreWriter, *, verbose: bool) -> None:
        """Fill the units that are missing."""
        missing, unit = set(writer.missing), writer.facts.unit
        if not missing:
            return
        # One unit of all samples may end within a batch.
        parts = self.data.checked_parts(-(-unit // self.data.batch_size))
        tracked = track(enumerate(parts), writer.facts.units, "capturing", verbose=verbose)
        for number, (x, y) in tracked:
            if number in missing:
                a, g = self.passes(number, writer, x, y)
                shape = writer.facts.pairs, rows_in(x), writer.facts.columns
                writer.put(number, *(side.cpu().numpy().reshape(shape) for side in (a, g)))

    def passes(self, unit: int, writer: StoreWriter, x: Batch, y: Batch) -> tuple[Tensor, Tensor]:
        """Run the passes of a unit."""
        rows, whole = slice(*writer.facts.rows_of(unit)), self.data.samples
        kwargs = {name: cut(value, rows, whole) for name, value in self.forward_kwargs.items()}
        own = None if self.seed is None else np.random.SeedSequence([self.seed, unit])
        return run_passes(
            self.model,
            self.crit,
            x,
            y,
            self.layers,
            self.reducer,
            batch_size=self.data.batch_size,
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


def begun(path: Path, facts: dict[str, Any], *, resume: bool) -> StoreWriter:
    """Make a store, or go on with one."""
    if resume and path.exists():
        return StoreWriter.resume(path, **facts)
    return StoreWriter.create(path, **facts)


def digest(parts: Iterable[Any]) -> str:
    """Give the SHA-256 of tensors, whatever they lie on."""
    found = hashlib.sha256()
    for part in parts:
        values = part.detach().cpu().contiguous()
        found.update(f"{values.dtype} {tuple(values.shape)}".encode())
        found.update(values.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()
