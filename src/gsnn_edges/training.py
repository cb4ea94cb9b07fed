"""The weights of the epoch whose evidence finds validation edges best, for any training loop."""

import math
import warnings
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from gsnn_edges import _validation

try:
    from torch import Tensor, nn  # asked for here, to say once what to install
except ModuleNotFoundError as error:
    raise ImportError(
        "BestCheckpoint needs torch, which is not installed: in a clone, pip install '.[torch]'"
    ) from error
from gsnn_edges._typing import Array
from gsnn_edges.activations.preserve_state import unchanged
from gsnn_edges.evaluation import mrr

Metric = Callable[[Array, Any, Any], float]


class BestCheckpoint:
    """Keep the weights of the epoch whose scores rank validation edges best.

    Parameters
    ----------
    model : torch.nn.Module
        The model in training. Scoring runs in evaluation mode, and leaves weights, buffers,
        gradients, training flags and the global random states as they were.
    infer : callable
        ``infer()`` gives a score matrix W of shape (N, N) from the model as it is, for example
        ``lambda: inferer.fit(x_validation, y_validation)``.
    edge_index : array-like of whole numbers, shape (2, E)
        Validation edges, which the model has not.
    all_true_edges : array-like of whole numbers, shape (2, E_total)
        All edges known to be true, these included; they never compete.
    every : int
        Score the epochs that this divides.
    metric : callable
        ``metric(W, edge_index, all_true_edges)``, the larger, the better; `gsnn_edges.mrr` unless
        told otherwise.

    Attributes
    ----------
    history : list of (int, float)
        Each scored epoch and its score; nan or infinite where scoring failed.
    best_epoch, best_score : int, float, or None
        Of the weights that are kept; None before the first finite score.
    stale : int
        Scored epochs since the best one; a loop may stop by it.
    failures : int
        Epochs whose score was not finite.

    Raises
    ------
    TypeError, ValueError
        For a model, a callable, edges or ``every`` that break their rule.

    Notes
    -----
    An epoch is kept if its score is finite and above the best so far; the first of equal ones
    stays. A score of nan or infinity, and an error that says that values must be finite, as
    `capture` raises for a model that has diverged, are counted, put in the history and warned of;
    every other error is raised. Memory: a copy of the weights on the host, and while scoring
    another one where the model lies.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges import FunctionEdgeInferer
    >>> from gsnn_edges.demo import GSNN, tutorial
    >>> problem = tutorial(seed=0)
    >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=3)
    >>> inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    >>> infer = lambda: inferer.fit(problem.x_test, problem.y_test)
    >>> tracker = BestCheckpoint(model, infer, problem.validation_edges, problem.true_edges)
    >>> for epoch in range(2):
    ...     score = tracker.step(epoch)  # after the epoch's training
    >>> tracker.restore()
    >>> tracker.best_epoch, len(tracker.history), tracker.stale
    (0, 2, 1)
    """

    def __init__(
        self,
        model: nn.Module,
        infer: Callable[[], Array],
        edge_index: Any,
        all_true_edges: Any,
        *,
        every: int = 1,
        metric: Metric = mrr,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}")
        for name, value in (("infer", infer), ("metric", metric)):
            if not callable(value):
                raise TypeError(f"{name} must be a callable; got {type(value).__name__}")
        self.model = model
        self.infer = infer
        self.edge_index = _validation.edge_index("edge_index", edge_index)
        self.all_true_edges = _validation.edge_index("all_true_edges", all_true_edges)
        if self.edge_index.shape[1] == 0:
            raise ValueError("edge_index must hold an edge to validate by; got none")
        self.every = _validation.whole_number("every", every, least=1)
        self.metric = metric
        self.history: list[tuple[int, float]] = []
        self.best_epoch: int | None = None
        self.best_score: float | None = None
        self.stale = 0
        self.failures = 0
        self._weights: OrderedDict[str, Any] | None = None

    def step(self, epoch: int) -> float | None:
        """Score the model, and keep its weights if it is the best so far.

        Parameters
        ----------
        epoch : int
            The epoch that has just been trained; from 0 or from 1, as the loop counts.

        Returns
        -------
        float or None
            The score, which may be nan; None for an epoch that is not scored.

        Warns
        -----
        UserWarning
            Where the score is not finite; the best stays what it was.
        """
        epoch = _validation.whole_number("epoch", epoch, least=0)
        if epoch % self.every:
            return None
        score, reason = self._score()
        self.history.append((epoch, score))
        if not math.isfinite(score):
            self.failures += 1
            warnings.warn(
                f"BestCheckpoint: epoch {epoch} has a score of {score}{reason}, which is ignored; "
                f"the best epoch is still {self.best_epoch}",
                stacklevel=2,
            )
        if math.isfinite(score) and (self.best_score is None or score > self.best_score):
            self.best_epoch, self.best_score, self.stale = epoch, score, 0
            self._weights = on_cpu(self.model)
        else:
            self.stale += 1
        return score

    def restore(self) -> None:
        """Put the best weights and buffers back into the model, wherever it lies now.

        The optimizer, the training flags and the history stay as they are.

        Raises
        ------
        RuntimeError
            If no epoch has had a finite score.
        """
        if self._weights is None:
            raise RuntimeError(
                f"restore needs an epoch with a finite score; {len(self.history)} were scored and "
                f"{self.failures} of them failed: call step(epoch) after an epoch first"
            )
        self.model.load_state_dict(self._weights)

    def _score(self) -> tuple[float, str]:
        """Score the model in evaluation mode; give the reason too where that failed."""
        with unchanged(self.model):
            self.model.eval()
            try:
                scores = self.infer()
                _validation.array("what infer() gives", scores)
                score = self.metric(scores, self.edge_index, self.all_true_edges)
                return as_number(score), ""
            except _validation.NonFiniteError as error:  # the model has diverged
                return math.nan, f" ({error})"


