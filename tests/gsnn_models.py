"""Tiny networks that keep the capture contract, one for each way in which a real one may differ."""

import copy

import numpy as np
import torch
from acceptance.slow import by_node
from torch import nn
from torch.utils.checkpoint import checkpoint

INPUTS, OUTPUTS, WIDTH, NODES = 4, 3, 5, 6
# The node of each channel of three blocks: ragged and unsorted. Node 2 has no channel anywhere,
# node 4 in the middle block only.
LAYERS = ([3, 0, 0, 1, 5, 3, 1], [5, 3, 0, 1, 4, 0], [0, 1, 3, 5, 5])


def data(rows=5, seed=0, dtype=torch.float32):
    """Inputs and targets."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, INPUTS, generator=generator, dtype=torch.float64)
    y = torch.randn(rows, OUTPUTS, generator=generator, dtype=torch.float64)
    return x.to(dtype), y.to(dtype)


class Block(nn.Module):
    """State to channels and back; ReLU makes exact zeros in activations and gradients."""

    nonlinearity = staticmethod(torch.relu)

    def __init__(self, groups, *, norm="none", dropout=0.0, trailing=False):
        super().__init__()
        self.register_buffer("channel_groups", torch.tensor(groups))
        self.lin_in = nn.Linear(WIDTH, len(groups))
        self.norm = nn.BatchNorm1d(len(groups)) if norm == "batch" else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.lin_out = nn.Linear(len(groups), WIDTH)
        self.trailing = trailing
        self._store_activations = False

    def forward(self, state):
        pre_norm = self.lin_in(state)
        if self.trailing:
            pre_norm = pre_norm[..., None]
        activation = self.dropout(self.nonlinearity(self.norm(pre_norm)))
        if self._store_activations:
            self.record(pre_norm, activation)
        return state + self.lin_out(activation.flatten(1))

    def record(self, pre_norm, activation):
        self._last_pre_norm_activation = pre_norm
        self._last_activation = activation


class TinyGSNN(nn.Module):
    """Three blocks between a linear encoder and decoder; all weights follow the seed."""

    def __init__(self, layers=LAYERS, *, block=Block, seed=0, **options):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encode = nn.Linear(INPUTS, WIDTH)
            self.ResBlocks = nn.ModuleList(block(groups, **options) for groups in layers)
            self.decode = nn.Linear(WIDTH, OUTPUTS)

    def forward(self, x):
        state = torch.tanh(self.encode(x))
        for block in self.ResBlocks:
            state = self.call(block, state)
        return self.decode(state)

    def call(self, block, state):
        return block(state)

    def form(self, x):
        """What the forward pass takes for these numbers: a tensor, a tuple or a dict."""
        return x


class SharedWeights(TinyGSNN):
    """All blocks use one lin_in and one lin_out module."""

    def __init__(self, **options):
        super().__init__(layers=[LAYERS[0]] * 3, **options)
        for block in self.ResBlocks:
            block.lin_in = self.ResBlocks[0].lin_in
            block.lin_out = self.ResBlocks[0].lin_out


class RepeatedBlock(TinyGSNN):
    """One block object is two of the layers."""

    def __init__(self):
        super().__init__(norm="batch")
        self.ResBlocks[2] = self.ResBlocks[0]


class Checkpointed(TinyGSNN):
    """Computes each block again in the backward pass."""

    def call(self, block, state):
        return checkpoint(block, state, use_reentrant=False)


class Averaging(TinyGSNN):
    """Keeps running averages, in each of the ways in which a module can."""

    def __init__(self):
        super().__init__()
        self.register_buffer("written", torch.zeros(INPUTS))
        self.register_buffer("replaced", torch.zeros(INPUTS))
        self.register_buffer("unset", None)
        self.plain = torch.zeros(INPUTS)
        self.steps = 0

    def forward(self, x):
        level = x.detach().mean(0)
        self.written.lerp_(level, 0.5)
        self.replaced = self.replaced.lerp(level, 0.5)
        self.unset = level
        self.plain.lerp_(level.to(self.plain), 0.5)
        self.steps += 1
        return super().forward(x)


class Caching(TinyGSNN):
    """Keeps batched index tensors, in containers and in an attribute that was not there."""

    def __init__(self):
        super().__init__()
        self.by_rows = {"index": {}, "calls": [0]}
        self.history = []

    def forward(self, x):
        index = torch.arange(100 * len(x))
        self.by_rows["index"][len(x)] = index
        self.by_rows["calls"][0] += 1
        self.history.append(index)
        self.ResBlocks[0]._batched_index = index
        return super().forward(x)


class Shrinking(TinyGSNN):
    """Writes to a parameter in its forward pass, as an embedding with max_norm does."""

    def forward(self, x):
        self.encode.weight.data.mul_(0.9)
        return super().forward(x)


class ExtraInput(TinyGSNN):
    """Takes a tensor or several beside x, as keyword, and an option that is no tensor."""

    def forward(self, x, *, gain=None, scale=1.0):
        gain = sum(gain) if isinstance(gain, list | tuple) else gain
        gain = gain["left"] + gain["right"] if isinstance(gain, dict) else gain
        return super().forward(x if gain is None else scale * gain * x)


class WritesToInput(TinyGSNN):
    """Works in place on what it is given."""

    def forward(self, x):
        x.mul_(0.5)
        return super().forward(x)


class UnusedLastBlock(TinyGSNN):
    """Calls its last block, and drops what it gives."""

    def forward(self, x):
        state = torch.tanh(self.encode(x))
        for block in self.ResBlocks[:-1]:
            state = block(state)
        self.ResBlocks[-1](state)
        return self.decode(state)


class CallsOneBlockTwice(TinyGSNN):
    """Calls its first block once more than ResBlocks says."""

    def forward(self, x):
        return super().forward(x) + self.ResBlocks[0](torch.tanh(self.encode(x)))[:, :OUTPUTS]


class PlainList(TinyGSNN):
    """Holds its blocks in a list, of which torch knows nothing."""

    def __init__(self):
        super().__init__(norm="batch")
        blocks = list(self.ResBlocks)
        del self.ResBlocks
        self.ResBlocks = blocks


class DetachedRecords(Block):
    def record(self, pre_norm, activation):
        super().record(pre_norm.detach(), activation.detach())


class NarrowRecords(Block):
    def record(self, pre_norm, activation):
        super().record(pre_norm[:, 1:], activation[:, 1:])


class Unreadable(Block):
    """Records nothing, and its linear maps have names of their own."""

    def __init__(self, groups):
        super().__init__(groups)
        self.maps = nn.ModuleList([self.lin_in, self.lin_out])
        del self.lin_in, self.lin_out

    def forward(self, state):
        return state + self.maps[1](torch.relu(self.maps[0](state)))


class Silent(Block):
    """Records nothing, whatever it is asked."""

    def record(self, pre_norm, activation):
        pass


class Smooth(Block):
    """Without a kink, at which a rounding may switch a gradient on or off."""

    nonlinearity = staticmethod(nn.functional.elu)


class Older(Block):
    """Knows nothing of records."""

    def __init__(self, groups, **options):
        super().__init__(groups, **options)
        del self._store_activations

    def forward(self, state):
        activation = self.dropout(torch.relu(self.norm(self.lin_in(state))))
        return state + self.lin_out(activation)


class Nested(nn.Module):
    """Has a GSNN inside, and a layer of its own before it."""

    def __init__(self, gsnn=None):
        super().__init__()
        self.gsnn = TinyGSNN(norm="batch") if gsnn is None else gsnn
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(9)
            self.before = nn.Linear(INPUTS, INPUTS)

    def forward(self, x):
        return self.gsnn(torch.sin(self.before(x)))


class Delegating(nn.Module):
    """Passes all that it lacks on to a model of which torch knows nothing."""

    def __init__(self):
        super().__init__()
        self.hidden = [TinyGSNN(norm="batch")]

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "hidden":
                raise
            return getattr(self.hidden[0], name)

    def forward(self, x):
        return self.hidden[0](x)

    def parameters(self, recurse=True):
        return self.hidden[0].parameters(recurse)


class Autocast(TinyGSNN):
    """Computes in half precision, with weights that are not."""

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(x)


class TakesTwo(TinyGSNN):
    """Takes its input in two parts."""

    def forward(self, left, right):
        return super().forward(torch.cat([left, right], 1))

    def form(self, x):
        return x[:, :1], x[:, 1:]


class TakesNames(TakesTwo):
    """Takes its input in parts that have names."""

    def form(self, x):
        return {"right": x[:, 1:], "left": x[:, :1]}


class NodeActivity(TinyGSNN):
    """Takes the activity of each part of its state beside x."""

    def forward(self, x, activity):
        state = torch.tanh(self.encode(x))
        for block in self.ResBlocks:
            state = activity * block(state)
        return self.decode(state)

    def form(self, x):
        return x, torch.sigmoid(x.repeat(1, 2)[:, :WIDTH])


class Embedding(TinyGSNN):
    """Takes whole numbers."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(9)
            self.table = nn.Embedding(7, INPUTS)

    def forward(self, x):
        return super().forward(self.table(x))

    def form(self, x):
        return (3 * x[:, 0].float()).round().long().remainder(7)


