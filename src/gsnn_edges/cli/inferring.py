"""What infer does with the model that its options name."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.figure import draw_evidence
from gsnn_edges.cli.network import Network, layers_of
from gsnn_edges.cli.ranking import Question, rank_edges, tell_files

SHOWN = 10


def check_outputs(edges: str | None, evidence: str | None, metrics: str | None) -> None:
    """Find out that results can be written, before any work."""
    from gsnn_edges.cli.paths import writable

    if evidence is not None:
        writable("--evidence", evidence, [".npz"])
    if metrics is not None and edges is None:
        raise ValueError("--metrics needs --edges, the edges that were held out")


def read_held_out(network: Network, path: str | None, by: str | None) -> Any:
    """Read the edges that were held out, where there are any, before the passes."""
    from gsnn_edges import _validation
    from gsnn_edges.cli.edges import read_edges

    if path is None:
        return None
    layers = layers_of(network)
    edges = read_edges(path, layers.node_names, name="--edges", by=by)
    return _validation.edge_index("--edges", edges, (layers.nodes, layers.nodes))


def prepared(network: Network, passes: Mapping[str, Any], device: str, known: Any) -> Any:
    """Settle what can be wrong before the passes: backend, device, layer pairs."""
    import numpy as np

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


def infer(screen: Screen, inferer: Any, network: Network, passes: Mapping[str, Any]) -> Any:
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
