"""What capture does with the model that its options name."""

from collections.abc import Mapping
from typing import Any

from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.network import Network, layers_of


def write(
    screen: Screen,
    network: Network,
    passes: Mapping[str, Any],
    device: str,
    out: str,
    known: Any,
) -> None:
    """Record observations, and write them to a store or to one file."""
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
    network: Network, score: str, how: dict[str, Any], reduction: dict[str, Any], out: str
) -> None:
    """Record in memory, and write one npz file."""
    import numpy as np

    from gsnn_edges.activations import capture, capture_channels
    from gsnn_edges.cli.observations import Observations, write_observations

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
