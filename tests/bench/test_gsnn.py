"""The measured model; tests/demo/test_gsnn.py holds the naive gradients against ours."""

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges.bench.gsnn import bare_pass, example, naive_forward, naive_pass, sparse_pairs
from gsnn_edges.demo.gsnn import GSNN


@pytest.fixture
def small():
    return example(30, batch=12, layers=3, channels=2)


def test_example_has_the_size_asked_for(small):
    assert len(small.model.ResBlocks) == 3
    assert_array_equal(small.model.ResBlocks[0].channel_groups.bincount(), [2] * 30)
    assert small.model(small.x).shape == small.y.shape == (12, 15)
    assert not small.model.training
    assert_allclose(small.edges.shape[1], 30 * 5, rtol=0.1)


def test_naive_pass_equals_the_bare_pass(small):
    for ours, naive in zip(
        bare_pass(small), naive_pass(small, sparse_pairs(small.model)), strict=True
    ):
        assert_allclose(ours, naive, rtol=1e-3, atol=1e-6)


def test_naive_forward_knows_a_model_without_residual(small):
    edges = {("input", "to", "function"): [[0], [0]], ("function", "to", "output"): [[1], [0]]}
    edges[("function", "to", "function")] = [[0], [1]]
    names = {"input": ["x"], "function": ["a", "b"], "output": ["y"]}
    tensors = {kind: torch.tensor(pairs) for kind, pairs in edges.items()}
    model = GSNN(tensors, names, layers=2, residual=False).eval()
    x = torch.ones(3, 1)
    assert_allclose(
        naive_forward(model, x, sparse_pairs(model)).detach(), model(x).detach(), rtol=1e-5
    )


def test_passes_leave_no_gradient_behind(small):
    bare_pass(small)
    assert [p for p in small.model.parameters() if p.grad is not None] == []
