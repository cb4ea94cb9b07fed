"""Evidence beside baselines: the same metrics over the same queries and candidates."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from statistics import fmean
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.baselines.graph import OF_GRAPH, Scores, random_scores
from gsnn_edges.baselines.measured import OF_VALUES, NodeValues, measured_scores, paired_values
from gsnn_edges.baselines.networks import activation_correlation
from gsnn_edges.baselines.structural import STRUCTURAL, structural_rows
from gsnn_edges.evaluation import LinkRanking, evaluate_edges
from gsnn_edges.evaluation.candidates import listed
from gsnn_edges.evaluation.metrics import NO_INTERVAL, Interval, resampled_sums
from gsnn_edges.evaluation.ranking import Direction
from gsnn_edges.evaluation.results import json_safe, number, number_range, text_table
from gsnn_edges.evidence import EdgeEvidence

Values = NDArray[np.float64]
Kind = Literal["given", "baseline", "model", "untrained"]
Permute = Literal["rows", "columns"]
Untrained: TypeAlias = (
    Callable[[int], Array] | Callable[[Any, Any], Sequence[Array]] | Sequence[Array]
)
Scored: TypeAlias = Array | EdgeEvidence | Sequence[Array | EdgeEvidence]

BASELINES = ("random", *OF_GRAPH, "activation_correlation", *OF_VALUES, *STRUCTURAL)
PERMUTE = ("rows", "columns")
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
    rankings: Sequence[LinkRanking],
    others: Sequence[LinkRanking],
    n_resamples: int | None,
    seed: int,
) -> MrrDifference:
    """MRR of rankings, in the mean, minus that of others."""
    return mrr_difference(
        np.mean([_reciprocal_ranks(ranking) for ranking in rankings], axis=0),
        np.stack([_reciprocal_ranks(ranking) for ranking in others]),
        n_resamples,
        confidence=rankings[0].confidence,
        rng=np.random.default_rng(seed),
    )


def _reciprocal_ranks(ranking: LinkRanking) -> Values:
    """Reciprocal rank of each edge, the mean of both where both directions are ranked."""
    reciprocal: Values = 1 / ranking.queries.ranks.realistic
    directions = 2 if ranking.direction == "both" else 1
    return np.asarray(reciprocal.reshape(directions, -1).mean(axis=0))


@dataclass(frozen=True, eq=False)
class PermutedControl:
    """A score made of the same data with the rows of y permuted: what the graph alone gives.

    Attributes
    ----------
    rankings : tuple of LinkRanking
        One for each permutation, and for each untrained model where it is theirs.
    mrr_difference : MrrDifference
        MRR of the score minus the mean MRR of these.
    """

    rankings: tuple[LinkRanking, ...]
    mrr_difference: MrrDifference

    @property
    def mrr(self) -> float:
        """Mean MRR of the permuted data."""
        return fmean(ranking.mrr for ranking in self.rankings)


@dataclass(frozen=True, eq=False)
class ComparedScore:
    """A score and how it ranks the queries.

    Attributes
    ----------
    name : str
    kind : {"given", "baseline", "model", "untrained"}
        From ``scores``, a baseline, one of several models, or an untrained one.
    ranking : LinkRanking
    coverage : float
        Share of the queries that the score knows, in [0, 1]; the others share the lowest score.
    mrr_difference : MrrDifference or None
        MRR minus the mean MRR of the untrained models; None where there are none.
    permuted : PermutedControl or None
        None where no control was asked for, or where a network would have to be trained for it.
    members : tuple of LinkRanking
        Of the single models, where ``scores`` had several; ``ranking`` is of their mean.
    """

    name: str
    kind: Kind
    ranking: LinkRanking
    coverage: float
    mrr_difference: MrrDifference | None = None
    permuted: PermutedControl | None = None
    members: tuple[LinkRanking, ...] = ()

    @property
    def std(self) -> dict[str, float]:
        """Standard deviation (ddof = 1) of each figure over the single models, by its name."""
        if len(self.members) < 2:
            return {}
        each = [_figures(ranking) for ranking in self.members]
        return {name: float(np.std([one[name] for one in each], ddof=1)) for name in each[0]}


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
    untrained_permuted : dict of str to PermutedControl
        Of the untrained models, by the names of ``untrained``.
    notes : tuple of str
        What was left out, and why; the last lines of the table.

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
    untrained_permuted: Mapping[str, PermutedControl] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
        rankings = [self[name].ranking], [self[other].ranking]
        return _difference(*rankings, self.n_resamples, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """All but the single ranks, ready for JSON: nan becomes None.

        Returns
        -------
        dict
            "rows", each with "name", "kind", "coverage", "mrr_difference", "ranking" (as
            `LinkRanking.to_dict`), "permuted", "std" and "members"; "untrained", a list of rankings
            for each name, "untrained_permuted" and "notes".
        """
        rows = [
            {
                "name": row.name,
                "kind": row.kind,
                "coverage": row.coverage,
                "mrr_difference": row.mrr_difference and json_safe(asdict(row.mrr_difference)),
                "ranking": row.ranking.to_dict(),
                "permuted": row.permuted and _control_dict(row.permuted),
                "std": json_safe(row.std),
                "members": [ranking.to_dict() for ranking in row.members],
            }
            for row in self.rows
        ]
        untrained = {
            name: [ranking.to_dict() for ranking in rankings]
            for name, rankings in self.untrained.items()
        }
        controls = {name: _control_dict(each) for name, each in self.untrained_permuted.items()}
        return {
            "rows": rows,
            "untrained": untrained,
            "untrained_permuted": controls,
            "notes": list(self.notes),
        }

    def to_frame(self) -> Any:
        """Rows of a pandas DataFrame, one for each score, baseline and single model.

        Returns
        -------
        pandas.DataFrame
            Columns "name", "kind", "coverage", the metrics, and "mrr_low", "mrr_high",
            "mrr_difference", "mrr_difference_low" and "mrr_difference_high", "permuted_mrr",
            "permuted_difference" with its ends, and "..._std" of each metric over several models;
            nan where there is none.

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
        members = (
            ComparedScore(f"{row.name} model {place}", "model", ranking, 1.0)
            for row in self.rows
            for place, ranking in enumerate(row.members)
        )
        return pd.DataFrame([_frame_row(row) for row in (*self.rows, *members, *untrained)])

    def __str__(self) -> str:
        first = self.rows[0].ranking
        level = f"{100 * first.confidence:g}% interval"
        title = ["", "mrr", level, "over models", "amri", "auroc", "coverage"]
        title += ["mrr difference", level, "permuted", "minus permuted", level]
        controlled = any(row.permuted for row in self.rows)
        lines = [_text_row(row, controlled) for row in self.rows]
        place = sum(row.kind == "given" for row in self.rows)
        lines[place:place] = [
            _untrained_row(*each, self.untrained_permuted.get(each[0]), controlled)
            for each in self.untrained.items()
        ]
        heading = f"{first.heading()}; MRR by chance {number(first.expected_mrr)}"
        return "\n".join([text_table(heading, title, lines), *self.notes])

    __repr__ = __str__


