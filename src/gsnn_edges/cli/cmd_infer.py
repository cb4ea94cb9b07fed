"""gsnn-edges infer."""

import warnings
from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen

# Edges that are shown; --out holds --top of them.
_SHOWN = 10


@click.command(
    cls=Command,
    epilog="Example: gsnn-edges infer --model my_model:model --weights state.pt --x x.csv "
    "--y y.csv --out new.csv --figure W.png",
)
@options.model
@options.score
@options.passes
@options.backend("torch")
@options.correlation
@options.file("--known", "Edges of the model's graph, which are not new; by default the model's.")
@options.file("--edges", "Edges that were held out, to be ranked: as --known.")
@click.option(
    "--untrained",
    type=options.SEED,
    default=0,
    help="Average W with that of so many untrained models.",
)
@options.by
@click.option("--top", type=options.POSITIVE, default=1000, help="Edges in --out.")
@options.file("--out", "Table of the strongest new edges: .csv, .parquet or .json.")
@options.file("--evidence", "W with names and settings: .npz.")
@options.file("--metrics", "Metrics of --edges: .json.")
@options.figure(("heatmap", "network"), "W, or the network of its 20 strongest new edges:")
@options.dry_run
@click.pass_obj
def infer(
    screen: Screen,
    /,
    known: str | None,
    edges: str | None,
    by: str | None,
    top: int,
    out: str | None,
    evidence: str | None,
    metrics: str | None,
    figure: str | None,
    picture: str,
    dry_run: bool,
    **settings: Any,
) -> None:
    """Capture, correlate and evaluate in one, in memory."""
    from gsnn_edges._io import format_bytes
    from gsnn_edges.cli.cmd_evaluate import check_files, rank_edges, without_known
    from gsnn_edges.cli.models import read_network
    from gsnn_edges.cli.tables import Scores, check_outputs, writable, write_table

    check_files(out, metrics, figure)
    if evidence is not None:
        writable("--evidence", evidence, [".npz"])
    if metrics is not None and edges is None:
        raise ValueError("--metrics needs --edges, the edges that were held out")
    check_outputs(
        {"--out": out, "--evidence": evidence, "--metrics": metrics, "--figure": figure},
        {**options.input_files(settings), "--known": known, "--edges": edges},
    )
    untrained_model = {"untrained_model": settings["untrained_model"]}
    with screen.work():
        network = read_network(settings)
        known_edges = network.known_edges(known, by)
        held_out = None if edges is None else network.read_edges("--edges", edges, by)
        if held_out is not None and known_edges is not None:
            held_out = without_known(held_out, known_edges)
        inferer = make_inferer(network, known_edges, settings)
    sizes = network.sizes(settings["score"])
    if dry_run:
        need = 2 * sizes["bytes"] + 4 * sizes["nodes"] ** 2
        screen.say(
            f"would record {sizes['observations']} observations of {sizes['columns']} columns and "
            f"correlate {sizes['nodes']} nodes by the score {settings['score']}; about "
            f"{format_bytes(need)} beside the model's own passes"
        )
        screen.json({**sizes, **untrained_model, "dry_run": True, "bytes": need})
        return
    names = ("score", "layers", "n_components", "untrained", "batch_size", "seed", "mode")
    with screen.work(f"inferring from {sizes['samples']} samples"):
        inferred = inferer.infer(
            network.x,
            network.y,
            settings["method"],
            verbose=screen.progress,
            fresh=network.fresh if settings["untrained"] else None,
            **{name: settings[name] for name in names},
        )
    best = inferred.top(top)
    strongest = edge_columns(best[:_SHOWN])
    what = "new edges" if inferred.known_edges.size else "pairs (no known edges given)"
    title = f"{len(best[:_SHOWN])} strongest {what} among {len(inferred.W)} nodes"
    screen.table(strongest, title)
    screen.say(_score(inferred.settings))
    if evidence is not None:
        inferred.save(evidence)
    if out is not None:
        write_table(out, edge_columns(best), name="--out")
    if figure is not None:
        _draw(inferred, held_out, figure, picture)
    files = screen.files({"edges": out, "evidence": evidence, "figure": figure})
    result = {
        "nodes": len(inferred.W),
        "known": int(inferred.known_edges.shape[1]),
        **inferred.counts,
        **untrained_model,
        "settings": dict(inferred.settings),
        "written": files,
        "strongest": [
            dict(zip(strongest, row, strict=True)) for row in zip(*strongest.values(), strict=True)
        ],
    }
    if held_out is None:
        screen.json(result)
        return
    scores = Scores(inferred.W, inferred.node_names, inferred.known_edges)
    rank_edges(screen, scores, held_out, result, {"seed": settings["seed"]}, None, metrics)


def make_inferer(network: Any, known_edges: Any, settings: dict[str, Any]) -> Any:
    """Check backend, device and layer pairs, before the passes."""
    import numpy as np

    from gsnn_edges.inferer import FunctionEdgeInferer
    from gsnn_edges.layer_pairs import checked_layers

    if known_edges is None:
        warnings.warn(
            "no known edges are given, and the model keeps none: known edges are listed as new, "
            "and cannot choose the score; give them by --known",
            stacklevel=2,
        )
    score: Any = "channels" if settings["score"] == "auto" else settings["score"]
    checked_layers(settings["layers"], score, len(network.layers.blocks) - 1)
    names = ("use_prenorm", "device", "norm", "agg", "backend", "ties", "precision")
    return FunctionEdgeInferer(
        network.model,
        network.crit,
        np.empty((2, 0), np.int64) if known_edges is None else known_edges,
        **{name: settings[name] for name in names},
        **network.layout,
    )


def edge_columns(edges: Any) -> dict[str, list[Any]]:
    """Columns of the table of edges, by names where there are names."""
    named = any(edge.source_name is not None for edge in edges)
    return {
        "rank": [edge.rank for edge in edges],
        "source": [edge.source_name if named else edge.source for edge in edges],
        "target": [edge.target_name if named else edge.target for edge in edges],
        "score": [edge.score for edge in edges],
    }


def _score(settings: dict[str, Any]) -> str:
    """Line that names the score, and why it was chosen where nobody named one."""
    score, chosen = settings["score"], settings.get("choice")
    if settings.get("untrained"):
        score += f", with {settings['untrained']} untrained"
    if chosen is None:
        return f"score: {score}"
    if chosen["z_score"] is None and chosen["magnitude"] is None:
        return f"score: {score}, as too few known edges are given to choose"
    ranks = f"MRR {chosen['magnitude']:.2f} by magnitude, {chosen['channels']:.2f} by channels"
    return f"score: {score}, chosen by the known edges ({ranks})"


def _draw(evidence: Any, held_out: Any, figure: str, picture: str) -> None:
    from matplotlib import pyplot

    from gsnn_edges import plots

    draw: Any = {"heatmap": plots.heatmap, "network": plots.edge_network}[picture]
    axes = draw(evidence, held_out=held_out)
    plots.save(axes, figure)
    pyplot.close(axes.figure)
