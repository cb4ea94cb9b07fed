"""One forward and one backward pass, reduced to what the correlation needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges._typing import Agg, Device, Norm
from gsnn_edges.activations.batches import (
    Batch,
    as_arguments,
    as_pair,
    check_arguments,
    checked_kwargs,
    cut,
    dtype_of,
    for_model,
    gathered,
    rows_in,
    take,
    tensors,
)
from gsnn_edges.activations.gradients import full, gradients, gradients_on, is_half
from gsnn_edges.activations.hooks import recording
from gsnn_edges.activations.model_layout import Layers, find_layers, finite_at_nodes, modules_of
from gsnn_edges.activations.modes import Mode, check_mode, switch, warn_of_mode, warn_of_parts
from gsnn_edges.activations.nodes import AGGS, NORMS, NodeReducer, Reducer
from gsnn_edges.activations.preserve_state import unchanged
from gsnn_edges.activations.trace import Trace
from gsnn_edges.activations.wrappers import run_alone, unwrapped, without_compiler

Criterion: TypeAlias = Callable[[Any, Any], Tensor]
Reduction: TypeAlias = Literal["mean", "sum"]
REDUCTIONS = ("mean", "sum")


def capture(
    model: nn.Module,
    crit: Criterion,
    x: Any,
    y: Any = None,
    *,
    use_prenorm: bool = True,
    norm: Norm = "l1",
    agg: Agg = "sum",
    device: Device = "cpu",
    batch_size: int | None = None,
    seed: int | None = None,
    forward_kwargs: Mapping[str, Any] | None = None,
    blocks: Sequence[nn.Module | str] | None = None,
    groups: Any = None,
    loss_reduction: Reduction | None = None,
    mode: Mode = None,
    node_names: Sequence[str] | None = None,
) -> tuple[Tensor, Tensor]:
    """Record how strongly each function node fires, and the credit it gets one layer on.

    Parameters
    ----------
    model : torch.nn.Module
        A trained GSNN: at least two blocks in ``model.ResBlocks``, each with
        ``channel_groups`` (the node of each channel) and, while ``_store_activations`` is
        true, its activations in ``_last_pre_norm_activation`` and ``_last_activation``, of
        shape (B, C) or (B, C, 1); where one is missing, the output of the block's ``lin_in``, or
        the input of its ``lin_out``, is taken. Or a module that holds one GSNN: its forward pass
        runs, and the blocks inside are read. DataParallel, DistributedDataParallel and
        torch.compile are unwrapped, and what is compiled runs uncompiled. Any other network with
        ``blocks`` and ``groups``. The model comes back as it was, also after an error.
    crit : callable
        ``crit(model(x), y)``, a loss of one number.
    x, y : tensors or arrays of shape (B, ...), or tuples or dicts of them
        Inputs and targets, finite. The model is called as ``model(x)``, ``model(*x)`` for a tuple
        and ``model(**x)`` for a dict; ``crit`` gets ``y`` as it is. Each tensor inside has B rows
        and is cut with the batch. A list or data frame is an array, by rows. Or x is a torch
        DataLoader whose batches are pairs (x, y), and y is left out: the batches are concatenated
        in its order.
    use_prenorm : bool
        Take activations before a block's norm and nonlinearity, or after them. Without meaning
        where ``groups`` is given.
    norm : {"l1", "l2", "none"}
        ``|v|``, ``v**2`` or the signed ``v`` of each channel of activations and gradients.
    agg : {"sum", "mean", "max"}
        How the channels of a node become one number.
    device : torch device
        Where the model lies, and so where the passes run; ``x`` and ``y`` are moved there, the
        model never is.
    batch_size : int, optional
        Rows at a time; that of a DataLoader by default, else all. In evaluation mode the result
        is that of the whole batch: gradients of a mean over s of B rows are rescaled by s / B.
        A weighted mean (class weights, ignored targets, a mask) cannot be: use a sum.
    seed : int, optional
        Seeds dropout. By default the masks follow torch's global generator, whose state comes
        back, so that two calls draw the same masks.
    forward_kwargs : mapping, optional
        Further arguments of the forward pass; tensors with B rows are cut along with ``x``.
    blocks : sequence of modules or of their dotted names, optional
        The blocks, in the order in which the forward pass calls them, each call once.
    groups : sequence of whole numbers, or one for each block, optional
        The node of each channel of ``blocks``, from 0. The output of a block, of shape (B, C) or
        (B, C, 1), is then its activation, whatever module it is.
    loss_reduction : {"mean", "sum"}, optional
        How ``crit`` reduces the rows of a batch; by default ``crit.reduction``. Matters for parts.
    mode : {"eval"}, optional
        Run in evaluation mode; by default each module runs in the mode that it is in.
    node_names : sequence of N str, optional
        Names for errors; by default ``node_names_dict["function"]`` of a GSNN that has it.

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

    Warns
    -----
    UserWarning
        Where dropout or batch statistics are at work and ``mode`` is None, or batch statistics
        are and ``batch_size`` is less than B.

    Notes
    -----
    Peak memory is that of a forward and a backward pass over ``batch_size`` rows, plus ``x``,
    ``y``, ``a`` and ``g`` and a copy of the model's tensors. Only gradients of activations are
    computed; ``.grad`` of no parameter is touched, and frozen parameters, ``torch.no_grad()``,
    ``torch.inference_mode()`` and autocast around the call do not matter. Where float16 takes
    part the backward pass starts from up to 2**15 times the loss, and gradients are divided by
    that in float32: a mean over many samples has gradients below float16's least number.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges import capture
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    >>> x, y = torch.randn(10, 4), torch.randn(10, 3)
    >>> a, g = capture(
    ...     network, torch.nn.MSELoss(), x, y, blocks=[network[0], network[2]], groups=range(3)
    ... )
    >>> a.shape, g.shape
    (torch.Size([10, 3]), torch.Size([10, 3]))
    """
    _validation.choice("norm", norm, NORMS)
    _validation.choice("agg", agg, AGGS)
    layers = find_layers(model, blocks, groups, node_names)
    return run_passes(
        model,
        crit,
        x,
        y,
        layers,
        partial(NodeReducer, nodes=layers.nodes, norm=norm, agg=agg),
        use_prenorm=use_prenorm,
        device=device,
        batch_size=batch_size,
        seed=seed,
        forward_kwargs=forward_kwargs,
        loss_reduction=loss_reduction,
        mode=mode,
    )


def run_passes(
    model: nn.Module,
    crit: Criterion,
    x: Any,
    y: Any,
    layers: Layers,
    reducer_of: Callable[[Tensor], Reducer],
    *,
    use_prenorm: bool = True,
    device: Device = "cpu",
    batch_size: int | None = None,
    seed: int | None = None,
    forward_kwargs: Mapping[str, Any] | None = None,
    loss_reduction: Reduction | None = None,
    mode: Mode = None,
    part_of: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Give ``a`` and ``g``, reduced by what ``reducer_of`` makes of the groups of each block.

    ``part_of`` are the rows of all data where ``x`` is only a part of it.
    """
    check_criterion(crit)
    _validation.flag("use_prenorm", use_prenorm)
    check_mode(mode)
    if loss_reduction is not None:
        _validation.choice("loss_reduction", loss_reduction, REDUCTIONS)
    batch_size = _validation.whole_number_or_none("batch_size", batch_size, least=1)
    seed = _validation.whole_number_or_none("seed", seed, least=0)
    device = check_device(model, device)
    reducers = shared_reducers(layers.groups, lambda group: reducer_of(group.to(device)))
    run = Pass(unwrapped(model), crit, layers, reducers, use_prenorm)
    x, y, batch_size = gathered(x, y, batch_size)
    warn_of_mode(model, layers.blocks, mode)
    with gradients_on(), without_compiler(), unchanged(model, seed, layers.blocks):
        x, y = (for_model(batch, device, model) for batch in as_pair(x, y))
        kwargs = checked_kwargs(forward_kwargs)
        check_arguments(x, kwargs)
        run.prepare(x, mode)
        size = rows_in(x) if batch_size is None else min(batch_size, rows_in(x))
        whole = rows_in(x) if part_of is None else part_of
        warn_of_parts(model, layers.blocks, size, whole)
        averaged = size < whole and reduction_of(crit, loss_reduction) == "mean"
        if averaged and loss_reduction is None:
            check_even(crit, y)
        return run.all_parts(x, y, kwargs, size, whole if averaged else None)


