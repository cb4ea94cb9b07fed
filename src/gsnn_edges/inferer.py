"""FunctionEdgeInferer: capture, correlate, adjust."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._tables import as_edges
from gsnn_edges._typing import Agg, Array, Device, Method, Norm, Precision, Ties
from gsnn_edges.activations.batches import (
    Batch,
    as_pair,
    checked_kwargs,
    read_loader,
    rows_in,
    select_arguments,
    select_rows,
)
from gsnn_edges.activations.hooks import AGGS, NORMS, Reducer
from gsnn_edges.activations.model_layout import ModelLayout, find_layout
from gsnn_edges.activations.modes import Mode, rows_are_independent
from gsnn_edges.activations.passes import Passes, Reduction, check_criterion
from gsnn_edges.baselines.networks import untrained_scores, untrained_twins
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.layer_pairs import LayerChoice, checked_layers, mean
from gsnn_edges.masking import MaskedLoss, mask_rows
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import Moments, drawn_counts
from gsnn_edges.scoring import (
    SCORE_CHOICES,
    SCORES,
    ScoreChoice,
    ScoreComparison,
    Scorer,
    compare_scores,
)

_FEW_SAMPLES = 10
# Settings of the inferer that evidence keeps.
_SETTINGS = ("use_prenorm", "norm", "agg", "backend", "ties", "precision")
# Options of a call that evidence says elsewhere, or that W does not depend on.
_NOT_SETTINGS = ("method", "row_chunk", "verbose", "forward_kwargs")


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
        Equal values share the mean of their ranks, or are ranked as they stand. The original ranks
        ties by an unstable sort: its entries differ from "ordinal" by up to 0.7 where zeros abound.
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
        find_layout(model, blocks, groups, node_names)
        check_criterion(crit)
        _validation.flag("use_prenorm", use_prenorm)
        _validation.choice("norm", norm, NORMS)
        _validation.choice("agg", agg, AGGS)
        edge_index = as_edges("edge_index", edge_index, node_names)
        _validation.edge_index("edge_index", edge_index)
        CorrelationOptions(ties=ties, precision=precision, backend=backend, device=backend_device)
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

    def __repr__(self) -> str:
        layout = find_layout(self.model, self.blocks, self.groups, self.node_names)
        return (
            f"FunctionEdgeInferer of {type(self.model).__name__}: {len(layout.blocks)} blocks, "
            f"{layout.nodes} function nodes; correlation by {self.backend}"
        )

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
        masks: int = 0,
        measured: Any = None,
    ) -> np.ndarray:
        """Compute the edge-evidence matrix.

        Parameters
        ----------
        x, y : tensors or arrays of shape (B, ...), or tuples or dicts of them
            Inputs and targets, finite; held-out data as a rule. DataFrames are matched by the names
            of columns. Or x is a DataLoader of pairs (x, y), and y is left out; see `capture`.
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
            standard errors, else "channels" (docs/method.md).
        layers : {"pooled", "mean", "last"} or int, optional
            Rank all layer pairs together, or average their matrices, or take the last one or
            that of this number. By default "pooled" for magnitudes and "mean" for channels.
        n_components : int, optional
            For channels: reduce each node to so many principal directions. Default: all.
        masks : int
            For a model that sees measurements, see `gsnn_edges.masking.masked_inputs`: ``x`` is
            (B, I) and ``y`` (B, M), without masks, and W is the mean over so many draws, each of
            which keeps 70 in 100 measurements; ``crit`` judges the others. 4 are enough. Not with
            ``estimate``. ``seed`` seeds the draws.
        measured : sequence of M nodes, indices or names, optional
            The node that each column of ``y`` was measured at. The residual of a measured node,
            ``y`` minus the prediction, is then one more channel of it as a source: where nodes
            between are hidden, it holds what the inputs do not explain. Channel scores only, and
            not with ``masks``, whose model sees the measurements themselves.

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
        options = {
            "method": method,
            "penalty_factor": penalty_factor,
            "scale_by_act_mean": scale_by_act_mean,
            "estimate": estimate,
            "estimate_iters": estimate_iters,
            "estimate_n_samples": estimate_n_samples,
            "row_chunk": row_chunk,
            "verbose": verbose,
            "batch_size": batch_size,
            "seed": seed,
            "forward_kwargs": forward_kwargs,
            "loss_reduction": loss_reduction,
            "mode": mode,
            "score": score,
            "layers": layers,
            "n_components": n_components,
            "masks": masks,
            "measured": measured,
        }
        return _on_host(_Run(self, options).infer(x, y))

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
        fresh: Callable[..., Any] | None = None,
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
            MRR is at most 0.03 below that of the better one. Where half of the nodes are hidden,
            `EdgeEvidence.fuse` with the Bayes factor of `baselines.structural_score` ranks better.
        layers, n_components
            As of `fit`.
        untrained : int
            Average W, but for its diagonal, with that of so many models of the same architecture,
            never trained, see `untrained_scores`: what a network has fitted shows less in its
            gradients, and theirs still hold it. One is enough (docs/results.md, of the channel
            score; magnitudes lose as often as they gain). Self-pairs stay the trained model's:
            those of an untrained one are several times as large. Not with ``estimate``.
        fresh : callable, optional
            ``fresh()`` makes the model with weights drawn anew, for ``untrained``. By default a
            copy of the model is reset, see `untrained_scores`.
        on_host : bool
            Bring W to the host, as a NumPy array; else it stays where the backend made it, and
            `mrr` and `EdgeEvidence.evaluate` rank it there.
        **options
            All other options of `fit`, by name; ``masks`` and ``measured`` where nodes are hidden.

        Returns
        -------
        EdgeEvidence
            With ``estimate`` its ``std`` is the standard deviation of the
            draws, and ``standard_error`` what that says of W. ``settings["score"]`` is the score,
            or with "auto" that which was chosen, and ``settings["choice"]`` what it was chosen
            by, as of `gsnn_edges.scoring.compare_scores`.

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
        known = inspect.signature(self.fit).parameters
        unknown = [name for name in options if name not in known]
        if unknown:
            raise TypeError(
                f"infer has no option {_validation.listing(unknown)}; it has those of fit: "
                f"{', '.join(known)}"
            )
        options |= {"score": score, "layers": layers, "n_components": n_components}
        call = inspect.signature(self.fit).bind(x, y, method, **options)
        call.apply_defaults()
        run = _Run(self, {k: v for k, v in call.arguments.items() if k not in ("x", "y")})
        untrained = self._checked_untrained(untrained, fresh, run)
        on_host = _validation.flag("on_host", on_host)
        W, std = run.infer(x, y), run.std
        evidence = EdgeEvidence(
            _on_host(W) if on_host else W,
            run.passes.layout.node_names,
            method=method,
            counts=run.counts,
            settings=run.settings | {"untrained": untrained},
            std=_on_host(std) if on_host and std is not None else std,
            known_edges=self.edge_index,
        )
        if not untrained:
            return evidence
        # Untrained models weigh as much together as the trained one.
        before = mean(untrained_scores(self, x, y, like=evidence, seeds=untrained, fresh=fresh))
        xp = backends.of(evidence.W).xp
        np.fill_diagonal(before, _validation.as_numpy(xp.linalg.diagonal(evidence.W)))
        return replace(evidence, W=mean([evidence.W, backends.of(evidence.W).adopt(before)]))

    def _checked_untrained(self, untrained: Any, fresh: Any, run: "_Run") -> int:
        """The number of untrained models, where they can be made and can join."""
        count = _validation.whole_number("untrained", untrained, least=0)
        if count and run.options["estimate"]:
            raise ValueError(
                "untrained must be 0 with estimate=True, which speaks of the trained model alone; "
                f"got {count}: leave one of them out"
            )
        if fresh is not None and not count:
            raise ValueError("fresh must come with untrained=1 or more, the models that it makes")
        for twin in untrained_twins(self, min(count, 1), fresh=fresh):
            find_layout(twin.model, twin.blocks, twin.groups, twin.node_names)
        return count


