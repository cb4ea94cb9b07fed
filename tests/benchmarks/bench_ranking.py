"""Link ranking, beside a gather of a row of scores for each query, PyKEEN and torchmetrics."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from benchmarks.problems import array_of, gather_mrr, scored_edges

from gsnn_edges import EdgeEvidence, evaluate_edges, mrr

SIZES = [{"N": 5000, "E": 50_000}, {"N": 10_000, "E": 200_000}]


@pytest.mark.sizes(*SIZES)
def bench_mrr(size, library, timed):
    scores, queries = scored_edges(*size.values())
    timed(f"mrr, {library}", partial(mrr, array_of(library, scores), queries, queries))


@pytest.mark.sizes(SIZES[0])
@pytest.mark.parametrize("pool_metrics", [False, True])
def bench_evaluate_edges(size, pool_metrics, timed):
    scores, queries = scored_edges(*size.values())
    options = {"n_resamples": None, "pool_metrics": pool_metrics}
    call = partial(evaluate_edges, scores, queries, queries, **options)
    ours = partial(mrr, scores, queries, queries)
    timed(f"evaluate_edges, {options}", call, "mrr, numpy", ours)


def scikit_learn(scores, queries):
    metrics = pytest.importorskip("sklearn.metrics")
    true = np.zeros(scores.shape, bool)
    true[tuple(queries)] = True
    pairs = true.ravel(), scores.ravel()
    return metrics.roc_auc_score(*pairs), metrics.average_precision_score(*pairs)


@pytest.mark.sizes(SIZES[0])
def bench_areas(size, timed):
    scores, queries = scored_edges(*size.values())
    ours = partial(evaluate_edges, scores, queries, queries, n_resamples=None)
    call = partial(scikit_learn, scores, queries)
    timed("scikit-learn, AUROC and average precision", call, "evaluate_edges", ours)


@pytest.mark.sizes({"N": 3000, "E": 15_000})
@pytest.mark.parametrize("share", [None, 9])
def bench_strongest(size, share, timed):
    scores, known = scored_edges(*size.values())
    evidence = EdgeEvidence(scores, known_edges=known)
    pairs = scores.size // share if share else 100
    call = partial(evidence.to_frame if share else evidence.top, pairs)
    timed(
        f"{call.func.__name__}, pairs: {pairs}", call, "np.sort of W", lambda: np.sort(scores, None)
    )


def competitors(scores, queries):
    """Scores of each query's source, -inf where another target is a true edge."""
    true = torch.zeros(scores.shape, dtype=torch.bool)
    true[queries[0], queries[1]] = True
    others = true[queries[0]].scatter_(1, queries[1][:, None], False)
    return scores[queries[0]].masked_fill(others, -torch.inf)


def pykeen(scores, queries):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        ranks = pytest.importorskip("pykeen.evaluation.ranks").Ranks
        metric = pytest.importorskip("pykeen.metrics.ranking").InverseHarmonicMeanRank()
    rows = competitors(scores, queries)
    found = ranks.from_scores(rows.gather(1, queries[1][:, None]), rows)
    return metric(found.realistic.numpy())


def torchmetrics(scores, queries):
    metric = pytest.importorskip("torchmetrics.retrieval").RetrievalMRR()
    rows = competitors(scores, queries)
    target = torch.zeros(rows.shape, dtype=torch.bool).scatter_(1, queries[1][:, None], True)
    which = torch.arange(len(rows))[:, None].expand_as(rows)
    return metric(rows, target, indexes=which)


PEERS = [(gather_mrr, None), (pykeen, 2000), (torchmetrics, 500)]


@pytest.mark.sizes(*SIZES)
@pytest.mark.parametrize(("peer", "count"), PEERS)
def bench_peer(size, peer, count, timed):
    """The libraries keep all rows of scores, so they get some queries only; ours gets the same."""
    scores, queries = map(torch.from_numpy, scored_edges(*size.values()))
    queries = queries[:, :count]
    ours = partial(mrr, scores, queries, queries)
    timed(f"{peer.__name__}, queries: {count}", partial(peer, scores, queries), "mrr, torch", ours)