def shared_reducers(groups: Sequence[Tensor], make: Callable[[Tensor], Reducer]) -> list[Reducer]:
    """Make one reducer for all blocks of the same groups: a device is asked about each of them."""
    keys = [group.numpy().tobytes() for group in groups]
    made = {key: make(group) for key, group in dict(zip(keys, groups, strict=True)).items()}
    return [made[key] for key in keys]


@dataclass
class Pass:
    """A model with what is recorded in it."""

    model: nn.Module
    crit: Criterion
    layers: Layers
    reducers: Sequence[Reducer]
    use_prenorm: bool

    def prepare(self, x: Batch, mode: Mode) -> None:
        """Set the flags that the passes need; the guard puts them back."""
        modules = modules_of(self.model, *self.layers.blocks)
        switch(modules, mode)
        run_alone(modules)
        if not any(tensor.is_floating_point() for tensor in tensors(x)):
            # Nothing but parameters can lead a gradient to the activations.
            for parameter in self.model.parameters():
                parameter.requires_grad_(parameter.is_floating_point())

    def all_parts(
        self, x: Batch, y: Batch, kwargs: dict[str, Any], size: int, mean_over: int | None
    ) -> tuple[Tensor, Tensor]:
        """Fill ``a`` and ``g``, a part of the batch at a time.

        ``mean_over`` is how many rows the loss should average, where it averages those of a part.
        """
        batch, width = rows_in(x), self.reducers[0].width
        shape = len(self.reducers) - 1, batch, width
        dtype, first = precision_of(self.model, x), tensors(x)[0]
        a, g = (first.new_empty(shape, dtype=dtype, requires_grad=False) for _ in range(2))
        starts = range(0, batch, size)
        for start in track(starts, len(starts), "passes", verbose=None):
            rows = slice(start, min(start + size, batch))
            part = {name: cut(value, rows, batch) for name, value in kwargs.items()}
            # A mean over s of B rows weighs each of them B / s times too much.
            share = (rows.stop - start) / mean_over if mean_over else 1.0
            self.one_part(take(x, rows), take(y, rows), part, share, a[:, rows], g[:, rows])
        for name, observed in (("activations", a), ("gradients", g)):
            nodes = self.reducers[0].by_node(observed.flatten(0, 1))
            finite_at_nodes(name, nodes, self.layers.node_names)
        return a.flatten(0, 1), g.flatten(0, 1)

    def one_part(
        self, x: Batch, y: Batch, kwargs: dict[str, Any], share: float, a: Tensor, g: Tensor
    ) -> None:
        """One forward and one backward pass; each layer is reduced to nodes as it arrives."""
        trace = Trace(self.layers, self.reducers, a)
        args, named = as_arguments(x)
        by_output = self.layers.by_output
        with recording(self.layers.blocks, self.use_prenorm, trace.keep, by_output=by_output):
            with noting("model(x)", x=x):
                prediction = self.model(*args, **named, **kwargs)
            with noting("crit(model(x), y)", prediction=prediction, y=y):
                loss = self.crit(prediction, y)
        check_loss(loss)
        trace.check()
        half = is_half(a.device, [loss.dtype, *trace.dtypes, *dtypes_of(self.model)])
        credit = gradients(loss, trace.edges[1:], half)
        for layer, (reduce, gradient) in enumerate(zip(self.reducers[1:], credit, strict=True)):
            if gradient is not None and share != 1.0:
                gradient = full(gradient) * share
            g[layer] = 0 if gradient is None else reduce(gradient)


