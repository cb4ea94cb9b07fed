"""Which modules are blocks, what their channels mean, and what lies around a model."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from gsnn_models import (
    KNOWN,
    NAMES,
    ORIGINALS,
    Block,
    CallsOneBlock,
    Delegating,
    Nested,
    Older,
    Original,
    TinyGSNN,
    assert_equal,
    data,
)
from model_state import assert_unchanged
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gsnn_edges import capture
from gsnn_edges.activations.model_layout import find_layout, known_graph

MSE = nn.MSELoss()
# torch's compiler, not ours: it imports what is deprecated, and looks at gradients of activations.
COMPILER_SPEAKS = pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning", "ignore:The .grad attribute of a Tensor:UserWarning"
)


def compiled(model):
    return torch.compile(model, backend="eager")


def with_blocks(*blocks):
    model = TinyGSNN()
    model.ResBlocks = nn.ModuleList(blocks)
    return model


def block_without(*names):
    block = Block([0, 1])
    for name in names:
        delattr(block, name)
    return block


def mlp():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))


def nested_twice():
    outer = TinyGSNN()
    outer.ResBlocks[0].inner = TinyGSNN()
    return outer


MODEL, NET = TinyGSNN(), mlp()


def assert_same_modules(modules, expected):
    assert [id(module) for module in modules] == [id(module) for module in expected]


# Blocks


@pytest.mark.parametrize("wrap", [lambda m: m, Nested, nn.DataParallel])
@pytest.mark.parametrize("name", ORIGINALS)
def test_names_and_known_edges_of_the_originals_models_are_read(name, wrap):
    model = wrap(ORIGINALS[name]())
    layers = find_layout(model)
    graph = known_graph(model, layers.blocks[0], layers.nodes)
    assert layers.node_names == graph.node_names["function"] == NAMES[:6]
    assert (graph.node_names["input"], graph.node_names["output"]) == (NAMES[6:10], NAMES[10:])
    assert graph.edges.tolist() == KNOWN


def test_a_graph_that_cannot_be_read_for_sure_is_left_out():
    model = Original()
    model.function_edge_mask[4] = False  # 0 -> 1
    model.edge_index[:, (model.edge_index == 10).any(0)] = 11
    graph = known_graph(model, model.ResBlocks[0], 6)
    assert graph.node_names == {"function": NAMES[:6]}  # node 10 may be an input
    assert graph.edges.tolist() == [[1, 3], [3, 5]]
    model.edge_index = model.edge_index[0]
    assert known_graph(model, model.ResBlocks[0], 6).edges is None
    assert known_graph(model, nn.Linear(1, 1), 6).node_names == {}


def test_one_block_is_called_as_often_as_the_model_or_the_error_says():
    model, (x, y) = CallsOneBlock(), data()
    wanted = capture(model, MSE, x, y)
    for attribute in (None, 5):
        model.layers = attribute
        with pytest.raises(ValueError, match=r"pass blocks=|, as blocks=") as raised:
            capture(model, MSE, x, y)
        way = str(raised.value).rpartition("blocks=")[2]
        found = capture(model, MSE, x, y, blocks=eval(way, {"model": model, "L": 3}))
        assert_equal(found, wanted)


def test_the_outermost_gsnn_counts_and_one_behind_getattr():
    outer, delegating = nested_twice(), Delegating()
    assert_same_modules(find_layout(nn.Sequential(outer)).blocks, outer.ResBlocks)
    assert_same_modules(find_layout(delegating).blocks, delegating.hidden[0].ResBlocks)
    older = TinyGSNN(block=Older)
    assert_same_modules(find_layout(older).blocks, older.ResBlocks)


@pytest.mark.parametrize("name", ["gsnn.encode", "gsnn.module.encode"])
def test_names_are_those_of_the_model_or_of_what_is_wrapped(name):
    inner = Nested(MODEL if name == "gsnn.encode" else nn.DataParallel(MODEL))
    parallel = nn.DataParallel(inner)
    for model, prefix in ((inner, ""), (parallel, ""), (parallel, "module.")):
        assert_same_modules(find_layout(model, [prefix + name] * 2, [0]).blocks, [MODEL.encode] * 2)


def test_blocks_may_be_modules_in_plain_lists():
    model = Delegating()
    model.more = {"a": (nn.Linear(1, 1), [nn.ReLU()])}
    model.more["itself"] = model.more
    listed = [*model.ResBlocks[:1], model.more["a"][1][0]]
    assert_same_modules(find_layout(model, listed, [0, 1]).blocks, listed)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([0, 1, 1], [[0, 1, 1]] * 3),
        (range(3), [[0, 1, 2]] * 3),
        (torch.tensor([2, 1, 0]), [[2, 1, 0]] * 3),
        (np.array([[0, 1, 2], [2, 1, 0], [0, 0, 0]]), [[0, 1, 2], [2, 1, 0], [0, 0, 0]]),
        ([[0], torch.tensor([[1], [2]]), np.array([3])], [[0], [1, 2], [3]]),
    ],
    ids=["list", "range", "tensor", "table", "mixed"],
)
def test_groups_are_for_all_blocks_or_for_each(groups, expected):
    layers = find_layout(NET, ["0", "2", "4"], groups)
    assert [group.tolist() for group in layers.groups] == expected
    assert (layers.nodes, layers.by_output) == (1 + max(map(max, expected)), True)


def test_groups_go_before_those_of_a_block():
    assert find_layout(MODEL, MODEL.ResBlocks, [0, 1]).nodes == 2


SIX = ["a", "b", "c", "d", "e", "f"]


def of_net(groups, blocks=("0", "2")):
    return NET, {"blocks": blocks, "groups": groups}


# id -> (model and options, error, phrase)
WRONG = {
    "no ResBlocks": ((nn.Linear(4, 3), {}), TypeError, "model.ResBlocks.*got Linear.*groups"),
    "two inside": (
        (nn.ModuleDict({"left": TinyGSNN(), "right": Nested(TinyGSNN())}), {}),
        ValueError, r"in left, right\.gsnn: say.*blocks=model\.left\.ResBlocks",
    ),
    "none": ((with_blocks(), {}), ValueError, "at least 2 blocks.*got 0 in model.ResBlocks"),
    "one listed": (of_net([0], ["0"]), ValueError, "at least 2 blocks.*got 1 in blocks"),
    "no channel_groups": (
        (Nested(with_blocks(Block([0]), nn.Linear(2, 2))), {}),
        TypeError, r"model.gsnn.ResBlocks\[1\] \(Linear\) must have channel_groups",
    ),
    "shows nothing": (
        (with_blocks(Block([0]), block_without("_store_activations", "lin_in", "lin_out")), {}),
        TypeError, r"ResBlocks\[1\] \(Block\) must have _store_activations or a module lin_in",
    ),
    "no groups": (of_net(None), TypeError, r"blocks\[0\] \(Linear\).*channel_groups"),
    "groups a number": (of_net(3), TypeError, "groups must be a sequence.*got int"),
    "groups for others": (of_net([[0]] * 3), ValueError, "each of the 2 blocks; got 3"),
    "groups empty": (of_net([]), ValueError, r"groups\[0\] must give a node index.*\(0,\)"),
    "one empty": (of_net([[0], np.arange(0)]), ValueError, r"groups\[1\] must give a.*\(0,\)"),
    "groups of floats": (of_net([0.5]), ValueError, r"groups\[0\] must give a node.*float64"),
    "groups negative": (of_net([[0], [-1]]), ValueError, r"groups\[1\] must give a node index"),
    "groups by name": (of_net(["TP53"]), TypeError, r"groups\[0\] must give a node index.*<U4"),
    "groups alone": ((NET, {"groups": [0, 1]}), ValueError, "groups must come with blocks"),
    "name alone": (of_net([0], "0"), TypeError, "blocks must be a sequence.*got str"),
    "not a sequence": (of_net([0], NET[0]), TypeError, "blocks must be a sequence.*got Linear"),
    "few names": ((MODEL, {"node_names": SIX[:5]}), ValueError, "for each of 6 nodes; got 5"),
    "numbers for names": (
        (MODEL, {"node_names": range(6)}), TypeError, r"must hold texts; got int: use str\(name\)",
    ),
    "a text of names": (
        (MODEL, {"node_names": "abcdef"}), TypeError, "node_names must be a sequence of 6.*got str",
    ),
    "no names": ((MODEL, {"node_names": 6}), TypeError, "a sequence of 6 names; got int"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_layout_is_refused(name):
    (model, options), error, phrase = WRONG[name]
    with pytest.raises(error, match=phrase):
        capture(model, MSE, *data(), **options)


# Names of nodes


def named(names):
    model = TinyGSNN()
    model.node_names_dict = names
    return model


@pytest.mark.parametrize(
    ("model", "names", "expected"),
    [
        (TinyGSNN(), None, None),
        (TinyGSNN(), np.array(SIX), SIX),
        (named({"function": tuple(SIX)}), None, SIX),
        (named({"function": SIX[:5]}), None, None),
        (named({"input": SIX}), None, None),
        (named(SIX), None, None),
        (named({"function": SIX}), SIX[::-1], SIX[::-1]),
        (Nested(named({"function": SIX})), None, SIX),
        (nn.DataParallel(named({"function": SIX})), None, SIX),
    ],
    ids=["none", "array", "own", "few", "others", "list", "both", "nested", "wrapped"],
)
def test_nodes_have_the_names_of_the_caller_or_of_the_model(model, names, expected):
    assert find_layout(model, names=names).node_names == expected


# Wrappers


@pytest.fixture
def group(tmp_path):
    """A group of one process."""
    if not (distributed.is_available() and distributed.is_gloo_available()):
        pytest.skip("torch was built without gloo")
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def assert_captures_alike(model, twin):
    """The model comes back, and gives bit for bit what its twin without wrappers gives."""
    with assert_unchanged(model):
        results = capture(model, MSE, *data())
    assert_equal(results, capture(twin, MSE, *data()))


@pytest.mark.parametrize(
    "wrap",
    [nn.DataParallel, compiled, lambda m: compiled(nn.DataParallel(m)), Nested],
    ids=["data parallel", "compiled", "both", "nested"],
)
@pytest.mark.parametrize("around", [lambda m: m, Nested], ids=["outside", "inside"])
def test_a_wrapped_model_gives_what_it_gives_bare(wrap, around):
    model = TinyGSNN(norm="batch").eval()
    twin = Nested(model) if wrap is Nested else model
    assert_captures_alike(around(wrap(model)).eval(), around(twin).eval())


@pytest.mark.parametrize("around", [lambda m: m, Nested], ids=["outside", "inside"])
def test_a_distributed_model_trains_on_after_a_capture(group, around):
    model = TinyGSNN(norm="batch")
    wrapped, twin = around(DistributedDataParallel(model)), around(model)

    def step():
        wrapped.train()
        wrapped.zero_grad()
        MSE(wrapped(data()[0]), data()[1]).backward()

    step()
    step()
    wrapped.eval()
    assert_captures_alike(wrapped, twin.eval())
    step()
    step()
    assert all(p.grad is not None for p in model.encode.parameters())


def test_data_parallel_over_devices_inside_a_model_is_refused():
    model = Nested(nn.DataParallel(TinyGSNN()))
    capture(model, MSE, *data())
    model.gsnn.device_ids = [0, 1]
    with pytest.raises(ValueError, match=r"over 2 devices inside.*put its \.module in its"):
        capture(model, MSE, *data())


@COMPILER_SPEAKS
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize("which", ["whole", "blocks", "maps", "forward", "wrapped"])
def test_a_model_that_has_run_compiled_is_captured(which, backend):
    model, twin = (TinyGSNN(norm="batch").eval() for _ in range(2))
    if which == "forward":
        model.forward = torch.compile(model.forward, backend=backend)
    inside = [block.lin_in for block in model.ResBlocks]
    modules = {"whole": [model], "blocks": model.ResBlocks, "maps": inside}.get(which, [])
    for module in modules:
        module.compile(backend=backend)
    wrapped = torch.compile(model, backend=backend) if which == "wrapped" else model
    try:
        expected = wrapped(data()[0])
    except torch._inductor.exc.InductorError as error:  # pragma: no cover - no C++ compiler
        pytest.skip(str(error))
    assert_equal(capture(wrapped, MSE, *data()), capture(twin, MSE, *data()))
    np.testing.assert_array_equal(wrapped(data()[0]).detach(), expected.detach())


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt], ids=str)
def test_a_capture_compiles_nothing_and_the_compiler_is_switched_on_again(error):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    def crit(prediction, target):
        if error:
            raise error
        return MSE(prediction, target)

    model = torch.compile(TinyGSNN(norm="batch").eval(), backend=backend)
    model(data()[0])
    before = len(graphs)
    with pytest.raises(error) if error else nullcontext():
        capture(model, torch.compile(crit, backend=backend), *data())
    model(data()[0])
    assert len(graphs) == before > 0
    torch.compile(lambda x: x + 1, backend=backend)(torch.ones(2))
    assert len(graphs) == before + 1
