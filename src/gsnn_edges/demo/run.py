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
from torch import Tensor, nn

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges.demo import topologies
from gsnn_edges.demo.gsnn import GSNN
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.topologies import Topology
from gsnn_edges.evaluation import evaluate_edges, mrr
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.inferer import FunctionEdgeInferer
from gsnn_edges.masking import MaskedLoss, mask_rows

Matrix = NDArray[np.float32]

_PICTURES = ("heatmap.png", "ranks.png")
# A second thread gains nothing on smaller steps, and where other processes keep the cores busy the
# threads wait for each other: the tutorial then takes 70 s in place of 3 s.
_WORK_OF_A_THREAD = 5_000_000
# Shares of its measurements that a row keeps in a step of masked training.
_KEPT = (0.3, 0.9)
_LABELS = {
    "trained": "W, trained model",
    "untrained": "W, untrained model",
    "channels trained": "channels, trained model",
    "channels untrained": "channels, untrained model",
    "random": "random",
}


@dataclass(frozen=True)
class Recipe:
    """Size of the model and settings of its training; the defaults are the tutorial's.

    Attributes
    ----------
    channels, layers, dropout
        Options of `gsnn_edges.demo.gsnn.GSNN`.
    train_rows : int
        Rows to simulate for training.
    epochs, learning_rate
        Options of `train`.
    """

    channels: int = 10
    layers: int = 6
    dropout: float = 0.2
    train_rows: int = 1_000
    epochs: int = 30
    learning_rate: float = 1e-3


def recipe_for(topology: Topology) -> Recipe:
    """Settings that suit a graph: the tutorial's, or those for an edge list."""
    if topology.dynamics == "linear":
        return Recipe()
    return Recipe(channels=5, dropout=0.0, train_rows=2_000, epochs=25, learning_rate=5e-3)


def train(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int = 30,
    learning_rate: float = 1e-3,
    batch_size: int = 128,
    seed: int = 0,
    verbose: bool = False,
    masked: bool = False,
) -> list[float]:
    """Train a model in place by AdamW, without decay, on the mean squared error.

    The model is left in evaluation mode, the global random states and the number of threads as they
    were.

    Parameters
    ----------
    model : torch.nn.Module
    x : Tensor of shape (rows, inputs)
    y : Tensor of shape (rows, outputs)
        On the model's device, as x.
    epochs : int
        Passes over the rows.
    learning_rate : float
    batch_size : int
        Rows of a step; the rows that do not fill a last one are left out, others in each epoch.
    seed : int
        Of the order of the rows and of dropout.
    verbose : bool
        Show a progress bar.
    masked : bool
        The model sees measurements, see `masked_problem`: in each step every row keeps a random
        share of them, 30 to 90 in a hundred, and the loss is that of the others.

    Returns
    -------
    list of float
        Mean loss of each epoch, dropout included.

    Raises
    ------
    ValueError
        If there are fewer rows than batch_size, or epochs or batch_size is too small.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges.demo import GSNN, tutorial
    >>> problem = tutorial(seed=0)
    >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, layers=2, seed=0)
    >>> x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    >>> losses = train(model, x, y, epochs=3)
    >>> losses[-1] < losses[0], model.training
    (True, False)
    """
    _validation.whole_number("epochs", epochs, least=0)
    _validation.whole_number("batch_size", batch_size, least=1)
    if batch_size > len(x):
        raise ValueError(
            f"batch_size must be at most the number of rows, {len(x)}; got {batch_size}"
        )
    _validation.flag("masked", masked)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    work = batch_size * sum(parameter.numel() for parameter in model.parameters())
    full = len(x) - len(x) % batch_size
    losses: list[float] = []
    with torch.random.fork_rng(range(torch.cuda.device_count())), _threads_for(work):
        torch.manual_seed(seed)
        model.train()
        for _ in track(range(epochs), epochs, "training epochs", verbose=verbose):
            batches = torch.randperm(len(x))[:full].to(x.device).view(-1, batch_size)
            steps = [_step(model, optimizer, x[b], y[b], masked) for b in batches]
            losses.append(sum(steps) / len(steps))
    model.eval()
    return losses


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, masked: bool
) -> float:
    optimizer.zero_grad()
    if masked:
        x, target = mask_rows(x, y, _KEPT)
        loss = MaskedLoss(nn.functional.mse_loss)(model(x), target)
    else:
        loss = nn.functional.mse_loss(model(x), y)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


