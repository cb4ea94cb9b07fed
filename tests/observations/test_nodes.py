"""Channels become nodes as a loop would do it."""

import numpy as np
import pytest
import torch
from gsnn_models import LAYERS, by_node
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gsnn_edges.activations.nodes import AGGS, NORMS, NodeReducer

PAIRS = [(norm, agg) for norm in NORMS for agg in AGGS]
EVERY = pytest.mark.parametrize(("norm", "agg"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
SIDE_BY_SIDE = [0, 0, 0, 1, 1, 1, 2, 2, 2]


def reduce(values, groups, nodes, norm="l1", agg="sum"):
    return NodeReducer(torch.as_tensor(groups), nodes, norm, agg)(values)


def normal(rows, channels, seed=0, dtype=torch.float64):
    return torch.randn(rows, channels, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@EVERY
@pytest.mark.parametrize("groups", [*LAYERS, SIDE_BY_SIDE, [0], [2, 1, 0]], ids=str)
def test_nodes_equal_a_loop_over_channels(groups, norm, agg):
    values = normal(4, len(groups))
    expected = by_node(values, groups, [groups], norm, agg)
    result = reduce(values, groups, 1 + max(groups), norm, agg)
    np.testing.assert_allclose(result, expected, rtol=1e-14, atol=1e-15)


@EVERY
@given(data=st.data())
def test_random_groups_equal_a_loop_over_channels(norm, agg, data):
    groups = data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=12))
    numbers = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
    values = torch.from_numpy(data.draw(hnp.arrays("f8", (2, len(groups)), elements=numbers)))
    expected = by_node(values, groups, [groups], norm, agg)
    result = reduce(values, groups, 1 + max(groups), norm, agg)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-9)


@EVERY
def test_a_node_without_channels_is_zero(norm, agg):
    result = reduce(-1 - normal(4, 3).abs(), [4, 1, 1], 6, norm, agg)
    np.testing.assert_array_equal(result[:, [0, 2, 3, 5]], np.zeros((4, 4)))
    assert (result[:, [1, 4]] != 0).all()


@EVERY
@pytest.mark.parametrize("groups", [LAYERS[0], SIDE_BY_SIDE], ids=["ragged", "side by side"])
def test_a_trailing_axis_does_not_matter(groups, norm, agg):
    values, nodes = normal(4, len(groups)), 1 + max(groups)
    flat, trailing = (reduce(v, groups, nodes, norm, agg) for v in (values, values[..., None]))
    np.testing.assert_array_equal(trailing, flat)


@EVERY
def test_the_order_of_channels_does_not_matter(norm, agg):
    values, groups = normal(4, 9), torch.tensor(SIDE_BY_SIDE)
    shuffle = torch.tensor([8, 3, 0, 5, 1, 7, 2, 6, 4])
    apart = reduce(values[:, shuffle], groups[shuffle], 3, norm, agg)
    together = reduce(values, groups, 3, norm, agg)
    np.testing.assert_allclose(apart, together, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("groups", [[0, 0, 1, 1], [1, 0, 1, 0]], ids=["side by side", "mixed"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_reduced_in_float32(dtype, groups):
    values = torch.full((2, 4), 300.0, dtype=dtype)  # 300² is beyond float16
    result = reduce(values, groups, 2, "l2", "sum")
    assert result.dtype == torch.float32
    np.testing.assert_array_equal(result, np.full((2, 2), 2 * values[0, 0].item() ** 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_other_precisions_are_kept(dtype):
    assert reduce(normal(2, 3, dtype=dtype), [0, 1, 1], 2).dtype == dtype


@EVERY
def test_what_is_reduced_is_not_written_to_and_carries_no_gradient(norm, agg):
    values = normal(4, 3).requires_grad_()
    before = values.detach().clone()
    result = reduce(values, [0, 2, 2], 3, norm, agg)
    assert not result.requires_grad
    result += 1
    np.testing.assert_array_equal(values.detach(), before)
