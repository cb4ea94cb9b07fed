"""One inference: the passes, the matrices of all draws, their mean, and what is doubtful in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges._typing import Agg, Array, Method, Norm, Score
from gsnn_edges.activations import resampled
from gsnn_edges.activations.batches import as_pair, checked_kwargs, gathered, rows_in
from gsnn_edges.activations.model_layout import Layers
from gsnn_edges.activations.modes import Mode, warn
from gsnn_edges.activations.nodes import NodeReducer
from gsnn_edges.activations.passes import Reduction
from gsnn_edges.activations.resampling import draw_counts, rows_are_independent
from gsnn_edges.choosing import Standing, standing
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import METHODS
from gsnn_edges.resampling import Moments
from gsnn_edges.scoring import SCORE_CHOICES, ScoreChoice, Scorer, to_host

FEW_SAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one call of `fit` or `infer` asks for."""

    method: Method
    penalty_factor: float
    scale_by_act_mean: bool
    estimate: bool | None
    estimate_iters: int
    estimate_n_samples: int
    row_chunk: int | None
    verbose: bool
    batch_size: int | None
    seed: int | None
    forward_kwargs: Mapping[str, Any] | None
    loss_reduction: Reduction | None
    mode: Mode
    score: ScoreChoice
    layers: LayerChoice
    n_components: int | None

    def checked(self) -> "Options":
        """Give the options in plain types, when all keep their rules."""
        _validation.choice("method", self.method, METHODS)
        _validation.choice("score", self.score, SCORE_CHOICES)
        if self.n_components is not None and self.score == "magnitude":
            raise ValueError(
                f"n_components={self.n_components!r} needs score='channels'; got {self.score!r}, "
                "which has one column a node: leave n_components out"
            )

        def whole(name: str, least: int) -> Any:
            return _validation.whole_number_or_none(name, getattr(self, name), least=least)

        return replace(
            self,
            penalty_factor=_validation.fraction("penalty_factor", self.penalty_factor),
            row_chunk=whole("row_chunk", 1),
            seed=whole("seed", 0),
            n_components=whole("n_components", 1),
            estimate_iters=whole("estimate_iters", 1) if self.estimate else 1,
            estimate_n_samples=whole("estimate_n_samples", 1),
            forward_kwargs=checked_kwargs(self.forward_kwargs),
            scale_by_act_mean=_validation.flag("scale_by_act_mean", self.scale_by_act_mean),
            verbose=_validation.flag("verbose", self.verbose),
            # As in the original, whatever counts as true.
            estimate=bool(self.estimate),
        )


class Average(NamedTuple):
    """The mean of several matrices, and their standard deviation if there were two or more."""

    W: Array
    std: Array | None


class Found(NamedTuple):
    """W, the standard deviation of its draws, what it was made of and which score was taken.

    Matrices are where the backend made them.
    """

    W: Array
    std: Array | None
    samples: int
    scorer: Scorer
    standing: Standing | None

    def on_host(self) -> "Found":
        """Give the same with NumPy's matrices."""
        std = None if self.std is None else to_host(self.std)
        return self._replace(W=to_host(self.W), std=std)


