"""Which modules are blocks, what their channels mean, and what their nodes are called."""

import numpy as np
import pytest
import torch
from gsnn_models import LAYERS, Block, Delegating, Nested, Older, TinyGSNN
from torch import nn

from gsnn_edges.activations.model_layout import (
    as_groups,
    find_gsnn,
    find_layers,
    finite_at_nodes,
    modules_of,
    node_names,
    on_the_host,
)


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


def two_inside():
    return nn.ModuleDict({"left": TinyGSNN(), "right": Nested(TinyGSNN())})


MODEL, NET = TinyGSNN(), mlp()


def assert_same_modules(found, expected):
    assert [id(module) for module in found] == [id(module) for module in expected]


@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda m: m, "model"),
        (Nested, "model.gsnn"),
        (lambda m: nn.Sequential(nn.Identity(), Nested(m)), "model.1.gsnn"),
        (lambda m: Nested(nn.DataParallel(m)), "model.gsnn.module"),
        (lambda m: Nested(torch.compile(m, backend="eager")), "model.gsnn"),
    ],
    ids=["itself", "nested", "twice", "parallel inside", "compiled inside"],
)
def test_the_one_gsnn_is_found(wrap, place):
    owner, found = find_gsnn(wrap(MODEL))
    assert found == f"{place}.ResBlocks"
    assert owner.ResBlocks is MODEL.ResBlocks


def test_blocks_are_found_by_way_of_getattr():
    model = Delegating()
    assert_same_modules(find_layers(model).blocks, model.hidden[0].ResBlocks)


def test_only_the_outermost_counts():
    outer = TinyGSNN()
    outer.ResBlocks[0].inner = TinyGSNN()
    assert find_gsnn(nn.Sequential(outer)) == (outer, "model.0.ResBlocks")


def test_blocks_are_found_in_the_order_of_the_layers():
    layers = find_layers(MODEL)
    assert_same_modules(layers.blocks, MODEL.ResBlocks)
    assert [group.tolist() for group in layers.groups] == list(LAYERS)
    assert (layers.nodes, layers.by_output, layers.node_names) == (6, False, None)


@pytest.mark.parametrize(
    "blocks",
    [MODEL.ResBlocks, list(MODEL.ResBlocks), [f"ResBlocks.{i}" for i in range(3)]],
    ids=["ModuleList", "list", "names"],
)
def test_blocks_may_be_given_as_modules_or_names(blocks):
    assert_same_modules(find_layers(MODEL, blocks).blocks, MODEL.ResBlocks)


@pytest.mark.parametrize("name", ["gsnn.encode", "gsnn.module.encode"])
def test_names_are_those_of_the_model_or_of_what_is_wrapped(name):
    inner = Nested(MODEL if name == "gsnn.encode" else nn.DataParallel(MODEL))
    for model, prefix in (
        (inner, ""),
        (nn.DataParallel(inner), ""),
        (nn.DataParallel(inner), "module."),
    ):
        found = find_layers(model, [prefix + name] * 2, [0]).blocks
        assert_same_modules(found, [MODEL.encode] * 2)


def test_blocks_in_plain_lists_may_be_given():
    model = Delegating()
    assert_same_modules(
        find_layers(model, model.ResBlocks[:2]).blocks, model.hidden[0].ResBlocks[:2]
    )


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([0, 1, 1], [[0, 1, 1]] * 3),
        (range(3), [[0, 1, 2]] * 3),
        (torch.tensor([2, 1, 0]), [[2, 1, 0]] * 3),
        (np.array([[0, 1, 2], [2, 1, 0], [0, 0, 0]]), [[0, 1, 2], [2, 1, 0], [0, 0, 0]]),
        ([[0], torch.tensor([1, 2]), np.array([3])], [[0], [1, 2], [3]]),
    ],
    ids=["list", "range", "tensor", "table", "mixed"],
)
def test_groups_are_for_all_blocks_or_for_each(groups, expected):
    layers = find_layers(NET, ["0", "2", "4"], groups)
    assert [group.tolist() for group in layers.groups] == expected
    assert (layers.nodes, layers.by_output) == (1 + max(map(max, expected)), True)


