"""gsnn-edges capture."""

from typing import Any

import click

from gsnn_edges._io import format_bytes
from gsnn_edges.cli import options
from gsnn_edges.cli.console import Screen, Stage


@click.command(
    cls=Stage,
    epilog="Example: gsnn-edges capture --model my_model:model --weights state.pt --x x.csv "
    "--y y.csv --out seen.zarr",
)
@options.model
@options.score(options.SCORES, "magnitude")
@options.passes
@click.option(
    "--out",
    type=options.FILE,
    required=True,
    help="Observations: .zarr, written a part at a time and gone on with after a stop; or .npz, "
    "in one piece.",
)
@click.option(
    "--known",
    type=options.FILE,
    help="Edges of the model's graph, to keep in a .zarr for evaluate; else those that the model "
    "has in its edge_index_dict.",
)
@options.by
@options.dry_run
@click.pass_obj
def capture(
    screen: Screen,
    /,
    out: str,
    known: str | None,
    by: str | None,
    dry_run: bool,
    **asked: Any,
) -> None:
    """Record the activations and gradients of a model: stage one.

    Needs torch. What is recorded goes to correlate, on this machine or another.
    """
    from gsnn_edges.cli.apart import check_apart, inputs_of
    from gsnn_edges.cli.capturing import write
    from gsnn_edges.cli.network import known_edges, read_network, shape_of
    from gsnn_edges.cli.paths import writable

    writable("--out", out, [".zarr", ".npz"])
    check_apart({"--out": out}, {**inputs_of(asked), "--known": known})
    if known is not None and out.endswith(".npz"):
        raise ValueError("--known needs a .zarr for --out; evaluate --known takes them too")
    with screen.work():
        network = read_network(**{name: asked[name] for name in options.MODEL})
        facts = shape_of(network, asked["score"])
        edges = known_edges(network, known, by)
    facts |= {"score": asked["score"], "known": 0 if edges is None else int(edges.shape[1])}
    facts |= {"untrained_model": asked["untrained_model"]}
    if dry_run:
        screen.say(
            f"would record {facts['observations']} observations ({facts['layer_pairs']} layer "
            f"pairs, {facts['samples']} samples) of {facts['columns']} columns for "
            f"{facts['nodes']} nodes, score {facts['score']}: {format_bytes(facts['bytes'])} in "
            f"{out}"
        )
        screen.facts({**facts, "dry_run": True})
        return
    screen.resumes = out.endswith(".zarr")
    passes = {name: value for name, value in asked.items() if name not in options.MODEL}
    with screen.work():
        write(screen, network, passes, asked["device"], out, edges)
    screen.say(
        f"{facts['observations']} observations of {facts['columns']} columns for "
        f"{facts['nodes']} nodes, score {facts['score']}, {format_bytes(facts['bytes'])}: {out}"
    )
    screen.facts({**facts, "seed": asked["seed"], "written": [out]})
