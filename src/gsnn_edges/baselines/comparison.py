"""Evidence beside baselines: the same metrics over the same candidates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.baselines import graph as structure
from gsnn_edges.baselines import measured as by_values
from gsnn_edges.baselines import networks
from gsnn_edges.baselines.graph import Scores
from gsnn_edges.baselines.measured import NodeValues, node_values
from gsnn_edges.draws import drawn_counts
from gsnn_edges.evaluation import Interval, LinkRanking, evaluate_edges
from gsnn_edges.evaluation.metrics import Interval
from gsnn_edges.evaluation.ranking import Direction, square
from gsnn_edges.evaluation.results import aligned, json_safe, text, text_of
from gsnn_edges.evidence import EdgeEvidence

Values = NDArray[np.float64]
# Draws held at a time: 2**22 counts keep a block below some hundred megabytes.
BLOCK_DRAWS = 1 << 22


@dataclass(frozen=True)
class MrrDifference:
    """A difference of two mean reciprocal ranks.

    Attributes
    ----------
    value : float
        In (-1, 1); above 0 the first is better.
    interval : Interval or None
        Between percentiles of resampled differences; nan where one edge is all there is to
        resample, None where no interval was asked for.
    """

    value: float
    interval: Interval | None = None


def compare_mrr(
    ranked: Values,
    others: Values,
    units: NDArray[np.int64],
    n_resamples: int | None,
    *,
    confidence: float,
    rng: np.random.Generator,
) -> MrrDifference:
    """Subtract the mean over others and queries from the mean over queries.

    Parameters
    ----------
    ranked : float64 array of shape (Q,)
        Reciprocal rank of each ranking.
    others : float64 array of shape (S, Q)
        Those of the same rankings by S other scores: one, or untrained models of several seeds.
    units : int64 array of shape (Q,), from 0
        Rankings of the same unit are drawn together.
    n_resamples : int or None
        Resamples. Units are drawn with replacement, the same for both sides: a paired bootstrap
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
    >>> rng, units = np.random.default_rng(0), np.array([0, 1])
    >>> compare_mrr(ranked, others, units, None, confidence=0.95, rng=rng)
    MrrDifference(value=0.375, interval=None)
    """
    value = float(ranked.mean() - others.mean())
    if n_resamples is None:
        return MrrDifference(value)
    count = int(units.max()) + 1
    if count == 1:
        return MrrDifference(value, Interval(float("nan"), float("nan")))
    drawn = resampled_differences(ranked, others, units, n_resamples, rng)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return MrrDifference(value, Interval(float(low), float(high)))


def resampled_differences(
    ranked: Values,
    others: Values,
    units: NDArray[np.int64],
    n_resamples: int,
    rng: np.random.Generator,
) -> Values:
    """Give the difference for each resample."""
    size = np.bincount(units)
    sums = np.stack([np.bincount(units, row) for row in (ranked, *others)], axis=1)
    block = max(1, BLOCK_DRAWS // (len(size) + len(others)))
    parts = []
    for start in range(0, n_resamples, block):
        times = drawn_counts(len(size), min(block, n_resamples - start), rng)
        means = (times @ sums) / (times @ size)[:, None]
        parts.append(means[:, 0] - redrawn_mean(means[:, 1:], rng))
    return np.concatenate(parts)


def redrawn_mean(others: Values, rng: np.random.Generator) -> Values:
    """Mean of each row, as it might have been by other seeds; of one seed nothing is known."""
    count = others.shape[1]
    mean = others.mean(axis=1)
    if count == 1:
        return np.asarray(mean)
    error = others.std(axis=1, ddof=1) / np.sqrt(count)
    return np.asarray(mean + error * rng.standard_t(count - 1, len(others)))


Difference = Callable[[LinkRanking, Sequence[LinkRanking]], MrrDifference]


@dataclass(frozen=True, eq=False)
class ComparedScore:
    """A score and how it ranks the queries.

    Attributes
    ----------
    name : str
    kind : {"given", "baseline", "untrained"}
    ranking : LinkRanking
    coverage : float
        Share of the queries that have a score of their own, in [0, 1]; the others share the
        lowest.
    mrr_difference : MrrDifference or None
        MRR minus the mean MRR of the untrained models; None where there are none.
    """

    name: str
    kind: Literal["given", "baseline", "untrained"]
    ranking: LinkRanking
    coverage: float
    mrr_difference: MrrDifference | None = None

    def against(
        self, untrained: Mapping[str, Sequence[LinkRanking]], difference: Difference
    ) -> "ComparedScore":
        """Add the lift over the untrained models of this score, or over those of all scores."""
        others = untrained.get(self.name) or untrained.get("")
        return replace(self, mrr_difference=difference(self.ranking, others)) if others else self


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Scores and baselines over the same queries and candidates; printed, it is a table.

    ``comparison["W"]`` is the row of that name.

    Attributes
    ----------
    rows : tuple of ComparedScore
        The given scores, then the baselines.
    untrained : dict of str to tuple of LinkRanking
        The untrained models of each score that has its own, or of all scores under "".

    Examples
    --------
    >>> import numpy as np
    >>> from gsnn_edges import compare
    >>> W = np.random.default_rng(0).random((6, 6))
    >>> edges = [[0, 1], [2, 3]]
    >>> found = compare({"W": W}, edges, edges, known_edges=[[4], [5]], seed=0)
    >>> found["W"].kind, found["in_degree"].kind, 0 < found["W"].ranking.mrr <= 1
    ('given', 'baseline', True)
    """

    rows: tuple[ComparedScore, ...]
    untrained: Mapping[str, tuple[LinkRanking, ...]]
    difference_of: Difference = field(repr=False)

    def __getitem__(self, name: str) -> ComparedScore:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r} is no row; there are {', '.join(row.name for row in self.rows)}")

    def difference(self, name: str, other: str) -> MrrDifference:
        """Subtract the MRR of one row from that of another, over the same queries.

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
        return self.difference_of(self[name].ranking, [self[other].ranking])

    def to_dict(self) -> dict[str, Any]:
        """Give all but the single ranks, ready for JSON: nan becomes None.

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
                "mrr_difference": None
                if row.mrr_difference is None
                else json_safe(asdict(row.mrr_difference)),
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
        """Give a pandas DataFrame with a row for each score, baseline and untrained model.

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
        lines = [
            {
                "name": row.name,
                "kind": row.kind,
                "coverage": row.coverage,
                **metrics_of(row.ranking),
                **numbers("mrr_difference", row.mrr_difference),
            }
            for row in (*self.rows, *self._untrained_rows())
        ]
        return pd.DataFrame(lines)

    def _untrained_rows(self) -> list[ComparedScore]:
        return [
            ComparedScore(f"{name} seed {seed}".lstrip(), "untrained", ranking, 1.0)
            for name, rankings in self.untrained.items()
            for seed, ranking in enumerate(rankings)
        ]

    def __str__(self) -> str:
        return table_of(self)

    __repr__ = __str__


def metrics_of(ranking: LinkRanking) -> dict[str, float]:
    """List the metrics of a ranking by name."""
    pool = ranking.separation
    nan = float("nan")
    return {
        "mrr": ranking.mrr,
        **ends("mrr", ranking.intervals.get("mrr")),
        "adjusted_mrr": ranking.adjusted_mrr,
        **{f"hits@{k}": hits for k, hits in ranking.hits.items()},
        "mean_rank": ranking.mean_rank,
        "median_rank": ranking.median_rank,
        "amri": ranking.amri,
        "auroc": nan if pool is None else pool.auroc,
        "average_precision": nan if pool is None else pool.average_precision,
    }


def numbers(name: str, found: MrrDifference | None) -> dict[str, float]:
    """List a lift and the ends of its interval."""
    value = float("nan") if found is None else found.value
    return {name: value, **ends(name, None if found is None else found.interval)}


def ends(name: str, interval: Interval | None) -> dict[str, float]:
    """List the ends of an interval, nan where there is none."""
    low, high = interval or (float("nan"), float("nan"))
    return {f"{name}_low": low, f"{name}_high": high}


def table_of(found: Comparison) -> str:
    """Write the rows as aligned lines of text."""
    first = found.rows[0].ranking
    sizes = first.queries.candidates
    fewest, most = int(sizes.min()), int(sizes.max())
    heading = (
        f"{len(sizes)} rankings, direction {first.direction}, among "
        f"{f'{fewest} to {most}' if fewest < most else most} candidates; "
        f"MRR by chance {text(first.expected_mrr)}"
    )
    level = f"{100 * first.confidence:g}% interval"
    title = ("", "mrr", level, "amri", "auroc", "coverage", "mrr difference", level)
    given = [line_of(row) for row in found.rows if row.kind == "given"]
    before = [untrained_line(name, rankings) for name, rankings in found.untrained.items()]
    rest = [line_of(row) for row in found.rows if row.kind == "baseline"]
    columns = zip(*given, *before, *rest, strict=True)
    filled = [
        aligned((name, *cells), left=not place)
        for place, (name, cells) in enumerate(zip(title, columns, strict=True))
        if any(cells)
    ]
    return "\n".join([heading, *("  ".join(row).rstrip() for row in zip(*filled, strict=True))])


def line_of(row: ComparedScore) -> tuple[str, ...]:
    """Give the cells of a score, as text."""
    interval = row.ranking.intervals.get("mrr")
    gain = (
        ("", "")
        if row.mrr_difference is None
        else (signed(row.mrr_difference.value), text_of(row.mrr_difference.interval))
    )
    return row.name, *cells_of([row.ranking], interval), text(row.coverage), *gain


def untrained_line(name: str, rankings: Sequence[LinkRanking]) -> tuple[str, ...]:
    """Give the cells of untrained models: their means."""
    label = f"{name} untrained, mean of {len(rankings)}".lstrip()
    return label, *cells_of(rankings, None), "", "", ""


def cells_of(rankings: Sequence[LinkRanking], interval: Interval | None) -> tuple[str, ...]:
    """Give MRR, its interval, AMRI and AUROC; means, where there are several rankings."""
    aurocs = [found.separation.auroc for found in rankings if found.separation is not None]
    return (
        text(fmean(found.mrr for found in rankings)),
        text_of(interval),
        text(fmean(found.amri for found in rankings)),
        text(fmean(aurocs)) if aurocs else "",
    )


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return f"{value:+.4f}"


Untrained: TypeAlias = Callable[[int], Array] | Sequence[Array]


def without_facts(scores: Any) -> Any:
    """Give the matrices of evidence; what is no evidence stays as it is."""
    if isinstance(scores, EdgeEvidence):
        return {"W": scores.W}
    if not isinstance(scores, Mapping):
        return scores
    return {k: v.W if isinstance(v, EdgeEvidence) else v for k, v in scores.items()}


def checked_scores(scores: Any) -> int:
    """Reject what does not name finite square matrices of one size, and give N."""
    if not isinstance(scores, Mapping) or not scores:
        raise TypeError(
            "scores must map names to matrices, at least one, such as {'W': W}; got "
            f"{type(scores).__name__}{' without an entry' if isinstance(scores, Mapping) else ''}"
        )
    strange = [name for name in scores if not isinstance(name, str)]
    if strange:
        raise TypeError(f"scores must have names of str; got {strange[0]!r}: map it to str first")
    taken = sorted(set(scores) & set(BASELINES))
    if taken:
        raise ValueError(
            f"scores must not be named as a baseline; got {', '.join(taken)}: choose other names"
        )
    sizes = {name: checked_matrix(f"scores[{name!r}]", matrix) for name, matrix in scores.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"scores must be matrices of the same nodes; got sizes {sizes}: order all as the model"
        )
    return next(iter(sizes.values()))


def checked_matrix(name: str, matrix: Any) -> int:
    """Reject what is no finite square matrix, and give N."""
    _validation.array(name, matrix)
    _validation.finite(name, matrix)
    try:
        return square(matrix)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def reject_known_queries(edges: np.ndarray, known: np.ndarray, count: int) -> None:
    """Reject queries that baselines would find among the known edges."""
    leaked = np.flatnonzero(np.isin(edges[0] * count + edges[1], known[0] * count + known[1]))
    if leaked.size:
        raise ValueError(
            f"known_edges must not hold queries; {leaked.size} of the {edges.shape[1]} columns of "
            f"edge_index are among them, {_validation.listing(leaked)}: leave held-out edges out"
        )


def checked_values(
    measured: Any, perturbations: Any, count: int
) -> tuple[NodeValues | None, NodeValues | None]:
    """Check measured values and perturbations, and that they are of the same rows."""
    found = [
        None if given is None else node_values(name, given, count)
        for name, given in (("measured", measured), ("perturbations", perturbations))
    ]
    values, inputs = found
    if inputs is not None and values is None:
        raise ValueError(
            "perturbations must come with measured, what they are correlated with; got measured="
            "None: give both, or leave perturbations out"
        )
    if values is not None and inputs is not None and len(values.values) != len(inputs.values):
        raise ValueError(
            "measured and perturbations must be of the same samples; got "
            f"{len(values.values)} and {len(inputs.values)} rows"
        )
    return values, inputs


def untrained_matrices(
    untrained: Any, scores: Mapping[str, Array], seeds: int, count: int
) -> dict[str, list[Array]]:
    """Give the untrained matrices of each score that has its own; "" is for those of all."""
    if untrained is None:
        return {}
    each = untrained if isinstance(untrained, Mapping) else {"": untrained}
    unknown = [name for name in each if name and name not in scores]
    if unknown:
        raise ValueError(
            f"untrained must be for scores that are given, {', '.join(scores)}; got "
            f"{_validation.listing(unknown)}: use the names of scores"
        )
    return {name: matrices_of(name, source, seeds, count) for name, source in each.items()}


def matrices_of(name: str, source: Any, seeds: int, count: int) -> list[Array]:
    """Call a factory for each seed, or take matrices as they are; check all."""
    label = f"untrained[{name!r}]" if name else "untrained"
    if callable(source):
        number = _validation.whole_number("seeds", seeds, least=1)
        source = [source(seed) for seed in range(number)]
    if not isinstance(source, list | tuple) or not source:
        raise TypeError(
            f"{label} must be a callable, untrained(seed) -> W, or a list of matrices, at least "
            f"one; got {type(source).__name__}"
        )
    for place, matrix in enumerate(source):
        size = checked_matrix(f"{label}, matrix {place}", matrix)
        if size != count:
            raise ValueError(
                f"{label} must hold matrices of the {count} nodes of scores; got {size} nodes in "
                f"matrix {place}: score the same architecture"
            )
    return list(source)


OF_GRAPH = {
    "in_degree": structure.in_degree,
    "out_degree": structure.out_degree,
    "preferential_attachment": structure.preferential_attachment,
    "common_neighbours": structure.common_neighbours,
    "adamic_adar": structure.adamic_adar,
    "two_step_paths": structure.two_step_paths,
}
BASELINES = (
    "random",
    *OF_GRAPH,
    "activation_correlation",
    "plain_correlation",
    "perturbation_correlation",
    "residual_correlation",
    "regression",
    "ridge",
)


def baselines(
    count: int,
    known: np.ndarray,
    observations: Array | None,
    measured: NodeValues | None,
    perturbations: NodeValues | None,
    seed: int,
) -> Iterator[tuple[str, Scores]]:
    """Compute every baseline that what is given allows, one at a time."""
    yield "random", structure.random_scores(count, seed)
    for name, of_graph in OF_GRAPH.items():
        yield name, of_graph(known, count)
    if observations is not None:
        yield "activation_correlation", of_observations(observations, count)
    if measured is None:
        return
    yield "plain_correlation", by_values.plain_correlation(measured, count)
    if perturbations is not None:
        found = by_values.perturbation_correlation(perturbations, measured, count)
        yield "perturbation_correlation", found
    yield (
        "residual_correlation",
        by_values.residual_correlation(measured, perturbations, known, count),
    )
    yield "regression", by_values.regression_weights(measured, perturbations, count)
    yield "ridge", by_values.ridge_weights(measured, perturbations, count)


def of_observations(observations: Any, count: int) -> Scores:
    """Correlate activations, which must be those of all nodes."""
    _validation.array("observations", observations)
    if observations.ndim != 2 or observations.shape[1] != count:
        raise ValueError(
            f"observations must have shape (M, {count}), a column for each node of scores; got "
            f"{tuple(observations.shape)}: give the activations a of capture"
        )
    _validation.samples("the observations (rows) of observations", observations.shape[0])
    return networks.activation_correlation(observations)


__all__ = ["Comparison", "compare"]


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
    """Rank held-out edges by given scores and by baselines, all alike.

    Which baselines there are follows from what is given; docs/baselines.md says what each is.

    Parameters
    ----------
    scores : mapping of str to array of shape (N, N) or EdgeEvidence, or an EdgeEvidence
        Matrices to judge, such as ``{"W": W}``; of any array library. Evidence alone is named
        "W".
    edge_index, all_true_edges, candidates, direction, ks, exclude_self, node_names
        As of `gsnn_edges.evaluate_edges`, which ranks every row. ``exclude_self=True`` is fairer
        where self-edges are no answer: baselines of pairs do not score them.
    known_edges : array-like of whole numbers, shape (2, E)
        The edges that the model was given: none of ``edge_index``.
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
        A row for each score as given, then for each baseline. ``row.mrr_difference`` is its MRR
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
    columns correlate to 0. Intervals speak of the choice of queries, and for lifts of initial
    weights, not of another training.

    Peak memory is that of `gsnn_edges.evaluate_edges`, and a few float64 matrices (N, N). Baselines
    are computed on the host in float64; correlations of ``observations`` where these lie.

    Examples
    --------
    >>> chain = np.array([[0, 1, 2, 3], [1, 2, 3, 4]])
    >>> known, held_out = chain[:, :3], chain[:, 3:]
    >>> scores = {"W": np.eye(5, k=1)}
    >>> found = compare(scores, held_out, chain, known_edges=known, n_resamples=None, seed=0)
    >>> print(found)
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
    matrices = without_facts(scores)
    count = checked_scores(matrices)
    edges = _validation.edge_index("edge_index", edge_index, (count, count))
    known = _validation.edge_index("known_edges", known_edges, (count, count))
    reject_known_queries(edges, known, count)
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
    values, inputs = checked_values(measured, perturbations, count)
    given = [ComparedScore(name, "given", rank(matrix), 1.0) for name, matrix in matrices.items()]
    before = {
        name: tuple(rank(matrix) for matrix in matrices)
        for name, matrices in untrained_matrices(untrained, matrices, seeds, count).items()
    }
    computed = baselines(count, known, observations, values, inputs, seed)
    rows = [*given, *(baseline_row(name, matrix, edges, rank) for name, matrix in computed)]
    difference = partial(
        mrr_difference_of, edges=edges.shape[1], n_resamples=n_resamples, seed=seed
    )
    return Comparison(
        rows=tuple(row.against(before, difference) for row in rows),
        untrained=before,
        difference_of=difference,
    )


def baseline_row(
    name: str, matrix: Scores, edges: np.ndarray, rank: Callable[[Array], LinkRanking]
) -> ComparedScore:
    """Rank by a baseline; what it does not score shares the lowest score."""
    scored = ~np.isnan(matrix)
    lowest = matrix[scored].min() - 1 if scored.any() else 0.0
    coverage = float(scored[edges[0], edges[1]].mean()) if edges.shape[1] else 0.0
    filled = np.where(scored, matrix, lowest)
    return ComparedScore(name, "baseline", rank(filled), coverage)


def mrr_difference_of(
    ranking: LinkRanking,
    others: Sequence[LinkRanking],
    *,
    edges: int,
    n_resamples: int | None,
    seed: int,
) -> MrrDifference:
    """Compare the MRR of a ranking with the mean of others, over the same queries."""
    reciprocal = [1 / each.queries.ranks.realistic for each in (ranking, *others)]
    return compare_mrr(
        reciprocal[0],
        np.stack(reciprocal[1:]),
        np.tile(np.arange(edges), len(reciprocal[0]) // edges),
        n_resamples,
        confidence=ranking.confidence,
        rng=np.random.default_rng(seed),
    )
