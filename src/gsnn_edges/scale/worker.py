"""The process that computes: JAX and nothing but a pipe to the one that watches over it.

It lives apart, as the runtime of JAX ends its process when it loses another one, and says so in
many lines. What it says to standard output are `messages`, one a line.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from gsnn_edges.channels import block_norms, filled_up, node_members
from gsnn_edges.correlation import leading_components
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS
from gsnn_edges.scale.agreement import check_alike, gathered, versions
from gsnn_edges.scale.job import Job
from gsnn_edges.scale.machines import local_devices
from gsnn_edges.scale.multihost_journal import Output
from gsnn_edges.sharded import (
    HostObservations,
    ShardedTask,
    Span,
    device_mesh,
    local_rows,
    one_column_each,
    sharded_task,
)
from gsnn_edges.store import ObservationStore, open_store

# Seconds that a disk over a network may take to show a new file to another machine.
VISIBLE = 60.0


class RuntimeLost(Exception):
    """JAX's runtime gave up: as a rule, another process is gone."""


def main() -> None:
    """Do the job that the first line of standard input describes."""
    # The end of this process is the business of the one that watches over it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = own_voice()
    job = Job.from_json(sys.stdin.readline())
    try:
        run(job)
    except BaseException as error:
        lost = isinstance(error, RuntimeLost)
        cause = error.__cause__ if lost and error.__cause__ is not None else error
        say("error", type=type(cause).__name__, text=str(cause), lost=lost)
        # The runtime would wait for the others, or end this process with a core dump.
        os._exit(1)


def own_voice() -> TextIO:
    """Keep standard output for messages: what the runtime prints there joins its errors."""
    voice = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return voice


def say(kind: str, **facts: Any) -> None:
    """Send a message to the process that watches."""
    print(json.dumps({"kind": kind, **facts}), flush=True)


def signal_to_go() -> threading.Event:
    """Listen for the one line that may come; end when the process that watches is gone."""
    go = threading.Event()

    def listen() -> None:
        if sys.stdin.readline():
            go.set()
            sys.stdin.read()
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    return go


@contextmanager
def computing() -> Iterator[None]:
    """Tell errors of JAX's runtime from those of the disk."""
    try:
        yield
    except Exception as error:
        raise RuntimeLost from error


def run(job: Job) -> None:
    """Join the others, and make W with them."""
    go = signal_to_go()
    store = open_store(job.store)
    first, last = job.pair_range(store.pairs)
    observations = store.samples * (last - first if job.pooled else 1)
    wide = observations >= FLOAT32_OBSERVATIONS
    if wide or np.dtype(store.dtype) == np.float64:
        jax.config.update("jax_enable_x64", True)
    join(job)
    say("joined", process=jax.process_index(), count=jax.process_count())
    go.wait()
    with computing():
        barrier("started")
    say("started")
    with computing():
        asked = gathered(job.settings | {"resume": job.resume, "versions": versions()})
    check_alike(asked)
    make(job, store, "float64" if wide else "float32")
    if jax.process_count() > 1:
        jax.distributed.shutdown()
    say("done")


def join(job: Job) -> None:
    """Find the other processes, by what is given or by what the cluster tells."""
    if job.processes == 1:
        return
    try:
        jax.distributed.initialize(
            coordinator_address=job.coordinator,
            num_processes=job.processes,
            process_id=job.process,
            initialization_timeout=int(job.start_timeout),
            cluster_detection_method=None if job.coordinator is None else "deactivate",
            local_device_ids=None if job.coordinator else local_devices(os.environ),
        )
    except Exception as error:
        if isinstance(error, ValueError) and job.coordinator is None:
            raise ValueError(
                "coordinator, processes and process must be given where JAX finds no cluster "
                f"(Slurm, Open MPI, a TPU pod), as here: {error}"
            ) from error
        raise RuntimeLost from error


def barrier(name: str) -> None:
    """Wait for all processes."""
    multihost_utils.sync_global_devices(name)


