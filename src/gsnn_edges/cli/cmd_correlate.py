"""gsnn-edges correlate."""

import math
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen

_METHOD = ("method", "ties", "layers", "n_components")
# What one process alone heeds, and what several do, with what they are where nobody names them.
_OF_ONE = {"device": None, "devices": None, "precision": "float32", "max_memory": "2GB"}
_OF_ONE |= {"scratch": None}
_OF_SEVERAL = {"row_chunk": None, "start_timeout": 300}
# Rows that are written at a time: a name takes more memory than a number.
_ROWS = 100_000


@click.command(
    cls=Command, epilog="Example: gsnn-edges correlate seen.zarr --out W.zarr --max-memory 2GB"
)
@click.argument("observations", type=options.FILE)
@options.file("--out", "W: .npy, .zarr or .npz; pairs: .csv or .parquet.", required=True)
@options.backend("numpy")
@click.option("--device", help="A device of that backend: cpu, cuda:0, gpu, tpu.")
@click.option("--devices", type=options.POSITIVE, help="JAX devices of this machine that share it.")
@options.correlation
@click.option("--max-memory", default="2GB", help="Working memory, for observations in .zarr.")
@options.file("--scratch", "Folder for intermediate files.")
@click.option("--top", type=options.POSITIVE, help="The best targets of each source only.")
@click.option("--threshold", type=float, help="Pairs at least this far from 0 only.")
@click.option("--resume/--anew", default=True, help="Continue unfinished work.")
@click.option("--coordinator", metavar="HOST:PORT", help="Several machines, by JAX: process 0.")
@click.option("--processes", type=options.POSITIVE, help="How many; 1 takes all devices here.")
@click.option("--process", type=options.SEED, help="Which of them this is, from 0.")
@click.option("--row-chunk", type=options.POSITIVE, help="Sources at a time, of all of them.")
@click.option(
    "--start-timeout",
    type=options.POSITIVE,
    default=300,
    help="Seconds in which all of them must have joined.",
)
@options.flag("--distributed", "Ask the cluster for these three: Slurm, Open MPI, TPU pods.")
@options.dry_run
@click.pass_obj
def correlate(
    screen: Screen, /, observations: str, out: str, dry_run: bool, **settings: Any
) -> None:
    """Make W of what capture recorded: stage two.

    Needs no torch. Observations in .zarr are read a part at a time and may be larger than memory;
    those in .npz are read whole.
    """
    from gsnn_edges._io import ending, format_bytes, parse_bytes
    from gsnn_edges.cli.tables import is_of, read_observations, readable

    stored = ending(readable("observations", observations, [".zarr", ".npz"])) == ".zarr"
    several = _check_options(observations, out, settings, stored=stored)
    max_memory = parse_bytes("--max-memory", settings["max_memory"])
    with screen.work():
        if stored:
            from gsnn_edges.store import open_store

            seen: Any = open_store(observations)
        else:
            if is_of(observations, "W"):
                raise ValueError(
                    f"observations must be what capture recorded; {observations!r} holds W, which "
                    "is made of them: evaluate takes it"
                )
            seen = read_observations(observations, name="observations")
        _check_settings(seen, settings, several=several)
    result = {
        "score": seen.score,
        "nodes": seen.nodes,
        "columns": seen.columns,
        "layer_pairs": seen.pairs,
        "samples": seen.samples,
        "observations": seen.pairs * seen.samples,
        "bytes": 4 * seen.nodes**2,
    }
    memory = max_memory if stored else 4.4 * seen.a.nbytes + result["bytes"]
    work = (
        f"correlate {result['observations']} observations of {seen.columns} columns "
        f"({seen.score}) to W of {seen.nodes} nodes, {format_bytes(result['bytes'])}; "
        f"working memory {format_bytes(memory)}"
    )
    if dry_run:
        screen.say(f"would {work}")
        screen.json({**result, "memory": memory, "dry_run": True})
        return
    screen.resumes = stored
    correlate_all = _with_others if several else _from_store if stored else _in_memory
    with screen.work(work):
        pairs = correlate_all(screen, seen, out, settings)
    what = f"W of {seen.nodes} nodes" if pairs is None else f"{pairs} pairs"
    screen.say(f"{what}, score {seen.score}: {out}")
    # Beside W in .npy lies a file that says what it was made of.
    written = [out, *(beside for beside in [f"{out}.json"] if Path(beside).exists())]
    screen.json({**result, "pairs": pairs, "written": written})