@contextmanager
def _threads_for(work: int) -> Iterator[None]:
    """Let torch use the threads that steps of so many multiplications keep busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, work // _WORK_OF_A_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Score:
    """Filtered mean reciprocal rank of the held-out edges, in (0, 1]."""

    validation: float
    test: float


@dataclass(frozen=True)
class DemoResult:
    """Matrices, scores and files of a run of the demo.

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
        Files written.
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

    def as_json(self) -> dict[str, Any]:
        """Settings, scores and seconds by their names."""
        return {
            "graph": self.graph,
            "backend": self.backend,
            "seed": self.seed,
            "epochs": self.epochs,
            "mrr": {name: vars(score) for name, score in self.scores.items()},
            "seconds": self.seconds,
        }


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
        untrained = _infer(model, problem, backend)
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
        trained = _infer(model, problem, backend)
    with _timed(seconds, "score"):
        shape = (len(topology.functions),) * 2
        random = np.random.default_rng(seed).random(shape, dtype=np.float32)
        matrices = (trained[0], untrained[0], trained[1], untrained[1], random)
        scores = {n: _score(m, problem) for n, m in zip(_LABELS, matrices, strict=True)}
    result = DemoResult(topology.name, backend, seed, epochs, *trained, scores, seconds)
    if out is not None:
        result = replace(result, files=save(result, Path(out), problem))
    if verbose:
        print(render(result), end="")
    if verbose and result.files:
        print(where_pictures_are(result.files))
    return result


def _infer(model: GSNN, problem: Problem, backend: str) -> tuple[Matrix, Matrix]:
    """W by magnitudes and by channels, (N, N), of a model in evaluation mode and the test rows."""
    model.eval()
    known = torch.from_numpy(problem.known_edges)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), known, backend=backend)
    x, y = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    return inferer.fit(x, y), inferer.fit(x, y, score="channels")


def _score(matrix: Matrix, problem: Problem) -> Score:
    return Score(
        validation=mrr(matrix, problem.validation_edges, problem.true_edges),
        test=mrr(matrix, problem.test_edges, problem.true_edges),
    )


def render(result: DemoResult) -> str:
    """Text of a result: how it was made, the table of scores, the seconds."""
    made = (
        f"graph {result.graph}, {len(result.W)} function nodes; backend {result.backend}; "
        f"seed {result.seed}; {result.epochs} epochs"
    )
    stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in result.seconds.items())
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
        metrics = json.dumps(result.as_json(), indent=2) + "\n"
        (unfinished / "metrics.json").write_text(metrics, encoding="utf-8")
        if problem is not None and all(map(find_spec, ("matplotlib", "scipy"))):
            _draw(result.W, problem, unfinished)
        names = sorted(file.name for file in unfinished.iterdir())
        for name in names:
            os.replace(unfinished / name, folder / name)
    return tuple(folder / name for name in names)


def _draw(matrix: Matrix, problem: Problem, folder: Path) -> None:
    """Write the heatmap of a matrix, and the histogram of the ranks of the test edges."""
    from gsnn_edges import plots

    evidence = EdgeEvidence(
        matrix, problem.node_names_dict["function"], known_edges=problem.known_edges
    )
    ranking = evaluate_edges(matrix, problem.test_edges, problem.true_edges, n_resamples=None)
    square, wide = (plots.blank_axes(height=height) for height in (3.0, 2.5))
    heatmap, ranks = _PICTURES
    plots.save(plots.heatmap(evidence, held_out=problem.test_edges, ax=square), folder / heatmap)
    plots.save(plots.rank_histogram(ranking, ax=wide), folder / ranks)


def where_pictures_are(files: tuple[Path, ...]) -> str:
    """Where the pictures are, or what to install for them."""
    pictures = [str(file) for file in files if file.name in _PICTURES]
    if pictures:
        return f"pictures: {', '.join(pictures)}"
    return "pictures: none, as matplotlib is not installed: in a clone, pip install '.[plots]'"


def _score_table(scores: dict[str, Score]) -> str:
    table = Table("matrix", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("validation MRR", justify="right")
    table.add_column("test MRR", justify="right")
    for name, label in _LABELS.items():
        table.add_row(label, f"{scores[name].validation:.3f}", f"{scores[name].test:.3f}")
    text = StringIO()
    Console(file=text, width=100, color_system=None).print(table)
    return "\n".join(line for line in text.getvalue().splitlines() if line.strip())


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
