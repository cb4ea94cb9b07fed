"""FunctionEdgeInferer: capture, correlate, adjust."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Agg, Array, Device, Method, Norm, Precision, Score, Ties
from gsnn_edges.activations import capture, capture_channels
from gsnn_edges.activations.model_layout import Layers, find_layers
from gsnn_edges.activations.modes import Mode
from gsnn_edges.activations.nodes import AGGS, NORMS
from gsnn_edges.activations.passes import Reduction, check_criterion
from gsnn_edges.baselines import untrained_scores
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.inference import Found, Inference, Options
from gsnn_edges.layer_pairs import LayerChoice, checked_layers
from gsnn_edges.options import BACKENDS, PRECISIONS, TIES
from gsnn_edges.scoring import SCORES, ScoreChoice, Scorer, backend_of, mean

# What an EdgeEvidence says of how it was made: settings of the inferer, and options of the call.
SETTINGS = ("use_prenorm", "norm", "agg", "backend", "ties", "precision")
ASKED = (
    "score",
    "layers",
    "n_components",
    "penalty_factor",
    "scale_by_act_mean",
    "estimate",
    "estimate_iters",
    "estimate_n_samples",
    "batch_size",
    "seed",
    "loss_reduction",
    "mode",
)


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
    backend : {"torch", "jax", "numpy"}
        Where the correlation runs.
    backend_device : optional
        A device of that backend, or its name. By default ``device`` for torch, JAX's default
        device for JAX, the host for NumPy.
    ties : {"average", "ordinal"}
        Equal values share the mean of their ranks, or are ranked as they stand.
    precision : {"float32", "float64"}
        Of the correlation; see `cross_correlation`.
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
        check_criterion(crit)
        _validation.flag("use_prenorm", use_prenorm)
        _validation.choice("norm", norm, NORMS)
        _validation.choice("agg", agg, AGGS)
        _validation.choice("ties", ties, TIES)
        _validation.choice("precision", precision, PRECISIONS)
        _validation.edge_index("edge_index", edge_index)
        _validation.choice("backend", backend, BACKENDS)
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
        score: ScoreChoice = "magnitude",
        layers: LayerChoice = None,
        n_components: int | None = None,
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
        score : {"magnitude", "channels", "auto"}
            Correlate the magnitudes of nodes, ``norm`` and ``agg`` of their channels, as the
            original does; or every channel of i with every channel of j, signs kept: the
            Frobenius norm of the block of correlations, see `channel_correlation`. Or make both
            of the same passes, and take "magnitude" where it ranks the known edges of
            ``edge_index`` better than "channels" does, and better than chance by more than two
            standard errors, else "channels" (docs/evidence.md).
        layers : {"pooled", "mean", "last"} or int, optional
            Rank all layer pairs together, or average their matrices, or take the last one or
            that of this number. By default "pooled" for magnitudes and "mean" for channels.
        n_components : int, optional
            For channels: reduce each node to so many principal directions. Default: all.

        Returns
        -------
        float32 ndarray of shape (N, N)
            ``W[i, j]`` is evidence for an edge i -> j; float64 with ``precision="float64"``.
            In [-1, 1] unless penalised or scaled (from 0 to the number of a node's channels
            for channels); 0 where a node's column is constant.

        Raises
        ------
        TypeError, ValueError
            For an argument that breaks its rule, a model that does not keep the contract, or
            values that are not finite: the message names them, and the model is as it was.
        MemoryError
            When a chunk does not fit; the message says which ``row_chunk`` would.

        Warns
        -----
        UserWarning
            For fewer than 10 samples, a W that is zero everywhere, more than half of the nodes
            constant, and as `capture` does.

        Notes
        -----
        Peak memory: that of `capture`, or twice the bytes of its (M, N) activations and gradients
        plus W, whichever is more. In evaluation mode ``estimate`` runs the model once and
        resamples its rows; in training mode, or where a model takes its statistics from the
        batch, each draw is a pass of its own. "auto" holds channels, their magnitudes and both
        matrices.

        Examples
        --------
        >>> import torch
        >>> from gsnn_edges import FunctionEdgeInferer
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 3))
        >>> inferer = FunctionEdgeInferer(
        ...     network, torch.nn.MSELoss(), [[0], [1]], blocks=["0", "1"], groups=range(3)
        ... )
        >>> inferer.fit(torch.randn(20, 4), torch.randn(20, 3)).shape
        (3, 3)
        """
        inference = self.prepared(
            Options(
                method=method,
                penalty_factor=penalty_factor,
                scale_by_act_mean=scale_by_act_mean,
                estimate=estimate,
                estimate_iters=estimate_iters,
                estimate_n_samples=estimate_n_samples,
                row_chunk=row_chunk,
                verbose=verbose,
                batch_size=batch_size,
                seed=seed,
                forward_kwargs=forward_kwargs,
                loss_reduction=loss_reduction,
                mode=mode,
                score=score,
                layers=layers,
                n_components=n_components,
            )
        )
        W: np.ndarray = inference.run(x, y).on_host().W
        return W

    def infer(
        self,
        x: Any,
        y: Any = None,
        method: Method = "spearman",
        *,
        score: ScoreChoice = "auto",
        layers: LayerChoice = None,
        n_components: int | None = None,
        untrained: int = 0,
        on_host: bool = True,
        **options: Any,
    ) -> EdgeEvidence:
        """Infer edges: the matrix with the names of its nodes, and how it was made.

        Parameters
        ----------
        x, y, method
            As of `fit`.
        score : {"auto", "channels", "magnitude"}
            The channel score, which finds more edges on most graphs, or that of `fit`, or the one
            of the two that the known edges choose, see `fit`: on the graphs of docs/results.md its
            MRR is at most 0.03 below that of the better one.
        layers, n_components
            As of `fit`.
        untrained : int
            Average the channel score with that of so many models of the same architecture, never
            trained, see `untrained_scores`: what a network has fitted shows less in its
            gradients, and theirs still hold it. One is enough (docs/results.md). Where "auto" takes
            magnitudes, these stay as they are. Neither with ``estimate`` nor with
            ``score="magnitude"``.
        on_host : bool
            Bring W to the host, as a NumPy array; else it stays where the backend made it, and
            `mrr` and `EdgeEvidence.evaluate` rank it there.
        **options
            All other options of `fit`, by name.

        Returns
        -------
        EdgeEvidence
            With ``estimate`` its ``std`` is the standard deviation of the
            draws, and ``standard_error`` what that says of W. ``settings["score"]`` is the score,
            or with "auto" that which was chosen, and ``settings["choice"]`` what it was chosen
            by, as of `choosing.standing`.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As `fit`.

        Notes
        -----
        Peak memory: that of `fit`, and W once more for a standard deviation.

        Examples
        --------
        >>> import torch
        >>> from gsnn_edges import FunctionEdgeInferer
        >>> from gsnn_edges.demo import GSNN, tutorial
        >>> problem = tutorial(seed=0)
        >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, seed=0).eval()
        >>> inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
        >>> evidence = inferer.infer(problem.x_test, problem.y_test)
        >>> evidence.counts
        {'samples': 500, 'layers': 6, 'observations': 2500}
        >>> evidence.settings["score"], len(evidence.top(3))
        ('channels', 3)
        """
        chosen = Options(
            **usual_options(options),
            method=method,
            score=score,
            layers=layers,
            n_components=n_components,
        )
        untrained = checked_untrained(untrained, chosen)
        on_host = _validation.flag("on_host", on_host)
        inference = self.prepared(chosen)
        found = inference.run(x, y)
        if on_host:
            found = found.on_host()
        untrained = untrained if found.scorer.score == "channels" else 0
        evidence = EdgeEvidence(
            found.W,
            inference.layers.node_names,
            method=method,
            counts=inference.counts(found.samples),
            settings=self.settings(inference, found) | {"untrained": untrained},
            std=found.std,
            known_edges=self.edge_index,
        )
        return self.beside_untrained(evidence, x, y, untrained) if untrained else evidence

    def beside_untrained(self, evidence: EdgeEvidence, x: Any, y: Any, models: int) -> EdgeEvidence:
        """Average evidence with that of untrained models, which weigh as much together."""
        before = mean(untrained_scores(self, x, y, like=evidence, seeds=models))
        return replace(evidence, W=mean([evidence.W, backends.of(evidence.W).adopt(before)]))

    def prepared(self, options: Options) -> Inference:
        """Settle everything before the first pass; known edges must lie among the nodes."""
        options = options.checked()
        found = find_layers(self.model, self.blocks, self.groups, self.node_names)
        _validation.edge_index("edge_index", self.edge_index, (found.nodes, found.nodes))
        scores = SCORES if options.score == "auto" else (options.score,)
        scorers = tuple(self.scorer(score, found, options) for score in scores)
        return Inference(self, found, scorers, options)

    def scorer(self, score: Score, found: Layers, options: Options) -> Scorer:
        """Settle how observations of this model become a matrix."""
        pairs = len(found.blocks) - 1
        return Scorer(
            score=score,
            layers=checked_layers(options.layers, score, pairs),
            n_components=options.n_components,
            method=options.method,
            ties=self.ties,
            row_chunk=options.row_chunk,
            pairs=pairs,
            nodes=found.nodes,
            columns=found.groups[0],
            where=backend_of(self.backend, self.backend_device, self.device, self.precision),
        )

    def settings(self, inference: Inference, found: Found) -> dict[str, Any]:
        """All that W was made with, as JSON can hold it."""
        taken = {"score": found.scorer.score, "layers": found.scorer.layers}
        asked = {**vars(inference.options), **taken}
        own = {name: getattr(self, name) for name in SETTINGS}
        why = {} if found.standing is None else {"choice": found.standing.as_json()}
        return own | {name: asked[name] for name in ASKED} | why

    def observe(
        self, x: Any, y: Any, *, score: Score = "magnitude", **options: Any
    ) -> tuple[Array, Array]:
        """Capture with this inferer's settings: nodes, or channels."""
        options |= {"use_prenorm": self.use_prenorm, "device": self.device}
        options |= {"blocks": self.blocks, "groups": self.groups, "node_names": self.node_names}
        if score == "channels":
            return capture_channels(self.model, self.crit, x, y, **options)[:2]
        return capture(self.model, self.crit, x, y, norm=self.norm, agg=self.agg, **options)


def checked_untrained(untrained: Any, options: Options) -> int:
    """Give the number of untrained models, where they can join."""
    count = _validation.whole_number("untrained", untrained, least=0)
    if count and options.estimate:
        raise ValueError(
            "untrained must be 0 with estimate=True, which speaks of the trained model alone; got "
            f"{count}: leave one of them out"
        )
    if count and options.score == "magnitude":
        raise ValueError(
            "untrained must be 0 with score='magnitude', as it joins the channel score alone; got "
            f"{count}: take 'channels' or 'auto'"
        )
    return count


def usual_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill up the options of a call by the defaults of `FunctionEdgeInferer.fit`."""
    parameters = inspect.signature(FunctionEdgeInferer.fit).parameters
    named = ("self", "x", "y", "method", "score", "layers", "n_components")
    usual = {name: p.default for name, p in parameters.items() if name not in named}
    unknown = given.keys() - usual.keys()
    if unknown:
        raise TypeError(
            f"infer has no option {_validation.listing(sorted(unknown))}; it has those of fit: "
            f"{', '.join(usual)}"
        )
    return usual | dict(given)
