"""correlate_distributed: what the caller asks for, checked, and handed to a worker."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges._typing import Method, Ties
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.scale.crew import Crew, Loss
from gsnn_edges.scale.job import Job
from gsnn_edges.scale.machines import place
from gsnn_edges.scale.multihost_journal import Output, journal_of
from gsnn_edges.scale.request import check_apart
from gsnn_edges.scale.settings import checked_settings
from gsnn_edges.scale.supervision import Watch
from gsnn_edges.store import StoredMatrix, open_matrix, open_store


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
    timeout: float = 15.0,
    start_timeout: float = 300.0,
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
        JAX knows (Slurm, TPU pods, Open MPI, ...), and ``processes=1`` needs nobody.
    method, ties
        As of `cross_correlation`.
    layers : {"pooled", "mean", "last"} or int, optional
        As of `FunctionEdgeInferer.infer`.
    n_components : int, optional
        As of `channel_correlation`; for a store of channels.
    row_chunk : int, optional
        Source nodes at a time, over all devices. By default an eighth of them. A run that goes on
        keeps the blocks of the first.
    timeout : float
        Seconds without a sign of life after which a process counts as gone.
    start_timeout : float
        Seconds in which all processes must have joined.
    resume : bool
        Go on with an output that an earlier call began; else make it anew.
    verbose : bool
        Process 0 shows progress on standard error.

    Returns
    -------
    StoredMatrix
        W of shape (N, N), float32, whole; the same in all processes.

    Raises
    ------
    TypeError, ValueError, OSError
        For arguments that break their rules, a store that cannot be read, an ``out`` that holds
        something else or W of other settings; and where processes differ in what they ask for, in
        the observations that they see, or in their versions.
    ImportError
        Where JAX or zarr is not installed.
    MemoryError
        When a block does not fit on a device.
    RuntimeError
        When another process is gone. Blocks that are finished are kept; the same call, in all
        processes, goes on with the others.

    Notes
    -----
    JAX runs in a process of its own, which the calling one starts and watches over: the runtime
    ends the process it lives in when another machine is lost. So the caller gets an error, and
    its own JAX is not touched. Where one process only may use an accelerator, as on a TPU, the
    caller must not have started JAX on it before.

    On D devices each holds M N / D standardized values of the targets, twice as many that pass
    by, and a chunk of sources; each process reads its own samples of the store, once.

    Examples
    --------
    >>> correlate_distributed("missing.zarr", "W.zarr", processes=1)
    Traceback (most recent call last):
    ...
    FileNotFoundError: ...
    """
    check_crew(coordinator, processes, process)
    path = checked_out(out)
    with telling_others(path, processes, process):
        opened = open_store(getattr(store, "path", store))
        settings = checked_settings(
            opened, method=method, ties=ties, layers=layers, n_components=n_components
        )
        check_apart(path, opened.path)
        job = Job(
            store=str(Path(opened.path).resolve()),
            out=str(path),
            nodes=opened.nodes,
            settings=settings,
            row_chunk=_validation.whole_number_or_none("row_chunk", row_chunk, least=1),
            resume=_validation.flag("resume", resume),
            coordinator=coordinator,
            processes=processes,
            process=process,
            start_timeout=seconds("start_timeout", start_timeout),
        )
        output = Output(path, settings, opened.nodes)
        output.check(resume=resume)
        watch = Watch(job, output, seconds("timeout", timeout))
        verbose = _validation.flag("verbose", verbose)
    if not (resume and output.complete()):
        check_jax()
        follow(watch, verbose=verbose)
    return open_matrix(path)


@contextmanager
def telling_others(out: Path, processes: int | None, process: int | None) -> Iterator[None]:
    """Let those that are there already know of an error here, which they would wait for."""
    try:
        yield
    except Exception as error:
        own, folder = place(processes, process, os.environ), journal_of(out)
        if own is not None and own.processes > 1 and folder.is_dir():
            with suppress(OSError):
                Crew(folder, *own, 0.0).say("failed", Loss(own.process, str(error)))
        raise


def check_jax() -> None:
    """Reject an environment without JAX, which only the worker would import."""
    if find_spec("jax") is None:
        raise ImportError(
            "correlate_distributed needs JAX, which is not installed: pip install 'gsnn-edges[jax]'"
        )


def follow(watch: Watch, *, verbose: bool) -> None:
    """Wait for the end, with a bar in process 0."""
    progress = watch.progress()
    for done, total in progress:
        shown = verbose and watch.crew is not None and watch.crew.process == 0
        for _ in track(rounds(progress, done, total), total, "correlate", verbose=shown):
            pass


def rounds(progress: Iterator[tuple[int, int]], done: int, total: int) -> Iterator[int]:
    """Give a number for each round that is done."""
    yield from range(done)
    while done < total:
        done, total = next(progress)
        yield done


def check_crew(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Reject a description of the processes that is not whole."""
    if processes is not None:
        _validation.whole_number("processes", processes, least=1)
    if process is not None:
        number = _validation.whole_number("process", process, least=0)
        if processes is not None and number >= processes:
            raise ValueError(
                f"process must lie in 0 .. {processes - 1}, as there are {processes}; got {number}"
            )
    given = [value is not None for value in (coordinator, processes, process)]
    if any(given) and not all(given) and processes != 1:
        raise ValueError(
            "coordinator, processes and process go together; got "
            f"coordinator={coordinator!r}, processes={processes!r}, process={process!r}: give all "
            "three, or none on a cluster that JAX knows, or processes=1"
        )
    if coordinator is not None:
        check_address(coordinator)


def check_address(coordinator: Any) -> None:
    """Reject what is no host with a port."""
    host, _, port = str(coordinator).rpartition(":")
    if not (isinstance(coordinator, str) and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(
            f"coordinator must be 'host:port' of process 0, with a port from 1 to 65535; got "
            f"{_validation.shown(coordinator)}: add a port that is free there, as 'node-0:12345'"
        )


def checked_out(out: Any) -> Path:
    """Give the path of W."""
    if not isinstance(out, str | os.PathLike):
        raise TypeError(f"out must be a text or a path; got {type(out).__name__}")
    path = Path(out)
    if path.suffix != ".zarr":
        raise ValueError(
            f"out must end with .zarr, which many processes can write to; got {str(out)!r}: "
            "rename it"
        )
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"out must lie in a folder that is there; got {str(out)!r}: make "
            f"{str(path.parent)!r} first"
        )
    return path.resolve()


def seconds(name: str, value: Any) -> float:
    """Give a time above 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a number of seconds; got {_validation.shown(value)}"
        ) from None
    if not number > 0:
        raise ValueError(f"{name} must be more than 0 seconds; got {number:g}")
    return number
