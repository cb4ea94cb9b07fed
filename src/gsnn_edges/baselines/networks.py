"""Baselines that take a network: its activations alone, and the network before its training."""

import copy
import hashlib
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
    fresh: Callable[..., Any] | None = None,
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
    fresh : callable, optional
        ``fresh()`` makes such a model anew, in place of a copy that is reset; called as
        ``reset_parameters`` is. Where it gives weights that there were before, as with a seed of
        its own, they are reset all the same.
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
        When neither ``fresh`` nor ``reset`` is given and a module with parameters has no
        ``reset_parameters``, as some weights would stay trained; when ``fresh`` makes another
        model; when neither ``like`` nor ``score`` is given; when ``like`` is of other settings
        than ``inferer``; and as ``inferer.fit``.

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
    if not hasattr(inferer, "model"):
        raise TypeError(
            f"inferer must be a FunctionEdgeInferer; got {type(inferer).__name__}: make one of the "
            "trained model first"
        )
    count = _validation.whole_number("seeds", seeds, least=1)
    options = _options_like(inferer, like, options) | options
    twins = untrained_twins(inferer, count, fresh=fresh, reset=reset)
    return [twin.fit(x, y, **options) for twin in twins]


def untrained_twins(
    inferer: Any,
    count: int,
    *,
    fresh: Callable[..., Any] | None = None,
    reset: Callable[[Any, int], Any] | None = None,
) -> Iterator[Any]:
    """Inferers of the same settings, each with a model of weights drawn anew.

    Parameters
    ----------
    inferer, fresh, reset
        As of `untrained_scores`.
    count : int
        How many.

    Raises
    ------
    TypeError, ValueError
        As `untrained_scores`, when the first one is made.
    """
    # Here, so that all other baselines do without torch.
    from gsnn_edges.activations.preserve_state import generators_unchanged, gpus_of

    ways: dict[str, Any] = {"fresh": fresh, "reset": reset}
    for name, value in ways.items():
        if value is not None and not callable(value):
            call = {"fresh": "fresh()", "reset": "reset(model, seed)"}[name]
            raise TypeError(
                f"{name} must be a callable, {call}; got {type(value).__name__}: it makes the "
                "model, or the weights of a copy, anew"
            )
    known = {_weights(inferer.model)} if fresh is not None else set()
    for seed in range(count):
        twin = copy.copy(inferer)
        twin.blocks = _by_name(inferer.model, inferer.blocks)
        with generators_unchanged(gpus_of(inferer.model), seed):
            if fresh is not None:
                twin.model = _made_anew(fresh, seed, inferer.model)
            else:
                twin.model = _copied(inferer.model)
            if fresh is None or _weights(twin.model) in known:
                (reset or _reset_all)(twin.model, seed)
        if fresh is not None:
            known.add(_weights(twin.model))
        yield twin


def _by_name(model: Any, blocks: Any) -> Any:
    """Blocks as their names, which are those of a copy too."""
    if blocks is None or isinstance(blocks, str):
        return blocks
    names = {id(module): name for name, module in model.named_modules()}
    return [names.get(id(block), block) for block in blocks]


def _copied(model: Any) -> Any:
    """A copy, also of a model that keeps a result of its last pass, with its graph."""
    from torch import Tensor

    from gsnn_edges.activations.preserve_state import parts_of

    tensors = (part for part in parts_of(model) if isinstance(part, Tensor))
    kept = {id(tensor): tensor.detach().clone() for tensor in tensors if not tensor.is_leaf}
    return copy.deepcopy(model, kept)


def _made_anew(fresh: Callable[..., Any], seed: int, trained: Any) -> Any:
    """A model of ``fresh``, where the trained one lies, in its precision and mode."""
    from gsnn_edges.activations.model_layout import unwrapped

    trained = unwrapped(trained)
    model = _called(fresh, seed)
    shapes, wanted = (
        {name: value.shape for name, value in getattr(one, "named_parameters", dict)()}
        for one in (model, trained)
    )
    if shapes != wanted:
        raise ValueError(
            "fresh must make a model with the parameters of the trained one; it gave a "
            f"{type(model).__name__} that has others: make it with the same arguments"
        )
    first = next(trained.parameters(), None)
    if first is not None:
        model.to(first.device, first.dtype)
    modes = {name: module.training for name, module in trained.named_modules()}
    for name, module in model.named_modules():
        module.training = modes.get(name, trained.training)
    return model


def _weights(model: Any) -> bytes:
    """A digest of all parameters."""
    import torch

    digest = hashlib.sha256()
    for parameter in model.parameters():
        values = parameter.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().data)
    return digest.digest()


def _called(draw: Callable[..., Any], seed: int) -> Any:
    """Call with the seed, where there is an argument of that name."""
    try:
        takes_seed = "seed" in inspect.signature(draw).parameters
    except ValueError:  # Python does not know what a built-in function takes
        takes_seed = False
    return draw(**({"seed": seed} if takes_seed else {}))


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
    resets = list(_resets(model))
    stuck = [name for name, reset in resets if reset is None]
    if stuck:
        raise ValueError(
            "model must have reset_parameters in every module with parameters, or weights stay "
            f"trained; {_validation.listing(stuck, 3)} has none: pass fresh=, a callable that "
            "makes the model with weights drawn anew at each call"
        )
    for _, reset in resets:
        _called(reset, seed)


def _resets(model: Any) -> Iterator[tuple[str, Any]]:
    """The outermost modules that reset themselves; None for parameters that none resets."""
    from gsnn_edges.activations.preserve_state import modules_of

    names = {id(module): name for name, module in model.named_modules()}
    inside: set[int] = set()
    for module in modules_of(model):
        reset = getattr(module, "reset_parameters", None)
        if id(module) in inside:
            continue
        if callable(reset):
            inside.update(map(id, modules_of(module)))
        elif all(parameter is None for parameter in module._parameters.values()):
            continue
        yield names.get(id(module)) or type(module).__name__, reset if callable(reset) else None
