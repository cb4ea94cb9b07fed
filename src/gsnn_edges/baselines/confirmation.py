"""Whether a network predicts better with proposed edges than with random ones."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges.evaluation.metrics import NO_INTERVAL, Interval
from gsnn_edges.evaluation.results import number, number_range, text_table
from gsnn_edges.evidence import EdgeEvidence

Indices = NDArray[np.int64]
Losses = NDArray[np.float64]
Retrain = Callable[[Indices, int], float]


@dataclass(frozen=True, eq=False, repr=False)
class EdgeConfirmation:
    """Validation losses with proposed, with random and without added edges; printed, a table.

    Attributes
    ----------
    edges : int64 array of shape (2, k)
        Proposed edges, best first.
    random_edges : int64 array of shape (n_draws, 2, k)
    proposed, random, without : float64 arrays of shape (n_draws,)
        Loss with the proposed edges, with the random ones of each draw and with the known edges
        alone, all three of one seed.
    removal_costs : float64 array of shape (k,)
        Loss without one of the proposed edges minus that with all, mean over the seeds; nan
        where removals were not tried. Above 0 the edge helps.
    confidence : float
    node_names : list of str or None
    """

    edges: Indices
    random_edges: Indices
    proposed: Losses
    random: Losses
    without: Losses
    removal_costs: Losses
    confidence: float
    node_names: list[str] | None = field(default=None)

    def difference(self, other: str = "random") -> tuple[float, Interval]:
        """Mean loss with the proposed edges minus that with others, and its interval.

        Parameters
        ----------
        other : {"random", "without"}

        Returns
        -------
        float, Interval
            Below 0 the proposed edges predict better. The interval is Student's t over draws,
            whose losses are paired by seed; nan for one draw.
        """
        _validation.choice("other", other, ("random", "without"))
        differences = self.proposed - getattr(self, other)
        mean, count = float(differences.mean()), len(differences)
        if count == 1:
            return mean, NO_INTERVAL
        special = _validation.imported("scipy.special", "intervals need SciPy", "stats")
        quantile = special.stdtrit(count - 1, (1 + self.confidence) / 2)
        step = float(quantile * differences.std(ddof=1) / np.sqrt(count))
        return mean, Interval(mean - step, mean + step)

    def to_frame(self) -> Any:
        """Rows of a pandas DataFrame, one for each proposed edge, the costliest removal first.

        Returns
        -------
        pandas.DataFrame
            Columns "source", "target" (names, or else indices), "rank" and "removal_cost".

        Raises
        ------
        ImportError
            Where pandas is not installed; the message says what to install.
        """
        pandas = _validation.imported("pandas", "to_frame needs pandas", "frames")
        return pandas.DataFrame(
            list(self._by_cost()), columns=["source", "target", "rank", "removal_cost"]
        )

    def _by_cost(self) -> Iterator[tuple[Any, Any, int, float]]:
        names: Any = self.node_names or range(int(self.edges.max()) + 1)
        for place in np.argsort(-self.removal_costs, kind="stable").tolist():
            source, target = (names[end] for end in self.edges[:, place])
            yield source, target, place + 1, float(self.removal_costs[place])

    def __str__(self) -> str:
        level = f"{100 * self.confidence:g}% interval"
        lines = [("with proposed edges", number(float(self.proposed.mean())), "", "")]
        for name, label in (("random", "with random edges"), ("without", "with known edges only")):
            difference, interval = self.difference(name)
            loss = number(float(getattr(self, name).mean()))
            lines.append((label, loss, number(difference), number_range(interval)))
        heading = f"{self.edges.shape[1]} proposed edges, {len(self.proposed)} draws"
        title = ("", "validation loss", "proposed minus this", level)
        table = text_table(heading, title, lines)
        if np.isnan(self.removal_costs).any():
            return table
        costs = (f"  {row[0]} -> {row[1]}: {row[3]:+.4f}" for row in self._by_cost())
        return "\n".join([table, "cost of removing", *costs])

    __repr__ = __str__


def confirm_edges(
    candidates: Any,
    k: int,
    *,
    retrain: Retrain,
    known_edges: Any = None,
    node_names: Sequence[str] | None = None,
    n_draws: int = 5,
    removals: int = 1,
    seed: int = 0,
    confidence: float = 0.95,
    verbose: bool = False,
) -> EdgeConfirmation:
    """Retrain with the k best proposed edges, and beside it with random edges of the same degrees.

    Parameters
    ----------
    candidates : EdgeEvidence, or array-like of shape (2, E)
        Evidence, whose strongest pairs are proposed (no known ones, no self-pairs); or proposed
        edges, best first, sources above targets, by index or by name.
    k : int
        How many of them to add, all at once.
    retrain : callable
        ``retrain(edge_index, seed)`` trains a fresh model on these edges between function nodes,
        (2, E) of int64, with weights and order of rows drawn by the seed, and returns its loss on
        validation rows.
    known_edges : array-like of whole numbers, shape (2, E)
        What the model is built on without additions; that of the evidence by default.
    node_names : sequence of N str, optional
        That of the evidence by default. It says how many nodes there are, too; else the largest
        index does.
    n_draws : int
        Draws of random edges, with a training of each kind of graph for each: 3 a draw.
    removals : int
        Seeds by which each of the k edges is left out, k trainings a seed; at most ``n_draws``,
        and 0 for none.
    seed : int
        Of the random edges; trainings have the seeds 0 .. n_draws - 1.
    confidence : float in (0, 1)
    verbose : bool
        Show the progress.

    Returns
    -------
    EdgeConfirmation

    Raises
    ------
    TypeError, ValueError
        For an unknown name or node, more edges than are proposed, proposed edges that are known,
        repeated or self-edges, and a ``retrain`` that returns something else than a finite number.

    Notes
    -----
    A random edge stands for each proposed one: it is drawn uniformly among the pairs, neither
    known nor proposed nor self-pairs, whose source has as many known edges out of it and whose
    target as many into it, or, where there are none, as nearly as many as is possible. Peak
    memory: some 20 bytes for each pair of nodes.

    Examples
    --------
    >>> def retrain(edges, seed):  # train a model here
    ...     return 1.0 - 0.5 * ((edges[0] == 2) & (edges[1] == 3)).any()
    >>> found = confirm_edges(
    ...     [[2], [3]], 1, retrain=retrain, known_edges=[[0, 1], [1, 2]], node_names=list("abcd")
    ... )
    >>> found.difference()[0], found.removal_costs
    (-0.5, array([0.5]))
    """
    n_draws = _validation.whole_number("n_draws", n_draws, least=1)
    removals = _validation.whole_number("removals", removals, least=0)
    seed = _validation.whole_number("seed", seed, least=0)
    confidence = _validation.level("confidence", confidence)
    if removals > n_draws:
        raise ValueError(f"removals must be at most n_draws, {n_draws}; got {removals}")
    if not callable(retrain):
        raise TypeError(
            f"retrain must be a callable, retrain(edge_index, seed); got {type(retrain).__name__}"
        )
    k = _validation.whole_number("k", k, least=1)
    nodes = len(node_names) if node_names is not None else 0
    if isinstance(candidates, EdgeEvidence):
        evidence, nodes = candidates, int(candidates.W.shape[0])
        known_edges = evidence.known_edges if known_edges is None else known_edges
        node_names = evidence.node_names if node_names is None else node_names
        candidates = np.array([(edge.source, edge.target) for edge in evidence.top(k)]).T
    if known_edges is None:
        raise ValueError("known_edges must be given, as candidates are no evidence that has them")
    shape = (nodes, nodes) if nodes else None
    known = _validation.edge_index("known_edges", known_edges, shape)
    edges = _validation.edge_index("candidates", _indices(candidates, node_names), shape)
    edges = _checked_proposals(edges, known, k)
    nodes = nodes or 1 + int(max(known.max(initial=0), edges.max()))
    names = _validation.node_names(node_names, nodes)
    rng = np.random.default_rng(seed)
    random_edges = np.stack([_random_like(edges, known, nodes, rng) for _ in range(n_draws)])

    graphs: list[tuple[Any, int]] = []
    for draw in range(n_draws):
        graphs += [(edges, draw), (random_edges[draw], draw), (edges[:, :0], draw)]
    for draw in range(removals):
        graphs += [(np.delete(edges, place, axis=1), draw) for place in range(k)]
    losses = np.array(
        [
            _loss(retrain, np.concatenate([known, added], axis=1), draw)
            for added, draw in track(graphs, len(graphs), "trainings", verbose=verbose)
        ]
    )
    proposed, random, without = losses[: 3 * n_draws].reshape(n_draws, 3).T
    lost = losses[3 * n_draws :].reshape(removals, k) - proposed[:removals, None]
    costs = lost.mean(axis=0) if removals else np.full(k, np.nan)
    return EdgeConfirmation(
        edges, random_edges, proposed, random, without, costs, confidence, names
    )


def _indices(candidates: Any, node_names: Sequence[str] | None) -> Any:
    """Proposed edges as indices where they are names."""
    ends = np.asarray(candidates)
    if ends.dtype.kind not in "UO":
        return candidates
    number = {name: node for node, name in enumerate(node_names or ())}
    unknown = [name for name in ends.flatten().tolist() if name not in number]
    if unknown:
        raise ValueError(
            f"candidates must name nodes of node_names; got {_validation.listing(unknown)}"
        )
    return [[number[name] for name in some] for some in ends.tolist()]


def _checked_proposals(edges: Indices, known: Indices, k: int) -> Indices:
    """The first k proposed edges."""
    if k > edges.shape[1]:
        raise ValueError(
            f"k must be at most the number of proposed edges, {edges.shape[1]}; got {k}"
        )
    edges = edges[:, :k]
    old = (known[:, :, None] == edges[:, None]).all(axis=0).any(axis=0) | (edges[0] == edges[1])
    if old.any() or np.unique(edges, axis=1).shape[1] < k:
        raise ValueError(
            "candidates must be new edges between different nodes, each once; got known edges, "
            f"self-edges or repeated ones: {_validation.listing(edges[:, old].T.tolist())}"
        )
    return edges


def _random_like(edges: Indices, known: Indices, nodes: int, rng: np.random.Generator) -> Indices:
    """An edge for each of these, of the same degrees at both ends, all different and new."""
    known = np.unique(known, axis=1)
    out, into = (np.bincount(ends, minlength=nodes) for ends in known)
    free = ~np.eye(nodes, dtype=bool)
    for some in (known, edges):
        free[tuple(some)] = False
    drawn: list[tuple[int, int]] = []
    for source, target in edges.T:
        sources, targets = np.nonzero(free)
        if not len(sources):
            raise ValueError(
                f"k must leave as many pairs that are neither known nor proposed; got {len(drawn)} "
                f"for k={edges.shape[1]}"
            )
        cost = np.abs(out[sources] - out[source]) + np.abs(into[targets] - into[target])
        pick = rng.choice(np.flatnonzero(cost == cost.min()))
        drawn.append((sources[pick], targets[pick]))
        free[drawn[-1]] = False
    return np.array(drawn, dtype=np.int64).T


def _loss(retrain: Retrain, edges: Indices, seed: int) -> float:
    """The loss of one training, checked."""
    loss = retrain(edges, seed)
    if not isinstance(loss, int | float | np.floating) or not np.isfinite(loss):
        raise TypeError(
            "retrain must return a finite number, the loss on validation rows; got "
            f"{_validation.shown(loss)}"
        )
    return float(loss)
