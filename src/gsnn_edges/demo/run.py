"""The demo: simulate, train, infer the edges by both scores, rank them beside baselines."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from gsnn_edges.demo import topologies
from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.training import recipe_for, train
from gsnn_edges.evaluation import evaluate_edges, mrr
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.inferer import FunctionEdgeInferer

Matrix = NDArray[np.float32]

PICTURES = ("heatmap.png", "ranks.png")

_LABELS = {
    "trained": "W, trained model",
    "untrained": "W, untrained model",
    "channels trained": "channels, trained model",
    "channels untrained": "channels, untrained model",
    "random": "random",
}


@dataclass(frozen=True)
class Score:
    """Filtered mean reciprocal rank of the held-out edges, in (0, 1]."""

    validation: float
    test: float


@dataclass(frozen=True)
class DemoResult:
    """What a run of the demo found.

    Attributes
    ----------
    graph, backend : str
    seed, epochs : int
    W : float32 array of shape (N, N)
        Evidence for each edge from row to column, from the trained model and the test rows.
    channels : float32 array of shape (N, N)
        The same by the channel score.
    scores : dict of str to Score
        Of W, under "trained", of ``channels``, under "channels trained", and of the baselines
        "untrained", "channels untrained" and "random".
    seconds : dict of str to float
        Wall time of each stage.
    files : tuple of Path
        What was written.
    """

    graph: str
    backend: str
    seed: int
    epochs: int
    W: Matrix
    channels: Matrix
    scores: dict[str, Score]
    seconds: dict[str, float]
    files: tuple[Path, ...] = ()


def run_demo(
    graph: str | Path = "tutorial",
    *,
    backend: str = "torch",
    seed: int = 0,
    epochs: int | None = None,
    out: str | Path | None = None,
    verbose: bool = True,
) -> DemoResult:
    """Simulate data along a graph, train a GSNN without some edges, and look for those.

    Parameters
    ----------
    graph : str or Path
        "tutorial", "dream4-1", "dream4-2" or the path of a csv with source and target columns.
    backend : str
        Where the correlation runs: "torch", "jax" or "numpy".
    seed : int
        Of the data, the held-out edges, the model, its training and the random baseline.
    epochs : int, optional
        Left out, as many as suit the graph.
    out : str or Path, optional
        Folder to write W.npy, channels.npy, table.txt and metrics.json to, made where there
        is none; and, where matplotlib is installed, two pictures of W: heatmap.png, with known
        edges and those of the test marked, and ranks.png, the ranks of the latter.
    verbose : bool
        Show the progress of the training, then print the table, and where the pictures are.

    Returns
    -------
    DemoResult

    Raises
    ------
    FileNotFoundError
        If there is no such graph.
    ValueError
        If the graph's file is no edge list, or an option is not known.
    """
    topology = topologies.graph(graph)
    recipe = recipe_for(topology)
    epochs = recipe.epochs if epochs is None else epochs
    seconds: dict[str, float] = {}
    with _timed(seconds, "simulate"):
        problem = simulate(topology, seed=seed, train_rows=recipe.train_rows)
    model = GSNN(
        problem.edge_index_dict,
        problem.node_names_dict,
        channels=recipe.channels,
        layers=recipe.layers,
        dropout=recipe.dropout,
        seed=seed,
    )
    with _timed(seconds, "infer untrained"):
        untrained = infer(model, problem, backend)
    with _timed(seconds, "train"):
        train(
            model,
            torch.from_numpy(problem.x_train),
            torch.from_numpy(problem.y_train),
            epochs=epochs,
            learning_rate=recipe.learning_rate,
            seed=seed,
            verbose=verbose,
        )
    with _timed(seconds, "infer"):
        trained = infer(model, problem, backend)
    with _timed(seconds, "score"):
        random = _random_matrix(len(topology.functions), seed)
        matrices = (trained[0], untrained[0], trained[1], untrained[1], random)
        scores = {n: score(m, problem) for n, m in zip(_LABELS, matrices, strict=True)}
    result = DemoResult(topology.name, backend, seed, epochs, *trained, scores, seconds)
    if out is not None:
        result = replace(result, files=save(result, Path(out), problem))
    if verbose:
        print(render(result), end="")
    if verbose and result.files:
        print(where_pictures_are(result.files))
    return result


def infer(model: GSNN, problem: Problem, backend: str) -> tuple[Matrix, Matrix]:
    """Infer W and the channel score, (N, N), from a model in evaluation mode and the test rows."""
    model.eval()
    known = torch.from_numpy(problem.known_edges)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), known, backend=backend)
    x, y = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    return inferer.fit(x, y), inferer.fit(x, y, score="channels")


def score(matrix: Matrix, problem: Problem) -> Score:
    """Score a matrix of evidence, (N, N), by the held-out edges."""
    return Score(
        validation=mrr(matrix, problem.validation_edges, problem.true_edges),
        test=mrr(matrix, problem.test_edges, problem.true_edges),
    )


def render(result: DemoResult) -> str:
    """Lay a result out as text: how it was made, the table of scores, the seconds."""
    made = (
        f"graph {result.graph}, {len(result.W)} function nodes; backend {result.backend}; "
        f"seed {result.seed}; {result.epochs} epochs"
    )
    stages = ", ".join(f"{stage} {taken:.2f}" for stage, taken in result.seconds.items())
    return f"{made}\n\n{_score_table(result.scores)}\n\nseconds: {stages}\n"


def save(result: DemoResult, folder: Path, problem: Problem | None = None) -> tuple[Path, ...]:
    """Write the results to a folder, each file whole or not at all, and list the files.

    The problem, and matplotlib, are what pictures are made of: without either there are none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".unfinished-") as name:
        unfinished = Path(name)
        np.save(unfinished / "W.npy", result.W)
        np.save(unfinished / "channels.npy", result.channels)
        (unfinished / "table.txt").write_text(render(result), encoding="utf-8")
        (unfinished / "metrics.json").write_text(
            json.dumps(_metrics(result), indent=2) + "\n", encoding="utf-8"
        )
        if problem is not None and _can_draw():
            draw(result.W, problem, unfinished)
        names = sorted(file.name for file in unfinished.iterdir())
        for name in names:
            os.replace(unfinished / name, folder / name)
    return tuple(folder / name for name in names)


