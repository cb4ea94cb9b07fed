"""Which product torch makes, and how its settings are left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from libraries import require

require("torch")
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.backends import torch_products  # noqa: E402
from gsnn_edges.backends.splits import SPLITS, shortened  # noqa: E402


def test_the_setting_comes_back_after_an_error():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError, match="stop"), torch_products.full_precision("cpu"):
        raise RuntimeError("stop")
    assert torch.backends.mkldnn.matmul.fp32_precision == before


SCOPES = [(scope, op) for scope in ("cuda", "mkldnn") for op in ("all", "matmul")]


@pytest.fixture
def settings():
    """The settings of torch, which come back."""
    scopes = [("generic", "all"), *SCOPES]
    yield
    for scope in scopes:
        torch_products.set_precision(*scope, "none")
    torch.set_float32_matmul_precision("highest")


def at_work():
    return [torch_products.precision_of(*scope) for scope in SCOPES]


def legacy_at_work():
    return [torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32]


def multiply():
    """Two products of ours in each library's setting; CUDA itself is not needed for that."""
    x = torch.randn(30, 40)
    backends.of(x).matmul(x, x)
    for device in ("cpu", "cuda"):
        with torch_products.full_precision(device), torch_products.products_in(device, "tf32"):
            pass


@pytest.mark.parametrize("later", ["ieee", "tf32", "none"])
@pytest.mark.parametrize("everywhere", ["none", "ieee", "tf32"])
@pytest.mark.parametrize("library", ["none", "ieee", "tf32"])
@pytest.mark.parametrize("products", ["none", "ieee", "tf32"])
@pytest.mark.usefixtures("settings")
def test_what_was_inherited_is_inherited_still(everywhere, library, products, later):
    def set_all():
        torch.backends.fp32_precision = everywhere
        for name in ("cuda", "mkldnn"):
            torch_products.set_precision(name, "all", library)
            torch_products.set_precision(name, "matmul", products)

    def afterwards():
        found = [at_work()]
        torch.backends.fp32_precision = later
        found.append(at_work())
        for name in ("cuda", "mkldnn"):
            torch_products.set_precision(name, "all", later)
        return [*found, at_work()]

    set_all()
    expected = afterwards()
    set_all()
    multiply()
    assert afterwards() == expected


@pytest.mark.parametrize("legacy", ["highest", "high", "medium"])
@pytest.mark.parametrize("later", ["highest", "high"])
@pytest.mark.usefixtures("settings")
def test_legacy_settings_stay(legacy, later):
    def afterwards():
        found = [at_work(), legacy_at_work()]
        torch.set_float32_matmul_precision(later)
        return [*found, at_work(), legacy_at_work()]

    torch.set_float32_matmul_precision(legacy)
    expected = afterwards()
    torch.set_float32_matmul_precision(legacy)
    multiply()
    assert afterwards() == expected


@pytest.mark.parametrize("everywhere", ["tf32", "bf16"])
@pytest.mark.usefixtures("settings")
def test_a_setting_for_everything_does_not_reach_our_products(everywhere):
    torch.backends.fp32_precision = everywhere
    x = torch.rand(30, 2000, generator=torch.Generator().manual_seed(0))
    exact = x.double() @ x.double().T
    found = backends.of(x).matmul(x, x)
    np.testing.assert_allclose(found, exact, rtol=1e-6)


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
    assert torch_products.mkl_is_held_back.__wrapped__() is expected


@pytest.mark.parametrize("name", SPLITS)
def test_short_tensors_are_those_of_plain_arithmetic(name):
    x = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    found = torch_products.short_tensor(torch.from_numpy(x).T, SPLITS[name]).float()
    np.testing.assert_array_equal(found.numpy(), shortened(x, SPLITS[name]).T)


@pytest.mark.parametrize("name", SPLITS)
def test_products_of_tensor_cores_have_the_form_of_others(name):
    # No values on this device, but the operators that CUDA has.
    split = SPLITS[name]
    x, y = (torch.empty(n, 30, device="meta") for n in (4, 5))
    short = [torch_products.short_tensor(z, split) for z in (x, y)]
    first = torch_products.tensor_core_product(None, *short, split)
    both = torch_products.tensor_core_product(first, *short, split)
    for found in (first, both):
        assert (found.shape, found.dtype) == ((4, 5), torch.float32)


@pytest.mark.gpu
@pytest.mark.parametrize("name", SPLITS)
def test_tensor_cores_are_as_precise_as_their_operands(name):
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((n, 20_000)).astype(np.float32) for n in (70, 90))
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    found = {}
    for device in ("cpu", "cuda"):
        ops = replace(backends.load("torch", device), product=name)
        found[device] = ops.to_numpy(ops.matmul(ops.adopt(x), ops.adopt(y)))
    np.testing.assert_allclose(found["cuda"], found["cpu"], rtol=0, atol=1e-6)