def make(job: Job, store: Any, dtype: str) -> None:
    """Write the rows of W that are missing, and note that it is whole."""
    output = Output(Path(job.out), job.settings, job.nodes)
    leader = jax.process_index() == 0
    task = make_task(job, store, dtype)
    if leader:
        output.begin(task.rows_at_a_time(job.row_chunk), resume=job.resume)
    with computing():
        runs = gathered({"run": output.run() if leader else None})
    check_shared(output, runs[0]["run"])
    output.mend(jax.process_index())
    # One process decides what is missing: files may look different from another machine.
    todo = rounds(output, task.mesh.size)
    with computing():
        todo = multihost_utils.broadcast_one_to_all(todo)
    write_rounds(task, output, [int(top) for top in np.flatnonzero(todo)])
    with computing():
        barrier("written")
    if leader:
        output.finish()
    with computing():
        barrier("finished")


def check_shared(output: Output, run: str) -> None:
    """Wait until this process sees the W that the first one has made, on a disk that all see."""
    deadline = time.monotonic() + VISIBLE
    while output.run() != run:
        if time.monotonic() > deadline:
            raise ValueError(
                f"out must lie on a disk that all processes see; process {jax.process_index()} "
                f"does not find in {str(output.folder)!r} what process 0 has made there: give a "
                "path on a shared disk"
            )
        time.sleep(0.1)


def rounds(output: Output, devices: int) -> np.ndarray:
    """Say at which rows of W a round begins that is not finished."""
    size = output.chunk_rows() * devices
    missing = ~output.finished()
    tops = np.zeros(len(missing), bool)
    tops[::size] = np.logical_or.reduceat(missing, np.arange(0, len(missing), size))
    return tops


def write_rounds(task: ShardedTask, output: Output, tops: list[int]) -> None:
    """Make the rows of W round by round; each process writes those that it holds."""
    say("progress", done=0, total=len(tops))
    if not tops:
        return
    rows = output.chunk_rows()
    with computing():
        rows_of = task.resident(rows)
    for done, top in enumerate(tops):
        with computing():
            block = rows_of(top, top + rows * task.mesh.size).block_until_ready()
        for offset, part in local_rows(block):
            low, high = top + offset, min(top + offset + rows, task.sources)
            if low < high:
                output.put(low, part[: high - low])
                output.note(jax.process_index(), low, high)
        say("progress", done=done + 1, total=len(tops))


def make_task(job: Job, store: Any, dtype: str) -> ShardedTask:
    """Give both sides of the store, and what is computed of them."""
    pairs = job.pair_range(store.pairs)
    channels: dict[str, Any] = {}
    table = one_column_each(store.nodes)
    if store.score == "channels":
        no_values = np.empty((0, store.columns))
        table = filled_up(node_members("column_nodes", store.column_nodes, no_values), store.nodes)
        n_components = job.settings["n_components"]
        channels = {"n_components": n_components, "project": leading_components}
        channels["norms"] = block_norms
    sides = (side_of(store, side, table, pairs) for side in ("a", "g"))
    options = CorrelationOptions(method=job.settings["method"], ties=job.settings["ties"])
    return sharded_task(*sides, process_mesh(), options, dtype, pooled=job.pooled, **channels)


def process_mesh() -> Mesh:
    """All devices of all processes, those of process 0 first."""
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return device_mesh(devices)


def side_of(store: ObservationStore, side: str, table: np.ndarray, pairs: Span) -> HostObservations:
    """Give one side of the store, of which each process reads its own samples."""

    def read(samples: Span, columns: Span) -> np.ndarray:
        found = store.read(side, columns, pairs, samples)
        return found.reshape(pairs[1] - pairs[0], samples[1] - samples[0], -1)

    pairs_read = pairs[1] - pairs[0]
    return HostObservations(read, table, pairs_read, store.samples, store.dtype, store.unit)


if __name__ == "__main__":
    main()
