"""Leads that were followed on the way to a score that holds on all graphs, and did not win.

Each gives (N, N) scores of one model. ``study.py --leads`` adds them to its file.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from gsnn_edges.scoring import edges_between_nodes, reciprocal_ranks

FOLDS = 5
# Of the strongest direction of the parents; weaker ones are rounding.
LEAST_DIRECTION = 1e-4
# Of the length of a column; a shorter residual is rounding.
LEAST_RESIDUAL = 1e-3


class Observed(NamedTuple):
    """Channels of one model, (M, C), the node of each, the known edges, and both scores of them."""

    a: np.ndarray
    g: np.ndarray
    nodes: np.ndarray
    samples: int
    known: np.ndarray
    magnitude: np.ndarray
    channels: np.ndarray


def row_ranks(W: np.ndarray) -> np.ndarray:
    """Rank each row: 1 for its strongest pair, ties share a mean."""
    return np.asarray(rankdata(-W, axis=1))


def rank_mean(seen: Observed) -> np.ndarray:
    """Mean of both scores' ranks in their row."""
    return -(row_ranks(seen.magnitude) + row_ranks(seen.channels))


def reciprocal_rank_fusion(seen: Observed) -> np.ndarray:
    """Sum of 1 / (60 + rank) (Cormack, Clarke and Buettcher 2009)."""
    return 1 / (60 + row_ranks(seen.magnitude)) + 1 / (60 + row_ranks(seen.channels))


def weighed_rank_mean(seen: Observed) -> np.ndarray:
    """Mean of ranks, weighed by how well each score ranks the known edges."""
    edges = edges_between_nodes(seen.known)
    pair = seen.magnitude, seen.channels
    weights = [reciprocal_ranks(W, edges)[0].mean() for W in pair]
    return -sum(weight * row_ranks(W) for weight, W in zip(weights, pair, strict=True))


def logistic(seen: Observed) -> np.ndarray:
    """Cross-fitted logistic regression of being a known edge on the logs of both scores' ranks."""
    features = np.log(np.stack([row_ranks(seen.magnitude), row_ranks(seen.channels)], axis=-1))
    nodes = len(seen.magnitude)
    known = np.zeros((nodes, nodes), bool)
    known[*seen.known] = True
    fold = np.random.default_rng(0).integers(0, FOLDS, known.shape)
    between = ~np.eye(nodes, dtype=bool)
    found = np.zeros(known.shape)
    for number in range(FOLDS):
        own, rest = fold == number, between & (fold != number)
        model = LogisticRegression(class_weight="balanced").fit(features[rest], known[rest])
        found[own] = model.decision_function(features[own])
    return found


def all_layer_pairs(seen: Observed) -> np.ndarray:
    """Channels of every layer with credit of every layer, averaged."""
    a, g = (standardized(x, seen.samples) for x in (seen.a, seen.g))
    found = [block_norms(one.T @ other, seen.nodes) for one in a for other in g]
    return np.asarray(np.mean(found, axis=0))


def residual_sources(seen: Observed) -> np.ndarray:
    """Channels of sources added up over the layers so far, as the residual stream carries them."""
    layers = seen.a.reshape(-1, seen.samples, seen.a.shape[1])
    summed = np.cumsum(layers, axis=0).reshape(seen.a.shape)
    return np.asarray(np.mean(by_pair(summed, seen), axis=0))


def weighed_pairs(seen: Observed) -> np.ndarray:
    """Layer pairs weighed by how far beyond chance each ranks the known edges."""
    found = by_pair(seen.a, seen)
    weights = np.maximum([beyond_chance(W, seen.known) for W in found], 0)
    return np.asarray(np.average(found, axis=0, weights=weights if weights.any() else None))


def best_pair(seen: Observed) -> np.ndarray:
    """Take the layer pair that ranks the known edges best."""
    return max(by_pair(seen.a, seen), key=lambda W: beyond_chance(W, seen.known))


def by_pair(a: np.ndarray, seen: Observed) -> list[np.ndarray]:
    """Channel score of each layer pair."""
    pairs = zip(standardized(a, seen.samples), standardized(seen.g, seen.samples), strict=True)
    return [block_norms(left.T @ right, seen.nodes) for left, right in pairs]


def beyond_chance(W: np.ndarray, known: np.ndarray) -> float:
    """Mean reciprocal rank of the known edges, less that of random scores."""
    found, expected = reciprocal_ranks(W, edges_between_nodes(known))
    return float((found - expected).mean())


def channels_given_parents(seen: Observed) -> np.ndarray:
    """Channels with credit, both without what the channels of the known parents explain."""
    layers = [standardized(x, seen.samples) for x in (seen.a, seen.g)]
    return np.asarray(np.mean([given_parents(a, g, seen) for a, g in zip(*layers, strict=True)], 0))


def standardized(x: np.ndarray, samples: int) -> np.ndarray:
    """Ranks of each layer, of mean 0 and length 1: (layers, samples, C)."""
    ranks = rankdata(x.reshape(-1, samples, x.shape[1]), axis=1)
    return of_length_one(ranks - ranks.mean(axis=1, keepdims=True), 0.0, axis=1)


def of_length_one(x: np.ndarray, least: float, axis: int) -> np.ndarray:
    """Divide by lengths; 0 where a length is not above the least."""
    length = np.linalg.norm(x, axis=axis, keepdims=True)
    return np.where(length > least, x / np.where(length > least, length, 1), 0)


def given_parents(a: np.ndarray, g: np.ndarray, seen: Observed) -> np.ndarray:
    """One layer pair, target by target."""
    found = np.zeros_like(seen.channels)
    edges = edges_between_nodes(seen.known)
    for target in range(len(found)):
        parents = edges[0, edges[1] == target]
        basis, lengths, _ = np.linalg.svd(a[:, np.isin(seen.nodes, parents)], full_matrices=False)
        basis = basis[:, lengths > LEAST_DIRECTION * lengths.max(initial=LEAST_DIRECTION)]
        left, right = (
            of_length_one(x - basis @ (basis.T @ x), LEAST_RESIDUAL, axis=0)
            for x in (a, g[:, seen.nodes == target])
        )
        squares = np.square(left.T @ right).sum(axis=1)
        found[:, target] = np.sqrt(np.bincount(seen.nodes, squares, len(found)))
    return found


def block_norms(products: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Frobenius norms of the blocks of all pairs of nodes."""
    own = np.equal.outer(np.arange(nodes.max() + 1), nodes).astype(float)
    return np.asarray(np.sqrt(own @ np.square(products) @ own.T))


LEADS = {
    "mean of both scores' ranks": rank_mean,
    "the same, weighed by known edges": weighed_rank_mean,
    "reciprocal rank fusion": reciprocal_rank_fusion,
    "logistic regression on known edges": logistic,
    "channels, all pairs of layers": all_layer_pairs,
    "channels given the known parents": channels_given_parents,
    "channels, sources added up over the layers": residual_sources,
    "channels, pairs weighed by known edges": weighed_pairs,
    "channels, the pair that known edges take": best_pair,
}