def draw(matrix: Matrix, problem: Problem, folder: Path) -> None:
    """Write the heatmap of a matrix, and the histogram of the ranks of the test edges."""
    from gsnn_edges import plots

    evidence = EdgeEvidence(
        matrix, problem.node_names_dict["function"], known_edges=problem.known_edges
    )
    ranking = evaluate_edges(matrix, problem.test_edges, problem.true_edges, n_resamples=None)
    square, wide = (plots.blank_axes(height=height) for height in (3.4, 2.5))
    heatmap, ranks = PICTURES
    plots.save(plots.heatmap(evidence, held_out=problem.test_edges, ax=square), folder / heatmap)
    plots.save(plots.rank_histogram(ranking, ax=wide), folder / ranks)


def where_pictures_are(files: tuple[Path, ...]) -> str:
    """Say where the pictures are, or how they are to be had."""
    pictures = [str(file) for file in files if file.name in PICTURES]
    if pictures:
        return f"pictures: {', '.join(pictures)}"
    return "pictures: none, as matplotlib is not installed: pip install 'gsnn-edges[plots]'"


def _can_draw() -> bool:
    return all(find_spec(name) for name in ("matplotlib", "scipy"))


def _metrics(result: DemoResult) -> dict[str, Any]:
    return {
        "graph": result.graph,
        "backend": result.backend,
        "seed": result.seed,
        "epochs": result.epochs,
        "mrr": {name: vars(found) for name, found in result.scores.items()},
        "seconds": result.seconds,
    }


def _score_table(scores: dict[str, Score]) -> str:
    table = Table("matrix", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("validation MRR", justify="right")
    table.add_column("test MRR", justify="right")
    for name, label in _LABELS.items():
        table.add_row(label, f"{scores[name].validation:.3f}", f"{scores[name].test:.3f}")
    text = StringIO()
    Console(file=text, width=100, color_system=None).print(table)
    return "\n".join(line for line in text.getvalue().splitlines() if line.strip())


def _random_matrix(n_nodes: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).random((n_nodes, n_nodes), dtype=np.float32)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
