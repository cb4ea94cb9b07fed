"""One forward and one backward pass, reduced to what the correlation needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gsnn_edges import _checks
from gsnn_edges._typing import Agg, Device, Norm
from gsnn_edges.observations.blocks import find_blocks, groups_of, recording
from gsnn_edges.observations.guard import unchanged
from gsnn_edges.observations.nodes import AGGS, NORMS, NodeReducer

Criterion = Callable[[Tensor, Tensor], Tensor]


def capture(
    model: nn.Module,
    crit: Criterion,
    x: Any,
    y: Any,
    *,
    use_prenorm: bool = True,
    norm: Norm = "l1",
    agg: Agg = "sum",
    device: Device = "cpu",
    batch_size: int | None = None,
    seed: int | None = None,
    forward_kwargs: Mapping[str, Any] | None = None,
) -> tuple[Tensor, Tensor]:
    """Record how strongly each function node fires, and the credit it gets one layer on.

    Parameters
    ----------
    model : torch.nn.Module
        A trained GSNN: at least two blocks in ``model.ResBlocks``, each with
        ``channel_groups`` (the node of each channel) and, while ``_store_activations`` is
        true, its activations in ``_last_pre_norm_activation`` and ``_last_activation``, of
        shape (B, C) or (B, C, 1); where one is missing, the output of the block's ``lin_in``, or
        the input of its ``lin_out``, is taken. The model comes back as it was, also after an
        error, and runs in the mode, training or evaluation, that it is in.
    crit : callable
        ``crit(model(x), y)``, a loss of one number.
    x, y : tensors or arrays of shape (B, ...)
        Inputs and targets, finite.
    use_prenorm : bool
        Take activations before a block's norm and nonlinearity, or after them.
    norm : {"l1", "l2", "none"}
        ``|v|``, ``v**2`` or the signed ``v`` of each channel of activations and gradients.
    agg : {"sum", "mean", "max"}
        How the channels of a node become one number.
    device : torch device
        Where the model lies and the passes run; ``x`` and ``y`` are moved there.
    batch_size : int, optional
        Rows at a time. In evaluation mode the result is that of the whole batch: gradients are
        rescaled where ``crit.reduction`` is "mean".
    seed : int, optional
        Seeds dropout. By default the masks follow torch's global generator, whose state comes
        back, so that two calls draw the same masks.
    forward_kwargs : mapping, optional
        Further arguments of ``model(x, ...)``; tensors with B rows are cut along with ``x``.

    Returns
    -------
    a, g : tensors of shape (M, N) on ``device``
        M = (L - 1) * B observations of N nodes, for L blocks. Row ``l * B + b`` holds the
        activations at layer ``l``, and the gradients at layer ``l + 1``, of sample ``b``.
        float64 for a float64 model, else float32. A node without channels has 0.

    Raises
    ------
    TypeError, ValueError
        When the model does not keep the contract, is on another device, or gives no single
        loss; for fewer than two blocks, wrong shapes, unknown options, NaN or infinity in
        ``x``, ``y``, the activations or the gradients (naming the nodes).

    Notes
    -----
    Peak memory is that of a forward and a backward pass, plus ``a`` and ``g`` and a copy of the
    model's tensors. Only gradients of activations are computed; ``.grad`` of no parameter is
    touched, and frozen parameters, ``torch.no_grad()`` and ``torch.inference_mode()`` around the
    call do not matter.
    """
    _checks.choice("norm", norm, NORMS)
    _checks.choice("agg", agg, AGGS)
    device = check_device(model, device)
    if batch_size is not None:
        batch_size = _checks.whole_number("batch_size", batch_size, least=1)
    if seed is not None:
        seed = _checks.whole_number("seed", seed, least=0)
    blocks = find_blocks(model)
    groups, nodes = groups_of(blocks)
    reducers = [NodeReducer(group.to(device), nodes, norm, agg) for group in groups]
    run = Pass(model, crit, blocks, reducers, use_prenorm)
    with gradients_on(), unchanged(model, seed):
        x, y = (for_model(batch, device, model) for batch in as_pair(x, y))
        kwargs = {name: out_of_inference(value) for name, value in (forward_kwargs or {}).items()}
        return run.all_parts(x, y, kwargs, batch_size)


@dataclass
class Pass:
    """A model with what is recorded in it."""

    model: nn.Module
    crit: Criterion
    blocks: Sequence[nn.Module]
    reducers: Sequence[NodeReducer]
    use_prenorm: bool

    def all_parts(
        self, x: Tensor, y: Tensor, kwargs: dict[str, Any], batch_size: int | None
    ) -> tuple[Tensor, Tensor]:
        """Fill ``a`` and ``g``, a part of the batch at a time."""
        batch, pairs, nodes = len(x), len(self.blocks) - 1, self.reducers[0].nodes
        size = batch if batch_size is None else batch_size
        mean_reduced = size < batch and reduction_of(self.crit) == "mean"
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        a, g = (x.new_empty((pairs, batch, nodes), dtype=dtype) for _ in range(2))
        for start in range(0, batch, size):
            rows = slice(start, min(start + size, batch))
            part = {name: cut(value, rows, batch) for name, value in kwargs.items()}
            # A mean over s of B rows weighs each of them B / s times too much.
            share = (rows.stop - start) / batch if mean_reduced else 1.0
            self.one_part(x[rows], y[rows], part, share, a[:, rows], g[:, rows])
        for name, observed in (("activations", a), ("gradients", g)):
            _checks.finite(name, observed.flatten(0, 1), axis_meaning="node")
        return a.flatten(0, 1), g.flatten(0, 1)

    def one_part(
        self, x: Tensor, y: Tensor, kwargs: dict[str, Any], share: float, a: Tensor, g: Tensor
    ) -> None:
        """One forward and one backward pass; each layer is reduced to nodes as it arrives."""
        # Activations get a gradient by way of x where all parameters are frozen; a clone, since
        # a model may write to its input.
        x = x.detach().requires_grad_(x.is_floating_point()).clone()
        with recording(self.blocks, self.use_prenorm) as recorded:
            loss = self.crit(self.model(x, **kwargs), y)
        check_pass(loss, recorded, self.reducers, len(x))
        for layer, (reduce, record) in enumerate(
            zip(self.reducers[:-1], recorded[:-1], strict=True)
        ):
            a[layer] = reduce(record)
        gradients = torch.autograd.grad(loss * share, recorded[1:], allow_unused=True)
        for layer, (reduce, gradient) in enumerate(zip(self.reducers[1:], gradients, strict=True)):
            g[layer] = 0 if gradient is None else reduce(gradient)


@contextmanager
def gradients_on() -> Iterator[None]:
    """Record gradients, whatever the caller has switched off around us."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def check_device(model: nn.Module, device: Device) -> torch.device:
    """Reject a model that lies elsewhere; it is the user's to move."""
    try:
        # An empty tensor says which device "cuda" means just now.
        wanted = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={str(device)!r} must be a torch device that can be used here, such as 'cpu'; "
            f"torch says: {reason}"
        ) from error
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device != wanted:
            raise ValueError(
                f"device={str(device)!r} is where the passes run, and the model must lie there; "
                f"it lies on {tensor.device}: call model.to({str(device)!r}), or pass "
                f"device={str(tensor.device)!r}"
            )
    return wanted