def with_norm(norm):
    """In evaluation mode, with a layer of its own in the middle block."""
    model = TinyGSNN().eval()
    model.ResBlocks[1].norm = norm
    return model


EVEN = [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]] * 3
# The graph over nodes of all kinds, function nodes first: what each input and function node feeds.
NAMES = [f"f{k}" for k in range(6)] + [f"in{k}" for k in range(4)] + [f"out{k}" for k in range(3)]
KNOWN = [[0, 1, 3], [1, 3, 5]]
GRAPH = [
    *zip(range(6, 10), range(4), strict=True),
    *zip(*KNOWN, strict=True),
    (3, 10),
    (5, 11),
    (4, 12),
]


class Original(TinyGSNN):
    """Keeps its graph in buffers and one list of names, as the original library does."""

    def __init__(self, layers=EVEN, **options):
        super().__init__(layers, **options)
        edges = torch.tensor([*GRAPH, *zip(range(6), range(6), strict=True)]).T
        self.register_buffer("edge_index", edges)
        self.register_buffer("function_edge_mask", (edges < 6).all(0))
        self.homo_names = list(NAMES)


class CallsOneBlock(Original):
    """Calls its only block once for each of its layers."""

    def __init__(self, layers=3):
        super().__init__(EVEN[:1])
        self.layers = layers

    def forward(self, x):
        state = torch.tanh(self.encode(x))
        for _ in range(3):
            state = self.ResBlocks[0](state)
        return self.decode(state)