@contextmanager
def noting(call: str, **values: Any) -> Iterator[None]:
    """Add to an error out of the user's own code which call it was, and of what."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as e:
        given = ", ".join(f"{name}: {form_of(value)}" for name, value in values.items())
        e.add_note(f"raised by {call}, with {given}")
        raise


def form_of(value: Any) -> str:
    """Write the shape and dtype of a tensor, and of those in a tuple or dict."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {value.dtype}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {form_of(part)}' for key, part in value.items())}}}"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(map(form_of, value))}"
    return type(value).__name__


def check_criterion(crit: Any) -> None:
    """Reject what cannot be called as a loss."""
    if isinstance(crit, type) and issubclass(crit, nn.Module):
        raise TypeError(
            f"crit must be a loss; got the class {crit.__name__}: make one, {crit.__name__}()"
        )
    if not callable(crit):
        raise TypeError(
            f"crit must be a callable, crit(model(x), y); got {_validation.shown(crit)}: pass a "
            "loss "
            "such as torch.nn.MSELoss()"
        )


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


def precision_of(model: nn.Module, x: Batch) -> torch.dtype:
    """Give the precision of what is captured."""
    double = torch.float64 in (dtype_of(model), *(tensor.dtype for tensor in tensors(x)))
    return torch.float64 if double else torch.float32


def dtypes_of(model: nn.Module) -> set[torch.dtype]:
    """Give the precisions of a model's parameters."""
    return {parameter.dtype for parameter in model.parameters()}


def reduction_of(crit: Criterion, given: Reduction | None) -> str:
    """Tell how a loss is reduced over the rows of a batch."""
    reduction = getattr(crit, "reduction", None) if given is None else given
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"batch_size needs to know how crit reduces a batch: it must have a `reduction` of "
            f"'mean' or 'sum', as torch's losses do; got {reduction!r}: pass "
            "loss_reduction='mean' or 'sum', or a batch_size of all rows"
        )
    return str(reduction)


def check_even(crit: Criterion, y: Batch) -> None:
    """Reject a mean in which parts of as many rows may weigh differently."""
    if not isinstance(crit, nn.CrossEntropyLoss | nn.NLLLoss):
        return
    classes = [part for part in tensors(y) if not part.is_floating_point()]
    ignored = any(bool((part == crit.ignore_index).any()) for part in classes)
    if crit.weight is not None or ignored:
        raise ValueError(
            f"batch_size needs a loss in which all rows weigh the same; got a mean of "
            f"{type(crit).__name__} with {'ignored targets' if ignored else 'class weights'}: use "
            "its reduction='sum', or a batch_size of all rows"
        )


def check_loss(loss: Any) -> None:
    """Reject a loss that is no number, or has no gradient."""
    wanted = "crit(model(x), y) must give one number that depends on the model; got"
    if not isinstance(loss, Tensor):
        raise ValueError(
            f"{wanted} {type(loss).__name__}: give the tensor itself, without .item() or .numpy()"
        )
    if loss.numel() != 1 or not loss.is_floating_point():
        raise ValueError(f"{wanted} {form_of(loss)}: reduce the loss, for example by its mean")
    if not loss.requires_grad:
        raise ValueError(
            f"{wanted} one without a gradient: compute it by torch from what the model gives, "
            "without .detach() or torch.no_grad()"
        )
