"""gsnn-edges evaluate."""

from collections.abc import Sequence
from typing import Any

import click

from gsnn_edges._io import format_bytes
from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage
from gsnn_edges.cli.figure import figure_option


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
    from gsnn_edges.cli.apart import check_apart
    from gsnn_edges.cli.figure import check_figure
    from gsnn_edges.cli.ranking import check_outputs, rank_edges, read_question

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
