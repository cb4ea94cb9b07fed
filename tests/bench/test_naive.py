"""Naive code and ours give the same, so that their times can be compared."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from gsnn_edges import cross_correlation, mrr
from gsnn_edges.bench.data import scored_edges
from gsnn_edges.bench.naive import gather_mrr, naive_spearman


def test_naive_spearman_equals_ours_where_nothing_is_tied():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(500, 8, generator=generator)
    g = torch.randn(500, 5, generator=generator)
    assert_allclose(naive_spearman(a, g), cross_correlation(a, g, ties="ordinal"), atol=1e-6)


@pytest.mark.filterwarnings("ignore:mrr. .* edges in edge_index are")
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_gather_mrr_equals_ours(chunk):
    scores, truths = scored_edges(15, 60)
    scores = scores.round(1)  # with ties
    untrue = np.argwhere(~np.isin(np.arange(225), truths[0] * 15 + truths[1]).reshape(15, 15)).T
    queries = np.concatenate([truths[:, :20], truths[:, :2], untrue[:, :5]], axis=1)
    found = gather_mrr(*map(torch.from_numpy, (scores, queries, truths)), chunk=chunk)
    assert_allclose(found, mrr(scores, queries, truths), rtol=1e-6)