def _figures(ranking: LinkRanking) -> dict[str, float]:
    pool = ranking.separation
    return {
        "mrr": ranking.mrr,
        "adjusted_mrr": ranking.adjusted_mrr,
        **{f"hits@{k}": hits for k, hits in ranking.hits.items()},
        "mean_rank": ranking.mean_rank,
        "median_rank": ranking.median_rank,
        "amri": ranking.amri,
        "auroc": _NAN if pool is None else pool.auroc,
        "average_precision": _NAN if pool is None else pool.average_precision,
    }


def _frame_row(row: ComparedScore) -> dict[str, Any]:
    difference, control = row.mrr_difference, row.permuted
    minus = None if control is None else control.mrr_difference
    figures = _figures(row.ranking)
    return {
        "name": row.name,
        "kind": row.kind,
        "coverage": row.coverage,
        "mrr": figures.pop("mrr"),
        **_ends("mrr", row.ranking.intervals.get("mrr")),
        **figures,
        "mrr_difference": _NAN if difference is None else difference.value,
        **_ends("mrr_difference", None if difference is None else difference.interval),
        "permuted_mrr": _NAN if control is None else control.mrr,
        "permuted_difference": _NAN if minus is None else minus.value,
        **_ends("permuted_difference", None if minus is None else minus.interval),
        **{f"{name}_std": std for name, std in row.std.items()},
    }


