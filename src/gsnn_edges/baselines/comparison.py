"""Evidence beside baselines: the same metrics over the same queries and candidates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.baselines.graph import OF_GRAPH, Scores, random_scores
from gsnn_edges.baselines.measured import OF_VALUES, NodeValues, measured_scores, paired_values
from gsnn_edges.baselines.networks import activation_correlation
from gsnn_edges.evaluation import LinkRanking, evaluate_edges
from gsnn_edges.evaluation.candidates import listed
from gsnn_edges.evaluation.metrics import NO_INTERVAL, Interval, resampled_sums
from gsnn_edges.evaluation.ranking import Direction
from gsnn_edges.evaluation.results import json_safe, number, number_range, text_table
from gsnn_edges.evidence import EdgeEvidence

Values = NDArray[np.float64]
Kind = Literal["given", "baseline", "untrained"]
Untrained: TypeAlias = Callable[[int], Array] | Sequence[Array]

BASELINES = ("random", *OF_GRAPH, "activation_correlation", *OF_VALUES)
_NAN = float("nan")


@dataclass(frozen=True)
class MrrDifference:
    """A difference of two mean reciprocal ranks.

    Attributes
    ----------
    value : float
        In (-1, 1); above 0 the first is better.
    interval : Interval or None
        Between percentiles of resampled differences; nan where one edge is all there is to
        resample, None without resamples.
    """

    value: float
    interval: Interval | None = None


def mrr_difference(
    ranked: Values,
    others: Values,
    n_resamples: int | None,
    *,
    confidence: float,
    rng: np.random.Generator,
) -> MrrDifference:
    """Mean reciprocal rank minus the mean of others, over the same edges.

    Parameters
    ----------
    ranked : float64 array of shape (E,)
        Reciprocal rank of each edge, or the mean of both.
    others : float64 array of shape (S, E)
        Those of the same edges by S other scores: one, or untrained models of several seeds.
    n_resamples : int or None
        Resamples. Edges are drawn with replacement, the same for both sides: a paired bootstrap
        [1]_. The mean over S others, of S >= 2, moves by their standard error times a draw of
        Student's t with S - 1 degrees of freedom: drawn with replacement, as few as five would
        look surer than they are.
    confidence : float in (0, 1)
    rng : numpy.random.Generator

    Returns
    -------
    MrrDifference

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani (1993). An introduction to the bootstrap. Chapman & Hall,
       chapters 8 and 13.

    Examples
    --------
    >>> ranked, others = np.array([1.0, 0.5]), np.array([[0.5, 0.5], [0.25, 0.25]])
    >>> mrr_difference(ranked, others, None, confidence=0.95, rng=np.random.default_rng(0))
    MrrDifference(value=0.375, interval=None)
    """
    value = float(ranked.mean() - others.mean())
    if n_resamples is None:
        return MrrDifference(value)
    if len(ranked) == 1:
        return MrrDifference(value, NO_INTERVAL)
    sums = resampled_sums(np.stack([ranked, *others], axis=1), n_resamples, rng)
    means, seeds = sums / len(ranked), len(others)
    mean = means[:, 1:].mean(axis=1)
    if seeds > 1:
        error = means[:, 1:].std(axis=1, ddof=1) / np.sqrt(seeds)
        mean = mean + error * rng.standard_t(seeds - 1, n_resamples)
    return MrrDifference(value, Interval.of(means[:, 0] - mean, confidence))


def _difference(
    ranking: LinkRanking, others: Sequence[LinkRanking], n_resamples: int | None, seed: int
) -> MrrDifference:
    return mrr_difference(
        _reciprocal_ranks(ranking),
        np.stack([_reciprocal_ranks(other) for other in others]),
        n_resamples,
        confidence=ranking.confidence,
        rng=np.random.default_rng(seed),
    )


def _reciprocal_ranks(ranking: LinkRanking) -> Values:
    """Reciprocal rank of each edge, the mean of both where both directions are ranked."""
    reciprocal: Values = 1 / ranking.queries.ranks.realistic
    directions = 2 if ranking.direction == "both" else 1
    return np.asarray(reciprocal.reshape(directions, -1).mean(axis=0))


@dataclass(frozen=True, eq=False)
class ComparedScore:
    """A score and how it ranks the queries.

    Attributes
    ----------
    name : str
    kind : {"given", "baseline", "untrained"}
        From ``scores``, a baseline, or an untrained model.
    ranking : LinkRanking
    coverage : float
        Share of the queries that the score knows, in [0, 1]; the others share the lowest score.
    mrr_difference : MrrDifference or None
        MRR minus the mean MRR of the untrained models; None where there are none.
    """

    name: str
    kind: Kind
    ranking: LinkRanking
    coverage: float
    mrr_difference: MrrDifference | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Scores and baselines over the same queries and candidates; printed, it is a table.

    ``comparison["W"]`` is the row of that name.

    Attributes
    ----------
    rows : tuple of ComparedScore
        The compared scores, then the baselines.
    untrained : dict of str to tuple of LinkRanking
        The untrained models of each score in a mapping, or of all scores under "".
    n_resamples : int or None
    seed : int
        Of all resamples.

    Examples
    --------
    >>> import numpy as np
    >>> from gsnn_edges import compare
    >>> W = np.random.default_rng(0).random((6, 6))
    >>> edges = [[0, 1], [2, 3]]
    >>> comparison = compare({"W": W}, edges, edges, known_edges=[[4], [5]], seed=0)
    >>> W, degree = comparison["W"], comparison["in_degree"]
    >>> W.kind, degree.kind, 0 < W.ranking.mrr <= 1
    ('given', 'baseline', True)
    """

    rows: tuple[ComparedScore, ...]
    untrained: Mapping[str, tuple[LinkRanking, ...]]
    n_resamples: int | None
    seed: int

    def __getitem__(self, name: str) -> ComparedScore:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r} is no row; there are {', '.join(row.name for row in self.rows)}")

    def difference(self, name: str, other: str) -> MrrDifference:
        """MRR of one row minus that of another, over the same queries.

        Parameters
        ----------
        name, other : str
            Names of rows.

        Returns
        -------
        MrrDifference
            Above 0 where ``name`` ranks better, with the interval of a paired bootstrap.

        Raises
        ------
        KeyError
            When there is no such row.
        """
        rankings = self[name].ranking, [self[other].ranking]
        return _difference(*rankings, self.n_resamples, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """All but the single ranks, ready for JSON: nan becomes None.

        Returns
        -------
        dict
            "rows", each with "name", "kind", "coverage", "mrr_difference" and "ranking" (as
            `LinkRanking.to_dict`), and "untrained", a list of rankings for each name.
        """
        rows = [
            {
                "name": row.name,
                "kind": row.kind,
                "coverage": row.coverage,
                "mrr_difference": row.mrr_difference and json_safe(asdict(row.mrr_difference)),
                "ranking": row.ranking.to_dict(),
            }
            for row in self.rows
        ]
        untrained = {
            name: [ranking.to_dict() for ranking in rankings]
            for name, rankings in self.untrained.items()
        }
        return {"rows": rows, "untrained": untrained}

    def to_frame(self) -> Any:
        """Rows of a pandas DataFrame, one for each score, baseline and untrained model.

        Returns
        -------
        pandas.DataFrame
            Columns "name", "kind", "coverage", the metrics, and "mrr_low", "mrr_high",
            "mrr_difference", "mrr_difference_low" and "mrr_difference_high", nan where
            there is none.

        Raises
        ------
        ImportError
            Where pandas is not installed; the message says what to install.
        """
        pd = _validation.imported("pandas", "to_frame needs pandas", "frames")
        untrained = (
            ComparedScore(f"{name} seed {seed}".lstrip(), "untrained", ranking, 1.0)
            for name, rankings in self.untrained.items()
            for seed, ranking in enumerate(rankings)
        )
        return pd.DataFrame([_frame_row(row) for row in (*self.rows, *untrained)])

    def __str__(self) -> str:
        first = self.rows[0].ranking
        level = f"{100 * first.confidence:g}% interval"
        title = ("", "mrr", level, "amri", "auroc", "coverage", "mrr difference", level)
        lines = [_text_row(row) for row in self.rows]
        place = sum(row.kind == "given" for row in self.rows)
        lines[place:place] = [_untrained_row(*each) for each in self.untrained.items()]
        heading = f"{first.heading()}; MRR by chance {number(first.expected_mrr)}"
        return text_table(heading, title, lines)

    __repr__ = __str__


def _frame_row(row: ComparedScore) -> dict[str, Any]:
    ranking, pool, difference = row.ranking, row.ranking.separation, row.mrr_difference
    return {
        "name": row.name,
        "kind": row.kind,
        "coverage": row.coverage,
        "mrr": ranking.mrr,
        **_ends("mrr", ranking.intervals.get("mrr")),
        "adjusted_mrr": ranking.adjusted_mrr,
        **{f"hits@{k}": hits for k, hits in ranking.hits.items()},
        "mean_rank": ranking.mean_rank,
        "median_rank": ranking.median_rank,
        "amri": ranking.amri,
        "auroc": _NAN if pool is None else pool.auroc,
        "average_precision": _NAN if pool is None else pool.average_precision,
        "mrr_difference": _NAN if difference is None else difference.value,
        **_ends("mrr_difference", None if difference is None else difference.interval),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float]:
    return dict(zip((f"{name}_low", f"{name}_high"), interval or NO_INTERVAL, strict=True))


def _text_row(row: ComparedScore) -> tuple[str, ...]:
    difference, pool = row.mrr_difference, row.ranking.separation
    return (
        row.name,
        number(row.ranking.mrr),
        number_range(row.ranking.intervals.get("mrr")),
        number(row.ranking.amri),
        number(None if pool is None else pool.auroc),
        number(row.coverage),
        "" if difference is None else f"{difference.value:+.4f}",
        number_range(None if difference is None else difference.interval),
    )


def _untrained_row(name: str, rankings: Sequence[LinkRanking]) -> tuple[str, ...]:
    """Means over the untrained models."""
    aurocs = [ranking.separation.auroc for ranking in rankings if ranking.separation is not None]
    return (
        f"{name} untrained, mean of {len(rankings)}".lstrip(),
        number(fmean(ranking.mrr for ranking in rankings)),
        "",
        number(fmean(ranking.amri for ranking in rankings)),
        number(fmean(aurocs) if aurocs else None),
        "",
        "",
        "",
    )


def compare(
    scores: Mapping[str, Array | EdgeEvidence] | EdgeEvidence,
    edge_index: Any,
    all_true_edges: Any,
    *,
    known_edges: Any,
    observations: Array | None = None,
    measured: tuple[Any, Any] | None = None,
    perturbations: tuple[Any, Any] | None = None,
    untrained: Untrained | Mapping[str, Untrained] | None = None,
    seeds: int = 5,
    candidates: Any = None,
    direction: Direction = "tail",
    ks: Sequence[int] | None = None,
    exclude_self: bool = False,
    node_names: Sequence[str] | None = None,
    confidence: float = 0.95,
    n_resamples: int | None = 1000,
    seed: int | None = None,
) -> Comparison:
    """Rank held-out edges by scores and by baselines, over the same queries and candidates.

    Which baselines there are follows from the arguments; docs/evaluation.md says what each is.

    Parameters
    ----------
    scores : mapping of str to array of shape (N, N) or EdgeEvidence, or an EdgeEvidence
        Matrices to judge, such as ``{"W": W}``; of any array library. Evidence alone is named
        "W".
    edge_index, all_true_edges, candidates, direction, ks, exclude_self, node_names
        As of `gsnn_edges.evaluate_edges`, which ranks every row. ``exclude_self=True`` is fairer
        where self-edges are no answer: baselines of pairs do not score them.
    known_edges : array-like of whole numbers, shape (2, E)
        The edges that the model has: none of ``edge_index``.
    observations : array of shape (M, N), optional
        Activations of all nodes, as `gsnn_edges.capture` gives them.
    measured, perturbations : pair of (values of shape (rows, K), nodes of shape (K,)), optional
        Values of measured nodes and inputs of perturbed ones, with the node of each column, each
        node at most once; rows are the same samples in both.
    untrained : callable, sequence of matrices, or mapping of score names to such, optional
        Scores by the same settings before training: ``untrained(seed)`` gives a matrix (N, N),
        and is called for 0 .. seeds - 1; or the matrices themselves, as `untrained_scores` gives
        them. A mapping gives a score its own; what is no mapping serves all rows.
    seeds : int
        Untrained models of a callable.
    confidence : float
        Level of all intervals, between 0 and 1.
    n_resamples : int or None
        Resamples, 100 or more; None for no intervals.
    seed : int, optional
        Of the random scores and of all resamples.

    Returns
    -------
    Comparison
        A row for each of ``scores``, then for each baseline. ``row.mrr_difference`` is its MRR
        minus the mean MRR of the untrained models, with an interval over queries and over seeds.

    Raises
    ------
    TypeError, ValueError
        For a score that is no finite (N, N) matrix or is named as a baseline, known edges that
        hold a query, values that do not go with their nodes, an untrained model for a score that
        is not there, and as `gsnn_edges.evaluate_edges`.

    Notes
    -----
    Pairs that a baseline cannot score, such as those of unmeasured nodes or of a node with
    itself, share the lowest score; ``row.coverage`` is the share of queries that it can. Constant
    columns correlate to 0. Intervals speak of the choice of queries, and those of differences of
    initial weights, not of another training.

    Peak memory is that of `gsnn_edges.evaluate_edges`, and a few float64 matrices (N, N). Baselines
    are computed on the host in float64; correlations of ``observations`` where these lie.

    Examples
    --------
    >>> chain = np.array([[0, 1, 2, 3], [1, 2, 3, 4]])
    >>> known, held_out = chain[:, :3], chain[:, 3:]
    >>> scores = {"W": np.eye(5, k=1)}
    >>> comparison = compare(scores, held_out, chain, known_edges=known, n_resamples=None, seed=0)
    >>> print(comparison)
    1 rankings, direction tail, among 5 candidates; MRR by chance 0.4567
                                mrr     amri   auroc  coverage
    W                        1.0000   1.0000  1.0000    1.0000
    random                   0.3333   0.0000  0.3333    1.0000
    in_degree                0.2222  -0.7500  0.2143    1.0000
    out_degree               0.3333   0.0000  0.2143    1.0000
    preferential_attachment  0.3333   0.0000  0.3571    1.0000
    common_neighbours        0.3333   0.0000  0.5238    1.0000
    adamic_adar              0.3333   0.0000  0.5238    1.0000
    two_step_paths           0.4000   0.2500  0.5714    1.0000
    """
    matrices = _matrices(scores)
    count = next(iter(matrices.values())).shape[0]
    edges = _validation.edge_index("edge_index", edge_index, (count, count))
    known = _validation.edge_index("known_edges", known_edges, (count, count))
    leaked = np.flatnonzero(listed(edges, known))
    if leaked.size:
        raise ValueError(
            f"known_edges must not hold queries; {leaked.size} of the {edges.shape[1]} columns of "
            f"edge_index are among them, {_validation.listing(leaked)}: leave held-out edges out"
        )
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
    seed = _validation.whole_number("seed", seed, least=0)
    rank: Callable[[Array], LinkRanking] = partial(
        evaluate_edges,
        edge_index=edges,
        all_true_edges=all_true_edges,
        direction=direction,
        ks=ks,
        candidates=candidates,
        exclude_self=exclude_self,
        node_names=node_names,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
    )
    values, inputs = paired_values(measured, perturbations, count, node_names)
    before = {
        name: tuple(rank(matrix) for matrix in some)
        for name, some in _untrained_matrices(untrained, matrices, seeds, count).items()
    }

    def row(name: str, kind: Kind, matrix: Array, coverage: float) -> ComparedScore:
        ranking, others = rank(matrix), before.get(name) or before.get("")
        difference = _difference(ranking, others, n_resamples, seed) if others else None
        return ComparedScore(name, kind, ranking, coverage, difference)

    rows = [row(name, "given", matrix, 1.0) for name, matrix in matrices.items()]
    for name, matrix in _baselines(count, known, observations, values, inputs, seed):
        scored = ~np.isnan(matrix)
        lowest = matrix[scored].min() - 1 if scored.any() else 0.0
        coverage = float(scored[edges[0], edges[1]].mean())
        rows.append(row(name, "baseline", np.where(scored, matrix, lowest), coverage))
    return Comparison(tuple(rows), before, n_resamples, seed)


def _baselines(
    count: int,
    known: np.ndarray,
    observations: Any,
    measured: NodeValues | None,
    perturbations: NodeValues | None,
    seed: int,
) -> Iterator[tuple[str, Scores]]:
    """Every baseline that the arguments allow, one at a time."""
    yield "random", random_scores(count, seed)
    for name, of_graph in OF_GRAPH.items():
        yield name, of_graph(known, count)
    if observations is not None:
        _validation.array("observations", observations)
        if observations.ndim != 2 or observations.shape[1] != count:
            raise ValueError(
                f"observations must have shape (M, {count}), a column for each node of scores; got "
                f"{tuple(observations.shape)}: pass the activations a of capture"
            )
        _validation.samples("the observations (rows) of observations", observations.shape[0])
        yield "activation_correlation", activation_correlation(observations)
    if measured is not None:
        yield from measured_scores(measured, perturbations, known, count)


def _matrices(scores: Any) -> dict[str, Array]:
    """Finite square matrices of one size by name, those of evidence among them."""
    if isinstance(scores, EdgeEvidence):
        scores = {"W": scores}
    if not isinstance(scores, Mapping) or not scores:
        raise TypeError(
            "scores must map names to matrices, at least one, such as {'W': W}; got "
            f"{type(scores).__name__}{' without an entry' if isinstance(scores, Mapping) else ''}"
        )
    matrices = {k: v.W if isinstance(v, EdgeEvidence) else v for k, v in scores.items()}
    for name in matrices:
        if not isinstance(name, str):
            raise TypeError(f"scores must have names of str; got {name!r}: map it to str first")
        if name in BASELINES:
            raise ValueError(
                f"scores must not be named as a baseline; got {name}: choose another name"
            )
    sizes = {name: _size(f"scores[{name!r}]", matrix) for name, matrix in matrices.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"scores must be matrices of the same nodes; got sizes {sizes}: order all as the model"
        )
    return matrices


def _size(name: str, matrix: Any) -> int:
    """Number of nodes of a finite square matrix."""
    nodes = _validation.square(name, matrix)
    _validation.finite(name, matrix)
    return nodes


def _untrained_matrices(
    untrained: Any, scores: Mapping[str, Array], seeds: int, count: int
) -> dict[str, list[Array]]:
    """Untrained matrices of each score of a mapping; those of all scores under ""."""
    if untrained is None:
        return {}
    each = untrained if isinstance(untrained, Mapping) else {"": untrained}
    unknown = [name for name in each if name and name not in scores]
    if unknown:
        raise ValueError(
            f"untrained must be for scores that are compared, {', '.join(scores)}; got "
            f"{_validation.listing(unknown)}: use the names of scores"
        )
    matrices = {}
    for name, source in each.items():
        label = f"untrained[{name!r}]" if name else "untrained"
        if callable(source):
            number_of = _validation.whole_number("seeds", seeds, least=1)
            source = [source(seed) for seed in range(number_of)]
        if not isinstance(source, list | tuple) or not source:
            raise TypeError(
                f"{label} must be a callable, untrained(seed) -> W, or a list of matrices, at "
                f"least one; got {type(source).__name__}"
            )
        for place, matrix in enumerate(source):
            size = _size(f"{label}, matrix {place}", matrix)
            if size != count:
                raise ValueError(
                    f"{label} must hold matrices of the {count} nodes of scores; got {size} nodes "
                    f"in matrix {place}: score the same architecture"
                )
        matrices[name] = list(source)
    return matrices