def as_pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Give x and y as finite tensors with as many rows."""
    x, y = as_rows("x", x), as_rows("y", y)
    if len(x) != len(y):
        raise ValueError(f"x and y must have as many rows; got {len(x)} and {len(y)}")
    return x, y


def as_rows(name: str, value: Any) -> Tensor:
    """Give x or y as a finite tensor, with a row for each sample."""
    if isinstance(value, np.ndarray):
        # torch takes neither read-only nor backwards arrays.
        value = np.require(value, requirements=["C", "W"])
    try:
        rows = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{name} must be a tensor or an array; got {type(value).__name__}"
        ) from error
    if rows.ndim == 0 or len(rows) == 0:
        raise ValueError(f"{name} must have a row for each sample; got shape {tuple(rows.shape)}")
    _checks.finite(name, rows.flatten(1) if rows.ndim > 1 else rows[:, None])
    return rows


def for_model(batch: Tensor, device: torch.device, model: nn.Module) -> Tensor:
    """Give x or y on the device, in the model's precision."""
    dtypes = [p.dtype for p in model.parameters() if p.is_floating_point()]
    dtype = dtypes[0] if dtypes and batch.is_floating_point() else batch.dtype
    batch = out_of_inference(batch)
    return batch.to(device, dtype)


def out_of_inference(value: Any) -> Any:
    """Clone a tensor made under inference_mode, which no backward pass would take."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def reduction_of(crit: Criterion) -> str:
    """Tell how a loss is reduced over the rows of a batch."""
    reduction = getattr(crit, "reduction", None)
    if reduction not in ("mean", "sum"):
        raise ValueError(
            f"batch_size needs to know how crit reduces a batch: it must have a `reduction` of "
            f"'mean' or 'sum', as torch's losses do; got {reduction!r}. Set crit.reduction, or "
            "leave batch_size out"
        )
    return str(reduction)


def cut(value: Any, rows: slice | Tensor, batch: int) -> Any:
    """Rows of a tensor that has one for each sample; anything else whole."""
    if isinstance(value, Tensor) and value.ndim and len(value) == batch:
        return value[rows]
    return value


def check_pass(
    loss: Any, recorded: Sequence[Tensor], reducers: Sequence[NodeReducer], batch: int
) -> None:
    """Reject a loss that has no gradient, and activations that are not (B, C)."""
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        raise ValueError(
            "crit(model(x), y) must give one number that depends on the model; got "
            f"{tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__}: reduce "
            "the loss, for example by its mean"
        )
    if len(recorded) != len(reducers):
        raise ValueError(
            f"model must call each of its {len(reducers)} blocks once in a forward pass; "
            f"{len(recorded)} calls were seen"
        )
    for layer, (record, reduce) in enumerate(zip(recorded, reducers, strict=True)):
        if tuple(record.shape) not in {(batch, len(reduce.groups)), (batch, len(reduce.groups), 1)}:
            raise ValueError(
                f"block {layer} must record activations of shape ({batch}, {len(reduce.groups)}): "
                f"samples, channels; got {tuple(record.shape)}"
            )