def _control_dict(control: PermutedControl) -> dict[str, Any]:
    return {
        "mrr": control.mrr,
        "mrr_difference": json_safe(asdict(control.mrr_difference)),
        "rankings": [ranking.to_dict() for ranking in control.rankings],
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float]:
    return dict(zip((f"{name}_low", f"{name}_high"), interval or NO_INTERVAL, strict=True))


def _text_row(row: ComparedScore, controlled: bool) -> tuple[str, ...]:
    difference, pool = row.mrr_difference, row.ranking.separation
    mrrs = [ranking.mrr for ranking in row.members]
    return (
        row.name,
        number(row.ranking.mrr),
        number_range(row.ranking.intervals.get("mrr")),
        f"{number(fmean(mrrs))} ± {number(row.std['mrr'])}" if row.std else "",
        number(row.ranking.amri),
        number(None if pool is None else pool.auroc),
        number(row.coverage),
        "" if difference is None else f"{difference.value:+.4f}",
        number_range(None if difference is None else difference.interval),
        *_control_cells(row.permuted, "needs retrain=" if controlled else ""),
    )


def _control_cells(control: PermutedControl | None, need: str) -> tuple[str, str, str]:
    """MRR of permuted rows and the difference from it, or what they need."""
    if control is None:
        return need, "", ""
    minus = control.mrr_difference
    return number(control.mrr), f"{minus.value:+.4f}", number_range(minus.interval)


def _untrained_row(
    name: str, rankings: Sequence[LinkRanking], control: PermutedControl | None, controlled: bool
) -> tuple[str, ...]:
    """Means over the untrained models."""
    aurocs = [ranking.separation.auroc for ranking in rankings if ranking.separation is not None]
    return (
        f"{name} untrained, mean of {len(rankings)}".lstrip(),
        number(fmean(ranking.mrr for ranking in rankings)),
        "",
        "",
        number(fmean(ranking.amri for ranking in rankings)),
        number(fmean(aurocs) if aurocs else None),
        "",
        "",
        "",
        *_control_cells(control, "needs untrained(x, y)" if controlled else ""),
    )


