"""Held-out edges ranked, shown and written: the last step of evaluate and of infer."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.figure import draw_ranking
from gsnn_edges.cli.scores import read_known, read_node_names, read_scores


@dataclass(frozen=True)
class Question:
    """W, the edges that are to be found in it, and those that are known.

    Attributes
    ----------
    W : matrix of shape (N, N)
    edges, known_edges : int64 ndarrays of shape (2, E); known_edges may be None
    node_names : list of str or None
    """

    W: Any
    edges: Any
    known_edges: Any
    node_names: list[str] | None

    @property
    def known_count(self) -> int:
        """Number of known edges."""
        return 0 if self.known_edges is None else int(self.known_edges.shape[1])


def check_outputs(out: str | None, metrics: str | None) -> None:
    """Find out that results can be written, before any work."""
    from gsnn_edges.cli.paths import writable
    from gsnn_edges.cli.tables import writable_table

    if out is not None:
        writable_table("--out", out)
    if metrics is not None:
        writable("--metrics", metrics, [".json"])


def read_question(
    matrix: str, edges: str, known: str | None, names: str | None, by: str | None = None
) -> Question:
    """Read what evaluate is asked."""
    from gsnn_edges import _validation
    from gsnn_edges.cli.edges import read_edges

    scores = read_scores(matrix)
    node_names = read_node_names(names) or scores.node_names
    shape = tuple(scores.W.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(
            f"W must be square, a row and a column for each node; {matrix!r} has shape {shape}"
        )
    check_names(node_names, shape[0], names or matrix)
    asked = read_edges(edges, node_names, name="--edges", by=by)
    asked = _validation.edge_index("--edges", asked, shape)
    others = read_known(names) if scores.known_edges is None else scores.known_edges
    if known is not None:
        others = read_edges(known, node_names, name="--known", by=by)
    if others is None or not others.size:
        warnings.warn(
            "there are no known edges: those that the model has compete with the held-out ones; "
            "give them by --known",
            stacklevel=2,
        )
    else:
        others = _validation.edge_index("--known", others, shape)
    return Question(scores.W, asked, others, node_names)


def check_names(names: list[str] | None, nodes: int, path: str) -> None:
    """Reject names of other nodes than those of W."""
    if names is not None and len(names) != nodes:
        raise ValueError(
            f"--names must name each of the {nodes} nodes of W, in their order; {path!r} has "
            f"{len(names)}"
        )


def rank_edges(
    screen: Screen,
    question: Question,
    asked: Mapping[str, Any],
    facts: Mapping[str, Any],
    out: str | None,
    metrics: str | None,
    figure: tuple[str | None, str] = (None, "ranks"),
) -> None:
    """Rank, write the ranks and the metrics, and show them."""
    import numpy as np

    from gsnn_edges.cli.tables import write_json, write_table
    from gsnn_edges.evaluation import evaluate_edges

    truths = question.edges
    if question.known_edges is not None:
        truths = np.concatenate([question.known_edges, truths], axis=1)
    with screen.work():
        found = evaluate_edges(
            question.W, question.edges, truths, node_names=question.node_names, **asked
        )
    result = {**facts, "seed": asked.get("seed"), **found.to_dict()}
    if out is not None:
        write_table(out, ranks(found), name="--out")
    if metrics is not None:
        write_json(metrics, result, name="--metrics")
    draw_ranking(*figure, found)
    title = (
        f"{len(found.queries.scores)} rankings ({found.direction}), "
        f"{facts['nodes']} nodes, {facts['known']} known edges"
    )
    screen.table(columns(found), title)
    tell_files(screen, {"ranks": out, "metrics": metrics, "figure": figure[0]})
    screen.facts({**result, "files": [file for file in (out, metrics, figure[0]) if file]})


def tell_files(screen: Screen, files: Mapping[str, str | None]) -> None:
    """Say which files there are now."""
    for what, file in files.items():
        if file is not None:
            screen.say(f"{what}: {file}")


def ranks(found: Any) -> dict[str, Any]:
    """Give the columns of the table of ranks, best rank first."""
    import numpy as np

    queries = found.queries
    order = np.argsort(queries.ranks.realistic, kind="stable")
    source, target = (labels(nodes[order], found.node_names) for nodes in queries.edges)
    return {
        "source": source,
        "target": target,
        "direction": np.where(queries.head, "head", "tail")[order],
        "score": queries.scores[order],
        "candidates": queries.candidates[order],
        **{name: rank[order] for name, rank in vars(queries.ranks).items()},
    }


def labels(nodes: Any, names: Any) -> Any:
    """Name nodes, where there are names."""
    return nodes if names is None else [names[node] for node in nodes]


def columns(found: Any) -> dict[str, list[str]]:
    """Give the columns of the table of metrics, without those that are empty."""
    from gsnn_edges.evaluation.results import lines_of

    heads = ("metric", "value", f"{found.confidence:.0%} interval", "macro", "by chance")
    cells = zip(*lines_of(found), strict=True)
    named = {
        head: ["-" if "nan" in cell else cell for cell in column]
        for head, column in zip(heads, cells, strict=True)
    }
    return {head: column for head, column in named.items() if any(column)}
