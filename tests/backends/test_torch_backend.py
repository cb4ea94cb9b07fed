"""What the torch backend adds to the laws."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from libraries import require

require("torch")
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.backends import torch_backend  # noqa: E402
from gsnn_edges.backends.transfers import Feed  # noqa: E402

GLOBAL_SETTINGS = ["highest", "high", "medium"]


def product_error(ops, a, b):
    exact = a.double() @ b.double().T
    return float((ops.matmul(a, b).double() - exact).abs().max())


@pytest.fixture
def restored_precision():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("setting", GLOBAL_SETTINGS)
@pytest.mark.usefixtures("restored_precision")
def test_a_users_low_precision_neither_reaches_the_product_nor_is_lost(setting):
    torch.set_float32_matmul_precision(setting)
    settings = (
        torch.backends.mkldnn.matmul.fp32_precision,
        torch.backends.cuda.matmul.fp32_precision,
    )
    a, b = (torch.randn(300, 2000, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert product_error(backends.of(a), a, b) < 2e-4
    assert torch.get_float32_matmul_precision() == setting
    assert settings == (
        torch.backends.mkldnn.matmul.fp32_precision,
        torch.backends.cuda.matmul.fp32_precision,
    )


@pytest.mark.parametrize(("held_back", "there"), [(True, True), (True, False), (False, True)])
def test_onednn_serves_where_mkl_is_held_back_and_the_operator_is_there(
    held_back, there, monkeypatch
):
    monkeypatch.setattr(torch_backend, "mkl_is_held_back", lambda: held_back)
    monkeypatch.setattr(torch_backend, "has_onednn", lambda: there)
    ops = backends.load("torch")
    assert ops.uses_onednn() is (held_back and there)
    a, b = torch.randn(8, 1000), torch.randn(9, 1000)
    assert product_error(ops, a, b) < 1e-4
    assert product_error(ops, a[:, 3:900], b[:, 3:900]) < 1e-4


def test_a_writeable_array_is_shared():
    x = np.zeros(3)
    assert backends.load("torch").adopt(x).data_ptr() == x.ctypes.data


def test_bfloat16_and_gradients_go_to_numpy():
    x = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(backends.of(x).to_numpy(x), np.ones(3, np.float32))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_an_error():
    with pytest.raises(ValueError, match="device='cuda:0': this torch finds no CUDA device"):
        backends.load("torch", "cuda:0")


def test_jax_arrays_that_come_to_cuda_are_told_what_jax_holds(monkeypatch):
    told, gpu = [], object()
    monkeypatch.setattr(torch_backend, "warn_of_preallocation", told.append)
    monkeypatch.setattr(torch_backend, "own_copy", lambda x: x)
    monkeypatch.setattr(torch_backend.TorchBackend, "is_cuda", lambda self: True)
    owner = SimpleNamespace(name="jax", device=gpu, ranker=lambda: SimpleNamespace(name="jax"))
    x = torch.ones(2)
    assert backends.load("torch").adopt_from(owner, x) is x
    assert told == [gpu]


def test_the_host_of_a_device_is_the_cpu():
    assert backends.load("torch").host().device == torch.device("cpu")


def test_a_cpu_feeds_without_stages():
    ops = backends.load("torch")
    assert type(ops.feed(ops.adopt)) is Feed


@pytest.mark.gpu
def test_cuda_stands_for_the_current_device():
    assert backends.load("torch", "cuda") == backends.of(torch.zeros(1, device="cuda"))


@pytest.mark.parametrize(("product", "length"), [("float32", 2048), ("tf32x3", 256), ("tf32", 512)])
def test_stretches_of_short_products_are_short_on_cuda(product, length, monkeypatch):
    monkeypatch.setattr(torch_backend.TorchBackend, "is_cuda", lambda self: True)
    monkeypatch.setattr(torch_backend.TorchBackend, "uses_onednn", lambda self: False)
    assert replace(backends.load("torch"), product=product).product_length() == length


def test_a_cpu_has_no_multiprocessors():
    assert backends.load("torch").multiprocessors() is None


@pytest.mark.gpu
def test_a_card_has_multiprocessors():
    assert backends.load("torch", "cuda").multiprocessors() > 0


@pytest.mark.gpu
def test_free_bytes_of_a_cuda_device():
    free, total = backends.load("torch", "cuda").free_bytes(), torch.cuda.mem_get_info()[1]
    assert 0 < free <= total