def compare(
    scores: Mapping[str, Scored] | Scored,
    edge_index: Any,
    all_true_edges: Any,
    *,
    known_edges: Any,
    observations: Array | None = None,
    measured: tuple[Any, Any] | None = None,
    perturbations: tuple[Any, Any] | None = None,
    untrained: Untrained | Mapping[str, Untrained] | None = None,
    seeds: int = 5,
    permuted: int = 0,
    permute: Permute = "rows",
    retrain: Callable[[Any, Any], Any] | None = None,
    structural: bool = True,
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
        "W". A list of them is of several models of one architecture: their mean is ranked, and
        each of them for the standard deviation of every figure.
    edge_index, all_true_edges, candidates, direction, ks, exclude_self, node_names
        As of `gsnn_edges.evaluate_edges`, which ranks every row. ``exclude_self=True`` is fairer
        where self-edges are no answer: baselines of pairs do not score them.
    known_edges : array-like of whole numbers, shape (2, E)
        The edges that the model has: none of ``edge_index``.
    observations : array of shape (M, N), optional
        Activations of all nodes, as `gsnn_edges.capture` gives them.
    measured, perturbations : pair of (values of shape (rows, K), nodes of shape (K,)), optional
        Values of measured nodes and inputs of perturbed ones, with the node of each column, each
        node at most once, by index or by name; rows are the same samples in both.
    untrained : callable, sequence of matrices, or mapping of score names to such, optional
        Scores by the same settings before training: ``untrained(seed)`` gives a matrix (N, N),
        and is called for 0 .. seeds - 1; or the matrices themselves, as `untrained_scores` gives
        them. A callable of two arguments, ``untrained(x, y)``, gives such a list for the inputs
        and measured values, of which ``permuted`` needs several. A mapping gives a score its own;
        what is no mapping serves all rows.
    seeds : int
        Untrained models of a callable of a seed.
    permuted : int
        So many times, permute the measured values and score anew: a control of what the graph
        gives without the data.
    permute : {"rows", "columns"}
        Permute whole rows, so that inputs say nothing of the measured values, which still say
        something of each other; or each column by itself, which leaves the graph alone.
    retrain : callable, optional
        ``retrain(x, y)`` trains a fresh model on inputs and permuted measured values and gives
        its scores, as ``scores``: a matrix or evidence, or a mapping by their names. Without it
        the rows of trained networks have no control, and say so.
    structural : bool
        Rank by `structural_score` too, where ``measured`` and ``perturbations`` are known.
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
        minus the mean MRR of the untrained models, with an interval over queries and over seeds;
        ``row.permuted`` its control, ``row.std`` the spread over several models.

    Raises
    ------
    TypeError, ValueError
        For a score that is no finite (N, N) matrix or is named as a baseline, known edges that
        hold a query, values that do not go with their nodes, an untrained model for a score that
        is not there, a ``retrain`` that returns something else than scores, and as
        `gsnn_edges.evaluate_edges`.

    Notes
    -----
    Pairs that a baseline cannot score, such as those of unmeasured nodes or of a node with
    itself, share the lowest score; ``row.coverage`` is the share of queries that it can. Constant
    columns correlate to 0. Intervals speak of the choice of queries, and those of differences of
    initial weights, not of another training.

    Peak memory is that of `gsnn_edges.evaluate_edges`, and a few float64 matrices (N, N). Baselines
    are computed on the host in float64; correlations of ``observations`` where these lie. Scores
    of the graph alone are their own control. The structural score warns where it takes more than
    two minutes.

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
    members = _matrices("scores", scores)
    matrices = {name: _mean(some) for name, some in members.items()}
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
    shuffles = _shuffled(permuted, permute, values, measured, seed)
    structural = _validation.flag("structural", structural) and inputs is not None
    data = [_rows(pair, None) for pair in (perturbations, measured)]

    notes: dict[str, None] = {}

    def of_values(y: NodeValues | None) -> Iterator[tuple[str, Scores]]:
        return _of_values(y, inputs, known, count, structural, seed, notes)

    def of_untrained(sources: Mapping[str, Any], y: Any) -> dict[str, tuple[LinkRanking, ...]]:
        some = _untrained_matrices(sources, matrices, seeds, count, data[0], y)
        return {name: tuple(map(rank, each)) for name, each in some.items()}

    if not isinstance(untrained, Mapping):
        untrained = {} if untrained is None else {"": untrained}
    before = of_untrained(untrained, data[1])
    of_data = {name: some for name, some in untrained.items() if _takes_data(some)}
    controls: dict[str, list[LinkRanking]] = {}
    untrained_controls: dict[str, list[LinkRanking]] = {}
    for y, shuffled in shuffles:
        retrained = {} if retrain is None else _retrained(retrain, data[0], y, matrices)
        for name, matrix in chain(retrained.items(), of_values(shuffled)):
            controls.setdefault(name, []).append(rank(_filled(matrix)))
        for name, rankings in of_untrained(of_data, y).items():
            untrained_controls.setdefault(name, []).extend(rankings)

    def control(rankings: Sequence[LinkRanking], others: Sequence[LinkRanking]) -> PermutedControl:
        return PermutedControl(tuple(others), _difference(rankings, others, n_resamples, seed))

    def row(name: str, kind: Kind, matrix: Array, coverage: float = 1.0) -> ComparedScore:
        ranking, others = rank(matrix), before.get(name) or before.get("")
        difference = _difference([ranking], others, n_resamples, seed) if others else None
        of_graph = name == "random" or name in OF_GRAPH
        again = [ranking] * len(shuffles) if of_graph else controls.get(name)
        single = members.get(name, ())
        each = tuple(map(rank, single)) if len(single) > 1 else ()
        beside = control([ranking], again) if again else None
        return ComparedScore(name, kind, ranking, coverage, difference, beside, each)

    rows = [row(name, "given", matrix) for name, matrix in matrices.items()]
    baselines = chain(_of_nodes(count, known, observations, seed), of_values(values))
    for name, matrix in baselines:
        coverage = float((~np.isnan(matrix[edges[0], edges[1]])).mean())
        rows.append(row(name, "baseline", _filled(matrix), coverage))
    of_before = {name: control(before[name], each) for name, each in untrained_controls.items()}
    return Comparison(tuple(rows), before, n_resamples, seed, of_before, tuple(notes))


def _filled(matrix: Any) -> Any:
    """A matrix whose nan are less than all else."""
    if not isinstance(matrix, np.ndarray):
        return matrix
    scored = ~np.isnan(matrix)
    lowest = matrix[scored].min() - 1 if scored.any() else 0.0
    return matrix if scored.all() else np.where(scored, matrix, lowest)


def _shuffled(
    permuted: Any, permute: Any, values: NodeValues | None, measured: Any, seed: int
) -> list[tuple[Any, NodeValues]]:
    """Measured values with permuted rows, together or column by column: as passed, and ours."""
    _validation.choice("permute", permute, PERMUTE)
    permuted = _validation.whole_number("permuted", permuted, least=0)
    if not permuted:
        return []
    if values is None:
        raise ValueError(
            "permuted must come with measured, whose rows it permutes; got measured=None: pass "
            "measured=(y, nodes), and perturbations=(x, nodes)"
        )
    rng = np.random.default_rng([seed, permuted])
    rows, columns = values.values.shape
    places = np.tile(np.arange(rows)[:, None], columns)
    shuffles = []
    for _ in range(permuted):
        order: Any
        if permute == "rows":
            order = rng.permutation(rows)
        else:
            order = rng.permuted(places, axis=0), np.arange(columns)
        ours = NodeValues(values.values[order], values.nodes)
        shuffles.append((_rows(measured, order), ours))
    return shuffles


def _rows(pair: Any, order: Any) -> Any:
    """The values of a pair as they were passed, with their rows in an order."""
    if pair is None:
        return None
    values = pair[0] if hasattr(pair[0], "shape") else np.asarray(pair[0])
    return values if order is None else values[order]


def _retrained(retrain: Any, x: Any, y: Any, scores: Mapping[str, Array]) -> dict[str, Array]:
    """Scores of a fresh model, by the names of those that it is a control for."""
    if not callable(retrain):
        raise TypeError(
            f"retrain must be a callable, retrain(x, y); got {type(retrain).__name__}: it trains "
            "a fresh model and returns its scores"
        )
    result = retrain(x, y)
    if not isinstance(result, Mapping):
        if len(scores) > 1:
            raise ValueError(
                f"retrain must return a mapping by the names of scores, {', '.join(scores)}, as "
                f"there are several; got {type(result).__name__}"
            )
        result = {next(iter(scores)): result}
    unknown = [name for name in result if name not in scores]
    if unknown:
        raise ValueError(
            f"retrain must return scores of those that are compared, {', '.join(scores)}; got "
            f"{_validation.listing(unknown)}"
        )
    label = "what retrain returns"
    found = {name: _mean(some) for name, some in _matrices(label, result).items()}
    count = next(iter(scores.values())).shape[0]
    for name, matrix in found.items():
        if matrix.shape[0] != count:
            raise ValueError(
                f"{label} must be a matrix of the {count} nodes of scores; got {matrix.shape[0]} "
                f"nodes for {name!r}: score the same architecture"
            )
    return found


def _of_nodes(
    count: int, known: np.ndarray, observations: Any, seed: int
) -> Iterator[tuple[str, Scores]]:
    """Every baseline of the graph, and that of a network's activations."""
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


def _of_values(
    measured: NodeValues | None,
    perturbations: NodeValues | None,
    known: np.ndarray,
    count: int,
    structural: bool,
    seed: int,
    notes: dict[str, None],
) -> Iterator[tuple[str, Scores]]:
    """Every baseline of the measured values; why one is left out is noted."""
    if measured is None:
        return
    yield from measured_scores(measured, perturbations, known, count)
    if structural:
        try:
            yield from structural_rows(measured, perturbations, known, count, seed)
        except (ValueError, ImportError) as error:
            notes[f"structural_score is left out: {error}"] = None


def _matrices(label: str, scores: Any) -> dict[str, list[Array]]:
    """Finite square matrices of one size by name, of one model or of several."""
    if isinstance(scores, EdgeEvidence | list | tuple):
        scores = {"W": scores}
    if not isinstance(scores, Mapping) or not scores:
        raise TypeError(
            f"{label} must map names to matrices, at least one, such as {{'W': W}}; got "
            f"{type(scores).__name__}{' without an entry' if isinstance(scores, Mapping) else ''}"
        )
    members = {
        name: list(some) if isinstance(some, list | tuple) else [some]
        for name, some in scores.items()
    }
    for name, some in members.items():
        if not isinstance(name, str):
            raise TypeError(f"scores must have names of str; got {name!r}: map it to str first")
        if name in BASELINES:
            raise ValueError(
                f"scores must not be named as a baseline; got {name}: choose another name"
            )
        if not some:
            raise ValueError(f"{label}[{name!r}] must hold a matrix; got an empty list")
    matrices = {
        name: [each.W if isinstance(each, EdgeEvidence) else each for each in some]
        for name, some in members.items()
    }
    sizes = {
        f"{name} {place}" if place else name: _size(f"{label}[{name!r}]", matrix)
        for name, some in matrices.items()
        for place, matrix in enumerate(some)
    }
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"{label} must be matrices of the same nodes; got sizes {sizes}: order all as the model"
        )
    if all(isinstance(each, EdgeEvidence) for some in members.values() for each in some):
        for some in members.values():
            EdgeEvidence.mean(some)  # of one score, method and nodes, or it raises
    return matrices


