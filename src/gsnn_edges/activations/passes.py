"""One forward and one backward pass, reduced to the columns that a correlation takes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, saved_tensors_hooks

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges._tables import is_frame, match_columns, of_frame
from gsnn_edges._typing import Agg, Device, Norm
from gsnn_edges.activations.batches import (
    Batch,
    as_arguments,
    as_pair,
    checked_kwargs,
    dtype_of,
    for_model,
    read_loader,
    rows_in,
    select_arguments,
    select_rows,
    tensors_in,
)
from gsnn_edges.activations.hooks import AGGS, NORMS, Recorder, Reducer, float32_at_least
from gsnn_edges.activations.model_layout import (
    ModelLayout,
    find_layout,
    known_graph,
    run_alone,
    unwrapped,
)
from gsnn_edges.activations.modes import Mode, ModeWatch, rows_are_independent
from gsnn_edges.activations.preserve_state import (
    gradients_on,
    modules_of,
    unchanged,
    without_compiler,
)

Criterion: TypeAlias = Callable[[Any, Any], Tensor]
Reduction: TypeAlias = Literal["mean", "sum"]

_MODES = ("eval",)
_REDUCTIONS = ("mean", "sum")
# What autograd may keep of a part. More is slower: large tensors get their memory anew each time.
_PART_BYTES = 1 << 28
_LEAST_ROWS = 8
# float16 has no number below 6e-8, where gradients of a mean over many samples lie. The loss is
# scaled up, and less so where a gradient then passes 65504. Powers of two round nothing.
_SCALES = (2.0**15, 2.0**10, 2.0**5, 1.0, 2.0**-8)


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
        and is cut with the batch. A list is an array, by rows. Columns of a DataFrame are matched
        by name to the input or output nodes, where a GSNN names them; an index names the samples,
        the same ones in x and y. Or x is a torch DataLoader whose batches are pairs (x, y), and y
        is left out: the batches are concatenated in its order.
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
        Rows at a time. In evaluation mode the result is that of the whole batch: gradients of a
        mean over s of B rows are rescaled by s / B. A weighted mean (class weights, ignored
        targets, a mask) cannot be: use a sum. By default that of a DataLoader; or all, unless
        parameters and channels times B are 2**28 or more on a CPU, the model is in evaluation
        mode, ``crit`` is a loss of torch or ``loss_reduction`` is given, there are no
        ``forward_kwargs``, and two passes over 2 and 4 rows agree that a row does not depend on
        its batch: then as many rows as autograd keeps in 256 MB, which is faster too.
    seed : int, optional
        Seeds dropout. By default the masks follow torch's global generator, whose state comes
        back, so that two calls draw the same masks.
    forward_kwargs : mapping, optional
        Further arguments of the forward pass; tensors with B rows are cut along with ``x``, also
        those in a list, tuple or dict.
    blocks : sequence of modules or of their dotted names, optional
        The blocks, in the order in which the forward pass calls them, each call once.
    groups : sequence of whole numbers, or one for each block, optional
        The node of each channel of ``blocks``, from 0. The output of a block, of shape (B, C) or
        (B, C, 1), is then its activation, whatever module it is.
    loss_reduction : {"mean", "sum"}, optional
        How ``crit`` reduces the rows of a batch, all with one weight; by default
        ``crit.reduction``. Matters for parts.
    mode : {"eval"}, optional
        Run in evaluation mode; by default each module runs in the mode that it is in.
    node_names : sequence of N str, optional
        Names for errors; by default ``node_names_dict["function"]`` of a GSNN that has it, or the
        first names of its ``homo_names``.

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
        Where dropout or batch statistics are at work and ``mode`` is None, batch statistics are
        and ``batch_size`` is less than B, or random numbers are drawn in evaluation mode. Modules
        of any class are known by what the first forward pass does: a generator of torch moves, or
        a buffer of theirs changes.

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
    layout = find_layout(model, blocks, groups, node_names)
    passes = Passes(model, crit, layout, norm, agg, use_prenorm, device, loss_reduction, mode)
    return passes.observe(x, y, batch_size, seed, forward_kwargs)


class ChannelObservations(NamedTuple):
    """What `capture_channels` gives.

    Attributes
    ----------
    a, g : tensors of shape (M, C)
        Signed activations and gradients of C channels. Row ``l * samples + b`` holds the
        activations at layer l, and the gradients at layer l + 1, of sample b.
    nodes : LongTensor of shape (C,)
        The node of each channel.
    samples, pairs : int
        Samples B, and layer pairs L - 1; M = pairs * samples.
    """

    a: Tensor
    g: Tensor
    nodes: Tensor
    samples: int
    pairs: int


def capture_channels(
    model: nn.Module,
    crit: Criterion,
    x: Any,
    y: Any = None,
    *,
    use_prenorm: bool = True,
    device: Device = "cpu",
    batch_size: int | None = None,
    seed: int | None = None,
    forward_kwargs: Mapping[str, Any] | None = None,
    blocks: Sequence[nn.Module | str] | None = None,
    groups: Any = None,
    loss_reduction: Reduction | None = None,
    mode: Mode = None,
    node_names: Sequence[str] | None = None,
) -> ChannelObservations:
    """Record all channels of the function nodes, with their signs, and the credit they get.

    Parameters
    ----------
    model, crit, x, y, use_prenorm, device, batch_size, seed, forward_kwargs, loss_reduction, mode
        As of `capture`.
    blocks, groups, node_names
        As of `capture`. All blocks have the same channels of the same nodes.

    Returns
    -------
    ChannelObservations
        ``a`` and ``g`` of shape (M, C), ``nodes``, ``samples`` and ``pairs``. float64 for a
        float64 model, else float32.

    Raises
    ------
    TypeError, ValueError
        As `capture`; and where the channels differ between blocks.

    Notes
    -----
    Peak memory is that of `capture`, with C columns in place of N.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges import capture_channels
    >>> from gsnn_edges.channels import channel_correlation
    >>> from gsnn_edges.demo import GSNN, tutorial
    >>> problem = tutorial(seed=0)
    >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=3).eval()
    >>> seen = capture_channels(model, torch.nn.MSELoss(), problem.x_test, problem.y_test)
    >>> seen.a.shape, seen.samples, seen.pairs
    (torch.Size([2500, 150]), 500, 5)
    >>> channel_correlation(seen.a, seen.g, seen.nodes, seen.nodes).shape
    torch.Size([50, 50])
    """
    layout = find_layout(model, blocks, groups, node_names)
    layout.check_same_channels()
    passes = Passes(model, crit, layout, None, "sum", use_prenorm, device, loss_reduction, mode)
    a, g = passes.observe(x, y, batch_size, seed, forward_kwargs)
    return ChannelObservations(a, g, layout.groups[0], len(a) // layout.pairs, layout.pairs)


@dataclass
class Passes:
    """A model with everything that is settled before its first pass.

    Parameters
    ----------
    model, crit, use_prenorm, device, loss_reduction, mode
        As of `capture`.
    layout
        The blocks whose activations are recorded.
    norm, agg
        How channels become nodes. Without a norm they are kept, with their signs.
    """

    model: nn.Module
    crit: Criterion
    layout: ModelLayout
    norm: Norm | None
    agg: Agg
    use_prenorm: bool = True
    device: Device = "cpu"
    loss_reduction: Reduction | None = None
    mode: Mode = None

    def __post_init__(self) -> None:
        check_criterion(self.crit)
        _validation.flag("use_prenorm", self.use_prenorm)
        if self.mode is not None:
            _validation.choice("mode", self.mode, _MODES)
        if self.loss_reduction is not None:
            _validation.choice("loss_reduction", self.loss_reduction, _REDUCTIONS)
        self.device = _checked_device(self.model, self.device)
        self.reducers = [
            Reducer(group, self.layout.nodes, self.norm, self.agg, self.device)
            for group in self.layout.groups
        ]
        self._network = unwrapped(self.model)
        self._modules = modules_of(self._network, *self.layout.blocks)
        self._watch = ModeWatch(self.model, self._modules, self.mode)

    def observe(
        self,
        x: Any,
        y: Any,
        batch_size: int | None,
        seed: int | None,
        forward_kwargs: Mapping[str, Any] | None,
    ) -> tuple[Tensor, Tensor]:
        """Activations and gradients of all samples, as `capture` returns them."""
        batch_size = _validation.whole_number_or_none("batch_size", batch_size, least=1)
        seed = _validation.whole_number_or_none("seed", seed, least=0)
        x, y, batch_size = read_loader(x, y, batch_size)
        with self.guarded(seed):
            x, y = as_pair(*self.match_frames(x, y))
            kwargs = checked_kwargs(forward_kwargs, x)
            if batch_size is None and not kwargs:
                batch_size = self._usual_batch_size(x, y)
            return self.run(x, y, kwargs, batch_size)

    def _usual_batch_size(self, x: Batch, y: Batch) -> int | None:
        """Rows of a part where parts are exact and save memory; None, all rows, when in doubt."""
        rows = rows_in(x)
        sizes = [*(p.numel() for p in self.model.parameters()), *map(len, self.layout.groups)]
        # Most weights make a number of each row, of 4 bytes, which is kept. Where that is less than
        # 4 parts, passes over a few rows take as much time as parts save.
        large = rows > _LEAST_ROWS and sum(sizes) * rows > _PART_BYTES
        # Another class may have a `reduction` and leave rows out.
        own = type(self.crit).__module__ != nn.MSELoss.__module__
        known = self.loss_reduction is not None or not own
        exact = known and rows_are_independent(self.model, self.mode)
        if not (large and exact and self.device.type == "cpu"):
            return None
        # The same two rows alone, and behind two others.
        few, seen, kept = torch.tensor([0, 1]), [], []
        try:
            _is_mean(self.crit, self.loss_reduction if own else None, y)
            with unchanged(self.model, None, self.layout.blocks):
                for pick in (few, torch.cat([few + rows // 2, few])):
                    with _bytes_saved() as saved:
                        sides = self.run(select_rows(x, pick), select_rows(y, pick), {}, None, rows)
                    seen.append([side.view(-1, len(pick), side.shape[1])[:, -2:] for side in sides])
                    kept.append(sum(saved.values()))
        except Exception:  # whatever a user's code raises; all rows may do, or raise it anew
            return None
        for alone, behind in zip(*seen, strict=True):
            if not torch.allclose(alone, behind, rtol=1e-3, atol=1e-5 * float(behind.abs().max())):
                return None
        size = max(_LEAST_ROWS, 2 * _PART_BYTES // max(1, kept[1] - kept[0]))
        size = -(-rows // -(-rows // size))  # parts of like size
        while rows % size == 1:  # a model may drop the axis of a single row
            size += 1
        return size

    def match_frames(self, x: Any, y: Any) -> tuple[Any, Any]:
        """X and y with arrays for DataFrames, by the names of the model's inputs and outputs."""
        sides = {"x": x, "y": y}
        if isinstance(x, tuple | dict):
            named = x.items() if isinstance(x, dict) else enumerate(x)
            sides = {f"x[{key!r}]": part for key, part in named} | {"y": y}
        if not any(map(is_frame, sides.values())):
            return x, y
        tables = [of_frame(name, side) if is_frame(side) else side for name, side in sides.items()]
        nodes: list[Any] = [None] * len(tables)
        names = known_graph(self.model, self.layout.blocks[0], self.layout.nodes).node_names
        nodes[0], nodes[-1] = names.get("input"), names.get("output")
        *inputs, y = match_columns(tables, nodes)
        if isinstance(x, dict):
            return dict(zip(x, inputs, strict=True)), y
        return tuple(inputs) if isinstance(x, tuple) else inputs[0], y

    @contextmanager
    def guarded(self, seed: int | None) -> Iterator[None]:
        """Make the model ready for passes inside; everything comes back on exit."""
        with gradients_on(), without_compiler(), unchanged(self.model, seed, self.layout.blocks):
            if self.mode == "eval":
                for module in self._modules:
                    module.eval()
            run_alone(self._modules)
            yield

    def run(
        self,
        x: Batch,
        y: Batch,
        kwargs: Mapping[str, Any],
        batch_size: int | None,
        whole: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Activations and gradients (pairs * B, width) of B samples; inside `guarded` only.

        ``whole`` are the rows of all data where these are only a part of them.
        """
        x, y = (for_model(batch, self.device, self.model) for batch in (x, y))
        if not any(tensor.is_floating_point() for tensor in tensors_in(x)):
            # Nothing but parameters can lead a gradient to the activations.
            for parameter in self.model.parameters():
                parameter.requires_grad_(parameter.is_floating_point())
        rows = rows_in(x)
        size = rows if batch_size is None else min(batch_size, rows)
        whole = rows if whole is None else whole
        averaged = size < whole and _is_mean(self.crit, self.loss_reduction, y)
        shape = self.layout.pairs, rows, self.reducers[0].width
        a, g = (torch.empty(shape, dtype=self.precision(x), device=self.device) for _ in range(2))
        starts: Iterable[int] = range(0, rows, size)
        if size < rows:
            starts = track(starts, -(-rows // size), "passes", verbose=None)
        for start in starts:
            part = slice(start, min(start + size, rows))
            # A mean over s of B rows weighs each of them B / s times too much.
            share = (part.stop - start) / whole if averaged else 1.0
            arguments = select_arguments(kwargs, part, rows)
            x_part, y_part = select_rows(x, part), select_rows(y, part)
            watch = self._watch.forward(size, whole)
            self._run_part(x_part, y_part, arguments, share, a[:, part], g[:, part], watch)
        a, g = a.flatten(0, 1), g.flatten(0, 1)
        self.reducers[0].check_finite("activations", a, self.layout.node_names)
        self.reducers[0].check_finite("gradients", g, self.layout.node_names)
        return a, g

    def precision(self, x: Batch) -> torch.dtype:
        """The precision of what is captured."""
        double = torch.float64 in (dtype_of(self.model), *(t.dtype for t in tensors_in(x)))
        return torch.float64 if double else torch.float32

    def _run_part(
        self,
        x: Batch,
        y: Batch,
        kwargs: dict[str, Any],
        share: float,
        a: Tensor,
        g: Tensor,
        watch: AbstractContextManager[None],
    ) -> None:
        """Fill a and g by one forward and one backward pass, each layer as it arrives."""
        recorder = Recorder(self.layout, self.reducers, self.use_prenorm, a)
        args, named = as_arguments(x)
        with recorder.attached():
            with _noting("model(x)", x=x), watch:
                prediction = self._network(*args, **named, **kwargs)
            with _noting("crit(model(x), y)", prediction=prediction, y=y):
                loss = self.crit(prediction, y)
        _check_loss(loss)
        recorder.check_calls()
        dtypes = {loss.dtype, *recorder.dtypes, *(p.dtype for p in self.model.parameters())}
        if torch.is_autocast_enabled(a.device.type):
            dtypes.add(torch.get_autocast_dtype(a.device.type))
        gradients = _gradients(loss, recorder.edges[1:], half=torch.float16 in dtypes)
        for layer, (reduce, gradient) in enumerate(zip(self.reducers[1:], gradients, strict=True)):
            if gradient is not None and share != 1.0:
                gradient = float32_at_least(gradient) * share
            g[layer] = 0 if gradient is None else reduce(gradient)


def _gradients(loss: Tensor, edges: Sequence[GradientEdge], half: bool) -> list[Tensor | None]:
    """Gradient of the loss at each edge, None where the loss does not depend on it.

    With ``half``, where float16 takes part, in float32 and by way of a scaled loss.
    """
    if not half:
        return list(torch.autograd.grad(loss, edges, allow_unused=True))
    for scale in _SCALES:
        gradients = torch.autograd.grad(
            loss,
            edges,
            torch.full_like(loss, scale),
            retain_graph=scale != _SCALES[-1],
            allow_unused=True,
        )
        # A device is asked once for all.
        finite = [gradient.isfinite().all() for gradient in gradients if gradient is not None]
        if not finite or bool(torch.stack(finite).all()):
            break
    return [None if g is None else float32_at_least(g) / scale for g in gradients]


@contextmanager
def _bytes_saved() -> Iterator[dict[int, int]]:
    """Sizes of the memories that autograd keeps of what runs inside, by their addresses."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if not _validation.is_sparse(tensor):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        yield sizes


@contextmanager
def _noting(call: str, **values: Any) -> Iterator[None]:
    """Add to an error out of the user's own code which call it was, and of what."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as e:
        given = ", ".join(f"{name}: {_form_of(value)}" for name, value in values.items())
        e.add_note(f"raised by {call}, with {given}")
        raise


def _form_of(value: Any) -> str:
    """Write the shape and dtype of a tensor, and of those in a tuple or dict."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {value.dtype}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_form_of(part)}' for key, part in value.items())}}}"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(map(_form_of, value))}"
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
            "loss such as torch.nn.MSELoss()"
        )