def _check_options(observations: str, out: str, settings: dict[str, Any], *, stored: bool) -> bool:
    """Check options before anything is read; whether several processes share the work."""
    from gsnn_edges._io import ending
    from gsnn_edges.cli.tables import WRITTEN, check_outputs, writable

    top, threshold = settings["top"], settings["threshold"]
    few = top is not None or threshold is not None
    if top is not None and threshold is not None:
        raise ValueError("--top or --threshold may be given, and not both: choose one")
    if threshold is not None and not 0 <= threshold < math.inf:
        raise ValueError(f"--threshold must be at least 0, and finite; got {threshold}")
    if few:
        writable("--out with --top or --threshold", out, WRITTEN)
    else:
        kind = ".zarr" if stored else ".npz"
        writable(
            f"--out without --top or --threshold, of {kind} observations,", out, [".npy", kind]
        )
    check_outputs({"--out": out}, {"observations": observations})
    of_job = [
        name for name in ("coordinator", "processes", "process") if settings[name] is not None
    ]
    if settings["distributed"] and of_job:
        raise ValueError(
            f"--distributed asks the cluster who is who; got --{of_job[0]} too: give one of them"
        )
    several = bool(of_job or settings["distributed"])
    if several and (few or not stored or ending(out) != ".zarr"):
        raise ValueError("several processes read observations in .zarr and write W to a .zarr")
    for name, usual in (_OF_ONE if several else _OF_SEVERAL).items():
        if settings[name] != usual:
            rule = (
                "is of one process: several correlate in float32 on the devices that JAX finds"
                if several
                else "is of several processes: give --processes or --distributed too"
            )
            raise ValueError(f"--{name.replace('_', '-')} {rule}; got {settings[name]!r}")
    if settings["devices"] is not None and (stored or settings["backend"] != "jax"):
        raise ValueError(
            "--devices needs --backend jax and observations in .npz; those in .zarr go over all "
            "devices of this machine by --processes 1"
        )
    return several


def _check_settings(seen: Any, settings: dict[str, Any], *, several: bool) -> None:
    """Check backend, device, n_components, and settle the layer pairs, in a dry run too."""
    from gsnn_edges import backends
    from gsnn_edges.layer_pairs import checked_layers

    if settings["n_components"] is not None and seen.score != "channels":
        raise ValueError("--n-components needs observations of channels; these are of nodes")
    settings["layers"] = checked_layers(settings["layers"], seen.score, seen.pairs)
    if not several:
        backends.load(settings["backend"], settings["device"])


def _with_others(screen: Screen, store: Any, out: str, settings: dict[str, Any]) -> int | None:
    from gsnn_edges.scale import correlate_distributed

    names = (*_METHOD, *_OF_SEVERAL, "coordinator", "processes", "process", "resume")
    call = {name: settings[name] for name in names} | {"verbose": screen.progress}
    run_in_child(correlate_distributed, store=store.path, out=out, **call)
    return None


