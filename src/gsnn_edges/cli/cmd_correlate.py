"""gsnn-edges correlate."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from gsnn_edges._io import format_bytes
from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage


@click.command(
    cls=Stage, epilog="Example: gsnn-edges correlate seen.zarr --out W.zarr --max-memory 2GB"
)
@click.argument("observations", type=options.FILE)
@click.option(
    "--out",
    type=options.FILE,
    required=True,
    help="W: .npy or .zarr, or .npz with the names of its nodes; or, with --top or --threshold, a "
    "table of edges: .csv or .parquet.",
)
@options.backend("numpy")
@click.option("--device", help="A device of that backend: cpu, cuda:0, gpu, tpu.")
@click.option(
    "--devices", type=options.POSITIVE, help="How many JAX devices of this machine share it."
)
@options.correlation
@click.option(
    "--max-memory",
    default="2GB",
    show_default=True,
    help="Working memory, as 500MB or 24GB; for observations in .zarr.",
)
@click.option("--scratch", type=options.FILE, help="Folder for intermediate files.")
@click.option("--top", type=options.POSITIVE, help="The best targets of each source only.")
@click.option("--threshold", type=float, help="Pairs at least this far from 0 only.")
@click.option(
    "--resume/--anew", default=True, show_default=True, help="Go on with what was cut off."
)
@click.option("--coordinator", metavar="HOST:PORT", help="Several machines, by JAX: process 0.")
@click.option("--processes", type=options.POSITIVE, help="How many; 1 takes all devices here.")
@click.option("--process", type=options.SEED, help="Which of them this is, from 0.")
@click.option("--row-chunk", type=options.POSITIVE, help="Sources at a time, of all of them.")
@click.option(
    "--start-timeout",
    type=options.POSITIVE,
    default=300,
    show_default=True,
    help="Seconds in which all of them must have joined.",
)
@click.option(
    "--distributed",
    is_flag=True,
    help="Ask the cluster for these three: Slurm, Open MPI, TPU pods.",
)
@options.dry_run
@click.pass_obj
def correlate(screen: Screen, /, observations: str, out: str, dry_run: bool, **asked: Any) -> None:
    """Make W of what capture recorded: stage two.

    Needs no torch. Observations in .zarr are read a part at a time and may be larger than memory;
    those in .npz are read whole.
    """
    asked["given"] = options.given()
    check_options(observations, out, asked)
    with screen.work():
        job = job_of(observations, out, asked)
    if dry_run:
        screen.say(f"would {job.description}")
        screen.facts({**job.facts, "memory": job.memory, "dry_run": True})
        return
    screen.note(job.description)
    screen.resumes = Path(observations).suffix == ".zarr"
    with screen.work():
        count = job.run(screen)
    what = f"W of {job.facts['nodes']} nodes" if count is None else f"{count} pairs"
    screen.say(f"{what}, score {job.facts['score']}: {out}")
    screen.facts({**job.facts, "pairs": count, "written": written(out)})


def written(out: str) -> list[str]:
    """List what was written: beside W in .npy, how it was made of a store."""
    return [out, *(beside for beside in [f"{out}.json"] if Path(beside).exists())]


MATRICES = (".npy", ".zarr", ".npz")
TABLES = (".csv", ".parquet")
TOGETHER = ("coordinator", "processes", "process")
METHODICAL = ("method", "ties", "layers", "n_components")
# What several processes do not heed, and what only they do.
ALONE = ("precision", "backend", "device", "devices", "max_memory", "scratch")
CREW = ("row_chunk", "start_timeout")


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes
    ----------
    facts : dict
        What it is made of, for a script.
    memory : float
        Bytes that it takes.
    run : callable
        Does it, and gives the number of pairs that are written, where they are few.
    """

    facts: dict[str, Any]
    memory: float
    run: Callable[[Screen], int | None]

    @property
    def description(self) -> str:
        """Say what is done, after "would"."""
        facts = self.facts
        return (
            f"correlate {facts['observations']} observations of {facts['columns']} columns "
            f"({facts['score']}) to W of {facts['nodes']} nodes, {format_bytes(facts['bytes'])}; "
            f"working memory {format_bytes(self.memory)}"
        )


