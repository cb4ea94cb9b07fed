"""What infer does with the model that its options name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gsnn_edges.cli.network import Network, layers_of
from gsnn_edges.cli.ranking import Question, rank_edges, tell_files
from gsnn_edges.cli.screen import Screen

SHOWN = 10


def check_outputs(edges: str | None, evidence: str | None, metrics: str | None) -> None:
    """Find out that results can be written, before any work."""
    from gsnn_edges.files.paths import writable

    if evidence is not None:
        writable("--evidence", evidence, [".npz"])
    if metrics is not None and edges is None:
        raise ValueError("--metrics needs --edges, the edges that were held out")


def infer(
    screen: Screen, network: Network, passes: Mapping[str, Any], device: str, known: str | None
) -> Any:
    """Give the evidence."""
    import numpy as np

    from gsnn_edges.files import read_edges
    from gsnn_edges.inferer import FunctionEdgeInferer

    edges = np.empty((2, 0), np.int64)
    if known is not None:
        edges = read_edges(known, layers_of(network).node_names, name="--known")
    inferer = FunctionEdgeInferer(
        network.model,
        network.crit,
        edges,
        passes["prenorm"],
        device,
        passes["norm"],
        passes["agg"],
        backend=passes["backend"],
        ties=passes["ties"],
        precision=passes["precision"],
        **network.how,
    )
    screen.note(f"inferring from {network.samples} samples")
    with screen.work():
        return inferer.infer(
            network.x,
            network.y,
            passes["method"],
            score=passes["score"],
            layers=passes["layers"],
            directions=passes["directions"],
            batch_size=passes["batch_size"],
            seed=passes["seed"],
            mode="eval" if passes["mode"] == "eval" else None,
            verbose=screen.progress,
        )


def report(
    screen: Screen,
    evidence: Any,
    *,
    edges: str | None,
    top: int,
    out: str | None,
    file: str | None,
    metrics: str | None,
    seed: int,
) -> None:
    """Write and show the strongest edges, and how held-out ones rank where there are any."""
    from gsnn_edges import _checks
    from gsnn_edges.files import read_edges, write_table

    held_out = None
    if edges is not None:
        held_out = read_edges(edges, evidence.node_names, name="--edges")
        held_out = _checks.edge_index("--edges", held_out, evidence.W.shape)
    best = evidence.top(top)
    if file is not None:
        evidence.save(Path(file))
    if out is not None:
        write_table(out, ranked(best), name="--out")
    shown = best[:SHOWN]
    screen.table(ranked(shown), f"{len(shown)} strongest new edges among {len(evidence.W)} nodes")
    tell_files(screen, {"edges": out, "evidence": file})
    facts = {
        "nodes": len(evidence.W),
        "known": int(evidence.known_edges.shape[1]),
        **evidence.counts,
        "settings": dict(evidence.settings),
        "written": [one for one in (out, file) if one],
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
