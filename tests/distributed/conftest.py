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

    def make(pairs=2, samples=23, columns=37, **facts):
        rng = np.random.default_rng(0)
        shape = (2, pairs, samples, columns)
        a, g = (rng.standard_normal(shape) * (rng.random(shape) > 0.3)).astype(np.float32)
        path = tmp_path / "seen.zarr"
        writer = StoreWriter.create(
            path, pairs=pairs, samples=samples, columns=columns, unit=samples, **facts
        )
        writer.put(0, a, g)
        writer.finish()
        return path, a, g

    return make


@pytest.fixture
def crew():
    """Start processes that make the same call, each with its own number; end them afterwards."""
    started = []

    def start(count, **call):
        call["coordinator"] = f"localhost:{free_port()}"
        environment = {**os.environ, "XLA_FLAGS": FLAGS, "JAX_PLATFORMS": "cpu"}
        for process in range(count):
            about = json.dumps({**call, "processes": count, "process": process}, default=str)
            command = [sys.executable, str(Path(joining.__file__)), about]
            run = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            started.append(run)
        return started[-count:]

    yield start
    for run in started:
        run.kill()
        run.communicate()


def free_port():
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
