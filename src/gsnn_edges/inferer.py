"""FunctionEdgeInferer: capture, correlate, adjust."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gsnn_edges import _checks, backends
from gsnn_edges._typing import Agg, Array, Device, Method, Norm, Precision, Ties
from gsnn_edges.bootstrap import resampled_correlations
from gsnn_edges.correlation import METHODS, PRECISIONS, cross_correlation
from gsnn_edges.observations import capture, resampled
from gsnn_edges.observations.inputs import as_pair, gathered, rows_in
from gsnn_edges.observations.modes import Mode
from gsnn_edges.observations.nodes import AGGS, NORMS
from gsnn_edges.observations.passes import Reduction
from gsnn_edges.observations.resampling import draw_counts, rows_are_independent
from gsnn_edges.progress import track
from gsnn_edges.ranks import TIES


class FunctionEdgeInferer:
    """Infer which function -> function edges a trained GSNN is missing.

    ``W[i, j]`` is the rank correlation between how strongly node i fires at a layer and how much
    credit the loss sends to node j one layer on, over all layer pairs and samples: evidence for
    an edge i -> j. It is a heuristic, not a causal estimate.

    Parameters
    ----------
    model : torch.nn.Module
        A trained GSNN, or any network with ``blocks`` and ``groups``; see `capture` for what it
        must offer. It is never changed.
    crit : callable
        ``crit(model(x), y)``, a loss of one number, for example ``torch.nn.MSELoss()``.
    edge_index : array-like of whole numbers, shape (2, E)
        Known edges between function nodes, sources above targets; ``penalty_factor`` uses them.
    use_prenorm : bool
        Take activations before a block's norm and nonlinearity, or after them.
    device : torch device
        Where the model lies and its passes run. The torch backend correlates there too.
    norm : {"l1", "l2", "none"}
        ``|v|``, ``v**2`` or the signed ``v`` of each channel of activations and gradients.
    agg : {"sum", "mean", "max"}
        How the channels of a node become one number.
    backend : {"torch", "jax", "numpy", "generic"}
        Where the correlation runs.
    backend_device : optional
        A device of that backend, or its name. By default ``device`` for torch, JAX's default
        device for JAX, the host for NumPy.
    ties : {"average", "ordinal"}
        Equal values share the mean of their ranks, or are ranked as they stand.
    precision : {"float32", "float64"}
        Of the correlation.
    blocks, groups : optional
        The modules that are layers and the node of each of their channels, for a model that is no
        GSNN or holds several; see `capture`.
    node_names : sequence of N str, optional
        Names of the nodes, for errors; see `capture`.

    Raises
    ------
    TypeError, ValueError
        For an unknown option or edges that are not (2, E) whole numbers from 0.
    ImportError
        When the backend's library is not installed.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges import FunctionEdgeInferer, mrr
    >>> from gsnn_edges.demo import GSNN, tutorial
    >>> problem = tutorial(seed=0)
    >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, seed=0).eval()
    >>> inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    >>> W = inferer.fit(problem.x_test, problem.y_test)
    >>> W.shape
    (50, 50)
    """

    def __init__(
        self,
        model: Any,
        crit: Callable[[Any, Any], Any],
        edge_index: Any,
        use_prenorm: bool = True,
        device: Device = "cpu",
        norm: Norm = "l1",
        agg: Agg = "sum",
        *,
        backend: str = "torch",
        backend_device: Device = None,
        ties: Ties = "average",
        precision: Precision = "float32",
        blocks: Sequence[Any] | None = None,
        groups: Any = None,
        node_names: Sequence[str] | None = None,
    ) -> None:
        _checks.choice("norm", norm, NORMS)
        _checks.choice("agg", agg, AGGS)
        _checks.choice("ties", ties, TIES)
        _checks.choice("precision", precision, PRECISIONS)
        _checks.edge_index("edge_index", edge_index)
        backends.load(backend, backend_device)
        self.model = model
        self.crit = crit
        self.edge_index = edge_index
        self.use_prenorm = use_prenorm
        self.device = device
        self.norm = norm
        self.agg = agg
        self.backend = backend
        self.backend_device = backend_device
        self.ties = ties
        self.precision = precision
        self.blocks = blocks
        self.groups = groups
        self.node_names = node_names

    def fit(
        self,
        x: Any,
        y: Any = None,
        method: Method = "spearman",
        penalty_factor: float = 0.0,
        scale_by_act_mean: bool = False,
        estimate: bool | None = False,
        estimate_iters: int = 10,
        estimate_n_samples: int = 2500,
        row_chunk: int | None = None,
        verbose: bool = False,
        *,
        batch_size: int | None = None,
        seed: int | None = None,
        forward_kwargs: Mapping[str, Any] | None = None,
        loss_reduction: Reduction | None = None,
        mode: Mode = None,
    ) -> np.ndarray:
        """Compute the edge-evidence matrix.

        Parameters
        ----------
        x, y : tensors or arrays of shape (B, ...), or tuples or dicts of them
            Inputs and targets, finite; held-out data as a rule. Or x is a DataLoader of pairs
            (x, y), and y is left out; see `capture`.
        method : {"spearman", "pearson"}
            Correlate ranks or values.
        penalty_factor : float
            ``p`` in [0, 1): column j is multiplied by ``(1 - p)`` for each known edge into j,
            row i by ``(1 + p)`` for each known edge out of i.
        scale_by_act_mean : bool
            Multiply row i by the mean activation of node i.
        estimate : bool
            Average over resampled batches instead of using the batch once.
        estimate_iters : int
            Number of resampled batches.
        estimate_n_samples : int
            Rows (samples) of each, drawn with replacement, the same for all layers: L - 1 times
            as many observations.
        row_chunk : int, optional
            Source nodes at a time in the correlation; bounds its memory. By default chosen from
            the free memory.
        verbose : bool
            Show the progress of ``estimate``.
        batch_size : int, optional
            Rows at a time in the forward and backward pass; see `capture`.
        seed : int, optional
            Seeds the draws of ``estimate`` and dropout. Without it, draws differ from call to
            call; a model in training mode draws the same dropout masks in two calls.
        forward_kwargs : mapping, optional
            Further arguments of the model's forward pass; see `capture`.
        loss_reduction : {"mean", "sum"}, optional
            How ``crit`` reduces a batch, for ``batch_size``; by default ``crit.reduction``.
        mode : {"eval"}, optional
            Run in evaluation mode; by default in the mode that the model is in.

        Returns
        -------
        float32 ndarray of shape (N, N)
            ``W[i, j]`` is evidence for an edge i -> j; float64 with ``precision="float64"``.
            In [-1, 1] unless penalised or scaled; 0 where a node's column is constant.

        Raises
        ------
        TypeError, ValueError
            For an argument that breaks its rule, a model that does not keep the contract, or
            values that are not finite: the message names them, and the model is as it was.
        MemoryError
            When a chunk does not fit; the message says which ``row_chunk`` would.

        Notes
        -----
        Peak memory: that of `capture`, or twice the bytes of its (M, N) activations and gradients
        plus W, whichever is more. In evaluation mode ``estimate`` runs the model once and
        resamples its rows; in training mode, or where a model takes its statistics from the
        batch, each draw is a pass of its own.
        """
        _checks.choice("method", method, METHODS)
        penalty_factor = _checks.fraction("penalty_factor", penalty_factor)
        if row_chunk is not None:
            row_chunk = _checks.whole_number("row_chunk", row_chunk, least=1)
        if seed is not None:
            seed = _checks.whole_number("seed", seed, least=0)
        draws = _checks.whole_number("estimate_iters", estimate_iters, least=1) if estimate else 1
        rows = _checks.whole_number("estimate_n_samples", estimate_n_samples, least=1)
        kwargs = dict(forward_kwargs or {})
        x, y, batch_size = gathered(x, y, batch_size)
        observe = partial(
            self.observe,
            batch_size=batch_size,
            seed=seed,
            forward_kwargs=kwargs,
            loss_reduction=loss_reduction,
            mode=mode,
        )
        options: dict[str, Any] = {
            "method": method,
            "scale": scale_by_act_mean,
            "row_chunk": row_chunk,
        }
        if estimate:
            drawing = {"draws": draws, "rows": rows, "seed": seed}
            matrices = self.resample(observe, x, y, mode, kwargs, drawing, options)
        else:
            matrices = iter([self.correlate(*observe(x, y), **options)])
        tracked = track(matrices, draws, "resampled batches", verbose=verbose and draws > 1)
        return penalise(mean(tracked), self.edge_index, penalty_factor)

    def resample(
        self,
        observe: Callable[..., tuple[Array, Array]],
        x: Any,
        y: Any,
        mode: Mode,
        kwargs: dict[str, Any],
        drawing: dict[str, Any],
        options: dict[str, Any],
    ) -> Iterator[np.ndarray]:
        """Give the matrix of each draw; by one pass and one sort where that is the same."""
        batch = rows_in(as_pair(x, y)[0])
        # Draws of few rows are cheaper ranked anew; ordinal ranks hang on the order of a draw.
        once = rows_are_independent(self.model, mode) and self.ties == "average"
        if once and 2 * drawing["rows"] >= batch:
            a, g = observe(x, y)
            counts = draw_counts(batch, layers=len(a) // batch, **drawing)
            return self.correlate_draws(a, g, counts, **options)
        batches = resampled(observe, self.model, x, y, forward_kwargs=kwargs, mode=mode, **drawing)
        return (self.correlate(a, g, **options) for a, g in batches)

    def observe(self, x: Any, y: Any, **options: Any) -> tuple[Array, Array]:
        """Capture with this inferer's settings; known edges must lie among the nodes seen."""
        a, g = capture(
            self.model,
            self.crit,
            x,
            y,
            use_prenorm=self.use_prenorm,
            norm=self.norm,
            agg=self.agg,
            device=self.device,
            blocks=self.blocks,
            groups=self.groups,
            node_names=self.node_names,
            **options,
        )
        _checks.edge_index("edge_index", self.edge_index, (a.shape[1], a.shape[1]))
        return a, g

    def correlate(
        self, a: Array, g: Array, *, method: Method, scale: bool, row_chunk: int | None
    ) -> np.ndarray:
        """Correlate on the chosen backend; scale rows by the mean activation if asked."""
        result = cross_correlation(
            a, g, method=method, ties=self.ties, row_chunk=row_chunk, **self.where()
        )
        return scaled(to_host(result), to_host(a.mean(0)) if scale else None)

    def correlate_draws(
        self,
        a: Array,
        g: Array,
        counts: np.ndarray,
        *,
        method: Method,
        scale: bool,
        row_chunk: int | None,
    ) -> Iterator[np.ndarray]:
        """`correlate` for each draw of observations, which ``counts`` says."""
        matrices = resampled_correlations(
            a, g, counts, method=method, row_chunk=row_chunk, **self.where()
        )
        rows = counts[0].sum()
        for count, result in zip(counts, matrices, strict=True):
            means = a.new_tensor(count / rows) @ a if scale else None
            yield scaled(to_host(result), None if means is None else to_host(means))

    def where(self) -> dict[str, Any]:
        """Backend, device and precision of the correlation."""
        device = self.backend_device
        if device is None and self.backend == "torch":
            device = self.device
        return {"backend": self.backend, "device": device, "precision": self.precision}