@dataclass(frozen=True)
class Inference:
    """Everything that is settled before the first pass."""

    inferer: Any
    layers: Layers
    # One, or that of magnitudes and that of channels, of which the known edges choose.
    scorers: tuple[Scorer, ...]
    options: Options

    def run(self, x: Any, y: Any) -> Found:
        """Infer W from a batch."""
        options = self.options
        x, y, batch_size = gathered(x, y, options.batch_size)
        samples = rows_in(as_pair(x, y)[0])
        self.check_samples(samples)
        warn_of_few(samples)
        passes = {
            "batch_size": batch_size,
            "seed": options.seed,
            "forward_kwargs": options.forward_kwargs,
            "loss_reduction": options.loss_reduction,
            "mode": options.mode,
        }
        draws = options.estimate_iters
        tracked = track(
            self.matrices(x, y, samples, passes),
            draws,
            "resampled batches",
            verbose=options.verbose and draws > 1,
        )
        scorer, (W, std), why = self.chosen(averaged(tracked))
        warn_of_constants(W)
        std = None if std is None else self.penalised(std)
        return Found(self.penalised(W), std, samples, scorer, why)

    def check_samples(self, samples: int) -> None:
        """Reject so few samples that layer pairs of them say nothing by themselves.

        Pooled magnitudes take any number, as in the original.
        """
        if all((own.score, own.layers) == ("magnitude", "pooled") for own in self.scorers):
            return
        _validation.samples("the samples (rows) of x", samples)
        if self.options.estimate:
            _validation.samples("estimate_n_samples", self.options.estimate_n_samples)

    def chosen(self, averages: Sequence[Average]) -> tuple[Scorer, Average, Standing | None]:
        """Give the one score, or that which the known edges choose, before any penalty."""
        if len(self.scorers) == 1:
            return self.scorers[0], averages[0], None
        magnitude, channels = averages
        why = standing(magnitude.W, channels.W, self.inferer.edge_index)
        place = 0 if why.score == "magnitude" else 1
        return self.scorers[place], averages[place], why

    def matrices(
        self, x: Any, y: Any, samples: int, passes: dict[str, Any]
    ) -> Iterator[list[Array]]:
        """Give the matrices of each draw, one a score; by one pass and one sort where possible."""
        options, model = self.options, self.inferer.model
        if not options.estimate:
            return iter([self.of_draw(*self.observe(x, y, **passes))])
        rows = options.estimate_n_samples
        drawing: Any = {"draws": options.estimate_iters, "rows": rows, "seed": options.seed}
        # Draws of few rows are cheaper ranked anew; ordinal ranks hang on the order of a draw.
        can_count = all(scorer.can_count for scorer in self.scorers)
        once = can_count and rows_are_independent(model, options.mode)
        if once and 2 * rows >= samples:
            counts = draw_counts(samples, **drawing)
            return self.counted(*self.observe(x, y, **passes), counts)

        def observe(x: Any, y: Any, **own: Any) -> tuple[Array, Array]:
            return self.observe(x, y, **passes | own)

        kwargs: Any = passes["forward_kwargs"]
        drawn = resampled(observe, model, x, y, forward_kwargs=kwargs, mode=options.mode, **drawing)
        return (self.of_draw(a, g) for a, g in drawn)

    def counts(self, samples: int) -> dict[str, int]:
        """Count samples, layers and observations."""
        pairs = self.scorers[0].pairs
        return {"samples": samples, "layers": pairs + 1, "observations": pairs * samples}

    def observe(self, x: Any, y: Any, **passes: Any) -> tuple[Array, Array]:
        """Give the columns that the scores take: magnitudes can be made of channels."""
        found: tuple[Array, Array] = self.inferer.observe(x, y, score=self.observed, **passes)
        return found

    @property
    def observed(self) -> Score:
        """What the passes record."""
        return self.scorers[-1].score

    def of_draw(self, a: Array, g: Array) -> list[Array]:
        """W of the observations of one draw, by each score."""
        return [self.scaled(self.matrix(scorer, a, g), a, None) for scorer in self.scorers]

    def matrix(self, scorer: Scorer, a: Array, g: Array) -> Array:
        """W by one score."""
        if scorer.score != self.observed:
            a, g = self.nodes(a), self.nodes(g)
        return scorer.matrix(a, g)

    def counted(self, a: Array, g: Array, counts: np.ndarray) -> Iterator[list[Array]]:
        """W of each draw of samples, which ``counts`` says; of one score."""
        (scorer,) = self.scorers
        for count, W in zip(counts, scorer.draws(a, g, counts), strict=True):
            yield [self.scaled(W, a, count)]

    def nodes(self, columns: Array) -> Array:
        """Give what was observed as nodes."""
        if self.observed == "magnitude":
            return columns
        return reduced(columns, self.scorers[-1], self.inferer.norm, self.inferer.agg)

    def scaled(self, W: Array, a: Array, count: np.ndarray | None) -> Array:
        """Multiply rows by the mean activations of their nodes, if asked."""
        if not self.options.scale_by_act_mean:
            return W
        nodes = self.nodes(a)
        weights = np.ones(len(a)) if count is None else np.tile(count, self.scorers[0].pairs)
        means = nodes.new_tensor(weights / weights.sum()) @ nodes
        W *= beside(W, to_host(means))[:, None]
        return W

    def penalised(self, W: Array) -> Array:
        """Soften scores around known edges, if asked."""
        return penalise(W, self.inferer.edge_index, self.options.penalty_factor)


