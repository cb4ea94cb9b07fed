"""Processes on this machine that make W together, also when one of them is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import oracles
import pytest
from acceptance.program import Command, ended
from libraries import require
from numpy.testing import assert_allclose, assert_array_equal
from stores import Disk, draw, write_store

from gsnn_edges import channel_correlation, correlate_store
from gsnn_edges.cli.cmd_correlate import run_in_child
from gsnn_edges.scale import correlate_distributed
from gsnn_edges.scale.multihost import local_devices
from gsnn_edges.store import open_matrix

# Each process has two of JAX's devices, so that devices and processes are not the same.
TWO_DEVICES = {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
}
JOINING = """
import json, sys
from gsnn_edges.scale import correlate_distributed
try:
    correlate_distributed(**json.loads(sys.argv[1]))
except (RuntimeError, ValueError, OSError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
ACCURACY = {"atol": 2e-6, "rtol": 0}


@pytest.fixture(autouse=True)
def jax_is_there():
    require("jax")


@pytest.fixture(scope="module")
def observations():
    return draw(0, 2, 23, 37)


@pytest.fixture
def store(tmp_path, observations):
    return write_store(tmp_path / "seen.zarr", *observations).path


def exact(observations, **options):
    return oracles.correlation(*(x.reshape(-1, x.shape[2]) for x in observations), **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def slurm(count, process):
    """What Slurm tells each process of a job on one node; JAX's port follows from the job."""
    return {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_NTASKS": str(count),
        "SLURM_PROCID": str(process),
        "SLURM_LOCALID": str(process),
    }


def joined(calls, *, cluster=False):
    """Exit status and errors of processes that make these calls."""
    address, runs = f"localhost:{free_port()}", []
    for process, call in enumerate(calls):
        place = {"coordinator": address, "processes": len(calls), "process": process}
        about = json.dumps(call | ({} if cluster else place), default=str)
        env = {**os.environ, **TWO_DEVICES, **(slurm(len(calls), process) if cluster else {})}
        command = [sys.executable, "-c", JOINING, about]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        runs.append(subprocess.Popen(command, env=env, text=True, **pipes))
    return [(run.returncode, said) for run in runs for said in [run.communicate(timeout=120)[1]]]


def test_two_processes_of_a_cluster_give_the_channel_score(observations, tmp_path):
    columns = np.random.default_rng(1).integers(0, 11, 37)
    columns[0] = 11
    channels = {"score": "channels", "nodes": 12, "column_nodes": columns}
    store = write_store(tmp_path / "seen.zarr", *observations, **channels).path
    call = {"store": store, "out": tmp_path / "W.zarr", "row_chunk": 4}
    assert joined([call, call], cluster=True) == [(0, "")] * 2
    pairs = zip(*observations, strict=True)
    each = [channel_correlation(a, g, columns, columns, nodes=12) for a, g in pairs]
    W = open_matrix(tmp_path / "W.zarr").to_numpy()
    assert_allclose(W, np.mean(each, axis=0), **ACCURACY)
    assert {path.name for path in tmp_path.iterdir()} == {"seen.zarr", "W.zarr"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"method": "pearson"},
            ["from process 0 to process 1 method was 'spearman' and is 'pearson'"] * 2,
        ),
        (
            {"store": "gone.zarr"},
            ["RuntimeError: process 1 of 2: FileNotFoundError: path", "there is none at 'gone"],
        ),
    ],
)
def test_an_error_of_one_process_is_raised_by_all(store, tmp_path, change, says):
    call = {"store": store, "out": tmp_path / "W.zarr"}
    for (status, said), phrase in zip(joined([call, call | change]), says, strict=True):
        assert status == 1
        assert phrase in said
    assert {path.name for path in tmp_path.iterdir()} == {"seen.zarr"}


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_ends_the_others_and_a_second_run_completes(tmp_path, lost):
    """By the command line, which says in a line how JAX ended each."""
    observations = draw(0, 2, 23, 360)
    write_store(tmp_path / "seen.zarr", *observations)
    call = ("correlate", "seen.zarr", "--out", "W.zarr", "--row-chunk", 6, "-q")

    def begun():
        together = ("--coordinator", f"localhost:{free_port()}", "--processes", 3, "--process")
        return [Command(tmp_path).begin(*call, *together, n, env=TWO_DEVICES) for n in range(3)]

    processes, done = begun(), tmp_path / "W.zarr.unfinished" / "done.txt"
    deadline = time.monotonic() + 120
    while not (done.exists() and done.read_text().count("block") > 6):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    gone = processes.pop(lost)
    gone.kill()
    killed = time.monotonic()
    assert ended(gone).code == -signal.SIGKILL
    for shown in map(ended, processes):
        assert shown.code == 1
        assert len(shown.err.splitlines()) == 1
        assert "ended by JAX, as when another process is gone" in shown.err
    assert time.monotonic() - killed < 40
    assert not (tmp_path / "W.zarr").exists()
    assert [(shown.code, shown.err) for shown in map(ended, begun())] == [(0, "")] * 3
    W = open_matrix(tmp_path / "W.zarr").to_numpy()
    assert_allclose(W, exact(observations), **ACCURACY)


