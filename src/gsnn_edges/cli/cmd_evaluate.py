"""gsnn-edges evaluate."""

import warnings
from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen


@click.command(
    cls=Command,
    epilog="Example: gsnn-edges evaluate W.zarr --edges held_out.csv --names seen.zarr "
    "--out ranked.csv",
)
@click.argument("matrix", metavar="W", type=options.FILE)
@options.file("--edges", "Edges that were held out: columns source and target.", required=True)
@options.file("--known", "Other true edges, which never compete; by default those of W or --names.")
@options.by
@options.file("--names", "Names of the nodes: a list, a table, or what W was made of.")
@options.header
@options.choice(
    "--direction",
    ("tail", "head", "both"),
    "Rank targets of a source, sources of a target, or both.",
)
@click.option(
    "--candidates",
    multiple=True,
    metavar="'FROM -> TO'",
    help="Pairs that compete, by patterns of names, as 'TF* -> *'; again for more.",
)
@options.flag("--exclude-self", "Leave out pairs of a node with itself.")
@click.option("--k", "ks", type=options.POSITIVE, multiple=True, help="The k of hits@k.")
@click.option("--confidence", type=float, default=0.95, help="Level of the intervals.")
@click.option("--n-resamples", type=options.SEED, default=1000, help="For intervals; 0 for none.")
@options.choice("--cluster", ("query", "source"), "Resample edges, or nodes with all their edges.")
@click.option("--seed", type=options.SEED, default=0, help="Seed of the resamples.")
@options.file("--out", "Table of the edges and their ranks: .csv, .parquet or .json.")
@options.file("--metrics", "All metrics with their intervals: .json.")
@options.figure(("ranks", "hits"), "A histogram of the ranks, or the curve of hits@k:")
@options.dry_run
@click.pass_obj
def evaluate(
    screen: Screen,
    /,
    matrix: str,
    edges: str,
    known: str | None,
    names: str | None,
    by: str | None,
    header: bool | None,
    out: str | None,
    metrics: str | None,
    figure: str | None,
    picture: str,
    dry_run: bool,
    **settings: Any,
) -> None:
    """Rank held-out edges by W: stage three.

    They are ranked beside all pairs that are no edges. W is .npy, .npz, .zarr (read by parts),
    .safetensors, .csv or .parquet; or what infer --evidence wrote.
    """
    from gsnn_edges._io import format_bytes
    from gsnn_edges.cli.tables import check_outputs

    check_files(out, metrics, figure)
    inputs = {"W": matrix, "--edges": edges, "--known": known, "--names": names}
    check_outputs({"--out": out, "--metrics": metrics, "--figure": figure}, inputs)
    scores, held_out = _read(matrix, header, edges, known, names, by)
    need = scores.W.shape[0] ** 2 * scores.W.dtype.itemsize
    result = {
        "nodes": scores.W.shape[0],
        "edges": held_out.shape[1],
        "known": 0 if scores.known_edges is None else scores.known_edges.shape[1],
    }
    if dry_run:
        screen.say(
            f"would rank {result['edges']} edges among {result['nodes']} nodes; {result['known']} "
            f"known ones never compete; W takes {format_bytes(need)} and is read by rows"
        )
        screen.json({**result, "dry_run": True, "bytes": need})
        return
    for name in ("candidates", "ks", "n_resamples"):
        settings[name] = settings[name] or None
    rank_edges(screen, scores, held_out, result, settings, out, metrics, figure, picture)


def check_files(out: str | None, metrics: str | None, figure: str | None) -> None:
    """Check, before any work, that results can be written."""
    from gsnn_edges.cli.tables import WRITTEN, writable

    if out is not None:
        writable("--out", out, [*WRITTEN, ".json"])
    if metrics is not None:
        writable("--metrics", metrics, [".json"])
    options.check_figure(figure)


def _read(
    matrix: str,
    header: bool | None,
    edges: str,
    known: str | None,
    names: str | None,
    by: str | None,
) -> tuple[Any, Any]:
    """W with names and known edges, and the edges to rank."""
    from gsnn_edges import _validation
    from gsnn_edges.cli.tables import Scores, read_edges, read_nodes, read_scores

    W, node_names, known_edges = read_scores(matrix, header)
    shape = tuple(W.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(
            f"W must be square, a row and a column for each node; {matrix!r} has shape {shape}"
        )
    if names is not None:
        of_columns = node_names
        node_names, beside = read_nodes(names)
        if of_columns is not None and of_columns != node_names:
            raise ValueError(
                f"--names must be the names that W has, in their order; {matrix!r} has others than "
                f"{names!r}: leave --names out, or name the columns of W so"
            )
        known_edges = beside if known_edges is None else known_edges
    if node_names is not None and len(node_names) != shape[0]:
        raise ValueError(
            f"--names must name each of the {shape[0]} nodes of W, in their order; "
            f"{names or matrix!r} has {len(node_names)}"
        )
    held_out = read_edges(edges, node_names, name="--edges", by=by)
    held_out = _validation.edge_index("--edges", held_out, shape)
    if known is not None:
        known_edges = read_edges(known, node_names, name="--known", by=by)
    if known_edges is None or not known_edges.size:
        warnings.warn(
            "there are no known edges: those that the model has compete with the held-out ones; "
            "give them by --known",
            stacklevel=2,
        )
    else:
        known_edges = _validation.edge_index("--known", known_edges, shape)
        held_out = without_known(held_out, known_edges)
    return Scores(W, node_names, known_edges), held_out


def without_known(edges: Any, known_edges: Any) -> Any:
    """Edges to rank that are not known already; a warning says how many were.

    Raises
    ------
    ValueError
        Where all of them are known.
    """
    known = set(zip(*known_edges.tolist(), strict=True))
    new = [edge not in known for edge in zip(*edges.tolist(), strict=True)]
    count = len(new) - sum(new)
    if count == len(new):
        raise ValueError("--edges must hold edges that are not known; all of them are in --known")
    if count:
        warnings.warn(f"{count} of --edges are known edges: they are not ranked", stacklevel=2)
    return edges[:, new]


def rank_edges(
    screen: Screen,
    scores: Any,
    edges: Any,
    result: dict[str, Any],
    settings: dict[str, Any],
    out: str | None,
    metrics: str | None,
    figure: str | None = None,
    picture: str = "ranks",
) -> None:
    """Rank edges by W, show the metrics, and write them and the ranks; the last step of infer."""
    import numpy as np

    from gsnn_edges.cli.tables import write_json, write_table
    from gsnn_edges.evaluation import evaluate_edges

    known = scores.known_edges
    true_edges = edges if known is None else np.concatenate([known, edges], axis=1)
    with screen.work():
        ranking = evaluate_edges(
            scores.W, edges, true_edges, node_names=scores.node_names, **settings
        )
    result = {**result, "seed": settings["seed"], **ranking.to_dict()}
    if out is not None:
        ranks = ranking.to_frame().sort_values("realistic", kind="stable")
        write_table(out, dict(ranks), name="--out")
    if metrics is not None:
        write_json(metrics, result, name="--metrics")
    if figure is not None:
        from gsnn_edges import plots

        draw: Any = {"ranks": plots.rank_histogram, "hits": plots.hits_curve}[picture]
        plots.save(draw(ranking, ax=plots.blank_axes()), figure)
    screen.say(f"{ranking}\n{result['nodes']} nodes, {result['known']} known edges")
    files = screen.files({"ranks": out, "metrics": metrics, "figure": figure})
    screen.json({**result, "files": files})
