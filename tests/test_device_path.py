"""What must hold on a CUDA device as on a CPU: each test runs on both.

On a CPU torch and JAX take their device paths.
"""

import warnings

import numpy as np
import oracles
import pytest
from columns import kinds, matrix
from gsnn_models import TinyGSNN, data, slow_capture
from libraries import require

require("torch")
require("jax")
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import torch  # noqa: E402

from gsnn_edges import FunctionEdgeInferer, backends, capture, cross_correlation, mrr  # noqa: E402

FEW_TIES, MANY_TIES = 1e-6, 4e-6
ROUNDS = 50
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
pytestmark = pytest.mark.filterwarnings("ignore:x should hold at least 10 samples:UserWarning")


@pytest.fixture(params=DEVICES)
def device(request, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    return request.param


@pytest.fixture(params=["torch", "jax"])
def name(request):
    return request.param


def pair(observations):
    return [matrix(*kinds(observations, seed=seed)).astype(np.float32) for seed in (0, 1)]


def test_capture_equals_a_slow_one(device):
    torch.manual_seed(0)
    model, (x, y) = TinyGSNN(), data()
    expected = slow_capture(model, torch.nn.MSELoss(), x, y)
    found = capture(model.to(device), torch.nn.MSELoss(), x.to(device), y.to(device), device=device)
    for mine, other in zip(found, expected, strict=True):
        assert mine.device.type == device
        np.testing.assert_allclose(mine.cpu(), other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty_factor": 0.3, "scale_by_act_mean": True},
        {"estimate": True, "estimate_iters": 3, "estimate_n_samples": 8, "seed": 1},
    ],
    ids=["plain", "adjusted", "estimate"],
)
def test_fits_are_those_of_the_host(device, name, options):
    torch.manual_seed(0)
    model, (x, y) = TinyGSNN(), data(12)
    edges = np.array([[0, 1, 2], [1, 2, 3]])
    crit = torch.nn.MSELoss()
    expected = FunctionEdgeInferer(model, crit, edges, backend="numpy").fit(x, y, **options)
    mine = FunctionEdgeInferer(
        model.to(device), crit, edges, device=device, backend=name, backend_device=device
    )
    found = mine.fit(x.to(device), y.to(device), **options)
    # Passes of two devices differ by rounding, which may turn a pair of neighbouring ranks.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if device == "cpu" else 0.05)


@pytest.mark.parametrize(("row_chunk", "order"), [(None, "C"), (5, "C"), (5, "F")])
def test_arrays_of_the_host_are_copied_to_a_device(device, name, row_chunk, order):
    a, g = (np.asarray(x, order=order) for x in pair(2000))
    where = {"backend": name, "device": device}
    found = cross_correlation(a, g, row_chunk=row_chunk, **where)
    host = backends.of(found).to_numpy(found)
    np.testing.assert_allclose(host, oracles.correlation(a, g), rtol=0, atol=MANY_TIES)


def test_ranks_of_a_device_are_those_of_the_host(device, name):
    scores = np.random.default_rng(0).standard_normal((60, 60)).astype(np.float32).round(1)
    edges = np.stack([np.arange(60), np.arange(60)[::-1]])
    table = backends.load(name, device).adopt(scores)
    np.testing.assert_allclose(mrr(table, edges, edges), mrr(scores, edges, edges), rtol=1e-12)


def test_scores_stay_where_they_are(device, monkeypatch):
    ops = backends.load("torch", device)
    scores = torch.randn(300, 300, device=device)
    edges = np.stack([np.arange(300), np.arange(300)[::-1]])
    sizes = []
    give = type(ops).to_numpy
    monkeypatch.setattr(
        type(ops), "to_numpy", lambda self, x: sizes.append(x.numel()) or give(self, x)
    )
    mrr(scores, edges, edges)
    assert 0 < max(sizes) <= 2 * 300  # places from the left and from the right


