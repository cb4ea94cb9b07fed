"""What a user writes: `check_wheel.py` has type checkers read it, and commands take its model."""

import numpy as np
import torch
from numpy.typing import NDArray

import gsnn_edges
from gsnn_edges import (
    EdgeEvidence,
    FunctionEdgeInferer,
    backends,
    compare,
    cross_correlation,
    evaluate_edges,
    mrr,
    plots,
    rankdata,
    split_edges,
)
from gsnn_edges.demo import GSNN, tutorial
from gsnn_edges.evaluation import LinkRanking
from gsnn_edges.training import BestCheckpoint


def model() -> torch.nn.Module:
    """Make a model as `--model` names it."""
    problem = tutorial(seed=0)
    return GSNN(problem.edge_index_dict, problem.node_names_dict, layers=3, seed=0)


def find(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, edges: NDArray[np.int64]) -> str:
    """Find edges, rank them, and name the best."""
    known, held_out = split_edges(edges, (0.8, 0.2), seed=0)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), known, norm="l2", agg="mean")
    tracker = BestCheckpoint(model, lambda: inferer.fit(x, y), held_out, edges, every=2)
    score: float | None = tracker.step(0)
    evidence: EdgeEvidence = inferer.infer(x, y, score="channels", layers="mean")
    found: LinkRanking = evidence.evaluate(held_out, edges, seed=0)
    best = evidence.top(3, exclude_self=True)[0]
    beside = compare({"W": evidence.W}, held_out, edges, known_edges=known, seed=0)
    plots.save(plots.heatmap(evidence, held_out=held_out), "heatmap.png")
    plots.save(plots.comparison(beside), "comparison.svg")
    return f"{score} {best.source_name} {best.score:.3f} {found.mrr:.3f} {found.hits[10]:.3f}"


def correlate(a: NDArray[np.float32], g: NDArray[np.float32]) -> float:
    """Use the core without a model."""
    W = cross_correlation(a, g, method="pearson", row_chunk=10)
    ranks = rankdata(a, ties="ordinal")
    ranking = evaluate_edges(W, [[0], [1]], [[0], [1]], ks=[1, 3])
    value: float = mrr(W, [[0], [1]], [[0], [1]]) + ranking.amri
    names: tuple[str, ...] = backends.available()
    wrong: str = mrr(W, [[0], [1]], [[0], [1]])  # type: ignore[assignment]  # or types are lost
    print(gsnn_edges.__version__, ranks.shape, names, wrong)
    return value
