"""What the JAX backend adds to the laws."""

from types import SimpleNamespace

import numpy as np
import pytest
from libraries import require

require("jax")
require("torch")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402

from gsnn_edges import backends, cross_correlation  # noqa: E402
from gsnn_edges.backends import jax_backend  # noqa: E402
from gsnn_edges.backends.jax_backend import JaxBackend  # noqa: E402
from gsnn_edges.backends.layout import aligned  # noqa: E402
from gsnn_edges.backends.transfers import Feed, PatientFeed  # noqa: E402

OPS = backends.load("jax")


@pytest.mark.parametrize("setting", ["bfloat16", "tensorfloat32", "highest"])
def test_a_users_low_precision_does_not_reach_the_product(setting):
    a, b = (np.random.default_rng(s).standard_normal((9, 2000), np.float32) for s in (0, 1))
    with jax.default_matmul_precision(setting):
        text = jax.jit(OPS.matmul).lower(a, b).as_text()
        found = OPS.matmul(jnp.asarray(a), jnp.asarray(b))
    assert "precision = [HIGHEST, HIGHEST]" in text
    np.testing.assert_allclose(found, a.astype(float) @ b.astype(float).T, rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(20, 30),
        torch.randn(20, 30).T,
        torch.randn(20, 30)[:, 5:9],
        torch.randn(20, 30)[::3],
        torch.randn(20, 1).expand(20, 30),
        torch.randn(400)[1:],
        torch.randn(20, 30, requires_grad=True),
        torch.zeros(0, 3),
    ],
    ids=["whole", "transposed", "columns", "every third", "expanded", "offset", "grad", "empty"],
)
def test_any_torch_tensor_arrives_and_is_nobody_elses(x):
    expected = x.detach().clone().numpy()
    found = backends.move(x, OPS)
    with torch.no_grad():
        x.untyped_storage().fill_(7)
    np.testing.assert_array_equal(found, expected)


def test_a_host_array_on_a_cache_line_is_taken_over_without_a_copy():
    x = aligned((100, 100), np.float32)
    x[:] = 1
    assert OPS.take_over(x).unsafe_buffer_pointer() == x.ctypes.data


def test_write_reuses_the_memory():
    out = OPS.empty((100, 100), jnp.float32)
    before = out.unsafe_buffer_pointer()
    out = OPS.write(out, jnp.ones((10, 100)), 5, 0)
    assert out.unsafe_buffer_pointer() == before
    assert float(out.sum()) == 1000


