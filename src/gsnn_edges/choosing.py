"""Which of two scores to take: the one that finds the known edges, where it clearly does."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.evaluation.candidates import Pool
from gsnn_edges.evaluation.metrics import expected_reciprocal_rank, ranks_of
from gsnn_edges.evaluation.ranking import count_competitors

Floats = NDArray[np.float64]

# Standard errors beyond chance, and sources of known edges below which there is no error to speak
# of.
CLEAR = 2.0
LEAST_SOURCES = 10
ROWS = 2048


@dataclass(frozen=True)
class Standing:
    """How well the magnitude and the channel score rank the known edges; see `standing`.

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
    def score(self) -> str:
        """Name the score to take."""
        better = self.magnitude > self.channels
        return "magnitude" if better and self.z_score > CLEAR else "channels"

    def as_json(self) -> dict[str, float | None]:
        """Give what was found in plain types; None for what is not finite."""
        return {k: v if math.isfinite(v) else None for k, v in asdict(self).items()}


def standing(magnitude: Array, channels: Array, edge_index: Any) -> Standing:
    """Compare two matrices by the known edges of the graph that the model has.

    A known edge is ranked among the pairs of its source that are no known edges, as `mrr` does;
    self-edges neither count nor compete, repeated edges count once. The matrix of magnitudes is
    to be taken where it ranks the known edges better than the channels do, and better than chance
    by more than two standard errors. To be better alone does not do: what a network has fitted no
    longer shows in its gradients, so that channels can rank known edges below chance, and then
    magnitudes that know nothing are better.

    Parameters
    ----------
    magnitude, channels : float arrays of shape (N, N), finite
        Scores, of any array library.
    edge_index : array-like of whole numbers, shape (2, E)
        Known edges, sources above targets.

    Returns
    -------
    Standing
        All nan, which is for the channels, where the known edges have fewer than 10 sources.

    Notes
    -----
    Edges of one source share a row, so they stand or fall together: the standard error is robust to
    that [1]_. Peak memory: a few copies of 2,048 rows.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger (1986). Longitudinal data analysis using generalized linear
       models. Biometrika 73, 13-22.

    Examples
    --------
    >>> edges = np.stack([np.arange(20), (np.arange(20) + 1) % 20])
    >>> finds = np.zeros((20, 20))
    >>> finds[*edges[:, :18]] = 1
    >>> noise = np.random.default_rng(0).random((20, 20))
    >>> standing(finds, noise, edges).score, standing(noise, finds, edges).score
    ('magnitude', 'channels')
    """
    edges = between_nodes(_validation.edge_index("edge_index", edge_index, magnitude.shape))
    if len(np.unique(edges[0])) < LEAST_SOURCES:
        return Standing(*[math.nan] * 4)
    own, expected = reciprocal_ranks(magnitude, edges)
    other, _ = reciprocal_ranks(channels, edges)
    return Standing(
        magnitude=float(own.mean()),
        channels=float(other.mean()),
        chance=float(expected.mean()),
        z_score=in_standard_errors(own - expected, edges[0]),
    )


def between_nodes(edges: np.ndarray) -> np.ndarray:
    """Give each edge once, without self-edges."""
    edges = np.unique(edges, axis=1)
    return edges[:, edges[0] != edges[1]]


def reciprocal_ranks(matrix: Array, edges: np.ndarray) -> tuple[Floats, Floats]:
    """Give the filtered reciprocal rank of each edge, and what chance gives on average."""
    pool = Pool(int(matrix.shape[0]), exclude_self=True)
    counts = count_competitors(matrix, edges, edges, ROWS, pool=pool)
    ranks = ranks_of(counts.above, counts.level).realistic
    return 1 / ranks, expected_reciprocal_rank(counts.candidates)


def in_standard_errors(differences: Floats, sources: np.ndarray) -> float:
    """Divide the mean by its standard error, robust to what edges of one source share."""
    mean = differences.mean()
    _, source = np.unique(sources, return_inverse=True)
    sums = np.bincount(source, differences - mean)
    units = len(sums)
    error = math.sqrt(units / (units - 1) * float(sums @ sums)) / len(differences)
    if error == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return float(mean / error)
