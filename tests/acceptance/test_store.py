"""A store larger than the memory, correlated in parts, after a kill, and by several processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import correlate_store, open_store
from gsnn_edges.store import StoreWriter, open_matrix

from . import slow
from .program import Command, ended

PAIRS, SAMPLES, COLUMNS = 3, 40, 17
NODES_OF = np.random.default_rng(1).permutation(np.arange(COLUMNS) % 7)
# Twice the bounds of law 3.
ACCURACY = 8e-6


def write(path, a, g, unit=16, **facts):
    """Write observations of shape (pairs, samples, columns)."""
    shape = dict(zip(("pairs", "samples", "columns"), a.shape, strict=True))
    writer = StoreWriter.create(path, **shape, unit=unit, dtype=str(a.dtype), **facts)
    for number in writer.missing:
        part = slice(number * unit, (number + 1) * unit)
        writer.put(number, a[:, part], g[:, part])
    return writer.finish()


@pytest.fixture(scope="module")
def observed():
    """Tied activations, and gradients that go with some of them; a constant column each."""
    rng = np.random.default_rng(0)
    a, noise = rng.standard_normal((2, PAIRS, SAMPLES, COLUMNS)).astype(np.float32)
    g = noise + a[..., ::-1]
    a = np.maximum(a, 0)
    a[..., 5], g[..., 1] = 0, 2
    return a, g


@pytest.fixture(scope="module")
def folder(tmp_path_factory, observed):
    path = tmp_path_factory.mktemp("stores")
    write(path / "nodes.zarr", *observed)
    write(path / "channels.zarr", *observed, score="channels", column_nodes=NODES_OF)
    return path


def expected(observed, layers="pooled", *, channels=False, **options):
    """W by loops."""

    def score(a, g):
        if channels:
            return slow.channel_score(a, g, NODES_OF, NODES_OF, 7, **options)
        return slow.correlation(a, g, **options)

    return slow.layered(score, *(x.reshape(-1, COLUMNS) for x in observed), PAIRS, layers)


def test_what_is_written_is_read(folder, observed, tmp_path):
    store = open_store(folder / "nodes.zarr")
    assert (store.pairs, store.samples, store.columns) == (PAIRS, SAMPLES, COLUMNS)
    assert (store.nodes, store.score, store.dtype) == (COLUMNS, "magnitude", np.float32)
    for side, values in zip("ag", observed, strict=True):
        assert_array_equal(store.read(side), values.reshape(-1, COLUMNS))
        part = store.read(side, columns=slice(3, 9), pairs=(1, 3), samples=(5, 30))
        assert_array_equal(part, values[1:3, 5:30, 3:9].reshape(-1, 6))
    assert store.fingerprint() == open_store(str(folder / "nodes.zarr")).fingerprint()
    other = write(tmp_path / "other.zarr", observed[1], observed[0])
    assert other.fingerprint() != store.fingerprint()


def test_a_store_is_written_unit_by_unit(observed, tmp_path):
    a, g = observed
    facts = {"pairs": PAIRS, "samples": SAMPLES, "columns": COLUMNS, "unit": 16}
    writer = StoreWriter.create(tmp_path / "s.zarr", **facts)
    writer.put(1, a[:, 16:32], g[:, 16:32])
    with pytest.raises(ValueError, match="1 of 3"):
        open_store(tmp_path / "s.zarr")
    writer = StoreWriter.resume(tmp_path / "s.zarr", **facts)
    assert writer.missing == [0, 2]
    for unit in writer.missing:
        part = slice(16 * unit, 16 * unit + 16)
        writer.put(unit, a[:, part], g[:, part])
    assert_array_equal(writer.finish().read("g"), g.reshape(-1, COLUMNS))
    with pytest.raises(FileExistsError):
        StoreWriter.create(tmp_path / "s.zarr", **facts)
    with pytest.raises(ValueError, match="samples"):
        StoreWriter.resume(tmp_path / "s.zarr", **facts | {"samples": 41})


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_nodes(folder, observed, tmp_path, backend, kind):
    found = correlate_store(folder / "nodes.zarr", tmp_path / f"W.{kind}", backend=backend)
    assert found.shape == (COLUMNS, COLUMNS)
    assert found.dtype == np.float32
    assert_allclose(found.to_numpy(), expected(observed), rtol=0, atol=ACCURACY)
    assert_array_equal(open_matrix(tmp_path / f"W.{kind}").to_numpy(), found.to_numpy())


@pytest.mark.parametrize(
    ("layers", "options"),
    [
        ("mean", {}),
        ("last", {"method": "pearson"}),
        (1, {"ties": "ordinal"}),
        ("pooled", {"ties": "ordinal"}),
    ],
)
def test_layers_and_options(folder, observed, tmp_path, layers, options):
    out = tmp_path / "W.npy"
    found = correlate_store(folder / "nodes.zarr", out, layers=layers, **options)
    assert_allclose(found.to_numpy(), expected(observed, layers, **options), rtol=0, atol=ACCURACY)


@pytest.mark.parametrize("layers", ["mean", "pooled"])
@pytest.mark.parametrize("n_components", [None, 2])
def test_channels(folder, observed, tmp_path, layers, n_components):
    out = tmp_path / "W.zarr"
    found = correlate_store(folder / "channels.zarr", out, layers=layers, n_components=n_components)
    wanted = expected(observed, layers, channels=True, n_components=n_components)
    assert_allclose(found.to_numpy(), wanted, rtol=0, atol=4 * ACCURACY)


def test_float64(tmp_path, observed):
    a, g = (x.astype(np.float64) + 1e8 for x in observed)
    store = write(tmp_path / "s.zarr", a, g)
    found = correlate_store(store, tmp_path / "W.npy", precision="float64")
    assert found.dtype == np.float64
    assert_allclose(found.to_numpy(), expected((a, g)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("out", [None, "kept.npz"])
def test_what_is_kept_of_w(folder, observed, tmp_path, out):
    whole = correlate_store(folder / "nodes.zarr", tmp_path / "W.npy").to_numpy()
    found = correlate_store(folder / "nodes.zarr", out and tmp_path / out, top=4)
    best = np.argsort(-whole, axis=1, kind="stable")[:, :4]
    assert_array_equal(found.targets, best)
    assert_array_equal(found.scores, np.take_along_axis(whole, best, axis=1))
    far = correlate_store(folder / "nodes.zarr", out and tmp_path / f"far-{out}", threshold=0.2)
    assert_array_equal([far.sources, far.targets], np.nonzero(abs(whole) >= np.float32(0.2)))
    assert_array_equal(far.scores, whole[far.sources, far.targets])


def test_a_result_is_not_written_over(folder, tmp_path):
    correlate_store(folder / "nodes.zarr", tmp_path / "W.zarr")
    correlate_store(folder / "nodes.zarr", tmp_path / "W.zarr")  # it is there already
    before = open_matrix(tmp_path / "W.zarr").to_numpy()
    with pytest.raises((FileExistsError, ValueError), match=r"W\.zarr"):
        correlate_store(folder / "nodes.zarr", tmp_path / "W.zarr", method="pearson")
    assert_array_equal(open_matrix(tmp_path / "W.zarr").to_numpy(), before)
    correlate_store(folder / "nodes.zarr", tmp_path / "W.zarr", method="pearson", resume=False)
    assert not np.array_equal(open_matrix(tmp_path / "W.zarr").to_numpy(), before)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 64 MB."""
    path = tmp_path_factory.mktemp("large") / "seen.zarr"
    rng = np.random.default_rng(0)
    write(path, *rng.random((2, 1, 20_000, 400), np.float32), unit=10_000, chunk_columns=8)
    return path


