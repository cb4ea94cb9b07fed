"""gsnn-edges capture."""

from collections.abc import Mapping
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
    from gsnn_edges.cli.models import known_edges, read_network, shape_of
    from gsnn_edges.cli.tables import check_apart, inputs_of, writable

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
        record(screen, network, passes, asked["device"], out, edges)
    screen.say(
        f"{facts['observations']} observations of {facts['columns']} columns for "
        f"{facts['nodes']} nodes, score {facts['score']}, {format_bytes(facts['bytes'])}: {out}"
    )
    screen.facts({**facts, "seed": asked["seed"], "written": [out]})


def record(
    screen: Screen,
    network: Any,
    passes: Mapping[str, Any],
    device: str,
    out: str,
    known: Any,
) -> None:
    """Record observations, and record them to a store or to one file."""
    how = {
        **network.how,
        "use_prenorm": passes["prenorm"],
        "device": device,
        "batch_size": passes["batch_size"],
        "seed": passes["seed"],
        "mode": "eval" if passes["mode"] == "eval" else None,
    }
    reduction = {"norm": passes["norm"], "agg": passes["agg"]}
    if out.endswith(".npz"):
        with screen.watched(f"recording {network.samples} samples"):
            in_one_piece(network, passes["score"], how, reduction, out)
        return
    from gsnn_edges.activations import capture_to_store

    capture_to_store(
        out,
        network.model,
        network.crit,
        network.x,
        network.y,
        score=passes["score"],
        edge_index=known,
        verbose=screen.progress,
        **how,
        **(reduction if passes["score"] == "magnitude" else {}),
    )


def in_one_piece(
    network: Any, score: str, how: dict[str, Any], reduction: dict[str, Any], out: str
) -> None:
    """Record in memory, and record one npz file."""
    import numpy as np

    from gsnn_edges.activations import capture, capture_channels
    from gsnn_edges.cli.models import layers_of
    from gsnn_edges.cli.tables import Observations, write_observations

    model, crit, x, y = network.model, network.crit, network.x, network.y
    layers = layers_of(network)
    if score == "channels":
        a, g, columns, _, _ = capture_channels(model, crit, x, y, **how)
        nodes = columns.cpu().numpy()
    else:
        a, g = capture(model, crit, x, y, **how, **reduction)
        nodes = np.arange(layers.nodes)
    shape = len(layers.blocks) - 1, network.samples, len(nodes)
    fired, credit = (side.cpu().numpy().reshape(shape) for side in (a, g))
    found = Observations(fired, credit, nodes, layers.nodes, score, layers.node_names)
    write_observations(out, found, name="--out")