def _mean(matrices: Sequence[Array]) -> Array:
    """A matrix, or the mean of several in float64."""
    if len(matrices) == 1:
        return matrices[0]
    return EdgeEvidence.mean([EdgeEvidence(matrix) for matrix in matrices]).W


def _size(name: str, matrix: Any) -> int:
    """Number of nodes of a finite square matrix."""
    nodes = _validation.square(name, matrix)
    _validation.finite(name, matrix)
    return nodes


def _takes_data(untrained: Any) -> bool:
    """Whether untrained models are made of x and y, and not of a seed."""
    if not callable(untrained):
        return False
    try:
        inspect.signature(untrained).bind(0)
    except TypeError:
        return True
    except ValueError:  # a builtin without a signature takes a seed
        pass
    return False


def _untrained_matrices(
    untrained: Mapping[str, Any],
    scores: Mapping[str, Array],
    seeds: int,
    count: int,
    x: Any,
    y: Any,
) -> dict[str, list[Array]]:
    """Untrained matrices of each score of a mapping; those of all scores under ""."""
    unknown = [name for name in untrained if name and name not in scores]
    if unknown:
        raise ValueError(
            f"untrained must be for scores that are compared, {', '.join(scores)}; got "
            f"{_validation.listing(unknown)}: use the names of scores"
        )
    matrices = {}
    for name, source in untrained.items():
        label = f"untrained[{name!r}]" if name else "untrained"
        if _takes_data(source):
            source = source(x, y)
        elif callable(source):
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
