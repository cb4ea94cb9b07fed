"""Baselines that take a network: its activations alone, and the network before its training."""

import copy
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array
from gsnn_edges.baselines.graph import Scores, without_self
from gsnn_edges.correlation import cross_correlation
from gsnn_edges.evidence import EdgeEvidence

# Settings of an inferer that its W follows from.
_SETTINGS = ("use_prenorm", "norm", "agg", "ties", "precision")


def activation_correlation(activations: Array) -> Scores:
    """Absolute Spearman correlation of the activations of each pair of nodes.

    Parameters
    ----------
    activations : array of shape (M, N)
        As `gsnn_edges.capture` gives them, layers pooled; of any array library.

    Returns
    -------
    float64 array of shape (N, N)
        0 where a column is constant, nan for a node with itself; both directions score alike.

    Examples
    --------
    >>> activation_correlation(np.array([[1.0, 3.0], [2.0, 1.0], [3.0, 2.0]])).round(3)
    array([[nan, 0.5],
           [0.5, nan]])
    """
    scores = cross_correlation(activations, activations)
    return without_self(np.abs(backends.of(scores).to_numpy(scores)).astype(np.float64))


def untrained_scores(
    inferer: Any,
    x: Any,
    y: Any = None,
    *,
    like: EdgeEvidence | None = None,
    seeds: int = 5,
    reset: Callable[[Any, int], Any] | None = None,
    **options: Any,
) -> list[NDArray[np.floating[Any]]]:
    """Scores by the same architecture with weights drawn anew, never trained.

    Parameters
    ----------
    inferer : FunctionEdgeInferer
        With the trained model; neither is changed.
    x, y
        What ``inferer.fit`` takes.
    like : EdgeEvidence, optional
        What ``inferer.infer`` gave for the trained model: the same score, layer pairs and options
        are taken, also those that "auto" chose.
    seeds : int
        How many models: seeds 0 .. seeds - 1.
    reset : callable, optional
        ``reset(model, seed)`` draws all weights of a copy of the model anew, in place. By default
        its ``reset_parameters``, and where it has none those of its modules, each called with
        torch's generators seeded, and with the seed where it takes one named ``seed``.
    **options
        Further arguments of ``inferer.fit``, as for the trained model, in place of those of
        ``like``. Without ``like``, ``score`` is one of them: that of the trained model, which is
        "magnitude" where ``fit`` was given none.

    Returns
    -------
    list of ndarray of shape (N, N)

    Raises
    ------
    TypeError, ValueError
        When ``reset`` is left out and a module with parameters has no ``reset_parameters``, as
        some weights would stay trained; when neither ``like`` nor ``score`` is given; when
        ``like`` is of other settings than ``inferer``; and as ``inferer.fit``.

    Notes
    -----
    One copy of the model is held at a time. Global random states come back as they were.

    Examples
    --------
    >>> import torch
    >>> from gsnn_edges import FunctionEdgeInferer
    >>> from gsnn_edges.demo import GSNN, tutorial
    >>> problem = tutorial(seed=0)
    >>> model = GSNN(problem.edge_index_dict, problem.node_names_dict, layers=2).eval()
    >>> inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    >>> evidence = inferer.infer(problem.x_test, problem.y_test)
    >>> matrices = untrained_scores(
    ...     inferer, problem.x_test, problem.y_test, like=evidence, seeds=2
    ... )
    >>> len(matrices), matrices[0].shape
    (2, (50, 50))
    """
    # Here, so that all other baselines do without torch.
    from gsnn_edges.activations.preserve_state import generators_unchanged

    if not hasattr(inferer, "model"):
        raise TypeError(
            f"inferer must be a FunctionEdgeInferer; got {type(inferer).__name__}: make one of the "
            "trained model first"
        )
    count = _validation.whole_number("seeds", seeds, least=1)
    if reset is not None and not callable(reset):
        raise TypeError(
            f"reset must be a callable, reset(model, seed); got {type(reset).__name__}: "
            "it draws the weights of a copy of the model anew"
        )
    options = _options_like(inferer, like, options) | options
    gpus = sorted({p.device.index for p in inferer.model.parameters() if p.device.type == "cuda"})
    matrices = []
    for seed in range(count):
        fresh = copy.copy(inferer)
        fresh.model = copy.deepcopy(inferer.model)
        with generators_unchanged(gpus, seed):
            (reset or _reset_all)(fresh.model, seed)
        matrices.append(fresh.fit(x, y, **options))
    return matrices


def _options_like(
    inferer: Any, evidence: EdgeEvidence | None, options: Collection[str]
) -> dict[str, Any]:
    """Arguments of ``fit`` that evidence was made with.

    A difference between trained and untrained models says something of training only where both
    have the same score, so the evidence or the options must name it.
    """
    if evidence is None:
        if "score" in options:
            return {}
        raise ValueError(
            "like or score must be given: like=evidence, which inferer.infer gave of the trained "
            "model, or score='magnitude' where its matrix is that of inferer.fit without a score"
        )
    if not isinstance(evidence, EdgeEvidence):
        raise TypeError(
            f"like must be the EdgeEvidence of inferer.infer; got {type(evidence).__name__}: for a "
            "matrix pass score= and the other arguments of fit in its place"
        )
    settings = {**evidence.settings, "method": evidence.method}
    if "score" not in settings:
        raise ValueError(
            "like must be evidence of inferer.infer, which knows its settings; got evidence "
            "without a score: pass score= and the other arguments of fit in its place"
        )
    for name in _SETTINGS:
        if settings.get(name, getattr(inferer, name)) != getattr(inferer, name):
            raise ValueError(
                f"like must be evidence of this inferer; got {name}={settings[name]!r}, and the "
                f"inferer has {getattr(inferer, name)!r}"
            )
    names = inspect.signature(inferer.fit).parameters
    return {name: settings[name] for name in names if name in settings}


def _reset_all(model: Any, seed: int) -> None:
    """Draw all weights anew; reject modules whose weights would stay as they are."""
    resets = list(_resets("", model))
    stuck = [name or type(model).__name__ for name, reset in resets if reset is None]
    if stuck:
        raise ValueError(
            "model must have reset_parameters in every module with parameters, or weights stay "
            f"trained; {_validation.listing(stuck, 3)} has none: pass reset=, a callable "
            "reset(model, seed) that draws the weights anew"
        )
    for _, reset in resets:
        takes_seed = "seed" in inspect.signature(reset).parameters
        reset(**({"seed": seed} if takes_seed else {}))


def _resets(name: str, module: Any) -> Iterator[tuple[str, Any]]:
    """The outermost modules that reset themselves; None for parameters that none resets."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        yield name, reset
        return
    if any(True for _ in module.parameters(recurse=False)):
        yield name, None
    for child, inner in module.named_children():
        yield from _resets(f"{name}.{child}".lstrip("."), inner)
