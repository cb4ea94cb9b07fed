"""Calls of blocks are taken in their order, and reduced to nodes at once."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge

from gsnn_edges.activations.hooks import Seen
from gsnn_edges.activations.model_layout import find_layers
from gsnn_edges.activations.nodes import NodeReducer
from gsnn_edges.activations.trace import Trace

NET = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(2, 3))
GROUPS = [[0, 1, 1], [1, 0], [2, 1, 0]]


def trace(blocks=(0, 1, 2), groups=GROUPS, rows=5):
    layers = find_layers(NET, [NET[i] for i in blocks], groups)
    reducers = [NodeReducer(group, layers.nodes, "none", "sum") for group in layers.groups]
    return Trace(layers, reducers, torch.full((len(blocks) - 1, rows, layers.nodes), torch.nan))


def seen(width, rows=5, dtype=torch.float32):
    values = (
        torch.arange(float(rows * width), dtype=dtype).reshape(rows, width).requires_grad_() * 1
    )
    return Seen(values.detach(), get_gradient_edge(values))


@pytest.mark.parametrize("trailing", [False, True])
def test_activations_are_reduced_as_they_arrive(trailing):
    found = trace()
    activations = [seen(3), seen(2, dtype=torch.float16), seen(3)]
    for block, activation in zip(NET, activations, strict=True):
        values = activation.values[..., None] if trailing else activation.values
        found.keep(block, Seen(values, activation.edge))
    found.check()
    first, second = activations[0].values, activations[1].values.float()
    np.testing.assert_array_equal(found.a[0, :, 0], first[:, 0])
    np.testing.assert_array_equal(found.a[0, :, 1], first[:, 1] + first[:, 2])
    np.testing.assert_array_equal(found.a[1, :, :2], second.flip(1))
    assert found.edges == [activation.edge for activation in activations]
    assert found.dtypes == {torch.float32, torch.float16}


@pytest.mark.parametrize(
    ("calls", "phrase"),
    [
        ([], "0 calls were seen in a forward pass: none;"),
        ([0, 1], r"2 calls.*: blocks\[0\], blocks\[1\];"),
        ([0, 1, 2, 0], r"its 3 blocks once each.*4 calls.*blocks\[2\], blocks\[0\];"),
        ([1, 0, 2], r"3 calls.*: blocks\[1\], blocks\[0\], blocks\[2\];"),
        (
            [0, 0, 1],
            r"3 calls.*: blocks\[0\], blocks\[0\], blocks\[1\]; list a block in blocks= once",
        ),
    ],
    ids=["none", "too few", "too many", "another order", "one twice"],
)
def test_other_calls_than_are_listed_are_refused(calls, phrase):
    found = trace()
    for place in calls:
        found.keep(NET[place], seen(2 if place == 1 else 3))
    with pytest.raises(ValueError, match=phrase):
        found.check()


def test_a_block_may_be_listed_for_each_of_its_calls():
    found = trace((0, 2, 0), [[0, 1, 1], [2, 1, 0], [0, 1, 1]])
    for place in (0, 2, 0):
        found.keep(NET[place], seen(3))
    found.check()
    assert len(found.edges) == 3


@pytest.mark.parametrize(("width", "rows"), [(2, 5), (3, 4)], ids=["channels", "rows"])
def test_another_shape_is_refused(width, rows):
    phrase = rf"groups and the output.*block 0 must record.*\(5, 3\).*got \({rows}, {width}\)"
    with pytest.raises(ValueError, match=phrase):
        trace().keep(NET[0], seen(width, rows))