class KeepsGates(Original):
    """Keeps the gates of its last pass, with their graph."""

    def call(self, block, state):
        self.gates = torch.sigmoid(self.decode(state))
        return block(state) * self.gates.mean(1, keepdim=True)


class BareWeight(Smooth):
    """Has a weight that nothing draws anew."""

    def __init__(self, groups):
        super().__init__(groups)
        self.scale = nn.Parameter(torch.full((), 0.7))

    def forward(self, state):
        return super().forward(self.scale * state)


class FunctionalDropout(Block):
    """Drops channels by a function."""

    def __init__(self, groups, always=False):
        super().__init__(groups)
        self.always = always

    def nonlinearity(self, values):
        return nn.functional.dropout(torch.relu(values), 0.3, self.training or self.always)


class MovingNorm(nn.Module):
    """Keeps moving averages of its own, and no torch norm."""

    def __init__(self):
        super().__init__()
        self.register_buffer("average", torch.zeros(12))

    def forward(self, x):
        if self.training:
            self.average = 0.9 * self.average + 0.1 * x.detach().mean(0)
        return x - self.average


class WithMovingNorm(Block):
    def __init__(self, groups):
        super().__init__(groups)
        self.norm = MovingNorm()


class Oldest(Older):
    """Its linear maps have the names of another version."""

    def __init__(self, groups):
        super().__init__(groups)
        self.lin1, self.lin3 = self.lin_in, self.lin_out
        del self.lin_in, self.lin_out

    def forward(self, state):
        return state + self.lin3(torch.relu(self.lin1(state)))


def frozen():
    return TinyGSNN().requires_grad_(False)


def partly_frozen():
    model = TinyGSNN()
    model.ResBlocks[1].requires_grad_(False)
    return model


# What users of the original library have, one habit each.
ORIGINALS = {
    "buffers": Original,
    "one block": CallsOneBlock,
    "last gates": KeepsGates,
    "bare weights": lambda: Original(block=BareWeight),
    "functional dropout": lambda: Original(block=FunctionalDropout),
    "moving norm": lambda: Original(block=WithMovingNorm),
    "oldest": lambda: Original(block=Oldest),
}
# Every model that capture must serve, and bring back as it was.
MODELS = {
    "plain": TinyGSNN,
    "side by side": lambda: TinyGSNN([[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]] * 3),
    "batch norm": lambda: TinyGSNN(norm="batch"),
    "dropout": lambda: TinyGSNN(dropout=0.5),
    "trailing axis": lambda: TinyGSNN(norm="batch", trailing=True),
    "shared weights": SharedWeights,
    "repeated block": RepeatedBlock,
    "checkpointed": Checkpointed,
    "averaging": Averaging,
    "caching": Caching,
    "shrinking": Shrinking,
    "extra input": ExtraInput,
    "writes to input": WritesToInput,
    "unused last block": UnusedLastBlock,
    "plain list": PlainList,
    "frozen": frozen,
    "partly frozen": partly_frozen,
    "float64": lambda: TinyGSNN(norm="batch").double(),
    "older": lambda: TinyGSNN(norm="batch", block=Older),
    "nested": Nested,
    "data parallel": lambda: nn.DataParallel(TinyGSNN(norm="batch")),
    "delegating": Delegating,
    "compiled": lambda: torch.compile(TinyGSNN(norm="batch"), backend="eager"),
    "autocast": Autocast,
    "bfloat16": lambda: TinyGSNN().bfloat16(),
    "tuple input": TakesTwo,
    "dict input": TakesNames,
    "node activity": NodeActivity,
    "whole numbers": Embedding,
    "frozen whole numbers": lambda: Embedding().requires_grad_(False),
    **ORIGINALS,
}