def lightning_callback(checkpoint: BestCheckpoint) -> Any:
    """A Lightning callback that scores each epoch, and restores the best weights at the end.

    Parameters
    ----------
    checkpoint : BestCheckpoint
        Of the module in training, or of the network in it.

    Returns
    -------
    lightning.pytorch.Callback
        Give it to the trainer: ``Trainer(callbacks=[lightning_callback(checkpoint)])``. The best
        weights are put back after the last epoch, if an epoch had a finite score.

    Raises
    ------
    ImportError
        Without lightning.
    TypeError
        For another kind of checkpoint.
    """
    if not isinstance(checkpoint, BestCheckpoint):
        raise TypeError(
            f"checkpoint must be a BestCheckpoint; got {type(checkpoint).__name__}: make one of "
            "the model and the validation edges first"
        )
    need = "lightning_callback needs Lightning"
    callback: Any = _validation.imported("lightning.pytorch", need).Callback

    class EdgeCheckpoint(callback):  # type: ignore[misc]
        def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
            checkpoint.step(trainer.current_epoch)

        def on_fit_end(self, *_: Any) -> None:
            if checkpoint.best_epoch is not None:
                checkpoint.restore()

    return EdgeCheckpoint()


def as_number(score: Any) -> float:
    """A score as a number."""
    try:
        return float(score)
    except (TypeError, ValueError):
        raise TypeError(
            f"metric must give a number; got {type(score).__name__}: take one of several, such as "
            "evaluate_edges(...).adjusted_mrr"
        ) from None


def on_cpu(model: nn.Module) -> OrderedDict[str, Any]:
    """Copy the state of a model to the host."""
    state = model.state_dict()
    copies = OrderedDict((name, copied(value)) for name, value in state.items())
    # The versions of the modules, which load_state_dict reads.
    vars(copies).update(vars(state))
    return copies


def copied(value: Any) -> Any:
    """Copy a tensor to the host, and whatever else a module keeps in its state."""
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else deepcopy(value)
