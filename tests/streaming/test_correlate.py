"""W of a store is that of its observations in memory, whatever the bound, the sink and the kill."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from stores import draw, write_store

from gsnn_edges import channel_correlation, cross_correlation
from gsnn_edges.store import StoreWriter
from gsnn_edges.streaming import correlate_store, work
from gsnn_edges.streaming.sizes import Sizes

LAYERS = ["pooled", "mean", "last", 1]
# Twice the bounds of law 3: these columns are tied, and some have few values.
BOUND = 4e-6


def parts_of(layers, a, g):
    """Observations of each matrix of the mean."""
    if layers == "pooled":
        return [(a.reshape(-1, a.shape[2]), g.reshape(-1, g.shape[2]))]
    pairs = list(zip(a, g, strict=True))
    return pairs if layers == "mean" else [pairs[-1 if layers == "last" else layers]]


@pytest.fixture(params=["fits", "held", "scratch"])
def regime(request, monkeypatch):
    """All of it at once; small tiles of rows in memory; small tiles of rows on disk."""
    if request.param != "fits":
        monkeypatch.setattr(work, "sizes_for", lambda *_: Sizes(5, 7, request.param == "held"))
        monkeypatch.setattr(work, "STRETCH", 37)
    return request.param


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("kind", ["zarr", "npy"])
def test_magnitudes(magnitudes, observations, tmp_path, regime, layers, kind):
    found = correlate_store(magnitudes, tmp_path / f"W.{kind}", layers=layers)
    parts = parts_of(layers, *observations)
    expected = np.mean([cross_correlation(*part) for part in parts], axis=0)
    exact = np.mean([oracles.correlation(*part) for part in parts], axis=0)
    assert_allclose(found.to_numpy(), expected, atol=BOUND)
    assert_allclose(found.to_numpy(), exact, atol=BOUND)
    assert found.dtype == np.float32
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"magnitudes", f"W.{kind}"} | ({"W.npy.json"} if kind == "npy" else set())


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("directions", [None, 2])
def test_channels(channels, observations, tmp_path, regime, layers, directions):
    found = correlate_store(channels, tmp_path / "W.zarr", layers=layers, directions=directions)
    own, options = channels.column_nodes, {"nodes": 9, "directions": directions}
    parts = parts_of(layers, *observations)
    expected = [channel_correlation(*part, own, own, **options) for part in parts]
    assert_allclose(found.to_numpy(), np.mean(expected, axis=0), atol=2 * BOUND)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax", "generic"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("ties", ["average", "ordinal"])
def test_options(magnitudes, observations, tmp_path, regime, backend, method, ties):
    pytest.importorskip({"generic": "numpy"}.get(backend, backend))
    options = {"method": method, "ties": ties, "backend": backend}
    found = correlate_store(magnitudes, tmp_path / "W.npy", **options)
    expected = oracles.correlation(*parts_of("pooled", *observations)[0], method, ties)
    assert_allclose(found.to_numpy(), expected, atol=BOUND)


@pytest.mark.parametrize("layers", [None, "last"])
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_channels_of_other_libraries(channels, tmp_path, regime, backend, layers):
    pytest.importorskip(backend)
    options = {"layers": layers, "directions": 2}
    found, expected = (
        correlate_store(channels, tmp_path / f"{name}.npy", backend=name, **options).to_numpy()
        for name in (backend, "numpy")
    )
    assert_allclose(found, expected, atol=2 * BOUND)


def test_float64(tmp_path, regime):
    a, g = (x.astype(float) + 1e8 for x in draw())
    store = write_store(tmp_path / "s", a, g)
    found = correlate_store(store, tmp_path / "W.zarr", precision="float64")
    expected = oracles.correlation(*parts_of("pooled", a, g)[0])
    assert found.dtype == np.float64
    assert_allclose(found.to_numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("precision", ["tf32x3", "bf16x3"])
def test_short_products(magnitudes, observations, tmp_path, regime, precision):
    found = correlate_store(magnitudes, tmp_path / "W.npy", precision=precision)
    exact = oracles.correlation(*parts_of("pooled", *observations)[0])
    assert_allclose(found.to_numpy(), exact, atol=8e-6)


@pytest.mark.parametrize("out", [None, "found.npz"])
def test_what_is_kept_of_w(magnitudes, tmp_path, regime, out):
    out = out if out is None else tmp_path / out
    whole = correlate_store(magnitudes, tmp_path / "W.npy").to_numpy()
    found = correlate_store(magnitudes, out, top=4)
    best = np.argsort(-whole, axis=1, kind="stable")[:, :4]
    assert_array_equal(found.targets, best)
    assert_array_equal(found.scores, np.take_along_axis(whole, best, axis=1))
    found = correlate_store(magnitudes, out and tmp_path / "other.npz", threshold=0.2)
    assert_array_equal([found.sources, found.targets], np.nonzero(abs(whole) >= np.float32(0.2)))


def test_nothing_is_left_of_scratch(magnitudes, tmp_path, regime):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    correlate_store(magnitudes, top=2, scratch=scratch)
    correlate_store(magnitudes, tmp_path / "W.zarr", scratch=scratch)
    assert list(scratch.iterdir()) == []


def test_progress_is_shown(magnitudes, capfd, regime):
    correlate_store(magnitudes, top=1, verbose=True)
    shown = capfd.readouterr().err
    assert "ranking" in shown
    assert "correlating" in shown


# The peak that the kernel remembers of this program; that of `resource` begins with its parent's.
MEASURED = """
import re, sys, zarr
from gsnn_edges import backends
from gsnn_edges.streaming import correlate_store
backends.load("numpy")

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

before = kilobytes("VmRSS")
correlate_store(sys.argv[1], sys.argv[2], max_memory=int(sys.argv[3]))
print(1024 * (kilobytes("VmHWM") - before))
"""


def peak_memory(tmp_path, nodes, samples, bound):
    """What correlating takes beyond the imports of its process."""
    rng = np.random.default_rng(0)
    writer = write_large(tmp_path / "s", nodes, samples, rng)
    command = [sys.executable, "-c", MEASURED, str(writer), str(tmp_path / "W.zarr"), str(bound)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(found.stdout)


def write_large(path, nodes, samples, rng):
    writer = StoreWriter.create(path, pairs=1, samples=samples, columns=nodes, unit=2000)
    for unit in writer.missing:
        top, bottom = writer.facts.rows_of(unit)
        writer.put(unit, *rng.standard_normal((2, 1, bottom - top, nodes), np.float32))
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("nodes", "samples", "bound"),
    [
        (500, 20_000, 25 * 10**6),
        pytest.param(2000, 40_000, 64 * 10**6, marks=pytest.mark.slow),
    ],
)
def test_memory_stays_under_the_bound(tmp_path, nodes, samples, bound):
    inputs = 2 * 4 * nodes * samples
    assert inputs >= (3 if nodes == 500 else 10) * bound
    assert peak_memory(tmp_path, nodes, samples, bound) < bound
