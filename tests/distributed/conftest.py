"""Stores of observations, and processes that correlate them together."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import joining
import numpy as np
import pytest
from libraries import require

from gsnn_edges.store import StoreWriter

# Each process has two of JAX's devices, so that devices and processes are not the same.
FLAGS = "--xla_force_host_platform_device_count=2"


@pytest.fixture
def make_store(tmp_path):
    """Write a store of random numbers, a third of them zeros."""
    require("jax")

    def make(pairs=2, samples=23, columns=37, *, unit=None, seed=0, **facts):
        rng = np.random.default_rng(seed)
        shape = (2, pairs, samples, columns)
        dtype = facts.get("dtype", "float32")
        a, g = (rng.standard_normal(shape) * (rng.random(shape) > 0.3)).astype(dtype)
        path = tmp_path / "seen.zarr"
        writer = StoreWriter.create(
            path, pairs=pairs, samples=samples, columns=columns, unit=unit or samples, **facts
        )
        for number in writer.missing:
            part = slice(*writer.rows_of(number))
            writer.put(number, a[:, part], g[:, part])
        writer.finish()
        return path, a, g

    return make


@pytest.fixture
def crew():
    """Start processes that make the same call, each with its own number; end them afterwards.

    They are told their numbers, or left to read them from the variables that Slurm sets; ``each``
    changes their calls one by one, and ``only`` some of them may start.
    """
    started = []

    def start(count, *, slurm=False, each=None, only=None, **call):
        before, coordinator = len(started), f"localhost:{free_port()}"
        job = os.getpid()  # JAX takes a port that follows from the number of the job
        for process in range(count) if only is None else only:
            own = {"coordinator": coordinator, "processes": count, "process": process}
            environment = {**os.environ, "XLA_FLAGS": FLAGS, "JAX_PLATFORMS": "cpu"}
            if slurm:
                own, environment = {}, environment | slurm_variables(job, count, process)
            changed = each[process] if each else {}
            about = json.dumps(call | own | changed, default=str)
            command = [sys.executable, str(Path(joining.__file__)), about]
            run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            started.append(run)
        return started[before:]

    yield start
    for run in started:
        run.kill()
        run.communicate()


def slurm_variables(job, count, process):
    """Give what Slurm tells each process of a job on one node."""
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_NTASKS": str(count),
        "SLURM_PROCID": str(process),
        "SLURM_LOCALID": str(process),
    }


def free_port():
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