@pytest.mark.parametrize(("free", "homes"), [(2500, 1), (10**8, 0)])
def test_a_result_that_does_not_fit_leaves_block_by_block(device, monkeypatch, free, homes):
    kind = type(backends.load("torch"))
    monkeypatch.setattr(kind, "free_bytes", lambda self: free)
    host, calls = kind.host, []
    monkeypatch.setattr(kind, "host", lambda self: calls.append(self) or host(self))
    a, g = pair(300)
    found = cross_correlation(a, g, backend="torch", device=device, row_chunk=4)
    np.testing.assert_allclose(found.cpu(), oracles.correlation(a, g), rtol=0, atol=MANY_TIES)
    assert len(calls) == homes


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_what_jax_holds_on_a_device_is_blocks_alone(device, method, monkeypatch):
    place = jax.devices("gpu" if device == "cuda" else "cpu")[0]
    # The second holds as many targets as the first, and no copy of them all.
    a, g = (
        jax.device_put(np.random.default_rng(s).standard_normal((4000, n), np.float32), place)
        for s, n in ((0, 20), (1, 400))
    )
    kind = type(backends.of(a))
    call, held, chunk = kind.call, [], 20

    def watched(self, *given, **options):
        held.append(sum(x.nbytes for x in jax.live_arrays()))
        made = call(self, *given, **options)
        held.append(sum(x.nbytes for x in jax.live_arrays()))
        return made

    monkeypatch.setattr(kind, "call", watched)
    before = sum(x.nbytes for x in jax.live_arrays())
    found = cross_correlation(a, g, method=method, row_chunk=chunk)
    # The standardized targets, and some blocks: as they were, as rows, ranked, and written.
    assert max(held) - before <= g.nbytes + found.nbytes + 6 * 4 * 4000 * chunk


@pytest.mark.gpu
def test_a_card_that_is_full_names_what_fits():
    a, g = (torch.randn(1 << 18, 64, device="cuda") for _ in range(2))
    total = torch.cuda.mem_get_info()[1]
    share = (torch.cuda.memory_allocated() + a.nbytes // 2) / total
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with pytest.raises(MemoryError, match="largest row_chunk that fits now"):
                cross_correlation(a, g, row_chunk=64)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.gpu
def test_peak_of_a_card_is_what_the_docstring_says():
    a, g = (torch.randn(100_000, 2000, device="cuda") for _ in range(2))
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    found = cross_correlation(a, g)
    peak = torch.cuda.max_memory_allocated() - before
    chunk = max(1 << 28, 0.05 * (a.nbytes + g.nbytes))
    assert peak <= g.nbytes + found.nbytes + 10**9 + chunk


# Two libraries on one card: what one still computes, or writes over, must not reach the other.


@pytest.mark.parametrize("columns", [slice(None), slice(3, 50)])
def test_torch_lends_to_jax(device, columns):
    ops = backends.load("jax", "gpu" if device == "cuda" else "cpu")
    work = jax.jit(lambda x: (x + x @ (x.T @ x) * 0).sum())
    x, busy = torch.empty(60, 60, device=device), torch.ones(1, 1, device=device)
    if device == "cuda":  # which computes what comes after it later
        busy = torch.ones(3000, 3000, device=device)
    for number in range(ROUNDS):
        for _ in range(3):
            busy = busy @ busy / len(busy)
        x.fill_(number).add_(busy[0, 0] * 0)
        found = work(backends.move(x[:, columns], ops))
        x.fill_(-1)
        assert float(found) == number * x[:, columns].numel()


def test_jax_lends_to_torch(device):
    ops = backends.load("torch", device)
    place = jax.devices("gpu" if device == "cuda" else "cpu")[0]
    side = 200 if device == "cpu" else 2000
    slow = jax.jit(lambda x, number: jnp.full((60, 60), number) + (x @ x).sum() * 0)
    x = jax.device_put(jnp.ones((side, side)), place)
    for number in range(ROUNDS):
        lent = slow(x, float(number))
        found = backends.move(lent, ops)
        lent.delete()  # JAX may use its memory again
        again = slow(x, -1.0)
        assert float(found.sum()) == 3600 * number
        again.block_until_ready()


@pytest.mark.gpu
def test_a_card_of_torch_by_name_and_by_its_memory():
    assert backends.load("torch", "cuda") == backends.of(torch.zeros(1, device="cuda"))
    free, total = backends.load("torch", "cuda").free_bytes(), torch.cuda.mem_get_info()[1]
    assert 0 < free <= total


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_card_is_an_error():
    with pytest.raises(ValueError, match="device='cuda:0': this torch finds no CUDA device"):
        backends.load("torch", "cuda:0")
