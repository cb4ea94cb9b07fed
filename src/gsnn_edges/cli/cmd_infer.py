"""gsnn-edges infer."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gsnn_edges._io import format_bytes
from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage
from gsnn_edges.cli.options import draw_evidence, figure_option


@click.command(
    cls=Stage,
    epilog="Example: gsnn-edges infer --model my_model:model --weights state.pt --x x.csv "
    "--y y.csv --out new.csv --figure W.png",
)
@options.model
@options.score(options.SCORE_CHOICES, "auto")
@options.passes
@options.backend("torch")
@options.correlation
@click.option(
    "--known",
    type=options.FILE,
    help="Edges of the model's graph, which are left out and choose the score; else those that the "
    "model has in its edge_index_dict.",
)
@click.option(
    "--edges", type=options.FILE, help="Edges that were held out, to be ranked: as --known."
)
@click.option(
    "--untrained",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Average the channel score with that of so many models that are drawn anew and never "
    "trained; one is enough.",
)
@options.by
@click.option(
    "--top", type=options.POSITIVE, default=1000, show_default=True, help="Edges in --out."
)
@click.option(
    "--out", type=options.FILE, help="Table of the strongest new edges: .csv, .parquet or .json."
)
@click.option("--evidence", type=options.FILE, help="W with names and settings: .npz.")
@click.option("--metrics", type=options.FILE, help="Metrics of --edges: .json.")
@figure_option(
    ("heatmap", "network"),
    "W, or the network of its 20 strongest new edges, with known and held-out edges marked:",
)
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
    **asked: Any,
) -> None:
    """Capture, correlate and evaluate in one, in memory."""
    from gsnn_edges.cli.cmd_evaluate import check_outputs
    from gsnn_edges.cli.models import known_edges, read_network, shape_of
    from gsnn_edges.cli.options import check_figure
    from gsnn_edges.cli.tables import check_apart, inputs_of

    check_outputs(out, metrics)
    check_more_outputs(edges, evidence, metrics)
    check_figure(figure)
    check_apart(
        {"--out": out, "--evidence": evidence, "--metrics": metrics, "--figure": figure},
        {**inputs_of(asked), "--known": known, "--edges": edges},
    )
    passes = {name: value for name, value in asked.items() if name not in options.MODEL}
    with screen.work():
        network = read_network(**{name: asked[name] for name in options.MODEL})
        known_pairs = known_edges(network, known, by)
        held_out = read_held_out(network, edges, by)
        inferer = prepared(network, passes, asked["device"], known_pairs)
    if dry_run:
        facts = shape_of(network, asked["score"])
        need = 2 * facts["bytes"] + 4 * facts["nodes"] ** 2
        screen.say(
            f"would record {facts['observations']} observations of {facts['columns']} columns and "
            f"correlate {facts['nodes']} nodes by the score {asked['score']}; about "
            f"{format_bytes(need)} beside the model's own passes"
        )
        facts |= {"untrained_model": asked["untrained_model"], "dry_run": True, "bytes": need}
        screen.facts(facts)
        return
    found = evidence_of(screen, inferer, network, passes)
    report(
        screen,
        found,
        held_out=held_out,
        top=top,
        out=out,
        file=evidence,
        metrics=metrics,
        figure=(figure, picture),
        seed=asked["seed"],
        untrained_model=asked["untrained_model"],
    )


SHOWN = 10


def check_more_outputs(edges: str | None, evidence: str | None, metrics: str | None) -> None:
    """Find out that results can be written, before any work."""
    from gsnn_edges.cli.tables import writable

    if evidence is not None:
        writable("--evidence", evidence, [".npz"])
    if metrics is not None and edges is None:
        raise ValueError("--metrics needs --edges, the edges that were held out")


def read_held_out(network: Any, path: str | None, by: str | None) -> Any:
    """Read the edges that were held out, where there are any, before the passes."""
    from gsnn_edges import _validation
    from gsnn_edges.cli.models import layers_of
    from gsnn_edges.cli.tables import read_edges

    if path is None:
        return None
    layers = layers_of(network)
    edges = read_edges(path, layers.node_names, name="--edges", by=by)
    return _validation.edge_index("--edges", edges, (layers.nodes, layers.nodes))


def prepared(network: Any, passes: Mapping[str, Any], device: str, known: Any) -> Any:
    """Settle what can be wrong before the passes: backend, device, layer pairs."""
    import numpy as np

    from gsnn_edges.cli.models import layers_of
    from gsnn_edges.inferer import FunctionEdgeInferer
    from gsnn_edges.layer_pairs import checked_layers

    if known is None:
        warnings.warn(
            "no known edges are given, and the model keeps none: known edges are listed as new, "
            "and cannot choose the score; give them by --known",
            stacklevel=2,
        )
    score: Any = "channels" if passes["score"] == "auto" else passes["score"]
    checked_layers(passes["layers"], score, len(layers_of(network).blocks) - 1)
    return FunctionEdgeInferer(
        network.model,
        network.crit,
        np.empty((2, 0), np.int64) if known is None else known,
        passes["prenorm"],
        device,
        passes["norm"],
        passes["agg"],
        backend=passes["backend"],
        ties=passes["ties"],
        precision=passes["precision"],
        **network.how,
    )


def evidence_of(screen: Screen, inferer: Any, network: Any, passes: Mapping[str, Any]) -> Any:
    """Give the evidence."""
    with screen.watched(f"inferring from {network.samples} samples"):
        return inferer.infer(
            network.x,
            network.y,
            passes["method"],
            score=passes["score"],
            layers=passes["layers"],
            n_components=passes["n_components"],
            untrained=passes["untrained"],
            batch_size=passes["batch_size"],
            seed=passes["seed"],
            mode="eval" if passes["mode"] == "eval" else None,
            verbose=screen.progress,
        )


def why_score(evidence: Any) -> str:
    """Say which score was taken, and why, where it was not asked for."""
    taken, choice = evidence.settings["score"], evidence.settings.get("choice")
    if evidence.settings.get("untrained"):
        taken += f", with {evidence.settings['untrained']} untrained"
    if choice is None:
        return f"score: {taken}"
    if choice["z_score"] is None and choice["magnitude"] is None:
        return f"score: {taken}, as too few known edges are given to choose"
    found = f"MRR {choice['magnitude']:.2f} by magnitude, {choice['channels']:.2f} by channels"
    return f"score: {taken}, chosen by the known edges ({found})"


def report(
    screen: Screen,
    evidence: Any,
    *,
    held_out: Any,
    top: int,
    out: str | None,
    file: str | None,
    metrics: str | None,
    figure: tuple[str | None, str],
    seed: int,
    untrained_model: bool,
) -> None:
    """Write and show the strongest edges, and how held-out ones rank where there are any."""
    from gsnn_edges.cli.cmd_evaluate import Question, rank_edges, tell_files
    from gsnn_edges.cli.tables import write_table

    best = evidence.top(top)
    if file is not None:
        evidence.save(Path(file))
    if out is not None:
        write_table(out, ranked(best), name="--out")
    shown = best[:SHOWN]
    what = "new edges" if evidence.known_edges.size else "pairs (no known edges given)"
    title = f"{len(shown)} strongest {what} among {len(evidence.W)} nodes"
    screen.table(ranked(shown), title)
    screen.say(why_score(evidence))
    draw_evidence(*figure, evidence, held_out)
    tell_files(screen, {"edges": out, "evidence": file, "figure": figure[0]})
    facts = {
        "nodes": len(evidence.W),
        "known": int(evidence.known_edges.shape[1]),
        **evidence.counts,
        "untrained_model": untrained_model,
        "settings": dict(evidence.settings),
        "written": [one for one in (out, file, figure[0]) if one],
    }
    facts["strongest"] = rows_of(ranked(shown))
    if held_out is None:
        screen.facts(facts)
        return
    question = Question(evidence.W, held_out, evidence.known_edges, evidence.node_names)
    rank_edges(screen, question, {"seed": seed}, facts, None, metrics)


def ranked(edges: Any) -> dict[str, list[Any]]:
    """Give the columns of the table of edges."""
    named = any(edge.source_name is not None for edge in edges)
    return {
        "rank": [edge.rank for edge in edges],
        "source": [edge.source_name if named else edge.source for edge in edges],
        "target": [edge.target_name if named else edge.target for edge in edges],
        "score": [edge.score for edge in edges],
    }


def rows_of(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Give a table row by row."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
