"""W of a store is that of its observations in memory, whatever the bound, the sink and the kill."""

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import oracles
import pytest
from libraries import require
from numpy.testing import assert_allclose, assert_array_equal
from stores import draw, write_store

from gsnn_edges import channel_correlation, cross_correlation
from gsnn_edges.scale import correlate_store
from gsnn_edges.scale import out_of_core as work
from gsnn_edges.scale.sizes import Sizes
from gsnn_edges.store import StoreWriter

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
@pytest.mark.parametrize("n_components", [None, 2])
def test_channels(channels, observations, tmp_path, regime, layers, n_components):
    found = correlate_store(channels, tmp_path / "W.zarr", layers=layers, n_components=n_components)
    own, options = channels.column_nodes, {"nodes": 9, "n_components": n_components}
    parts = parts_of(layers, *observations)
    expected = [channel_correlation(*part, own, own, **options) for part in parts]
    assert_allclose(found.to_numpy(), np.mean(expected, axis=0), atol=2 * BOUND)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("ties", ["average", "ordinal"])
def test_options(magnitudes, observations, tmp_path, regime, backend, method, ties):
    pytest.importorskip(backend)
    options = {"method": method, "ties": ties, "backend": backend}
    found = correlate_store(magnitudes, tmp_path / "W.npy", **options)
    expected = oracles.correlation(*parts_of("pooled", *observations)[0], method, ties)
    assert_allclose(found.to_numpy(), expected, atol=BOUND)


@pytest.mark.parametrize("layers", [None, "last"])
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_channels_of_other_libraries(channels, tmp_path, regime, backend, layers):
    pytest.importorskip(backend)
    options = {"layers": layers, "n_components": 2}
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
import json, re, sys, zarr
from gsnn_edges import backends
from gsnn_edges.scale import correlate_store
path, out, bound, backend, kept = sys.argv[1:]
backends.load(backend)

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

before = kilobytes("VmRSS")
correlate_store(path, out, max_memory=int(bound), backend=backend, **json.loads(kept))
print(1024 * (kilobytes("VmHWM") - before))
"""
# Twenty targets of each source, or about as many pairs as the bound may hold.
KEPT = {"matrix": ("W.zarr", {}), "top": ("t.npz", {"top": 20}), "threshold": ("t.npz", {})}
THRESHOLDS = {"magnitude": 0.0125, "channels": 0.0205}
BOUNDS = {"numpy": 20, "torch": 24, "jax": 200}
QUICK = {
    ("numpy", "magnitude", "matrix"),
    ("numpy", "channels", "threshold"),
    ("torch", "channels", "top"),
    ("torch", "magnitude", "threshold"),
}
CASES = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
    for case in product(BOUNDS, ("magnitude", "channels"), KEPT)
]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Stores of so many bytes, each written once."""
    folder, made = tmp_path_factory.mktemp("large"), {}

    def give(score, total):
        if (score, total) not in made:
            made[score, total] = write_large(folder / f"{score}-{total}", score, total)
        return made[score, total]

    return give


def write_large(path, score, total, columns=1200):
    """Write values that hardly tie, in chunks of few columns: small bounds rank few at a time."""
    samples = -(-total // (8 * columns))
    facts = {"score": score, "column_nodes": np.arange(columns) // 3, "chunk_columns": 4}
    if score == "magnitude":
        del facts["column_nodes"]
    writer = StoreWriter.create(
        path, pairs=1, samples=samples, columns=columns, unit=10_000, **facts
    )
    rng = np.random.default_rng(0)
    for unit in writer.missing:
        top, bottom = writer.rows_of(unit)
        writer.put(unit, *rng.random((2, 1, bottom - top, columns), np.float32))
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(("backend", "score", "kept"), CASES)
def test_memory_stays_under_a_tenth_of_the_inputs(tmp_path, large, backend, score, kept):
    require(backend)
    bound = BOUNDS[backend] * 10**6
    path, (out, options) = large(score, 10 * bound), KEPT[kept]
    if kept == "threshold":
        options = {"threshold": THRESHOLDS[score]}
    command = [sys.executable, "-c", MEASURED, str(path), str(tmp_path / out), str(bound)]
    run = subprocess.run(
        [*command, backend, json.dumps(options)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < bound