def check_options(observations: str, out: str, asked: Mapping[str, Any]) -> None:
    """Find out what cannot be, before anything is read."""
    from gsnn_edges.cli.tables import check_apart, checked_ending, ending, readable, writable

    source = ending(readable("observations", observations, [".zarr", ".npz"]))
    writable("--out", out, [*MATRICES, *TABLES])
    check_apart({"--out": out}, {"observations": observations})
    few = asked["top"] is not None or asked["threshold"] is not None
    if asked["top"] is not None and asked["threshold"] is not None:
        raise ValueError("--top or --threshold may be given, and not both: choose one")
    check_numbers(asked["threshold"], asked["max_memory"])
    if few:
        checked_ending("--out with --top or --threshold", out, TABLES)
    elif ending(Path(out)) in TABLES:
        raise ValueError(
            f"--out {out!r} is a table of edges: say which by --top or --threshold, or write W to "
            "a .npy, .zarr or .npz file"
        )
    kept = (".npy", ".zarr") if source == ".zarr" else (".npy", ".npz")
    checked_ending(f"--out for {source} observations", out, [*kept, *TABLES])
    check_crew(source, out, asked, few=few)
    if asked["devices"] is not None and (source != ".npz" or asked["backend"] != "jax"):
        raise ValueError(
            "--devices needs --backend jax and observations in .npz; those in .zarr go over all "
            "devices of this machine by --processes 1"
        )


def check_numbers(threshold: float | None, max_memory: str) -> None:
    """Find out whether a threshold and an amount of memory are some."""
    if threshold is not None and not 0 <= threshold < math.inf:
        raise ValueError(f"--threshold must be at least 0, and finite; got {threshold}")
    in_bytes(max_memory)


def check_crew(source: str, out: str, asked: Mapping[str, Any], *, few: bool) -> None:
    """Find out whether several processes can do it."""
    from gsnn_edges.cli.tables import ending

    given = [name for name in TOGETHER if asked[name] is not None]
    if asked["distributed"] and given:
        raise ValueError(
            f"--distributed asks the cluster who is who; got --{given[0]} too: give one of them"
        )
    if given and len(given) < len(TOGETHER) and asked["processes"] != 1:
        raise ValueError(
            "--coordinator, --processes and --process go together; got "
            + ", ".join(f"--{name}" for name in given)
            + ": give all three, or --processes 1 for all devices of this machine"
        )
    stored = source == ".zarr" and ending(Path(out)) == ".zarr" and not few
    together = bool(given or asked["distributed"])
    if together and not stored:
        raise ValueError("several processes read observations in .zarr and write W to a .zarr")
    check_heeded(asked, together=together)


def check_heeded(asked: Mapping[str, Any], *, together: bool) -> None:
    """Reject options that would be ignored."""
    as_they_are = {"backend": "jax", "precision": "float32"}
    for name in (ALONE if together else CREW) if "given" in asked else ():
        if name in asked["given"] and asked[name] != as_they_are.get(name):
            option = f"--{name.replace('_', '-')}"
            rule = (
                "is of one process: several correlate in float32 on the devices that JAX finds"
                if together
                else "is of several processes: give --processes or --distributed too"
            )
            raise ValueError(f"{option} {rule}; got {asked[name]!r}")


def job_of(observations: str, out: str, asked: Mapping[str, Any]) -> Job:
    """Open the observations, and say what is to be done with them."""
    if Path(observations).suffix.lower() == ".npz":
        return in_memory(observations, out, asked)
    return from_store(observations, out, asked)


