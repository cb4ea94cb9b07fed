"""Wrappers are looked through, run alone and uncompiled."""

import numpy as np
import pytest
import torch
from gsnn_models import Nested, TinyGSNN, data
from model_state import assert_unchanged
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from gsnn_edges import capture
from gsnn_edges.activations.wrappers import run_alone, unwrapped, without_compiler

MSE = nn.MSELoss()
# torch's compiler, not ours: it imports what is deprecated, and looks at gradients of activations.
COMPILER_SPEAKS = pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning", "ignore:The .grad attribute of a Tensor:UserWarning"
)


@pytest.fixture
def group(tmp_path):
    """A group of one process."""
    if not (distributed.is_available() and distributed.is_gloo_available()):
        pytest.skip("torch was built without gloo")
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def compiled(model):
    return torch.compile(model, backend="eager")


def assert_captures_alike(model, twin):
    """The model comes back, and gives bit for bit what its twin without wrappers gives."""
    x, y = data()
    with assert_unchanged(model):
        results = capture(model, MSE, x, y)
    for result, expected in zip(results, capture(twin, MSE, x, y), strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "wrap",
    [lambda m: m, nn.DataParallel, compiled, lambda m: compiled(nn.DataParallel(m))],
    ids=["bare", "data parallel", "compiled", "both"],
)
def test_wrappers_are_looked_through(wrap):
    model = TinyGSNN()
    assert unwrapped(wrap(model)) is model


@pytest.mark.parametrize(
    "wrap",
    [nn.DataParallel, compiled, lambda m: compiled(nn.DataParallel(m)), lambda m: Nested(m)],
    ids=["data parallel", "compiled", "both", "nested"],
)
@pytest.mark.parametrize("around", [lambda m: m, Nested], ids=["outside", "inside"])
def test_a_wrapped_model_gives_what_it_gives_bare(wrap, around):
    model = TinyGSNN(norm="batch").eval()
    twin = Nested(model) if isinstance(wrap(model), Nested) else model
    assert_captures_alike(around(wrap(model)).eval(), around(twin).eval())


@pytest.mark.parametrize("around", [lambda m: m, Nested], ids=["outside", "inside"])
def test_a_distributed_model_trains_on_after_a_capture(group, around):
    model = TinyGSNN(norm="batch")
    wrapped = around(DistributedDataParallel(model))
    twin = around(model)

    def step():
        wrapped.zero_grad()
        MSE(wrapped(data()[0]), data()[1]).backward()

    step()
    step()
    wrapped.eval()
    twin.eval()
    assert_captures_alike(wrapped, twin)
    wrapped.train()
    step()
    step()
    assert all(p.grad is not None for p in model.encode.parameters())


def test_the_flags_of_a_distributed_model_are_put_back(group):
    model = Nested(DistributedDataParallel(TinyGSNN().eval()))
    before = dict(vars(model.gsnn))
    capture(model, MSE, *data())
    flags = ("require_backward_grad_sync", "require_forward_param_sync")
    assert (
        [vars(model.gsnn)[name] for name in flags] == [before[name] for name in flags] == [True] * 2
    )


def test_data_parallel_over_devices_inside_a_model_is_refused():
    model = Nested(nn.DataParallel(TinyGSNN()))
    run_alone(model.modules())
    model.gsnn.device_ids = [0, 1]
    with pytest.raises(ValueError, match=r"over 2 devices inside.*put its \.module in its"):
        capture(model, MSE, *data())


@COMPILER_SPEAKS
@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_a_model_that_has_run_compiled_is_captured(backend):
    model = TinyGSNN(norm="batch").eval()
    wrapped = torch.compile(model, backend=backend)
    try:
        expected = wrapped(data()[0])
    except torch._inductor.exc.InductorError as error:  # pragma: no cover - no C++ compiler
        pytest.skip(str(error))
    assert_captures_alike(wrapped, model)
    np.testing.assert_array_equal(wrapped(data()[0]).detach(), expected.detach())


@COMPILER_SPEAKS
@pytest.mark.parametrize("which", ["whole", "blocks", "maps", "forward"])
def test_modules_that_were_compiled_in_place_are_captured(which):
    model = TinyGSNN(norm="batch").eval()
    if which == "forward":
        model.forward = torch.compile(model.forward, backend="eager")
    inside = [block.lin_in for block in model.ResBlocks]
    chosen = {"whole": [model], "blocks": model.ResBlocks, "maps": inside}.get(which, [])
    for module in chosen:
        module.compile(backend="eager")
    model(data()[0])
    x, y = data()
    results = capture(model, MSE, x, y)
    for result, expected in zip(
        results, capture(TinyGSNN(norm="batch").eval(), MSE, x, y), strict=True
    ):
        np.testing.assert_array_equal(result, expected)


def test_a_compiled_model_is_not_compiled_again_by_a_capture():
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    model = torch.compile(TinyGSNN(norm="batch").eval(), backend=backend)
    model(data()[0])
    before = len(graphs)
    capture(model, MSE, *data())
    assert len(graphs) == before
    model(data()[0])
    assert len(graphs) == before


def fail(function, error):
    function(torch.ones(2))
    raise error


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt], ids=lambda e: e.__name__)
def test_the_compiler_is_switched_on_again(error):
    calls = []

    def backend(graph, inputs):
        calls.append(graph)
        return graph.forward

    function = torch.compile(lambda x: x + 1, backend=backend)
    with pytest.raises(error), without_compiler():
        fail(function, error)
    assert calls == []
    function(torch.ones(2))
    assert len(calls) == 1


def test_a_loss_may_be_compiled():
    model, (x, y) = TinyGSNN().eval(), data()
    results = capture(model, torch.compile(MSE, backend="eager"), x, y)
    for result, expected in zip(results, capture(model, MSE, x, y), strict=True):
        np.testing.assert_array_equal(result, expected)
