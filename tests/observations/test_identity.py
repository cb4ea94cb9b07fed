"""Digests tell apart what gives other observations, and nothing else."""

from functools import partial

import numpy as np
import pytest
import torch
from gsnn_models import TinyGSNN
from torch import nn

from gsnn_edges.activations.identity import digest_of


def loss(power, bias=0.0):
    """A loss that is known by its code and by what it closes over."""
    return lambda prediction, target: ((prediction - target) ** power).mean() + bias


class Scaled(nn.Module):
    """A loss with an attribute that is no buffer, and a counter that counts for nothing."""

    def __init__(self, scale):
        super().__init__()
        self.scale, self._calls = scale, 0

    def forward(self, prediction, target):
        self._calls += 1
        return self.scale * (prediction - target).abs().mean()


class Plain:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, prediction, target):
        return self.weight


MAKERS = [
    lambda: torch.arange(3.0),
    lambda: torch.arange(3.0, dtype=torch.float64),
    lambda: torch.arange(3.0)[:, None],
    lambda: torch.arange(3.0, dtype=torch.bfloat16),
    lambda: np.arange(3),
    lambda: {"x": np.arange(3)},
    lambda: {"y": np.arange(3)},
    lambda: [1, "2"],
    lambda: ["1", 2],
    lambda: (12,),
    lambda: (1, 2),
    lambda: {1, 2},
    lambda: None,
    lambda: torch.float32,
    lambda: loss(2),
    lambda: loss(4),
    lambda: loss(2, 1.0),
    lambda: partial(loss, 2),
    lambda: partial(loss, 3),
    lambda: nn.MSELoss(),
    lambda: nn.MSELoss(reduction="sum"),
    lambda: nn.CrossEntropyLoss(weight=torch.ones(2)),
    lambda: nn.CrossEntropyLoss(weight=torch.arange(2.0)),
    lambda: Scaled(1.0),
    lambda: Scaled(2.0),
    lambda: Plain(1),
    lambda: Plain(2),
    lambda: Plain(1).__call__,
    lambda: TinyGSNN(),
    lambda: TinyGSNN(seed=1),
]


def test_each_differs_from_all_others_and_not_from_itself():
    found = [digest_of(make()) for make in MAKERS]
    assert len(set(found)) == len(MAKERS)
    assert found == [digest_of(make()) for make in MAKERS]


def test_a_mode_and_hidden_names_do_not_count():
    crit = Scaled(1.0)
    before = digest_of(crit)
    crit(torch.ones(2), torch.zeros(2))
    assert digest_of(crit.eval()) == before


@pytest.mark.parametrize("make", [dict, list])
def test_what_holds_itself_ends(make):
    loop = make()
    if make is dict:
        loop["me"] = loop
    else:
        loop.append(loop)
    assert len(digest_of(loop)) == 64