def in_memory(path: str, out: str, asked: Mapping[str, Any]) -> Job:
    """Correlate observations that are read whole."""
    from gsnn_edges.cli.tables import read_observations

    found = read_observations(path, name="observations")
    layer_pairs, samples, columns = found.a.shape
    facts = counted(found.score, found.nodes, layer_pairs, samples, columns)
    check_settings(found.score, layer_pairs, asked)

    def run(screen: Screen) -> int | None:
        with screen.watched(f"correlating {found.nodes} nodes"):
            W = scored(found, asked)
        if asked["top"] is None and asked["threshold"] is None:
            write_matrix(W, found, facts, asked, out)
            return None
        return write_pairs(out, of_matrix(W, asked["top"], asked["threshold"]), found)

    return Job(facts, 4.4 * found.a.nbytes + facts["bytes"], run)


def check_settings(score: Any, layer_pairs: int, asked: Mapping[str, Any]) -> None:
    """Check backend, device, layer pairs and n_components, in a dry run too."""
    from gsnn_edges import backends
    from gsnn_edges.layer_pairs import checked_layers

    if asked["n_components"] is not None and score != "channels":
        raise ValueError("--n-components needs observations of channels; these are of nodes")
    checked_layers(asked["layers"], score, layer_pairs)
    if asked["processes"] is None and not asked["distributed"]:
        backends.load(asked["backend"], asked["device"])


def counted(score: str, nodes: int, layer_pairs: int, samples: int, columns: int) -> dict[str, Any]:
    """Count what a correlation is made of."""
    return {
        "score": score,
        "nodes": nodes,
        "columns": columns,
        "layer_pairs": layer_pairs,
        "samples": samples,
        "observations": layer_pairs * samples,
        "bytes": 4 * nodes * nodes,
    }


def scored(found: Any, asked: Mapping[str, Any]) -> Any:
    """W of observations in memory, as a NumPy array whatever the backend."""
    from gsnn_edges import _validation
    from gsnn_edges.layer_pairs import checked_layers
    from gsnn_edges.scoring import Scorer, backend_of

    layer_pairs, _, columns = found.a.shape
    where = backend_of(asked["backend"], asked["device"], None, asked["precision"])
    if asked["devices"] is not None:
        where["devices"] = asked["devices"]
    scorer = Scorer(
        score=found.score,
        layers=checked_layers(asked["layers"], found.score, layer_pairs),
        n_components=asked["n_components"],
        method=asked["method"],
        ties=asked["ties"],
        row_chunk=None,
        pairs=layer_pairs,
        nodes=found.nodes,
        columns=found.column_nodes,
        where=where,
    )
    W = scorer.matrix(found.a.reshape(-1, columns), found.g.reshape(-1, columns))
    return _validation.as_numpy(W)


def write_matrix(
    W: Any, found: Any, facts: Mapping[str, Any], asked: Mapping[str, Any], out: str
) -> None:
    """Write W alone, or with the names of its nodes."""
    import numpy as np

    from gsnn_edges.cli.tables import whole
    from gsnn_edges.evidence import EdgeEvidence

    if Path(out).suffix == ".npy":
        with whole(Path(out)) as unfinished:
            np.save(unfinished, W)
        return
    settings = {name: asked[name] for name in (*METHODICAL, "precision", "backend")}
    EdgeEvidence(
        W,
        found.node_names,
        method=asked["method"],
        counts={name: facts[name] for name in ("samples", "layer_pairs", "observations")},
        settings={**settings, "score": found.score},
    ).save(out)


def from_store(path: str, out: str, asked: Mapping[str, Any]) -> Job:
    """Correlate observations that stay on disk."""
    from gsnn_edges.store import open_store

    store = open_store(path)
    facts = counted(store.score, store.nodes, store.pairs, store.samples, store.columns)
    methodical = {name: asked[name] for name in METHODICAL}
    check_settings(store.score, store.pairs, asked)

    def together(screen: Screen) -> None:
        from gsnn_edges.cli.child import run_in_child
        from gsnn_edges.scale import correlate_distributed

        crew = {name: asked[name] for name in (*TOGETHER, *CREW)} | methodical
        crew |= {"resume": asked["resume"], "verbose": screen.progress}
        run_in_child(correlate_distributed, store=path, out=out, **crew)

    def alone(screen: Screen) -> int | None:
        return streamed(screen, store, out, asked, methodical)

    run = together if asked["distributed"] or asked["processes"] is not None else alone
    return Job(facts, in_bytes(asked["max_memory"]), run)


