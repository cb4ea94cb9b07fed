"""From observations to W: which score, over which layer pairs, and which of two scores."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array, Score
from gsnn_edges.channels import correlate_channels
from gsnn_edges.correlation import correlate
from gsnn_edges.evaluation.candidates import Pool
from gsnn_edges.evaluation.metrics import expected_reciprocal_rank
from gsnn_edges.evaluation.ranking import rank_queries
from gsnn_edges.layer_pairs import chosen_pairs, mean
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import resampled_correlations

Floats: TypeAlias = NDArray[np.float64]
ScoreChoice: TypeAlias = Literal["magnitude", "channels", "auto"]

SCORES: tuple[Score, ...] = ("magnitude", "channels")
SCORE_CHOICES = (*SCORES, "auto")

# Standard errors beyond chance, and sources of known edges below which there is no error to speak
# of.
_CLEAR = 2.0
_LEAST_SOURCES = 10
_ROWS = 2048


@dataclass(frozen=True)
class Scorer:
    """Everything that turns ``a`` and ``g`` into a matrix.

    Parameters
    ----------
    score, n_components
        As of `FunctionEdgeInferer.infer`.
    layers
        As `checked_layers` returns them.
    pairs, nodes : int
        Layer pairs L - 1, and nodes N.
    columns : array of shape (C,)
        The node of each column of ``a`` and ``g``, for the channel score.
    options : CorrelationOptions
    residuals : array of shape (K,)
        The node of each of K further columns of ``a``.
    """

    score: Score
    layers: str | int
    pairs: int
    nodes: int
    columns: Any
    options: CorrelationOptions
    n_components: int | None = None
    residuals: Any = ()

    def matrices(self, a: Array, g: Array, counts: np.ndarray | None = None) -> Iterator[Array]:
        """W of observations (M, ...), on the backend; with counts, W of each draw of samples.

        ``counts`` (draws, samples) says how often each sample stands in a draw, for a score that
        `can_count`.
        """
        parts = [(a, g)]
        if self.layers != "pooled":  # pooled observations are of any number of samples
            parts = chosen_pairs(a, g, len(a) // self.pairs, self.layers)
        if counts is not None:
            counts = np.tile(counts, len(parts[0][0]) // counts.shape[1])
            draws = (resampled_correlations(*part, counts, self.options) for part in parts)
            yield from map(mean, zip(*draws, strict=True))
            return
        total: Array = None
        for part in parts:
            if self.score == "magnitude":
                W = correlate(*part, self.options)
            else:
                W = self._correlate_channels(*part)
            # In place: no more than two are held.
            if total is None:
                total = W
            else:
                total += W
        total /= len(parts)
        yield total

    @property
    def can_count(self) -> bool:
        """Whether draws can be ranked by counts, on one sort."""
        return self.score == "magnitude" and self.options.ties == "average"

    def _correlate_channels(self, a: Array, g: Array) -> Array:
        targets, kept = self.columns, self.n_components
        sources = np.append(targets, np.asarray(self.residuals, dtype=np.int64))
        return correlate_channels(
            a, g, sources, targets, self.options, nodes=self.nodes, n_components=kept
        )


@dataclass(frozen=True)
class ScoreComparison:
    """How well the magnitude and the channel score rank the known edges; see `compare_scores`.

    Attributes
    ----------
    magnitude, channels : float
        Mean reciprocal ranks of the known edges.
    chance : float
        What random scores reach on average.
    z_score : float
        ``magnitude - chance`` in standard errors.
    """

    magnitude: float
    channels: float
    chance: float
    z_score: float

    @property
    def score(self) -> Score:
        """The score to use."""
        better = self.magnitude > self.channels
        return "magnitude" if better and self.z_score > _CLEAR else "channels"

    def as_json(self) -> dict[str, float | None]:
        """All numbers by their names, None for what is not finite."""
        return {k: v if math.isfinite(v) else None for k, v in asdict(self).items()}


def compare_scores(magnitude: Array, channels: Array, edge_index: Any) -> ScoreComparison:
    """Mean reciprocal ranks of the known edges by both scores, and the score to use.

    A known edge is ranked among the pairs of its source that are no known edges, as `mrr` does;
    self-edges neither count nor compete, repeated edges count once. The score to use is magnitude
    where it ranks the known edges better than channels do, and better than chance by more than two
    standard errors. Ranking better than channels is not enough: gradients of fitted edges vanish,
    so channels can fall below chance, and magnitudes that know nothing would then win.

    Parameters
    ----------
    magnitude, channels : float arrays of shape (N, N), finite
        Scores, of any array library.
    edge_index : array-like of whole numbers, shape (2, E)
        Known edges, sources above targets.

    Returns
    -------
    ScoreComparison
        All nan, which is for the channels, where the known edges have fewer than 10 sources.

    Notes
    -----
    Edges of one source share a row, so their ranks are not independent: the standard error is
    robust to that [1]_. Peak memory: a few copies of 2,048 rows.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger (1986). Longitudinal data analysis using generalized linear
       models. Biometrika 73, 13-22.

    Examples
    --------
    >>> edges = np.stack([np.arange(20), (np.arange(20) + 1) % 20])
    >>> good = np.zeros((20, 20))
    >>> good[*edges[:, :18]] = 1
    >>> noise = np.random.default_rng(0).random((20, 20))
    >>> compare_scores(good, noise, edges).score, compare_scores(noise, good, edges).score
    ('magnitude', 'channels')
    """
    edges = edges_between_nodes(_validation.edge_index("edge_index", edge_index, magnitude.shape))
    if len(np.unique(edges[0])) < _LEAST_SOURCES:
        return ScoreComparison(*[math.nan] * 4)
    by_magnitude, expected = reciprocal_ranks(magnitude, edges)
    by_channels, _ = reciprocal_ranks(channels, edges)
    return ScoreComparison(
        magnitude=float(by_magnitude.mean()),
        channels=float(by_channels.mean()),
        chance=float(expected.mean()),
        z_score=_in_standard_errors(by_magnitude - expected, edges[0]),
    )


def edges_between_nodes(edges: np.ndarray) -> np.ndarray:
    """Each edge once, without self-edges."""
    edges = np.unique(edges, axis=1)
    return edges[:, edges[0] != edges[1]]


def reciprocal_ranks(matrix: Array, edges: np.ndarray) -> tuple[Floats, Floats]:
    """Filtered reciprocal rank of each edge, and its expectation under chance."""
    pool = Pool(int(matrix.shape[0]), exclude_self=True)
    queries = rank_queries(matrix, edges, edges, np.zeros(edges.shape[1], bool), _ROWS, pool=pool)
    return 1 / queries.ranks.realistic, expected_reciprocal_rank(queries.candidates)


def _in_standard_errors(differences: Floats, sources: np.ndarray) -> float:
    """The mean over its standard error, robust to what edges of one source share."""
    mean_difference = differences.mean()
    _, source = np.unique(sources, return_inverse=True)
    sums = np.bincount(source, differences - mean_difference)
    units = len(sums)
    error = math.sqrt(units / (units - 1) * float(sums @ sums)) / len(differences)
    if error == 0:
        return math.copysign(math.inf, mean_difference) if mean_difference else 0.0
    return float(mean_difference / error)
