"""What the torch backend adds to the laws."""

from pathlib import Path

import numpy as np
import pytest
from libraries import require

require("torch")
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.backends import torch_backend  # noqa: E402

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


def test_the_setting_comes_back_after_an_error():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError, match="stop"), torch_backend.full_precision("cpu"):
        raise RuntimeError("stop")
    assert torch.backends.mkldnn.matmul.fp32_precision == before


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


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 26\n", True),
        ("vendor_id\t: AuthenticAMD\ncpu family\t: 25\n", False),
        ("vendor_id\t: GenuineIntel\ncpu family\t: 26\n", False),
        ("", False),
        (None, False),
    ],
)
def test_mkl_is_held_back_on_zen_5_and_later(cpuinfo, expected, monkeypatch):
    def read(path):
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read)
    assert torch_backend.mkl_is_held_back.__wrapped__() is expected


@pytest.mark.parametrize("x", [np.arange(6.0)[::-1], np.broadcast_to(np.ones(3), (2, 3))])
def test_arrays_that_torch_cannot_view_are_copied(x):
    np.testing.assert_array_equal(backends.load("torch").adopt(x).numpy(), x)


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


@pytest.mark.gpu
def test_free_bytes_of_a_cuda_device():
    free, total = backends.load("torch", "cuda").free_bytes(), torch.cuda.mem_get_info()[1]
    assert 0 < free <= total