# The peak that the kernel remembers of this program; that of `resource` begins with its parent's.
MEASURED = """
import re, sys, zarr
from gsnn_edges import correlate_store

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

before = kilobytes("VmRSS")
correlate_store(sys.argv[1], sys.argv[2], max_memory="12MB")
print(1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_stays_under_a_bound(large, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(large), str(tmp_path / "W.npy")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 12e6
    store = open_store(large)
    columns = [0, 7, 399]
    a, g = (np.concatenate([store.read(s, (k, k + 1)) for k in columns], axis=1) for s in "ag")
    found = open_matrix(tmp_path / "W.npy").to_numpy()
    assert_allclose(found[np.ix_(columns, columns)], slow.correlation(a, g), rtol=0, atol=ACCURACY)


def begun(command, call, tmp_path):
    """Start a call, and wait until a part of its files is written."""
    process = command.begin(*call)

    def written():
        files = [path.stat() for path in tmp_path.rglob("*") if path.is_file()]
        return sum(512 * file.st_blocks for file in files)

    while written() < 16e6 and process.poll() is None:
        time.sleep(0.005)
    return process


def test_a_call_that_was_killed_goes_on(large, tmp_path):
    command = Command(tmp_path)
    call = ("correlate", large, "--out", "W.npy", "--max-memory", "24MB", "-q")
    process = begun(command, call, tmp_path)
    process.kill()
    assert ended(process).code == -signal.SIGKILL
    assert not (tmp_path / "W.npy").exists()
    command.well(*call)
    found = open_matrix(tmp_path / "W.npy").to_numpy()
    store = open_store(large)
    a, g = (store.read(side, (0, 3)) for side in "ag")
    assert_allclose(found[:3, :3], slow.correlation(a, g), rtol=0, atol=ACCURACY)
    assert np.isfinite(found).all()
    left = {path.name for path in tmp_path.iterdir()}
    assert "W.npy" in left
    assert not [name for name in left if "unfinished" in name]


def test_a_call_that_the_system_ends_says_so(large, tmp_path):
    call = ("correlate", large, "--out", "W.zarr", "--max-memory", "24MB", "-q")
    process = begun(Command(tmp_path), call, tmp_path)
    process.terminate()
    shown = ended(process)
    assert (shown.code, shown.out) == (143, "")
    assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "W.zarr").exists()


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def test_processes_share_the_work(folder, observed):
    command = Command(folder)
    call = ("correlate", "nodes.zarr", "--out", "W.zarr", "-q", "--row-chunk", 3)
    together = ("--coordinator", f"localhost:{free_port()}", "--processes", 2, "--process")
    # Each has two of JAX's devices, so that devices and processes are not the same.
    env = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    processes = [command.begin(*call, *together, number, env=env) for number in range(2)]
    for process in processes:
        shown = ended(process)
        assert shown.code == 0, shown.err
    found = open_matrix(folder / "W.zarr").to_numpy()
    assert_allclose(found, expected(observed), rtol=0, atol=ACCURACY)


def test_one_process_takes_all_devices(folder, observed):
    out = ("--out", "channels-W.zarr", "--processes", 1, "-q")
    Command(folder).well("correlate", "channels.zarr", *out, env={"JAX_PLATFORMS": "cpu"})
    found = open_matrix(folder / "channels-W.zarr").to_numpy()
    wanted = expected(observed, "mean", channels=True)
    assert_allclose(found, wanted, rtol=0, atol=4 * ACCURACY)