def test_one_process_needs_nobody_and_takes_what_is_finished(store, observations, tmp_path):
    call = {"store": store, "out": tmp_path / "W.zarr", "processes": 1, "layers": 1}
    call["ties"] = "ordinal"
    W = correlate_distributed(**call).to_numpy()
    assert_allclose(
        W, oracles.correlation(*(x[1] for x in observations), ties="ordinal"), **ACCURACY
    )
    before = (tmp_path / "W.zarr" / "zarr.json").stat().st_mtime_ns
    assert_array_equal(correlate_distributed(**call).to_numpy(), W)
    # Whichever function made it.
    correlate_store(store, tmp_path / "W.zarr", layers=1, ties="ordinal")
    assert (tmp_path / "W.zarr" / "zarr.json").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="method was 'spearman' and is 'pearson'"):
        correlate_distributed(**call, method="pearson")
    correlate_distributed(**call, method="pearson", resume=False)
    assert np.abs(open_matrix(tmp_path / "W.zarr").to_numpy() - W).max() > 0.01


def test_blocks_that_are_finished_are_kept(store, observations, tmp_path, monkeypatch):
    call = {"store": store, "out": tmp_path / "W.zarr", "processes": 1}
    with monkeypatch.context() as patch:
        Disk(patch, room=23)
        with pytest.raises(OSError, match="No space left"):
            correlate_distributed(**call, row_chunk=5)
    unfinished = tmp_path / "W.zarr.unfinished"
    done = (unfinished / "done.txt").read_text().count("block")
    assert 0 < done < 8
    blocks = list((unfinished / "W.zarr" / "c").glob("*/0"))
    times = {path.parent.name: path.stat().st_mtime_ns for path in blocks}
    with pytest.raises(ValueError, match="method was 'spearman' and is 'pearson'"):
        correlate_distributed(**call, method="pearson")
    W = correlate_distributed(**call, row_chunk=30).to_numpy()
    assert_allclose(W, exact(observations), **ACCURACY)
    kept = (tmp_path / "W.zarr" / "c").glob("*/0")
    assert sum(times.get(path.parent.name) == path.stat().st_mtime_ns for path in kept) >= done


def test_a_store_of_float64_is_correlated_in_float64(observations, tmp_path):
    wide = [x.astype(float) + 1e8 for x in observations]
    store = write_store(tmp_path / "seen.zarr", *wide).path
    W = correlate_distributed(store, tmp_path / "W.zarr", processes=1, row_chunk=5)
    assert_allclose(W.to_numpy(), exact(wide), **ACCURACY)


@pytest.mark.parametrize(
    ("changed", "error", "phrase"),
    [
        ({"out": "W.npy"}, ValueError, r"out must end with \.zarr"),
        ({"processes": 2}, ValueError, "coordinator, processes and process go together"),
        ({"processes": 2, "process": 2}, ValueError, r"process must lie in 0 \.\. 1"),
        ({"coordinator": "node", "process": 0}, ValueError, "coordinator must be 'host:port'"),
        ({"coordinator": "node:70000", "process": 0}, ValueError, "a port from 1 to 65535"),
        ({"out": "no/folder/W.zarr"}, FileNotFoundError, r"make '.*no/folder' first"),
        ({"timeout": 0}, ValueError, "timeout must be at least 1"),
        ({"start_timeout": "long"}, TypeError, "start_timeout must be a whole number"),
        ({"verbose": 1}, TypeError, "verbose must be True or False"),
        ({"store": "missing.zarr"}, FileNotFoundError, "missing.zarr"),
    ],
)
def test_wrong_calls(store, tmp_path, monkeypatch, changed, error, phrase):
    monkeypatch.chdir(tmp_path)
    call = {"store": store, "out": tmp_path / "W.zarr", "processes": 1}
    with pytest.raises(error, match=phrase):
        correlate_distributed(**call | changed)
    assert {path.name for path in tmp_path.iterdir()} == {"seen.zarr"}


def test_a_cluster_that_is_none_and_a_library_that_is_not_there(store, tmp_path, monkeypatch):
    import jax

    def initialize(**_):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    with pytest.raises(ValueError, match=r"JAX finds no cluster .* coordinator_address should be"):
        correlate_distributed(store, tmp_path / "W.zarr")
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[jax\]'"):
        correlate_distributed(store, tmp_path / "W.zarr", processes=1)


ONE_A_NODE = {"SLURM_STEP_TASKS_PER_NODE": "1(x4)", "CUDA_VISIBLE_DEVICES": "0,1,2,3"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SLURM_STEP_TASKS_PER_NODE": "8(x4)", "CUDA_VISIBLE_DEVICES": "0"}, []),
        ({"SLURM_STEP_TASKS_PER_NODE": "8(x4)", "CUDA_VISIBLE_DEVICES": "0,1"}, None),
        (ONE_A_NODE, []),
        ({"SLURM_STEP_TASKS_PER_NODE": "1"}, []),
        ({"SLURM_STEP_TASKS_PER_NODE": "1,2"}, None),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, []),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, None),
        ({"ROCR_VISIBLE_DEVICES": "3"}, []),
        (ONE_A_NODE | {"JAX_LOCAL_DEVICE_IDS": "2"}, None),
        ({}, None),
    ],
)
def test_devices_of_a_process(environ, expected):
    assert local_devices(environ) == expected


def test_the_end_of_a_child_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_in_child(open, file="/nowhere/at/all")
    with pytest.raises(RuntimeError, match="JSONDecodeError: Expecting property name"):
        run_in_child(json.loads, s="{")
    run_in_child(json.dumps, obj=1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match=rf"ended by JAX, .*exit status -{signal.SIGABRT:d}; .*"):
        run_in_child(os.abort)
    (log,) = tmp_path.iterdir()
    assert log.suffix == ".log"
