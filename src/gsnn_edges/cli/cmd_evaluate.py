"""gsnn-edges evaluate."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from gsnn_edges._io import format_bytes
from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage
from gsnn_edges.cli.options import draw_ranking, figure_option


@click.command(
    cls=Stage,
    epilog="Example: gsnn-edges evaluate W.zarr --edges held_out.csv --names seen.zarr "
    "--out ranked.csv",
)
@click.argument("matrix", metavar="W", type=options.FILE)
@click.option(
    "--edges",
    "edges_file",
    type=options.FILE,
    required=True,
    help="Edges that were held out: csv or parquet with the columns source and target, by index "
    "or by name, or an array (2, E).",
)
@click.option(
    "--known",
    type=options.FILE,
    help="Other edges that are true, which never compete; else those that the file of --names, or "
    "W from infer --evidence, holds.",
)
@options.by
@click.option(
    "--names",
    type=options.FILE,
    help="Names of the nodes: .txt, .csv, .parquet, .json, or the observations that W was made of.",
)
@click.option(
    "--direction",
    type=click.Choice(options.DIRECTIONS),
    default="tail",
    show_default=True,
    help="Rank targets of the same source, sources of the same target, or both.",
)
@click.option(
    "--candidates",
    multiple=True,
    metavar="'FROM -> TO'",
    help="Pairs that compete, by patterns of names, as 'TF* -> *'; again for more.",
)
@click.option("--exclude-self", is_flag=True, help="Leave out pairs of a node with itself.")
@click.option(
    "--k", "ks", type=options.POSITIVE, multiple=True, help="The k of hits@k; again for more."
)
@click.option(
    "--confidence", type=float, default=0.95, show_default=True, help="Level of the intervals."
)
@click.option(
    "--n-resamples",
    type=options.SEED,
    default=1000,
    show_default=True,
    help="Resamples for the intervals; 0 for none.",
)
@click.option(
    "--cluster",
    type=click.Choice(["query", "source"]),
    default="query",
    show_default=True,
    help="Resample edges, or nodes with all their edges.",
)
@click.option(
    "--seed", type=options.SEED, default=0, show_default=True, help="Seed of the resamples."
)
@click.option(
    "--out", type=options.FILE, help="Table of the edges and their ranks: .csv, .parquet or .json."
)
@click.option("--metrics", type=options.FILE, help="All metrics with their intervals: .json.")
@figure_option(
    ("ranks", "hits"), "A histogram of the ranks, or the curve of hits@k, beside chance:"
)
@options.dry_run
@click.pass_obj
def evaluate(
    screen: Screen,
    /,
    matrix: str,
    edges_file: str,
    known: str | None,
    names: str | None,
    by: str | None,
    out: str | None,
    metrics: str | None,
    figure: str | None,
    picture: str,
    dry_run: bool,
    candidates: Sequence[str],
    ks: Sequence[int],
    n_resamples: int,
    **asked: Any,
) -> None:
    """Rank held-out edges by W: stage three.

    They are ranked beside all pairs that are no edges. W is .npy, .npz, .zarr (read by parts),
    .safetensors, .csv or .parquet; or what infer --evidence wrote.
    """
    from gsnn_edges.cli.options import check_figure
    from gsnn_edges.cli.tables import check_apart

    check_outputs(out, metrics)
    check_figure(figure)
    inputs = {"W": matrix, "--edges": edges_file, "--known": known, "--names": names}
    check_apart({"--out": out, "--metrics": metrics, "--figure": figure}, inputs)
    question = read_question(matrix, edges_file, known, names, by)
    nodes = question.W.shape[0]
    facts = {"nodes": nodes, "edges": question.edges.shape[1], "known": question.known_count}
    if dry_run:
        need = nodes * nodes * question.W.dtype.itemsize
        screen.say(
            f"would rank {facts['edges']} edges among {nodes} nodes; {facts['known']} known ones "
            f"never compete; W takes {format_bytes(need)} and is read by rows"
        )
        screen.facts({**facts, "dry_run": True, "bytes": need})
        return
    asked |= {"candidates": list(candidates) or None, "ks": list(ks) or None}
    asked["n_resamples"] = n_resamples or None
    rank_edges(screen, question, asked, facts, out, metrics, (figure, picture))


@dataclass(frozen=True)
class Question:
    """W, the edges that are to be found in it, and those that are known.

    Attributes
    ----------
    W : matrix of shape (N, N)
    edges, known_edges : int64 ndarrays of shape (2, E); known_edges may be None
    node_names : list of str or None
    """

    W: Any
    edges: Any
    known_edges: Any
    node_names: list[str] | None

    @property
    def known_count(self) -> int:
        """Number of known edges."""
        return 0 if self.known_edges is None else int(self.known_edges.shape[1])


def check_outputs(out: str | None, metrics: str | None) -> None:
    """Find out that results can be written, before any work."""
    from gsnn_edges.cli.tables import writable, writable_table

    if out is not None:
        writable_table("--out", out)
    if metrics is not None:
        writable("--metrics", metrics, [".json"])


def read_question(
    matrix: str, edges: str, known: str | None, names: str | None, by: str | None = None
) -> Question:
    """Read what evaluate is asked."""
    from gsnn_edges import _validation
    from gsnn_edges.cli.tables import read_edges, read_known, read_node_names, read_scores

    scores = read_scores(matrix)
    node_names = read_node_names(names) or scores.node_names
    shape = tuple(scores.W.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(
            f"W must be square, a row and a column for each node; {matrix!r} has shape {shape}"
        )
    check_names(node_names, shape[0], names or matrix)
    asked = read_edges(edges, node_names, name="--edges", by=by)
    asked = _validation.edge_index("--edges", asked, shape)
    others = read_known(names) if scores.known_edges is None else scores.known_edges
    if known is not None:
        others = read_edges(known, node_names, name="--known", by=by)
    if others is None or not others.size:
        warnings.warn(
            "there are no known edges: those that the model has compete with the held-out ones; "
            "give them by --known",
            stacklevel=2,
        )
    else:
        others = _validation.edge_index("--known", others, shape)
    return Question(scores.W, asked, others, node_names)


def check_names(names: list[str] | None, nodes: int, path: str) -> None:
    """Reject names of other nodes than those of W."""
    if names is not None and len(names) != nodes:
        raise ValueError(
            f"--names must name each of the {nodes} nodes of W, in their order; {path!r} has "
            f"{len(names)}"
        )


def rank_edges(
    screen: Screen,
    question: Question,
    asked: Mapping[str, Any],
    facts: Mapping[str, Any],
    out: str | None,
    metrics: str | None,
    figure: tuple[str | None, str] = (None, "ranks"),
) -> None:
    """Rank, write the rank_columns and the metrics, and show them."""
    import numpy as np

    from gsnn_edges.cli.tables import write_json, write_table
    from gsnn_edges.evaluation import evaluate_edges

    truths = question.edges
    if question.known_edges is not None:
        truths = np.concatenate([question.known_edges, truths], axis=1)
    with screen.work():
        found = evaluate_edges(
            question.W, question.edges, truths, node_names=question.node_names, **asked
        )
    result = {**facts, "seed": asked.get("seed"), **found.to_dict()}
    if out is not None:
        write_table(out, rank_columns(found), name="--out")
    if metrics is not None:
        write_json(metrics, result, name="--metrics")
    draw_ranking(*figure, found)
    title = (
        f"{len(found.queries.scores)} rankings ({found.direction}), "
        f"{facts['nodes']} nodes, {facts['known']} known edges"
    )
    screen.table(metric_columns(found), title)
    tell_files(screen, {"ranks": out, "metrics": metrics, "figure": figure[0]})
    screen.facts({**result, "files": [file for file in (out, metrics, figure[0]) if file]})


def tell_files(screen: Screen, files: Mapping[str, str | None]) -> None:
    """Say which files there are now."""
    for what, file in files.items():
        if file is not None:
            screen.say(f"{what}: {file}")


def rank_columns(found: Any) -> dict[str, Any]:
    """Give the metric_columns of the table of rank_columns, best rank first."""
    import numpy as np

    queries = found.queries
    order = np.argsort(queries.ranks.realistic, kind="stable")
    source, target = (labels(nodes[order], found.node_names) for nodes in queries.edges)
    return {
        "source": source,
        "target": target,
        "direction": np.where(queries.head, "head", "tail")[order],
        "score": queries.scores[order],
        "candidates": queries.candidates[order],
        **{name: rank[order] for name, rank in vars(queries.ranks).items()},
    }


def labels(nodes: Any, names: Any) -> Any:
    """Name nodes, where there are names."""
    return nodes if names is None else [names[node] for node in nodes]


def metric_columns(found: Any) -> dict[str, list[str]]:
    """Give the metric_columns of the table of metrics, without those that are empty."""
    from gsnn_edges.evaluation.results import lines_of

    heads = ("metric", "value", f"{found.confidence:.0%} interval", "macro", "by chance")
    cells = zip(*lines_of(found), strict=True)
    named = {
        head: ["-" if "nan" in cell else cell for cell in column]
        for head, column in zip(heads, cells, strict=True)
    }
    return {head: column for head, column in named.items() if any(column)}