@pytest.mark.parametrize("path", ["auto", "device"])
def test_nothing_is_compiled_again_for_a_second_call_or_a_last_chunk(path, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    a, g = (np.random.default_rng(s).standard_normal((64, 47), np.float32) for s in (0, 1))
    compilations = []

    def count(event, duration, **kwargs):
        compilations.append(event) if "backend_compile" in event else None

    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        cross_correlation(a[:, :10], g, backend="jax", row_chunk=10)
        first = len(compilations)
        cross_correlation(a[:, :20], g, backend="jax", row_chunk=10)
        # The result has another shape; nothing else may be new.
        longer = len(compilations)
        cross_correlation(a[:, 7:27], g, backend="jax", row_chunk=10)
        assert len(compilations) == longer
        assert longer - first <= 2
        assert first > 2
    finally:
        jax.monitoring.unregister_event_duration_listener(count)


class Gpu:
    """A device of JAX, by its account."""

    platform = "gpu"
    local_hardware_id = 3

    def __init__(self, **stats):
        self.stats = stats

    def memory_stats(self):
        return self.stats


def test_free_bytes_of_a_gpu_are_those_that_others_leave(monkeypatch):
    ops = JaxBackend(device=Gpu(bytes_limit=75, pool_bytes=10, bytes_in_use=4))
    monkeypatch.setattr(jax_backend, "card_bytes", {3: 20}.get)
    assert ops.free_bytes() == 26
    monkeypatch.setattr(jax_backend, "card_bytes", lambda number: None)
    assert ops.free_bytes() == 71
    assert JaxBackend(device=Gpu()).free_bytes() is None


def test_multiprocessors_are_those_of_a_gpu():
    gpu, tpu = Gpu(), Gpu()
    gpu.core_count = tpu.core_count = 132
    tpu.platform = "tpu"
    found = [JaxBackend(device=d).multiprocessors() for d in (gpu, tpu, Gpu(), None)]
    assert found == [132, None, None, None]
    assert OPS.multiprocessors() is None


@pytest.mark.parametrize(
    ("platform", "product", "length"),
    [
        ("cpu", "float32", 256),
        ("gpu", "float32", 2048),
        ("gpu", "tf32x3", 256),
        ("cpu", "tf32", 256),
    ],
)
def test_stretches_are_longer_where_a_device_rounds(platform, product, length):
    device = Gpu()
    device.platform = platform
    assert JaxBackend(device=device, product=product).product_length() == length


def test_tensors_that_come_to_a_gpu_are_told_what_jax_holds(monkeypatch):
    told = []
    monkeypatch.setattr(jax_backend, "warn_of_preallocation", told.append)
    monkeypatch.setattr(jax_backend, "own_copy", lambda x: x)
    monkeypatch.setattr(jax_backend.jax, "device_put", lambda x, device: x)
    owner = SimpleNamespace(name="torch", device=torch.device("cuda", 0))
    gpu = Gpu()
    assert JaxBackend(device=gpu).adopt_from(owner, "tensor") == "tensor"
    assert told == [gpu]


def test_a_device_feeds_patiently_and_traced_values_not_at_all():
    assert isinstance(OPS.feed(OPS.adopt), PatientFeed)
    traced = JaxBackend(device=None)
    assert type(traced.feed(traced.adopt)) is Feed


def test_the_host_of_a_device_is_the_cpu():
    assert OPS.host().device == jax.devices("cpu")[0]
    assert JaxBackend(device=None).host().device is None


def test_parts_of_an_array_are_views_of_the_host_or_one_copy(monkeypatch):
    x = jnp.arange(12.0).reshape(3, 4)
    rows = OPS.columns_as_rows(x, 1, 3)
    assert rows.base is not None
    assert not rows.flags.writeable
    assert not OPS.views()
    assert JaxBackend(device=None).views()
    half = OPS.columns_as_rows(x.astype(jnp.bfloat16), 1, 3)
    assert half.dtype == jnp.bfloat16
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    for found in (rows, half, OPS.columns_as_rows(x, 1, 3)):
        np.testing.assert_array_equal(np.asarray(found).astype(float), [[1, 5, 9], [2, 6, 10]])


def held(monkeypatch):
    """Bytes of all arrays that JAX holds, whenever a compiled step begins or has ended."""
    seen = []
    run = jax_backend.compiled

    def look():
        seen.append(sum(x.nbytes for x in jax.live_arrays()))

    def watched(*given):
        look()
        made = run(*given)
        look()
        return made

    monkeypatch.setattr(jax_backend, "compiled", watched)
    return seen


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_inputs_on_a_device_are_copied_by_blocks_alone(method, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    # The second holds as many targets as the first, and no copy of them all.
    a, g = (
        jnp.asarray(np.random.default_rng(s).standard_normal((4000, n), np.float32))
        for s, n in ((0, 20), (1, 400))
    )
    before, chunk = sum(x.nbytes for x in jax.live_arrays()), 20
    seen = held(monkeypatch)
    found = cross_correlation(a, g, method=method, row_chunk=chunk)
    block = 4 * 4000 * chunk
    # The standardized targets, and some blocks: as they were, as rows, ranked, and written.
    assert max(seen) - before <= g.nbytes + found.nbytes + 6 * block


def test_bfloat16_goes_to_numpy():
    x = jnp.ones(3, jnp.bfloat16)
    np.testing.assert_array_equal(OPS.to_numpy(x), np.ones(3, np.float32))


def test_devices_are_found_by_name():
    assert backends.load("jax", "cpu").device == jax.devices("cpu")[0]
    assert backends.load("jax", jax.devices()[0]).device == jax.devices()[0]


@pytest.mark.parametrize("device", ["cpu:99", "nonsense"])
def test_a_missing_device_is_an_error(device):
    with pytest.raises(ValueError, match=f"device='{device}': JAX finds"):
        backends.load("jax", device)