def test_groups_go_before_those_of_a_block():
    assert find_layers(MODEL, MODEL.ResBlocks, [0, 1]).nodes == 2


# id -> (model, blocks, groups, error, phrase)
WRONG = {
    "no ResBlocks": (
        nn.Linear(4, 3),
        None,
        None,
        TypeError,
        "in model.ResBlocks.*got Linear.*groups=",
    ),
    "no module": (len, None, None, TypeError, "model must be a torch.nn.Module; got builtin"),
    "two inside": (
        two_inside(),
        None,
        None,
        ValueError,
        r"in left, right\.gsnn: say.*blocks=model\.left\.ResBlocks",
    ),
    "none": (with_blocks(), None, None, ValueError, "at least 2 blocks.*got 0 in model.ResBlocks"),
    "one": (with_blocks(Block([0])), None, None, ValueError, "at least 2 blocks.*got 1"),
    "one given": (NET, ["0"], [0], ValueError, "at least 2 blocks.*got 1 in blocks"),
    "no channel_groups": (
        with_blocks(Block([0]), block_without("channel_groups")),
        None,
        None,
        TypeError,
        r"model.ResBlocks\[1\] \(Block\) must have channel_groups",
    ),
    "nested without": (
        Nested(with_blocks(Block([0]), nn.Linear(2, 2))),
        None,
        None,
        TypeError,
        r"model.gsnn.ResBlocks\[1\] \(Linear\) must have channel_groups",
    ),
    "shows nothing": (
        with_blocks(Block([0]), block_without("_store_activations", "lin_in", "lin_out")),
        None,
        None,
        TypeError,
        r"ResBlocks\[1\] \(Block\) must have _store_activations or a module lin_in",
    ),
    "modules without groups": (
        NET,
        ["0", "2"],
        None,
        TypeError,
        r"blocks\[0\] \(Linear\).*channel_groups",
    ),
    "groups alone": (NET, None, [0], ValueError, "groups must come with blocks"),
    "groups a number": (NET, ["0", "2"], 3, TypeError, "groups must be a sequence.*got int"),
    "groups for others": (NET, ["0", "2"], [[0]] * 3, ValueError, "each of the 2 blocks; got 3"),
    "groups empty": (
        NET,
        ["0", "2"],
        [],
        ValueError,
        r"groups\[0\] must give a node index.*\(0,\)",
    ),
    "groups of floats": (
        NET,
        ["0", "2"],
        [0.5],
        ValueError,
        r"groups\[0\] must give a node.*float64",
    ),
    "groups negative": (
        NET,
        ["0", "2"],
        [[0], [-1]],
        ValueError,
        r"groups\[1\] must give a node index",
    ),
    "name unknown": (
        NET,
        ["0", "fc"],
        [0],
        ValueError,
        r"blocks\[1\] must be the dotted.*'fc'.*0, 1, 2",
    ),
    "name alone": (NET, "0", [0], TypeError, "blocks must be a sequence.*got str"),
    "not a sequence": (NET, NET[0], [0], TypeError, "blocks must be a sequence.*got Linear"),
    "not a module": (NET, [0, 2], [0], TypeError, r"blocks\[0\] must be a module.*got int"),
    "of another model": (NET, [NET[0], mlp()[2]], [0], ValueError, r"blocks\[1\].*does not hold"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_model_without_its_blocks_is_refused(name):
    model, blocks, groups, error, phrase = WRONG[name]
    with pytest.raises(error, match=phrase):
        find_layers(model, blocks, groups)


def test_older_blocks_are_blocks():
    model = TinyGSNN(block=Older)
    assert_same_modules(find_layers(model).blocks, model.ResBlocks)


@pytest.mark.parametrize(
    "kind", [list, np.asarray, torch.tensor, lambda v: torch.tensor(v)[:, None]]
)
def test_groups_may_be_a_list_an_array_or_a_tensor(kind):
    group = as_groups("here", kind(LAYERS[0]))
    assert (group.tolist(), group.dtype) == (LAYERS[0], torch.int64)


@pytest.mark.parametrize(
    ("groups", "got"),
    [([0.0, 1.0], "float32"), ([], "shape"), ([0, -1], "int64"), ([True, False], "bool")],
    ids=["floats", "none", "negative", "bools"],
)
def test_groups_that_are_no_node_indices_are_refused(groups, got):
    with pytest.raises(ValueError, match=rf"here must give a node index, from 0.*got .*{got}"):
        as_groups("here", torch.tensor(groups))


def test_modules_in_plain_containers_are_found():
    model = Delegating()
    model.more = {"a": (nn.Linear(1, 1), [nn.ReLU()])}
    model.more["itself"] = model.more
    kinds = [type(module).__name__ for module in modules_of(model)]
    assert kinds.count("Block") == 3
    assert {"Delegating", "TinyGSNN", "ReLU"} <= set(kinds)


# Names of nodes


def named(names):
    model = TinyGSNN()
    model.node_names_dict = names
    return model


SIX = ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        (TinyGSNN(), None, None),
        (TinyGSNN(), SIX, SIX),
        (TinyGSNN(), np.array(SIX), SIX),
        (named({"function": SIX}), None, SIX),
        (named({"function": tuple(SIX)}), None, SIX),
        (named({"function": SIX[:5]}), None, None),
        (named({"input": SIX}), None, None),
        (named(SIX), None, None),
        (named({"function": SIX}), SIX[::-1], SIX[::-1]),
        (Nested(named({"function": SIX})), None, SIX),
        (nn.DataParallel(named({"function": SIX})), None, SIX),
    ],
    ids=[
        *("none", "given", "array", "own", "tuple", "few", "others", "list", "both", "nested"),
        "wrapped",
    ],
)
def test_nodes_have_the_names_that_are_given_or_that_the_model_has(model, given, expected):
    assert find_layers(model, names=given).node_names == expected


