"""Training of the reference GSNN: a plain loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gsnn_edges import _validation
from gsnn_edges._progress import track
from gsnn_edges.demo.topologies import Topology

# A second thread gains nothing on smaller steps, and where other processes keep the cores busy the
# threads wait for each other: the tutorial then takes 70 s in place of 3 s.
WORK_OF_A_THREAD = 5_000_000


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
    """Return the settings that suit a graph: the tutorial's, or those for an edge list."""
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
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    work = batch_size * sum(parameter.numel() for parameter in model.parameters())
    losses: list[float] = []
    gpus = range(torch.cuda.device_count())
    with torch.random.fork_rng(gpus), _threads_for(work):
        torch.manual_seed(seed)
        model.train()
        for _ in track(range(epochs), epochs, "training epochs", verbose=verbose):
            losses.append(_epoch(model, optimizer, x, y, batch_size))
    model.eval()
    return losses


@contextmanager
def _threads_for(work: int) -> Iterator[None]:
    """Let torch use the threads that steps of so many multiplications keep busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, work // WORK_OF_A_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, batch_size: int
) -> float:
    full = len(x) - len(x) % batch_size
    batches = torch.randperm(len(x))[:full].to(x.device).view(-1, batch_size)
    total = 0.0
    for rows in batches:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.item()
    return total / len(batches)