def core(model):
    """The GSNN inside whatever lies around it."""
    for name in ("module", "_orig_mod", "gsnn"):
        if name in model._modules:
            return core(model._modules[name])
    return model.hidden[0] if isinstance(model, Delegating) else model


def blocks_of(model):
    """Blocks, once for each of their calls."""
    return [*core(model).ResBlocks] * getattr(core(model), "layers", 1)


def data_for(model, rows=5, dtype=None):
    """Inputs and targets in the form and the precision that a model takes."""
    x, y = data(rows, dtype=dtype_of(model) if dtype is None else dtype)
    return core(model).form(x), y


def run(model, x, **forward_kwargs):
    """The forward pass, over a copy of x in any of its forms."""
    if isinstance(x, dict):
        return model(**{name: part.clone() for name, part in x.items()}, **forward_kwargs)
    parts = x if isinstance(x, tuple) else (x,)
    return model(*(part.clone() for part in parts), **forward_kwargs)


def in_float64(model):
    """The model in evaluation mode and float64, with parts that torch does not list."""
    core(model).double().eval()
    for block in blocks_of(model):
        block.double().eval()
    return model.double().eval()


def dtype_of(model):
    return next(model.parameters()).dtype


def hook(*arguments):
    """Does nothing; it stands here, since a hook of a model that is pickled must have a name."""


def lived_in(model):
    """The model as its user has it: with gradients, hooks, mixed modes, records and caches."""
    x, y = data_for(model)
    loss = nn.functional.mse_loss(run(model, x), y)
    if loss.requires_grad:
        loss.backward()
    first, last = blocks_of(model)[0], blocks_of(model)[-1]
    first._last_activation = torch.ones(3)
    first._last_pre_norm_activation = [torch.ones(2)]
    first._batched_index = {5: torch.arange(50)}
    last._store_activations = True
    next(first.children()).register_forward_hook(hook)
    last.norm.train(not last.norm.training)
    return model


def slow_capture(model, crit, x, y, *, use_prenorm=True, norm="l1", agg="sum", **forward_kwargs):
    """What the documentation of `capture` says, by loops, in float64 lists of lists."""
    model = copy.deepcopy(model._modules.get("_orig_mod", model))
    for parameter in model.parameters():
        parameter.requires_grad_()
    records = []
    groups = [block.channel_groups.tolist() for block in blocks_of(model)]
    for block in set(blocks_of(model)):
        watch(block, use_prenorm, records)
    loss = crit(run(model, x, **forward_kwargs), y)
    layers = records[: len(groups)]
    loss.backward()
    a, g, nodes = [], [], 1 + max(max(own) for own in groups)
    for layer in range(len(layers) - 1):
        following = layers[layer + 1]
        credit = torch.zeros_like(following) if following.grad is None else following.grad
        a += by_node(layers[layer].flatten(1), groups[layer], nodes, norm, agg)
        g += by_node(credit.flatten(1), groups[layer + 1], nodes, norm, agg)
    return a, g


def watch(block, use_prenorm, records):
    """Append what a block records, or what passes its linear map, to the records."""
    passed = {}

    def read(block, inputs, output):
        name = "_last_pre_norm_activation" if use_prenorm else "_last_activation"
        records.append(passed["last"] if isinstance(block, Older) else getattr(block, name))
        records[-1].retain_grad()

    block._store_activations = True
    block.register_forward_hook(read)
    into, out = (
        (block.lin1, block.lin3) if isinstance(block, Oldest) else (block.lin_in, block.lin_out)
    )
    if use_prenorm:
        into.register_forward_hook(lambda m, i, output: passed.update(last=output))
    else:
        out.register_forward_pre_hook(lambda m, inputs: passed.update(last=inputs[0]))


def assert_close(results, expected, tolerance):
    """Within a share of the largest value: sums of signed channels cancel."""
    for result, wanted in zip(results, expected, strict=True):
        wanted = np.asarray(wanted)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=tolerance * scale)


def assert_equal(results, expected):
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)
