"""gsnn-edges infer."""

from typing import Any

import click

from gsnn_edges._io import format_bytes
from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage
from gsnn_edges.cli.figure import figure_option


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
    from gsnn_edges.cli import inferring
    from gsnn_edges.cli.apart import check_apart, inputs_of
    from gsnn_edges.cli.figure import check_figure
    from gsnn_edges.cli.network import known_edges, read_network, shape_of
    from gsnn_edges.cli.ranking import check_outputs

    check_outputs(out, metrics)
    inferring.check_outputs(edges, evidence, metrics)
    check_figure(figure)
    check_apart(
        {"--out": out, "--evidence": evidence, "--metrics": metrics, "--figure": figure},
        {**inputs_of(asked), "--known": known, "--edges": edges},
    )
    passes = {name: value for name, value in asked.items() if name not in options.MODEL}
    with screen.work():
        network = read_network(**{name: asked[name] for name in options.MODEL})
        known_pairs = known_edges(network, known, by)
        held_out = inferring.read_held_out(network, edges, by)
        inferer = inferring.prepared(network, passes, asked["device"], known_pairs)
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
    found = inferring.infer(screen, inferer, network, passes)
    inferring.report(
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
