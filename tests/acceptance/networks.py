"""Small networks that keep the contract of `capture`."""

import torch
from torch import nn

INPUTS, OUTPUTS, WIDTH, NODES = 4, 3, 5, 6
# The node of each channel: ragged and unsorted. Node 2 has no channel, node 4 one block of three.
RAGGED = ([3, 0, 0, 1, 5, 3, 1], [5, 3, 0, 1, 4, 0], [0, 1, 3, 5, 5])
ALIKE = ([3, 0, 0, 1, 5, 3, 1, 4],) * 3
EDGES = [[0, 1, 3, 5, 0], [1, 3, 5, 0, 4]]


class Block(nn.Module):
    """The state to channels and back; ReLU makes exact zeros."""

    def __init__(self, groups, dropout, batch_norm):
        super().__init__()
        self.register_buffer("channel_groups", torch.tensor(groups))
        self.lin_in = nn.Linear(WIDTH, len(groups))
        self.norm = nn.BatchNorm1d(len(groups)) if batch_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.lin_out = nn.Linear(len(groups), WIDTH)
        self._store_activations = False

    def activated(self, before):
        return self.dropout(torch.relu(self.norm(before)))

    def update(self, state, after):
        return state + self.lin_out(after)

    def forward(self, state):
        before = self.lin_in(state)
        after = self.activated(before)
        if self._store_activations:
            self._last_pre_norm_activation, self._last_activation = before, after
        return self.update(state, after)


class Network(nn.Module):
    """Blocks between a linear encoder and a linear decoder; weights follow the seed."""

    def __init__(
        self, layers=RAGGED, *, seed=0, dropout=0.0, batch_norm=False, dtype=torch.float64
    ):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encode = nn.Linear(INPUTS, WIDTH)
            self.ResBlocks = nn.ModuleList(Block(own, dropout, batch_norm) for own in layers)
            self.decode = nn.Linear(WIDTH, OUTPUTS)
        self.to(dtype).eval()

    def encoded(self, x):
        return torch.tanh(self.encode(x))

    def forward(self, x):
        state = self.encoded(x)
        for block in self.ResBlocks:
            state = block(state)
        return self.decode(state)


class TakesTwo(Network):
    """Takes its input in two parts."""

    def forward(self, left, right):
        return super().forward(torch.cat([left, right], 1))


def data(rows=40, seed=0, dtype=torch.float64):
    """Inputs and targets."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, INPUTS, generator=generator, dtype=torch.float64)
    y = torch.randn(rows, OUTPUTS, generator=generator, dtype=torch.float64)
    return x.to(dtype), y.to(dtype)
