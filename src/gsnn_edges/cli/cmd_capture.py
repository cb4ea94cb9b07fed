"""gsnn-edges capture."""

from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen


@click.command(
    cls=Command,
    epilog="Example: gsnn-edges capture --model my_model:model --weights state.pt --x x.csv "
    "--y y.csv --out seen.zarr",
)
@options.model
@options.choice(
    "--score",
    options.SCORES,
    "Record magnitudes of nodes, or all their channels.",
)
@options.passes
@options.file("--out", "Observations: .zarr, by parts and resumable; or .npz.", required=True)
@options.file("--known", "Edges of the model's graph, to keep in a .zarr; by default the model's.")
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
    score: Any,
    norm: str,
    agg: str,
    **settings: Any,
) -> None:
    """Record the activations and gradients of a model: stage one.

    Needs torch. What is recorded goes to correlate, on this machine or another.
    """
    from gsnn_edges._io import ending, format_bytes
    from gsnn_edges.cli.models import read_network
    from gsnn_edges.cli.tables import check_outputs, writable

    writable("--out", out, [".zarr", ".npz"])
    check_outputs({"--out": out}, {**options.input_files(settings), "--known": known})
    stored = ending(out) == ".zarr"
    if known is not None and not stored:
        raise ValueError("--known needs a .zarr for --out; evaluate --known takes them too")
    with screen.work():
        network = read_network(settings)
        edges = network.known_edges(known, by)
    sizes = network.sizes(score)
    result = {
        **sizes,
        "score": score,
        "known": 0 if edges is None else int(edges.shape[1]),
        "untrained_model": settings["untrained_model"],
    }
    what = (
        f"{sizes['observations']} observations ({sizes['layer_pairs']} layer pairs, "
        f"{sizes['samples']} samples) of {sizes['columns']} columns for {sizes['nodes']} nodes, "
        f"score {score}, {format_bytes(sizes['bytes'])}: {out}"
    )
    if dry_run:
        screen.say(f"would record {what}")
        screen.json({**result, "dry_run": True})
        return
    passes: Any = {name: settings[name] for name in options.PASSES}
    if score == "magnitude":
        passes |= {"norm": norm, "agg": agg}
    screen.resumes = stored
    with screen.work(f"recording {sizes['samples']} samples"):
        if stored:
            from gsnn_edges.activations import capture_to_store

            capture_to_store(
                out,
                network.model,
                network.crit,
                network.x,
                network.y,
                score=score,
                edge_index=edges,
                verbose=screen.progress,
                **network.layout,
                **passes,
            )
        else:
            _capture_to_npz(out, network, score, sizes, passes)
    screen.say(what)
    screen.json({**result, "seed": settings["seed"], "written": [out]})


def _capture_to_npz(
    out: str, network: Any, score: str, sizes: dict[str, int], passes: dict[str, Any]
) -> None:
    import numpy as np

    from gsnn_edges.activations import capture, capture_channels
    from gsnn_edges.cli.tables import Observations, write_observations

    record: Any = capture_channels if score == "channels" else capture
    a, g, *more = record(
        network.model, network.crit, network.x, network.y, **network.layout, **passes
    )
    shape = sizes["layer_pairs"], sizes["samples"], sizes["columns"]
    a, g = (side.numpy(force=True).reshape(shape) for side in (a, g))
    columns = more[0].numpy(force=True) if more else np.arange(sizes["nodes"])
    seen = Observations(a, g, columns, sizes["nodes"], score, network.layers.node_names)
    write_observations(out, seen, name="--out")
