"""Correlate a store of observations over the devices of many processes, by JAX."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import __version__, _io, _validation
from gsnn_edges._progress import track
from gsnn_edges._typing import Method, Ties
from gsnn_edges.channels import block_norms
from gsnn_edges.correlation import leading_components
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.ranks import FLOAT32_OBSERVATIONS, correlation_dtype
from gsnn_edges.scale.outputs import (
    Journal,
    Output,
    StoreCorrelation,
    Tile,
    ZarrMatrix,
    differences,
)
from gsnn_edges.store import StoredMatrix, open_matrix

# Columns of a chunk of W on disk: its rows are those that a device makes at a time.
_CHUNK_COLUMNS = 4096
# Seconds that a disk over a network may take to show a new file to another machine.
_VISIBLE_SECONDS = 60.0
# The cards that a process may see, where a cluster gives each its own; and the processes on this
# machine, of Slurm for each node of the step, and of Open MPI.
_CARDS = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_ON_NODES, _ON_THIS = "SLURM_STEP_TASKS_PER_NODE", "OMPI_COMM_WORLD_LOCAL_SIZE"


def correlate_distributed(
    store: Any,
    out: Any,
    *,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    method: Method = "spearman",
    ties: Ties = "average",
    layers: LayerChoice = None,
    n_components: int | None = None,
    row_chunk: int | None = None,
    timeout: int = 10,
    start_timeout: int = 300,
    resume: bool = True,
    verbose: bool = False,
) -> StoredMatrix:
    """Correlate a store of observations over the devices of many processes, by JAX.

    Every process makes the same call, but for ``process``; each on its own machine, or for its
    own devices.

    Parameters
    ----------
    store : ObservationStore or path
        On a disk that all processes see.
    out : path
        Where W goes, on a disk that all processes see: a name that ends with .zarr.
    coordinator : str, optional
        "host:port" of process 0, with a port that is free there.
    processes, process : int, optional
        How many there are, and which this is, from 0. All three are left out on a cluster that
        JAX knows (Slurm, TPU pods, Open MPI, ...) and where ``jax.distributed`` is initialized
        already; ``processes=1`` uses the devices of this process alone.
    method, ties
        As of `cross_correlation`.
    layers : {"pooled", "mean", "last"} or int, optional
        As of `FunctionEdgeInferer.infer`.
    n_components : int, optional
        As of `channel_correlation`; for a store of channels.
    row_chunk : int, optional
        Source nodes at a time, over all devices. By default an eighth of them. A run that goes on
        keeps the blocks of the first.
    timeout : int
        Seconds without a heartbeat after which JAX counts a process as lost.
    start_timeout : int
        Seconds in which all processes must have joined.
    resume : bool
        Go on with an output that an earlier call began; else make it anew.
    verbose : bool
        Process 0 shows progress on standard error.

    Returns
    -------
    StoredMatrix
        W of shape (N, N), float32 up to 2**23 observations, whole; the same in all processes.

    Raises
    ------
    TypeError, ValueError, OSError
        For arguments that break their rules, a store that cannot be read, an ``out`` that holds
        something else or W of other settings; and where processes differ in what they ask for, in
        the observations that they see, or in their versions.
    ImportError
        Where JAX or zarr is not installed.
    RuntimeError
        When another process has failed: the message says which and why.

    Notes
    -----
    When a process is killed, JAX ends the others by SIGABRT, within ``timeout`` seconds and with
    many lines on standard error: no Python code runs after that. Finished blocks are kept, and the
    same call, in all processes, makes the others. ``gsnn-edges correlate`` runs the job in a child
    process and says in one line how it ended.

    This function calls ``jax.distributed.initialize`` before JAX is used, and shuts it down at the
    end. JAX allows that once in a process: initialize it yourself to make several calls.

    On D devices each holds M N / D standardized values of the targets, twice as many that pass
    by, and a chunk of sources; each process reads its own samples of the store, once.

    Examples
    --------
    >>> correlate_distributed("missing.zarr", "W.zarr", processes=1)
    Traceback (most recent call last):
    ...
    FileNotFoundError: ...
    """
    options = CorrelationOptions(method=method, ties=ties, backend="jax", row_chunk=row_chunk)
    _check_processes(coordinator, processes, process)
    resume = _validation.flag("resume", resume)
    verbose = _validation.flag("verbose", verbose)
    timeout = _validation.whole_number("timeout", timeout, least=1)
    start_timeout = _validation.whole_number("start_timeout", start_timeout, least=1)
    jax = _validation.imported("jax", "correlate_distributed needs JAX", "jax")
    joins = processes != 1 and not jax.distributed.is_initialized()
    if joins:
        _join(jax, coordinator, processes, process, timeout, start_timeout)
    opened: list[Any] = []

    def begin() -> dict[str, Any]:
        """What all processes must ask for alike."""
        problem = StoreCorrelation(store, options, layers, n_components)
        opened[:] = [problem, Output(out, "matrix", problem.store, (".zarr",))]
        versions = {"gsnn-edges": __version__, "jax": jax.__version__, "numpy": np.__version__}
        return {**problem.settings, "resume": resume, **versions}

    try:
        calls = _together(begin)
        for number, call in enumerate(calls):
            if different := differences(calls[0], call):
                raise ValueError(
                    "all processes must make the same call on the same observations, with the same "
                    f"versions; from process 0 to process {number} {different}: give all the same, "
                    "and begin anew"
                )
        problem = opened[0]
        wide = problem.length >= FLOAT32_OBSERVATIONS or problem.store.dtype == np.float64
        with jax.enable_x64(wide), ExitStack() as held:
            _correlate(problem, opened[1], held, resume=resume, verbose=verbose)
    finally:
        if joins:
            jax.distributed.shutdown()
    return open_matrix(out)


def _check_processes(coordinator: Any, processes: int | None, process: int | None) -> None:
    """Reject a description of the processes that is not whole."""
    if processes is not None:
        _validation.whole_number("processes", processes, least=1)
    if process is not None:
        number = _validation.whole_number("process", process, least=0)
        if processes is not None and number >= processes:
            raise ValueError(
                f"process must lie in 0 .. {processes - 1}, as there are {processes}; got {number}"
            )
    named = [value is not None for value in (coordinator, processes, process)]
    if any(named) and not all(named) and processes != 1:
        raise ValueError(
            "coordinator, processes and process go together; got "
            f"coordinator={coordinator!r}, processes={processes!r}, process={process!r}: give all "
            "three, or none on a cluster that JAX knows, or processes=1"
        )
    if coordinator is None:
        return
    host, _, port = str(coordinator).rpartition(":")
    if not (isinstance(coordinator, str) and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(
            f"coordinator must be 'host:port' of process 0, with a port from 1 to 65535; got "
            f"{_validation.shown(coordinator)}: add a port that is free there, as 'node-0:12345'"
        )


def _join(
    jax: Any,
    coordinator: str | None,
    processes: int | None,
    process: int | None,
    timeout: int,
    start_timeout: int,
) -> None:
    """Find the other processes, by the arguments or by what the cluster says."""
    try:
        jax.distributed.initialize(
            coordinator_address=coordinator,
            num_processes=processes,
            process_id=process,
            cluster_detection_method=None if coordinator is None else "deactivate",
            local_device_ids=None if coordinator else local_devices(os.environ),
            initialization_timeout=start_timeout,
            heartbeat_timeout_seconds=timeout,
            shutdown_timeout_seconds=timeout,
        )
    except ValueError as error:
        if coordinator is not None:
            raise
        raise ValueError(
            "coordinator, processes and process must be given where JAX finds no cluster (Slurm, "
            f"Open MPI, a TPU pod), as here: {error}"
        ) from error


def local_devices(environ: Mapping[str, str]) -> list[int] | None:
    """Numbers of the devices of this machine that a process takes in a cluster.

    An empty list are all that it sees: where it is alone on its machine, or was given cards that no
    other sees, which it numbers from 0. None leaves the choice to JAX, which takes the one of the
    process's number on its machine.

    >>> local_devices({"SLURM_STEP_TASKS_PER_NODE": "8(x4)", "CUDA_VISIBLE_DEVICES": "3"})
    []
    """
    if "JAX_LOCAL_DEVICE_IDS" in environ:
        return None
    cards = next((environ[name] for name in _CARDS if environ.get(name)), "")
    alone = re.fullmatch(r"1(\(x\d+\))?", environ.get(_ON_NODES, ""))
    if alone or environ.get(_ON_THIS) == "1" or (cards and "," not in cards):
        return []
    return None


def _together(step: Callable[[], Any]) -> list[Any]:
    """Results of a step of every process, ready for JSON; an error of one is raised by all."""
    import jax
    from jax.experimental.multihost_utils import process_allgather

    error: Exception | None = None
    report: dict[str, Any] = {}
    try:
        report["result"] = step()
    except Exception as caught:
        error = caught
        report["error"] = f"{type(error).__name__}: {error}"
    letters = np.frombuffer(json.dumps(report).encode(), np.uint8)
    lengths = process_allgather(np.int32(len(letters))).reshape(-1)
    texts = process_allgather(np.pad(letters, (0, int(lengths.max()) - len(letters))))
    texts = texts.reshape(len(lengths), -1)
    if error is not None:
        raise error
    reports = [json.loads(bytes(text[:end])) for text, end in zip(texts, lengths, strict=True)]
    for process, other in enumerate(reports):
        if "error" in other:
            raise RuntimeError(f"process {process} of {jax.process_count()}: {other['error']}")
    return [each["result"] for each in reports]


def _correlate(
    problem: StoreCorrelation, output: Output, held: ExitStack, *, resume: bool, verbose: bool
) -> None:
    """Make the blocks of W that are missing; process 0 keeps the journal, and locks the output."""
    import jax

    from gsnn_edges.sharded import local_rows

    task, leads, nodes = _make_task(problem), jax.process_index() == 0, problem.store.nodes

    def begin() -> str | None:
        """Number of the run; none where there is nothing to do."""
        held.enter_context(_io.locked("out", output.path))
        if output.is_finished(problem.settings, resume=resume):
            return None
        if not resume:
            _io.discard(output.unfinished)
        plan = {"rows": task.rows_at_a_time(problem.options.row_chunk)}
        journal = Journal.begin(output.unfinished, problem.settings, plan)
        if not journal.done("ready"):
            _matrix(journal, problem).prepare()
            journal.mark("ready", 0)
        return journal.run

    run = _together(lambda: begin() if leads else None)[0]
    if run is None:
        return
    _together(lambda: _wait_for(output.unfinished, run))
    journal = Journal.read(output.unfinished)
    matrix, rows = _matrix(journal, problem), journal.plan["rows"]
    # Process 0 decides what is missing: files may look different from another machine.
    done = set(_together(lambda: sorted(journal.done("block")))[0])
    step = rows * task.mesh.size
    blocks = {
        top: range(top // rows, -(-min(top + step, nodes) // rows)) for top in range(0, nodes, step)
    }
    left = [top for top in blocks if not done.issuperset(blocks[top])]
    finished: list[int] = []

    def write(top: int, block: Any) -> None:
        if leads:
            journal.mark("block", *finished)
        for offset, part in local_rows(block):
            low, high = top + offset, min(top + offset + rows, nodes)
            if low < high:
                matrix.put(Tile(0, low, high, 0, nodes), part[: high - low])

    rows_of: Any = task.resident(rows) if left else None
    for top in track(left, len(left), "correlating", verbose=verbose and leads):
        _together(partial(write, top, rows_of(top, top + step)))
        finished[:] = blocks[top]

    def finish() -> None:
        output.put(matrix.finish(), problem.settings)
        _io.discard(output.unfinished)

    _together(lambda: finish() if leads else None)


def _matrix(journal: Journal, problem: StoreCorrelation) -> ZarrMatrix:
    path, chunks = journal.folder / "W.zarr", (journal.plan["rows"], _CHUNK_COLUMNS)
    return ZarrMatrix(path, problem.store.nodes, "float32", problem.settings, chunks)


def _wait_for(folder: Path, run: str) -> None:
    """Wait until this process sees what process 0 has begun, on a disk that all see."""
    deadline = time.monotonic() + _VISIBLE_SECONDS
    while time.monotonic() < deadline:
        with suppress(ValueError):
            if Journal.read(folder).run == run:
                return
        time.sleep(0.1)
    raise ValueError(
        f"out must lie on a disk that all processes see; this one does not find in "
        f"{str(folder)!r} what process 0 has made there: give a path on a shared disk"
    )


def _make_task(problem: StoreCorrelation) -> Any:
    """Both sides of the store on all devices, those of a process side by side."""
    import jax

    from gsnn_edges.sharded import HostObservations, device_mesh, sharded_task

    store, pairs = problem.store, (problem.spans[0][0], problem.spans[-1][1])
    count = pairs[1] - pairs[0]

    def read(side: str, samples: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
        values: Any = store.read(side, columns, pairs, samples)
        shape = (count, samples[1] - samples[0], -1)
        return np.reshape(values, shape)

    sizes = (problem.members, count, store.samples, store.dtype, store.unit)
    a, g = (HostObservations(partial(read, side), *sizes) for side in ("a", "g"))
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    dtype = correlation_dtype(jax.numpy, problem.options.precision, problem.length)
    channels: dict[str, Any] = {}
    if problem.channels:
        channels = {"project": leading_components, "norms": block_norms}
        channels["n_components"] = problem.n_components
    pooled = problem.settings["layers"] == "pooled"
    options = replace(problem.options, row_chunk=None)  # which is that of a device at a time
    return sharded_task(a, g, device_mesh(devices), options, dtype, pooled=pooled, **channels)