def _checked_device(model: nn.Module, device: Device) -> torch.device:
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


def _is_mean(crit: Criterion, reduction: Reduction | None, y: Batch) -> bool:
    """Whether a loss averages the rows of a batch, all with the same weight."""
    told = reduction is not None
    reduction = reduction if told else getattr(crit, "reduction", None)
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"batch_size needs to know how crit reduces a batch: it must have a `reduction` of "
            f"'mean' or 'sum', as torch's losses do; got {reduction!r}: pass "
            "loss_reduction='mean' or 'sum', or a batch_size of all rows"
        )
    if reduction == "mean" and not told and isinstance(crit, nn.CrossEntropyLoss | nn.NLLLoss):
        classes = [part for part in tensors_in(y) if not part.is_floating_point()]
        ignored = any(bool((part == crit.ignore_index).any()) for part in classes)
        if crit.weight is not None or ignored:
            raise ValueError(
                f"batch_size needs a loss in which all rows weigh the same; got a mean of "
                f"{type(crit).__name__} with {'ignored targets' if ignored else 'class weights'}: "
                "use its reduction='sum', or a batch_size of all rows"
            )
    return reduction == "mean"


def _check_loss(loss: Any) -> None:
    """Reject a loss that is no number, or has no gradient."""
    wanted = "crit(model(x), y) must give one number that depends on the model; got"
    if not isinstance(loss, Tensor):
        raise ValueError(
            f"{wanted} {type(loss).__name__}: give the tensor itself, without .item() or .numpy()"
        )
    if loss.numel() != 1 or not loss.is_floating_point():
        raise ValueError(f"{wanted} {_form_of(loss)}: reduce the loss, for example by its mean")
    if not loss.requires_grad:
        raise ValueError(
            f"{wanted} one without a gradient: compute it by torch from what the model gives, "
            "without .detach() or torch.no_grad()"
        )
