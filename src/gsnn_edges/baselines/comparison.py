"""Evidence beside honest baselines: the same metrics over the same candidates."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.baselines.arguments import (
    Untrained,
    checked_scores,
    checked_values,
    reject_known_queries,
    untrained_matrices,
    without_facts,
)
from gsnn_edges.baselines.catalogue import baselines
from gsnn_edges.baselines.graph import Scores
from gsnn_edges.baselines.lift import MrrDifference, compare_mrr
from gsnn_edges.baselines.table import ComparedScore, Comparison
from gsnn_edges.evaluation import LinkRanking, evaluate_edges
from gsnn_edges.evaluation.evaluation import Direction
from gsnn_edges.evidence import EdgeEvidence

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
