"""Checks of what `compare` takes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.baselines.catalogue import BASELINES
from gsnn_edges.baselines.measured import NodeValues, node_values
from gsnn_edges.evaluation.evaluation import square
from gsnn_edges.evidence import EdgeEvidence

Untrained: TypeAlias = Callable[[int], Array] | Sequence[Array]


def without_facts(scores: Any) -> Any:
    """Give the matrices of evidence; what is no evidence stays as it is."""
    if isinstance(scores, EdgeEvidence):
        return {"W": scores.W}
    if not isinstance(scores, Mapping):
        return scores
    return {k: v.W if isinstance(v, EdgeEvidence) else v for k, v in scores.items()}


def checked_scores(scores: Any) -> int:
    """Reject what does not name finite square matrices of one size, and give N."""
    if not isinstance(scores, Mapping) or not scores:
        raise TypeError(
            "scores must map names to matrices, at least one, such as {'W': W}; got "
            f"{type(scores).__name__}{' without an entry' if isinstance(scores, Mapping) else ''}"
        )
    strange = [name for name in scores if not isinstance(name, str)]
    if strange:
        raise TypeError(f"scores must have names of str; got {strange[0]!r}: map it to str first")
    taken = sorted(set(scores) & set(BASELINES))
    if taken:
        raise ValueError(
            f"scores must not be named as a baseline; got {', '.join(taken)}: choose other names"
        )
    sizes = {name: checked_matrix(f"scores[{name!r}]", matrix) for name, matrix in scores.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"scores must be matrices of the same nodes; got sizes {sizes}: order all as the model"
        )
    return next(iter(sizes.values()))


def checked_matrix(name: str, matrix: Any) -> int:
    """Reject what is no finite square matrix, and give N."""
    _validation.array(name, matrix)
    _validation.finite(name, matrix)
    try:
        return square(matrix)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def reject_known_queries(edges: np.ndarray, known: np.ndarray, count: int) -> None:
    """Reject queries that baselines would find among the known edges."""
    leaked = np.flatnonzero(np.isin(edges[0] * count + edges[1], known[0] * count + known[1]))
    if leaked.size:
        raise ValueError(
            f"known_edges must not hold queries; {leaked.size} of the {edges.shape[1]} columns of "
            f"edge_index are among them, {_validation.listing(leaked)}: leave held-out edges out"
        )


def checked_values(
    measured: Any, perturbations: Any, count: int
) -> tuple[NodeValues | None, NodeValues | None]:
    """Check measured values and perturbations, and that they are of the same rows."""
    found = [
        None if given is None else node_values(name, given, count)
        for name, given in (("measured", measured), ("perturbations", perturbations))
    ]
    values, inputs = found
    if inputs is not None and values is None:
        raise ValueError(
            "perturbations must come with measured, what they are correlated with; got measured="
            "None: give both, or leave perturbations out"
        )
    if values is not None and inputs is not None and len(values.values) != len(inputs.values):
        raise ValueError(
            "measured and perturbations must be of the same samples; got "
            f"{len(values.values)} and {len(inputs.values)} rows"
        )
    return values, inputs


def untrained_matrices(
    untrained: Any, scores: Mapping[str, Array], seeds: int, count: int
) -> dict[str, list[Array]]:
    """Give the untrained matrices of each score that has its own; "" is for those of all."""
    if untrained is None:
        return {}
    each = untrained if isinstance(untrained, Mapping) else {"": untrained}
    unknown = [name for name in each if name and name not in scores]
    if unknown:
        raise ValueError(
            f"untrained must be for scores that are given, {', '.join(scores)}; got "
            f"{_validation.listing(unknown)}: use the names of scores"
        )
    return {name: matrices_of(name, source, seeds, count) for name, source in each.items()}


def matrices_of(name: str, source: Any, seeds: int, count: int) -> list[Array]:
    """Call a factory for each seed, or take matrices as they are; check all."""
    label = f"untrained[{name!r}]" if name else "untrained"
    if callable(source):
        number = _validation.whole_number("seeds", seeds, least=1)
        source = [source(seed) for seed in range(number)]
    if not isinstance(source, list | tuple) or not source:
        raise TypeError(
            f"{label} must be a callable, untrained(seed) -> W, or a list of matrices, at least "
            f"one; got {type(source).__name__}"
        )
    for place, matrix in enumerate(source):
        size = checked_matrix(f"{label}, matrix {place}", matrix)
        if size != count:
            raise ValueError(
                f"{label} must hold matrices of the {count} nodes of scores; got {size} nodes in "
                f"matrix {place}: score the same architecture"
            )
    return list(source)