@pytest.mark.parametrize(
    ("given", "error", "phrase"),
    [
        (SIX[:5], ValueError, "must hold a name for each of 6 nodes; got 5"),
        (range(6), TypeError, r"must hold texts; got int: use str\(name\)"),
        ("abcdef", TypeError, "must be a sequence of 6 names; got str"),
        (6, TypeError, "must be a sequence of 6 names; got int"),
    ],
    ids=["too few", "numbers", "text", "number"],
)
def test_wrong_names_are_refused(given, error, phrase):
    with pytest.raises(error, match=f"node_names {phrase}"):
        node_names(given, MODEL, 6)


def test_nodes_that_are_not_finite_are_named():
    values = torch.zeros(4, 6)
    values[1, 2] = values[2, 2] = values[2, 5] = torch.nan
    with pytest.raises(ValueError, match=r"g must be finite; got 3 NaN.* in node 2, 5:"):
        finite_at_nodes("g", values, None)
    with pytest.raises(ValueError, match=r"got 3 NaN.* in node 'c', 'f', of index 2, 5:"):
        finite_at_nodes("g", values, SIX)


@pytest.mark.parametrize("names", [None, SIX], ids=["numbers", "names"])
def test_large_sums_of_finite_values_are_finite(names):
    values = torch.full((4, 6), 3e38)
    finite_at_nodes("g", values, names)
    assert bool(values.isfinite().all())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_groups_come_to_the_host_together(device):
    given = [torch.tensor([0, 1], device=device), [2, 3], torch.tensor([[4], [5], [6]]).to(device)]
    found = on_the_host(given)
    assert [np.ravel(group).tolist() for group in found] == [[0, 1], [2, 3], [4, 5, 6]]