def streamed(
    screen: Screen, store: Any, out: str, asked: Mapping[str, Any], methodical: Mapping[str, Any]
) -> int | None:
    """Correlate a store on this machine."""
    from gsnn_edges.scale import correlate_store

    few = asked["top"] is not None or asked["threshold"] is not None
    named = ("max_memory", "precision", "backend", "device", "scratch", "resume")
    # What is left of W goes to a file too, so that a call that is cut off can go on.
    kept = Path(f"{out}.npz")
    found = correlate_store(
        store,
        kept if few else out,
        **methodical,
        **{name: asked[name] for name in named},
        top=None if asked["top"] is None else min(asked["top"] + 1, store.nodes),
        threshold=asked["threshold"],
        verbose=screen.progress,
    )
    if not few:
        return None
    count = write_pairs(out, of_result(found, asked["top"]), store)
    kept.unlink()
    return count


def in_bytes(text: str) -> float:
    """Read a size such as 2GB."""
    from gsnn_edges._io import parse_bytes

    return parse_bytes("--max-memory", text)


COLUMNS = ("rank", "source", "target", "score")
# Rows that are put into words at a time: a name takes more than a number.
ROWS = 100_000


class Pairs(NamedTuple):
    """Pairs of nodes with their scores.

    Attributes
    ----------
    sources, targets : int64 arrays of shape (K,)
    scores : array of shape (K,)
    """

    sources: Any
    targets: Any
    scores: Any


def of_matrix(W: Any, top: int | None, threshold: float | None) -> Pairs:
    """Choose the best targets of each source, or the pairs that are far enough from 0."""
    import numpy as np

    if top is None:
        sources, targets = np.nonzero(abs(W) >= threshold)
        return without_self(Pairs(sources, targets, W[sources, targets]))
    count = min(top + 1, len(W))
    targets = np.argsort(-W, axis=1, kind="stable")[:, :count]
    return best_others(targets, np.take_along_axis(W, targets, axis=1), top)


def of_result(found: Any, top: int | None) -> Pairs:
    """Take the pairs that were gathered from a store."""
    if top is None:
        return without_self(Pairs(found.sources, found.targets, found.scores))
    return best_others(found.targets, found.scores, top)


def best_others(targets: Any, scores: Any, top: int) -> Pairs:
    """Give the first targets of each source but itself; both arrays have shape (N, k)."""
    import numpy as np

    sources = np.broadcast_to(np.arange(len(targets))[:, None], targets.shape)
    other = targets != sources
    kept = other & (np.cumsum(other, axis=1) <= top)
    return Pairs(sources[kept], targets[kept], scores[kept])


def without_self(pairs: Pairs) -> Pairs:
    """Leave out pairs of a node with itself."""
    other = pairs.sources != pairs.targets
    return Pairs(*(column[other] for column in pairs))


def write_pairs(out: str, pairs: Pairs, of: Any) -> int:
    """Write pairs, the largest score first, and give their number."""
    import numpy as np

    from gsnn_edges.cli.tables import write_parts

    if not len(pairs.scores):
        warnings.warn(f"no pair is so strong: {out!r} holds none", stacklevel=2)
    order = np.argsort(-pairs.scores, kind="stable")
    names = None if of.node_names is None else np.array(of.node_names, object)

    def parts() -> Iterator[dict[str, Any]]:
        for start in range(0, max(1, len(order)), ROWS):
            here = order[start : start + ROWS]
            ends = [side[here] for side in (pairs.sources, pairs.targets)]
            if names is not None:
                ends = [names[end] for end in ends]
            ranks = np.arange(start + 1, start + 1 + len(here))
            yield dict(zip(COLUMNS, (ranks, *ends, pairs.scores[here]), strict=True))

    write_parts(out, parts(), name="--out")
    return len(order)