class _Run:
    """One call of `fit` or `infer`: its options, checked before the first pass, and its result.

    Parameters
    ----------
    inferer : FunctionEdgeInferer
    options : dict
        All options of `fit` by their names.

    Attributes
    ----------
    scorer : Scorer
        Of W; with "auto" that which was chosen.
    samples : int
    std : array, optional
        Standard deviation of the draws.
    comparison : ScoreComparison, optional
        What "auto" chose by.
    """

    def __init__(self, inferer: FunctionEdgeInferer, options: dict[str, Any]) -> None:
        self.inferer, self.options = inferer, options
        self.samples = 0
        self.std: Array | None = None
        self.comparison: ScoreComparison | None = None
        score, n_components = options["score"], options["n_components"]
        _validation.choice("score", score, SCORE_CHOICES)
        if n_components is not None and score == "magnitude":
            raise ValueError(
                f"n_components={n_components!r} needs score='channels'; got {score!r}, which has "
                "one column a node: leave n_components out"
            )
        # As in the original, whatever counts as true.
        options["estimate"] = bool(options["estimate"])
        options["estimate_iters"] = options["estimate_iters"] if options["estimate"] else 1
        for name in ("estimate_iters", "estimate_n_samples", "n_components", "batch_size", "seed"):
            least = 0 if name == "seed" else 1
            options[name] = _validation.whole_number_or_none(name, options[name], least=least)
        options["penalty_factor"] = _validation.fraction(
            "penalty_factor", options["penalty_factor"]
        )
        options["masks"] = _validation.whole_number("masks", options["masks"], least=0)
        if options["masks"] and options["estimate"]:
            raise ValueError(
                f"masks must be 0 with estimate=True, which draws rows; got {options['masks']}: "
                "leave one of them out"
            )
        _validation.flag("scale_by_act_mean", options["scale_by_act_mean"])
        _validation.flag("verbose", options["verbose"])
        options["forward_kwargs"] = checked_kwargs(options["forward_kwargs"])
        # torch correlates where the model lies.
        here = inferer.device if inferer.backend == "torch" else None
        correlation = CorrelationOptions(
            method=options["method"],
            ties=inferer.ties,
            precision=inferer.precision,
            backend=inferer.backend,
            device=here if inferer.backend_device is None else inferer.backend_device,
            row_chunk=options["row_chunk"],
        )
        layout = find_layout(inferer.model, inferer.blocks, inferer.groups, inferer.node_names)
        _validation.edge_index("edge_index", inferer.edge_index, (layout.nodes, layout.nodes))
        if score != "magnitude":
            layout.check_same_channels()
        crit = MaskedLoss(inferer.crit) if options["masks"] else inferer.crit
        self.residuals: _Residuals | None = None
        if options["measured"] is not None:
            options["measured"] = _measured_nodes(options, layout)
            crit = self.residuals = _Residuals(crit, len(options["measured"]))
        self.scorers = [
            Scorer(
                each,
                checked_layers(options["layers"], each, layout.pairs),
                layout.pairs,
                layout.nodes,
                layout.groups[0],
                correlation,
                options["n_components"],
                () if each == "magnitude" else options["measured"] or (),
            )
            for each in (SCORES if score == "auto" else (score,))
        ]
        self.scorer = self.scorers[0]
        self.passes = Passes(
            inferer.model,
            crit,
            layout,
            inferer.norm if score == "magnitude" else None,
            inferer.agg,
            inferer.use_prenorm,
            inferer.device,
            options["loss_reduction"],
            options["mode"],
        )

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of samples, layers and observations."""
        pairs = self.scorer.pairs
        return {"samples": self.samples, "layers": pairs + 1, "observations": pairs * self.samples}

    @property
    def settings(self) -> dict[str, Any]:
        """All that W was made with, as JSON can hold it."""
        settings = {name: getattr(self.inferer, name) for name in _SETTINGS}
        settings |= {k: v for k, v in self.options.items() if k not in _NOT_SETTINGS}
        settings |= {"score": self.scorer.score, "layers": self.scorer.layers}
        if self.comparison is not None:
            settings["choice"] = self.comparison.as_json()
        return settings

    def infer(self, x: Any, y: Any) -> Array:
        """W of a batch, where the backend made it."""
        x, y, batch_size = read_loader(x, y, self.options["batch_size"])
        x, y = as_pair(*self.passes.match_frames(x, y))
        self.samples = rows_in(x)
        self._check_samples()
        draws = self._matrices(x, y, batch_size)
        if self.options["estimate"]:
            averages = self._averages(draws, self.options["estimate_iters"])
        elif self.options["masks"]:
            averages = [(W, None) for W, _ in self._averages(draws, self.options["masks"])]
        else:
            averages = [(W, None) for W in next(draws)]
        best = 0
        if len(averages) > 1:
            (magnitude, _), (channels, _) = averages
            self.comparison = compare_scores(magnitude, channels, self.inferer.edge_index)
            best = SCORES.index(self.comparison.score)
        self.scorer = self.scorers[best]
        W, self.std = averages[best]
        _warn_of_constants(W)
        if self.options["penalty_factor"]:
            self.std = None if self.std is None else self._penalised(self.std)
            W = self._penalised(W)
        return W

    def _averages(
        self, draws: Iterator[list[Array]], count: int
    ) -> list[tuple[Array, Array | None]]:
        """Mean and standard deviation (ddof 1) of the matrices of each score."""
        shown = self.options["verbose"] and count > 1
        what = "masks" if self.options["masks"] else "resampled batches"
        tracked = iter(track(draws, count, what, verbose=shown))
        moments = [Moments(W) for W in next(tracked)]
        for matrices in tracked:
            for each, W in zip(moments, matrices, strict=True):
                each.add(W)
        pairs = ((each.mean, each.variance) for each in moments)
        return [(mean, None if v is None else backends.of(v).xp.sqrt(v)) for mean, v in pairs]

    def _check_samples(self) -> None:
        """Reject so few samples that layer pairs of them say nothing by themselves.

        Pooled magnitudes take any number, as in the original.
        """
        if any((each.score, each.layers) != ("magnitude", "pooled") for each in self.scorers):
            _validation.samples("the samples (rows) of x", self.samples)
            if self.options["estimate"]:
                _validation.samples("estimate_n_samples", self.options["estimate_n_samples"])
        if self.samples < _FEW_SAMPLES:
            _validation.warn(
                f"x should hold at least {_FEW_SAMPLES} samples, better some hundred; got "
                f"{self.samples}: correlations of so few are noise, and layers of a sample are no "
                "samples of their own"
            )

    def _matrices(self, x: Batch, y: Batch, batch_size: int | None) -> Iterator[list[Array]]:
        """W of each draw, one a score: magnitudes can be made of channels."""
        for a, g, counts in self._observations(x, y, batch_size):
            by_score = []
            for scorer in self.scorers:
                mixed = len(self.scorers) > 1 and scorer.score == "magnitude"
                sides = (self._nodes(a), self._nodes(g)) if mixed else (a, g)
                by_score.append(scorer.matrices(*sides, counts))
            for draw, matrices in enumerate(zip(*by_score, strict=True)):
                if self.options["scale_by_act_mean"]:
                    means = self._mean_activations(a, None if counts is None else counts[draw])
                    yield [_scale_rows(W, means) for W in matrices]
                else:
                    yield list(matrices)

    def _observations(
        self, x: Batch, y: Batch, batch_size: int | None
    ) -> Iterator[tuple[Any, Any, np.ndarray | None]]:
        """Activations and gradients, of all samples or of each draw of ``estimate`` or ``masks``.

        With them comes how often each sample stands in each draw, where draws need no rows of
        their own. One draw serves all layers. Where samples do not depend on each other the model
        runs once, and its rows are drawn; gradients then differ from those of a pass over the draw
        by one factor, which no correlation sees. Otherwise each draw is a pass of its own, with a
        seed of its own.
        """
        options, kwargs = self.options, self.options["forward_kwargs"]
        draws, rows = options["estimate_iters"], options["estimate_n_samples"]
        generator = np.random.default_rng(options["seed"])
        sides: Any = x, y
        for _ in range(options["masks"]):
            draw = torch.Generator().manual_seed(int(generator.integers(1 << 62)))
            masked = mask_rows(*sides, generator=draw)
            yield *self._observe(*masked, batch_size, options["seed"], kwargs), None
        if options["masks"]:
            return
        if options["estimate"] and not rows_are_independent(self.inferer.model, options["mode"]):
            for _ in range(draws):
                pick = torch.from_numpy(generator.integers(0, self.samples, rows))
                seed = int(generator.integers(1 << 62))
                drawn = select_rows(x, pick), select_rows(y, pick)
                arguments = select_arguments(kwargs, pick, self.samples)
                yield *self._observe(*drawn, batch_size, seed, arguments), None
            return
        a, g = self._observe(x, y, batch_size, options["seed"], kwargs)
        if not options["estimate"]:
            yield a, g, None
        elif 2 * rows >= self.samples and all(scorer.can_count for scorer in self.scorers):
            yield a, g, drawn_counts(self.samples, draws, generator, size=rows)
        else:  # draws of few rows are cheaper ranked anew; ordinal ranks hang on their order
            first = torch.arange(0, len(a), self.samples, device=a.device)[:, None]
            for _ in range(draws):
                pick = torch.from_numpy(generator.integers(0, self.samples, rows)).to(a.device)
                pick = (first + pick).flatten()
                yield a[pick], g[pick], None

    def _observe(self, *arguments: Any) -> tuple[Any, Any]:
        """Activations, residuals of measured nodes as further columns, and gradients."""
        if self.residuals is None:
            return self.passes.observe(*arguments)
        self.residuals.parts = []
        a, g = self.passes.observe(*arguments)
        pairs = self.scorer.pairs
        # The loss may have been tried on a few rows before.
        residuals = torch.cat(self.residuals.parts)[-len(a) // pairs :].to(a)
        return torch.cat([a, residuals.repeat(pairs, 1)], dim=1), g

    def _nodes(self, columns: Any) -> Any:
        """Columns of observations as nodes, whichever they are."""
        if self.passes.norm is not None:
            return columns
        scorer, inferer = self.scorer, self.inferer
        device = columns.device
        reduce = Reducer(scorer.columns, scorer.nodes, inferer.norm, inferer.agg, device)
        return reduce(columns[:, : len(scorer.columns)])

    def _mean_activations(self, a: Any, count: np.ndarray | None) -> np.ndarray:
        """Mean activation of each node; ``count`` says how often each sample was drawn."""
        nodes = self._nodes(a)
        weights = np.ones(len(a)) if count is None else np.tile(count, self.scorer.pairs)
        return _on_host(nodes.new_tensor(weights / weights.sum()) @ nodes)

    @_validation.underflow_is_zero
    def _penalised(self, W: Array) -> Array:
        """Soften scores around known edges: fewer into their targets, more out of their sources."""
        factor, xp = self.options["penalty_factor"], backends.of(W).xp
        edges = _validation.edge_index("edge_index", self.inferer.edge_index, W.shape)
        out_degree, in_degree = (np.bincount(ends, minlength=len(W)) for ends in edges)
        with np.errstate(over="ignore", invalid="ignore"):
            W = _scale_rows(W, (1 + factor) ** out_degree)
            W = _scale_rows(W.T, (1 - factor) ** in_degree).T
        if not bool(xp.all(xp.isfinite(W))):
            raise ValueError(
                f"penalty_factor={factor} is too large for a node with {out_degree.max()} known "
                f"edges: (1 + p)^edges must stay a finite {W.dtype}"
            )
        return W


class _Residuals:
    """A loss that keeps what the predictions leave of y."""

    def __init__(self, crit: Callable[[Any, Any], Any], columns: int) -> None:
        self.crit, self.columns = crit, columns
        self.reduction = getattr(crit, "reduction", None)
        self.parts: list[Any] = []

    def __call__(self, prediction: Any, y: Any) -> Any:
        shapes = [tuple(getattr(part, "shape", ())) for part in (prediction, y)]
        if shapes != [(*shapes[0][:1], self.columns)] * 2:
            raise ValueError(
                f"measured names {self.columns} nodes, so predictions and y must both have shape "
                f"(B, {self.columns}); got {shapes[0]} and {shapes[1]}"
            )
        self.parts.append((y - prediction).detach())
        return self.crit(prediction, y)


def _measured_nodes(options: Mapping[str, Any], layout: ModelLayout) -> list[int]:
    """The nodes of ``measured`` as indices."""
    if options["score"] == "magnitude" or options["masks"]:
        raise ValueError(
            "measured must be None with score='magnitude', which has one column a node, and with "
            f"masks; got score={options['score']!r} and masks={options['masks']}"
        )
    known = {name: node for node, name in enumerate(layout.node_names or ())}
    nodes = [known.get(node, node) for node in options["measured"]]
    missing = [n for n in nodes if isinstance(n, str) or not 0 <= n < layout.nodes]
    if missing:
        raise ValueError(
            f"measured must hold nodes of the model, by name or index below {layout.nodes}; got "
            f"{_validation.listing(missing)}"
        )
    return [_validation.whole_number("measured", node, least=0) for node in nodes]


def _on_host(x: Array) -> np.ndarray:
    """A NumPy array to write to: JAX hands out its own memory."""
    return np.require(_validation.as_numpy(x), requirements="W")


def _scale_rows(W: Array, factors: np.ndarray) -> Array:
    """Multiply rows by factors, in place where an array can be written to."""
    W *= backends.of(W).adopt(factors.astype(_validation.dtype_name(W)))[:, None]
    return W


def _warn_of_constants(W: Array) -> None:
    """Warn where most nodes never vary, so that most of W is 0."""
    xp = backends.of(W).xp
    for axis, what, why in (
        (1, "activations", "no input reaches them, or the model is dead"),
        (0, "gradients", "no output is reached by them, or crit ignores those outputs"),
    ):
        constant = W.shape[0] - int(xp.count_nonzero(xp.any(W != 0, axis=axis)))
        if constant == W.shape[0]:
            _validation.warn(
                f"W is zero everywhere: the {what} of all {constant} nodes are constant; {why}"
            )
            return
        if 2 * constant > W.shape[0]:
            _validation.warn(
                f"{constant} of {W.shape[0]} nodes have constant {what}, and no evidence: {why}; "
                "rank among the others by candidates="
            )