def run_in_child(work: Callable[..., Any], **call: Any) -> None:
    """Call a function in a new process, which shows its progress on standard error.

    What libraries print there goes to a log, which stays where the process was ended by a signal.

    Raises
    ------
    Exception
        What the function raised; a RuntimeError where the process was ended.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    handle, log = tempfile.mkstemp(".log", "gsnn-edges-")
    os.close(handle)
    child = context.Process(target=_child, args=(theirs, log, work, call), daemon=True)
    child.start()
    theirs.close()
    ended = False
    try:
        error = ours.recv()
    except EOFError:  # before it could say how it went
        ended = True
        child.join()
        why = (
            "killed, as the system does when memory runs out"
            if child.exitcode == -signal.SIGKILL
            else "ended by JAX, as when another process is gone or has not joined in time"
        )
        raise RuntimeError(
            f"this process of the job was {why} (exit status {child.exitcode}; JAX's own lines are "
            f"in {log}); finished blocks are kept: run the same command again, in all processes"
        ) from None
    finally:
        child.kill()
        child.join()
        ours.close()
        if not ended:
            Path(log).unlink()
    if error is not None:
        raise error


def _child(result: Connection, log: str, work: Callable[..., Any], call: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        work(**call)
    except Exception as error:
        plain = type(error).__module__ == "builtins"
        result.send(error if plain else RuntimeError(f"{type(error).__name__}: {error}"))
    else:
        result.send(None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _from_store(screen: Screen, store: Any, out: str, settings: dict[str, Any]) -> int | None:
    """Correlate observations that stay on disk; number of pairs, where W is not written whole."""
    from gsnn_edges._io import locked
    from gsnn_edges.scale import correlate_store

    names = (*_METHOD, "max_memory", "precision", "backend", "device", "scratch", "resume")
    call: dict[str, Any] = {name: settings[name] for name in names}
    call |= {"threshold": settings["threshold"], "verbose": screen.progress}
    top = settings["top"]
    if top is None and settings["threshold"] is None:
        correlate_store(store, out, **call)
        return None
    # Pairs go to a file too, so that a call that was interrupted can continue.
    kept = Path(out).with_name(f".{Path(out).name}.gsnn-edges.npz")
    with locked("--out", Path(out)):
        # One of the best targets may be the source itself.
        most = None if top is None else min(top + 1, store.nodes)
        result: Any = correlate_store(store, kept, top=most, **call)
        sources = getattr(result, "sources", None)
        count = _write_pairs(out, store, sources, result.targets, result.scores, top)
        kept.unlink()
    return count


def _in_memory(_: Screen, seen: Any, out: str, settings: dict[str, Any]) -> int | None:
    """Correlate observations in memory; number of pairs, where W is not written whole."""
    import numpy as np

    from gsnn_edges import _io
    from gsnn_edges.evidence import EdgeEvidence
    from gsnn_edges.scale.outputs import best_targets

    top, threshold = settings["top"], settings["threshold"]
    W = _matrix(seen, settings)
    if threshold is not None:
        sources, targets = np.nonzero(abs(W) >= threshold)
        return _write_pairs(out, seen, sources, targets, W[sources, targets], None)
    if top is not None:
        targets, scores = best_targets(W, top + 1)
        return _write_pairs(out, seen, None, targets, scores, top)
    if Path(out).suffix == ".npy":
        with _io.whole(Path(out)) as unfinished, unfinished.open("wb") as file:
            np.save(file, W)
        return None
    made = {name: settings[name] for name in (*_METHOD, "precision", "backend")}
    samples, pairs = seen.samples, seen.pairs
    EdgeEvidence(
        W,
        seen.node_names,
        method=settings["method"],
        counts={"samples": samples, "layer_pairs": pairs, "observations": samples * pairs},
        settings={**made, "score": seen.score},
    ).save(out)
    return None


def _matrix(seen: Any, settings: dict[str, Any]) -> Any:
    """W of observations in memory, as a NumPy array."""
    from gsnn_edges import _validation
    from gsnn_edges.channels import channel_correlation
    from gsnn_edges.correlation import cross_correlation
    from gsnn_edges.layer_pairs import chosen_pairs

    names = ("method", "ties", "precision", "backend", "device")
    choices = {name: settings[name] for name in names}
    if settings["devices"] is not None:
        choices["devices"] = settings["devices"]
    nodes = seen.column_nodes

    def correlation(a: Any, g: Any) -> Any:
        if seen.score == "magnitude":
            return cross_correlation(a, g, **choices)
        of_channels = {"nodes": seen.nodes, "n_components": settings["n_components"]}
        return channel_correlation(a, g, nodes, nodes, **of_channels, **choices)

    a, g = (side.reshape(-1, seen.columns) for side in (seen.a, seen.g))
    parts = chosen_pairs(a, g, seen.samples, settings["layers"])
    W = sum(_validation.as_numpy(correlation(*part)) for part in parts)
    return W / len(parts)


def _write_pairs(
    out: str, seen: Any, sources: Any, targets: Any, scores: Any, top: int | None
) -> int:
    """Write pairs of different nodes, the largest score first; their number.

    Targets of the shape (N, k), best first, are those of each source; sources are None then. A
    column says which pairs are known edges, where the observations hold those.
    """
    import numpy as np

    from gsnn_edges.cli.tables import write_parts

    if sources is None:
        sources = np.broadcast_to(np.arange(len(targets))[:, None], targets.shape)
    others = targets != sources
    if top is not None:
        others = others & (np.cumsum(others, axis=1) <= top)
    sources, targets, scores = sources[others], targets[others], scores[others]
    if not len(scores):
        warnings.warn(f"no pair is so strong: {out!r} holds none", stacklevel=2)
    order = np.argsort(-scores, kind="stable")
    names = None if seen.node_names is None else np.array(seen.node_names, object)
    known = getattr(seen, "edge_index", None)

    def parts() -> Iterator[dict[str, Any]]:
        for start in range(0, max(1, len(order)), _ROWS):
            here = order[start : start + _ROWS]
            source, target = sources[here], targets[here]
            part = {
                "rank": np.arange(start + 1, start + 1 + len(here)),
                "source": source if names is None else names[source],
                "target": target if names is None else names[target],
                "score": scores[here],
            }
            if known is not None:
                cells = np.ravel_multi_index(known, (seen.nodes, seen.nodes))
                part["known"] = np.isin(source * seen.nodes + target, cells)
            yield part

    write_parts(out, parts(), name="--out")
    return len(order)