def to_host(x: Array) -> np.ndarray:
    """Give an array as one of NumPy, to write to: JAX hands out its own memory."""
    return np.require(backends.of(x).to_numpy(x), requirements="W")


def scaled(matrix: np.ndarray, means: np.ndarray | None) -> np.ndarray:
    """Multiply rows by the mean activations of their nodes, if they are given."""
    if means is not None:
        matrix *= means[:, None]
    return matrix


def mean(matrices: Iterable[np.ndarray]) -> np.ndarray:
    """Average without holding more than two of them."""
    matrices = iter(matrices)
    total, count = next(matrices), 1
    for matrix in matrices:
        total += matrix
        count += 1
    total /= count
    return total


def penalise(matrix: np.ndarray, edge_index: Any, factor: float) -> np.ndarray:
    """Soften scores around known edges: fewer into known targets, more out of known sources."""
    if factor == 0:
        return matrix
    edges = _checks.edge_index("edge_index", edge_index, matrix.shape)
    out_degree, in_degree = (np.bincount(ends, minlength=len(matrix)) for ends in edges)
    with np.errstate(over="ignore", invalid="ignore"):
        matrix *= ((1 + factor) ** out_degree).astype(matrix.dtype)[:, None]
        matrix *= ((1 - factor) ** in_degree).astype(matrix.dtype)[None, :]
    if not np.isfinite(matrix).all():
        raise ValueError(
            f"penalty_factor={factor} is too large for a node with {out_degree.max()} known edges: "
            f"(1 + p)^edges must stay a finite {matrix.dtype}"
        )
    return matrix