def reduced(a: Any, scorer: Scorer, norm: Norm, agg: Agg) -> Array:
    """Channels as nodes."""
    return NodeReducer(scorer.columns.to(a.device), scorer.nodes, norm, agg)(a)


def beside(matrix: Array, values: np.ndarray) -> Array:
    """Give values in the dtype of a matrix, where it lies."""
    return backends.of(matrix).adopt(values.astype(_validation.dtype_name(matrix)))


def averaged(draws: Iterable[Sequence[Array]]) -> list[Average]:
    """Give mean and standard deviation (ddof 1) of each score's matrices, which are used up."""
    draws = iter(draws)
    found = [Moments(matrix) for matrix in next(draws)]
    for matrices in draws:
        for moments, matrix in zip(found, matrices, strict=True):
            moments.add(matrix)
    pairs = ((moments.mean, moments.variance) for moments in found)
    return [Average(mean, None if v is None else backends.of(v).xp.sqrt(v)) for mean, v in pairs]


def penalise(matrix: Array, edge_index: Any, factor: float) -> Array:
    """Soften scores around known edges: fewer into known targets, more out of known sources."""
    if factor == 0:
        return matrix
    xp = backends.of(matrix).xp
    edges = _validation.edge_index("edge_index", edge_index, matrix.shape)
    out_degree, in_degree = (np.bincount(ends, minlength=len(matrix)) for ends in edges)
    with np.errstate(over="ignore", invalid="ignore"):
        matrix *= beside(matrix, (1 + factor) ** out_degree)[:, None]
        matrix *= beside(matrix, (1 - factor) ** in_degree)[None, :]
    if not bool(xp.all(xp.isfinite(matrix))):
        raise ValueError(
            f"penalty_factor={factor} is too large for a node with {out_degree.max()} known edges: "
            f"(1 + p)^edges must stay a finite {matrix.dtype}"
        )
    return matrix


def warn_of_few(samples: int) -> None:
    """Warn of a batch that no correlation can be trusted on."""
    if samples < FEW_SAMPLES:
        warn(
            f"x should hold at least {FEW_SAMPLES} samples, better some hundred; got {samples}: "
            "correlations of so few are noise, and layers of a sample are no samples of their own"
        )


def warn_of_constants(W: Array) -> None:
    """Warn where most nodes never vary, so that most of W is 0."""
    xp = backends.of(W).xp
    for axis, what, why in (
        (1, "activations", "no input reaches them, or the model is dead"),
        (0, "gradients", "no output is reached by them, or crit ignores those outputs"),
    ):
        constant = W.shape[0] - int(xp.count_nonzero(xp.any(W != 0, axis=axis)))
        if constant == W.shape[0]:
            warn(f"W is zero everywhere: the {what} of all {constant} nodes are constant; {why}")
            return
        if 2 * constant > W.shape[0]:
            warn(
                f"{constant} of {W.shape[0]} nodes have constant {what}, and no evidence: {why}; "
                "rank among the others by candidates="
            )
