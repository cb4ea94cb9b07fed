"""One inference: the passes, the matrices of all draws, their mean, and what is doubtful in it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gsnn_edges import _checks
from gsnn_edges._typing import Agg, Array, Method, Norm
from gsnn_edges.correlation import METHODS
from gsnn_edges.observations import resampled
from gsnn_edges.observations.finding import Layers
from gsnn_edges.observations.inputs import as_pair, checked_kwargs, gathered, rows_in
from gsnn_edges.observations.modes import Mode, warn
from gsnn_edges.observations.nodes import NodeReducer
from gsnn_edges.observations.passes import Reduction
from gsnn_edges.observations.resampling import draw_counts, rows_are_independent
from gsnn_edges.progress import track
from gsnn_edges.scoring import SCORES, LayerChoice, Score, Scorer, to_host

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
    score: Score
    layers: LayerChoice
    directions: int | None

    def checked(self) -> "Options":
        """Give the options in plain types, when all keep their rules."""
        _checks.choice("method", self.method, METHODS)
        _checks.choice("score", self.score, SCORES)
        if self.directions is not None and self.score != "channels":
            raise ValueError(
                f"directions={self.directions!r} needs score='channels'; got {self.score!r}, which "
                "has one column a node: leave directions out"
            )

        def whole(name: str, least: int) -> Any:
            return _checks.whole_number_or_none(name, getattr(self, name), least=least)

        return replace(
            self,
            penalty_factor=_checks.fraction("penalty_factor", self.penalty_factor),
            row_chunk=whole("row_chunk", 1),
            seed=whole("seed", 0),
            directions=whole("directions", 1),
            estimate_iters=whole("estimate_iters", 1) if self.estimate else 1,
            estimate_n_samples=whole("estimate_n_samples", 1),
            forward_kwargs=checked_kwargs(self.forward_kwargs),
            scale_by_act_mean=_checks.flag("scale_by_act_mean", self.scale_by_act_mean),
            verbose=_checks.flag("verbose", self.verbose),
            # As in the original, whatever counts as true.
            estimate=bool(self.estimate),
        )


class Found(NamedTuple):
    """W, the standard deviation of its draws if there were several, and what it was made of."""

    W: np.ndarray
    spread: np.ndarray | None
    samples: int


@dataclass(frozen=True)
class Inference:
    """Everything that is settled before the first pass."""

    inferer: Any
    layers: Layers
    scorer: Scorer
    options: Options

    def run(self, x: Any, y: Any) -> Found:
        """Infer W from a batch."""
        options = self.options
        x, y, batch_size = gathered(x, y, options.batch_size)
        samples = rows_in(as_pair(x, y)[0])
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
        W, spread = averaged(tracked)
        warn_of_constants(W)
        return Found(self.penalised(W), None if spread is None else self.penalised(spread), samples)

    def matrices(
        self, x: Any, y: Any, samples: int, passes: dict[str, Any]
    ) -> Iterator[np.ndarray]:
        """Give the matrix of each draw; by one pass and one sort where that is the same."""
        options, model = self.options, self.inferer.model
        if not options.estimate:
            return iter([self.matrix(*self.observe(x, y, **passes))])
        rows = options.estimate_n_samples
        drawing: Any = {"draws": options.estimate_iters, "rows": rows, "seed": options.seed}
        # Draws of few rows are cheaper ranked anew; ordinal ranks hang on the order of a draw.
        once = self.scorer.can_count and rows_are_independent(model, options.mode)
        if once and 2 * rows >= samples:
            counts = draw_counts(samples, **drawing)
            return self.counted(*self.observe(x, y, **passes), counts)

        def observe(x: Any, y: Any, **own: Any) -> tuple[Array, Array]:
            return self.observe(x, y, **passes | own)

        kwargs: Any = passes["forward_kwargs"]
        drawn = resampled(observe, model, x, y, forward_kwargs=kwargs, mode=options.mode, **drawing)
        return (self.matrix(a, g) for a, g in drawn)

    def counts(self, samples: int) -> dict[str, int]:
        """Count samples, layers and observations."""
        pairs = self.scorer.pairs
        return {"samples": samples, "layers": pairs + 1, "observations": pairs * samples}

    def observe(self, x: Any, y: Any, **passes: Any) -> tuple[Array, Array]:
        """Give the columns that the score takes."""
        found: tuple[Array, Array] = self.inferer.observe(x, y, score=self.scorer.score, **passes)
        return found

    def matrix(self, a: Array, g: Array) -> np.ndarray:
        """W of the observations of one draw."""
        return self.scaled(self.scorer.matrix(a, g), a, None)

    def counted(self, a: Array, g: Array, counts: np.ndarray) -> Iterator[np.ndarray]:
        """W of each draw of samples, which ``counts`` says."""
        for count, W in zip(counts, self.scorer.draws(a, g, counts), strict=True):
            yield self.scaled(W, a, count)

    def scaled(self, W: np.ndarray, a: Array, count: np.ndarray | None) -> np.ndarray:
        """Multiply rows by the mean activations of their nodes, if asked."""
        if not self.options.scale_by_act_mean:
            return W
        inferer = self.inferer
        nodes = a
        if self.scorer.score == "channels":
            nodes = reduced(a, self.scorer, inferer.norm, inferer.agg)
        weights = np.ones(len(a)) if count is None else np.tile(count, self.scorer.pairs)
        means = nodes.new_tensor(weights / weights.sum()) @ nodes
        W *= to_host(means)[:, None]
        return W

    def penalised(self, W: np.ndarray) -> np.ndarray:
        """Soften scores around known edges, if asked."""
        return penalise(W, self.inferer.edge_index, self.options.penalty_factor)


def reduced(a: Any, scorer: Scorer, norm: Norm, agg: Agg) -> Array:
    """Channels as nodes."""
    return NodeReducer(scorer.columns.to(a.device), scorer.nodes, norm, agg)(a)


def averaged(matrices: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Give the mean and, of two or more, the standard deviation (ddof 1), by Welford's updates."""
    matrices = iter(matrices)
    mean, squares, count = next(matrices), None, 1
    for matrix in matrices:
        count += 1
        squares = np.zeros_like(mean) if squares is None else squares
        difference = matrix - mean
        mean += difference / count
        squares += difference * (matrix - mean)
    return mean, None if squares is None else np.sqrt(squares / (count - 1))


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


def warn_of_few(samples: int) -> None:
    """Warn of a batch that no correlation can be trusted on."""
    if samples < FEW_SAMPLES:
        warn(
            f"x should hold at least {FEW_SAMPLES} samples, better some hundred; got {samples}: "
            "correlations of so few are noise, and layers of a sample are no samples of their own"
        )


def warn_of_constants(W: np.ndarray) -> None:
    """Warn where most nodes never vary, so that most of W is 0."""
    for axis, what, why in (
        (1, "activations", "no input reaches them, or the model is dead"),
        (0, "gradients", "no output is reached by them, or crit ignores those outputs"),
    ):
        constant = int((~W.any(axis=axis)).sum())
        if constant == len(W):
            warn(f"W is zero everywhere: the {what} of all {constant} nodes are constant; {why}")
            return
        if 2 * constant > len(W):
            warn(
                f"{constant} of {len(W)} nodes have constant {what}, and no evidence: {why}; rank "
                "among the others by candidates="
            )
