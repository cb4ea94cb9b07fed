"""Every baseline that there is, by name."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._typing import Array
from gsnn_edges.baselines import graph as structure
from gsnn_edges.baselines import measured as by_values
from gsnn_edges.baselines import networks
from gsnn_edges.baselines.graph import Scores
from gsnn_edges.baselines.measured import NodeValues

OF_GRAPH = {
    "in_degree": structure.in_degree,
    "out_degree": structure.out_degree,
    "preferential_attachment": structure.preferential_attachment,
    "common_neighbours": structure.common_neighbours,
    "adamic_adar": structure.adamic_adar,
    "two_step_paths": structure.two_step_paths,
}
BASELINES = (
    "random",
    *OF_GRAPH,
    "activation_correlation",
    "plain_correlation",
    "perturbation_correlation",
    "residual_correlation",
    "regression",
    "ridge",
)


def baselines(
    count: int,
    known: np.ndarray,
    observations: Array | None,
    measured: NodeValues | None,
    perturbations: NodeValues | None,
    seed: int,
) -> Iterator[tuple[str, Scores]]:
    """Compute every baseline that what is given allows, one at a time."""
    yield "random", structure.random_scores(count, seed)
    for name, of_graph in OF_GRAPH.items():
        yield name, of_graph(known, count)
    if observations is not None:
        yield "activation_correlation", of_observations(observations, count)
    if measured is None:
        return
    yield "plain_correlation", by_values.plain_correlation(measured, count)
    if perturbations is not None:
        found = by_values.perturbation_correlation(perturbations, measured, count)
        yield "perturbation_correlation", found
    yield (
        "residual_correlation",
        by_values.residual_correlation(measured, perturbations, known, count),
    )
    yield "regression", by_values.regression_weights(measured, perturbations, count)
    yield "ridge", by_values.ridge_weights(measured, perturbations, count)


def of_observations(observations: Any, count: int) -> Scores:
    """Correlate activations, which must be those of all nodes."""
    _validation.array("observations", observations)
    if observations.ndim != 2 or observations.shape[1] != count:
        raise ValueError(
            f"observations must have shape (M, {count}), a column for each node of scores; got "
            f"{tuple(observations.shape)}: give the activations a of capture"
        )
    _validation.samples("the observations (rows) of observations", observations.shape[0])
    return networks.activation_correlation(observations)
