"""Slow, obvious answers: by SciPy, by scikit-learn, or by a loop."""

import copy
import statistics
from fractions import Fraction

import numpy as np
import scipy.stats


def ranks(x, ties="average"):
    """Ranks of each column, from 1."""
    return scipy.stats.rankdata(x, axis=0, method=ties)


def standardized(x, method="spearman", ties="average"):
    """Columns of mean 0 and length 1, in float64; a constant column is 0."""
    x = np.asarray(x).astype(np.float64)
    constant = np.ptp(x, axis=0) == 0
    x = ranks(x, ties) if method == "spearman" else x / np.where(constant, 1, abs(x).max(axis=0))
    x = x - x.mean(axis=0)
    return np.where(constant, 0, x / np.where(constant, 1, np.linalg.norm(x, axis=0)))


def correlation(a, g, method="spearman", ties="average"):
    """Correlations of all columns of one array with all columns of another."""
    return standardized(a, method, ties).T @ standardized(g, method, ties)


def channel_score(a, g, a_nodes, g_nodes, nodes, n_components=None, method="spearman"):
    """Norms of the blocks of correlations, node by node."""
    sides = [standardized(x, method) for x in (a, g)]
    found = np.zeros((nodes, nodes))
    for i in range(nodes):
        for j in range(nodes):
            left = principal(sides[0][:, np.asarray(a_nodes) == i], n_components)
            right = principal(sides[1][:, np.asarray(g_nodes) == j], n_components)
            found[i, j] = np.linalg.norm(left.T @ right)
    return found


def principal(x, count):
    """The projections on so many leading principal directions."""
    if count is None or x.shape[1] <= count:
        return x
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    return (u * s)[:, :count]


def residual(x, others):
    """What is left of columns after least squares on other columns and a constant."""
    others = np.column_stack([np.ones(len(x)), others])
    return x - others @ np.linalg.lstsq(others, x, rcond=None)[0]


def partial(a, g, held, method="spearman"):
    """Partial correlations; ``held(i, j)`` gives the columns held fixed for a pair."""
    a, g = (standardized(x, method) for x in (a, g))
    found = np.zeros((a.shape[1], g.shape[1]))
    for i, j in np.ndindex(*found.shape):
        left, right = (residual(x, held(i, j)) for x in (a[:, i], g[:, j]))
        if min(left @ left, right @ right) > 1e-5:
            found[i, j] = left @ right / np.sqrt((left @ left) * (right @ right))
    return found


def rivals(scores, edges, truths, *, head=False, allowed=None):
    """For each query: how many false pairs score more, as much, and how many there are."""
    true = set(zip(*np.asarray(truths).tolist(), strict=True))
    found = []
    for source, target in zip(*np.asarray(edges).tolist(), strict=True):
        line = [(k, target) if head else (source, k) for k in range(len(scores))]
        others = [
            pair
            for pair in line
            if pair != (source, target) and pair not in true and (allowed is None or allowed[pair])
        ]
        own = scores[source, target]
        above = sum(bool(scores[pair] > own) for pair in others)
        level = sum(bool(scores[pair] == own) for pair in others)
        found.append((above, level, len(others)))
    return found


def reciprocal_rank(scores, edges, truths):
    """Mean of 1 / rank; equal scores share the mean of their ranks."""
    counts = rivals(scores, edges, truths)
    return statistics.fmean(1 / (1 + above + level / 2) for above, level, _ in counts)


def metrics(counts, ks):
    """Rank metrics of what `rivals` found, by their definitions."""
    realistic = [1 + above + level / 2 for above, level, _ in counts]
    sizes = [1 + others for _, _, others in counts]
    by_chance = [float(sum(Fraction(1, k) for k in range(1, size + 1)) / size) for size in sizes]
    mean_rank, middle = statistics.fmean(realistic), statistics.fmean((n + 1) / 2 for n in sizes)
    mrr, expected = statistics.fmean(1 / rank for rank in realistic), statistics.fmean(by_chance)
    return {
        "mrr": mrr,
        "mrr_optimistic": statistics.fmean(1 / (1 + above) for above, _, _ in counts),
        "mrr_pessimistic": statistics.fmean(1 / (1 + above + level) for above, level, _ in counts),
        "mrr_random_ties": statistics.fmean(
            statistics.fmean(1 / (1 + above + k) for k in range(level + 1))
            for above, level, _ in counts
        ),
        "mean_rank": mean_rank,
        "median_rank": statistics.median(realistic),
        "amri": 1 - (mean_rank - 1) / (middle - 1),
        "adjusted_mrr": (mrr - expected) / (1 - expected),
        "hits": {k: statistics.fmean(rank <= k for rank in realistic) for k in ks},
        "expected_mrr": expected,
        "expected_mean_rank": middle,
        "expected_hits": {k: statistics.fmean(min(k, n) / n for n in sizes) for k in ks},
    }


def observations(model, crit, x, y, *, use_prenorm=True, norm="l1", agg="sum", channels=False):
    """Activations and gradients of a model of `networks`, node by node, layer after layer."""
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.requires_grad_()
    before, after, state = [], [], model.encoded(x)
    for block in model.ResBlocks:
        before.append(block.lin_in(state))
        after.append(block.activated(before[-1]))
        for record in (before[-1], after[-1]):
            record.retain_grad()
        state = block.update(state, after[-1])
    crit(model.decode(state), y).backward()
    records = before if use_prenorm else after
    groups = [block.channel_groups.tolist() for block in model.ResBlocks]
    credits = [record.grad for record in records]
    sides = [records[:-1], groups[:-1]], [credits[1:], groups[1:]]
    if channels:
        return [np.concatenate([x.detach().numpy() for x in values]) for values, _ in sides]
    nodes = 1 + max(max(own) for own in groups)
    return [
        np.array(
            [row for layer in zip(*side, strict=True) for row in by_node(*layer, nodes, norm, agg)]
        )
        for side in sides
    ]


def by_node(values, groups, nodes, norm, agg):
    """Channels of each sample as nodes; a node without channels is 0."""
    change = {"l1": abs, "l2": lambda v: v * v, "none": lambda v: v}[norm]
    reduce = {"sum": sum, "mean": statistics.fmean, "max": max}[agg]
    for row in values.detach().tolist():
        sizes = [[] for _ in range(nodes)]
        for node, value in zip(groups, row, strict=True):
            sizes[node].append(change(value))
        yield [reduce(own) if own else 0.0 for own in sizes]


def penalised(W, edges, factor):
    """W with less evidence into known targets, and more out of known sources, edge by edge."""
    W = W.copy()
    for source, target in zip(*edges, strict=True):
        W[source] *= 1 + factor
        W[:, target] *= 1 - factor
    return W


def layered(score, a, g, pairs, layers):
    """A score of all layer pairs pooled, of each one averaged, or of one of them."""
    if layers == "pooled":
        return score(a, g)
    parts = list(zip(np.split(a, pairs), np.split(g, pairs), strict=True))
    if layers == "mean":
        return np.mean([score(*part) for part in parts], axis=0)
    return score(*parts[-1 if layers == "last" else layers])
