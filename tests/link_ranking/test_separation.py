"""AUROC and average precision equal scikit-learn's, with ties and in every library."""

import numpy as np
import pytest
import rankings
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score, roc_auc_score

from gsnn_edges.evaluation import separation as separating
from gsnn_edges.evaluation.candidates import Pool
from gsnn_edges.evaluation.ranking import separation


def by_scikit_learn(scores, edges, true_edges, allowed):
    """Spell the pool out: every positive, duplicates too, then every negative."""
    negative = allowed.copy()
    for known in (edges, true_edges):
        negative[known[0], known[1]] = False
    values = np.concatenate([scores[edges[0], edges[1]], scores[negative]])
    truth = np.arange(len(values)) < edges.shape[1]
    return roc_auc_score(truth, values), average_precision_score(truth, values), truth.mean()


def measured(scores, edges, true_edges, pool, chunk, host):
    found = separation(
        scores, edges, host[edges[0], edges[1]].astype(float), true_edges, pool, chunk
    )
    return found.auroc, found.average_precision, found.prevalence


@pytest.mark.parametrize("levels", [1, 4, 10**6])
@pytest.mark.parametrize("chunk", [3, 2048])
def test_equals_scikit_learn(library, levels, chunk):
    if library.jit:
        pytest.skip("ranking is eager only")
    scores, edges, true_edges = rankings.problem(levels, levels=levels)
    allowed = np.random.default_rng(0).random(scores.shape) < 0.7
    allowed[edges[0], edges[1]] = True
    pool = Pool(len(scores), mask=allowed)
    found = measured(library.array(scores), edges, true_edges, pool, chunk, scores)
    assert_allclose(found, by_scikit_learn(scores, edges, true_edges, allowed), rtol=1e-12)


@pytest.mark.parametrize("block", [1, 20, 60, 140, 10**6])
def test_blocks_do_not_change_the_answer(monkeypatch, block):
    monkeypatch.setattr(separating, "BLOCK_SCORES", block)
    scores, edges, true_edges = rankings.proper_problem(1)
    found = measured(scores, edges, true_edges, Pool(20), 9, scores)
    expected = by_scikit_learn(scores, edges, true_edges, np.ones((20, 20), bool))
    assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_scores_of_other_dtypes(dtype):
    scores, edges, true_edges = rankings.proper_problem(0)
    found = measured(scores.astype(dtype), edges, true_edges, Pool(20), 7, scores)
    expected = by_scikit_learn(scores, edges, true_edges, np.ones((20, 20), bool))
    assert_allclose(found, expected, rtol=1e-12)


def test_nothing_to_part_from():
    found = measured(
        np.eye(2), np.array([[0], [1]]), np.indices((2, 2)).reshape(2, 4), Pool(2), 9, np.eye(2)
    )
    assert_allclose(found, [np.nan, 1, 1])
