"""Data simulated along a graph, and the graph that a model is given of it."""

from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.demo.topologies import (
    FUNCTION_EDGES,
    INPUT_EDGES,
    OUTPUT_EDGES,
    EdgeType,
    Indices,
    Topology,
    graph,
)

Values = NDArray[np.float64]
Rows = NDArray[np.float32]

_NOISE = 0.25
_MAX_STEPS = 1_000
_MAX_DRAWS = 20
_TOLERANCE = 1e-6
# From so many nodes on, a sparse product is much faster than a dense one.
_SPARSE_NODES = 500


@dataclass(frozen=True)
class Problem:
    """Data to train and score on, and the edges that are to be found.

    Attributes
    ----------
    edge_index_dict : dict of edge type to int64 array of shape (2, E)
        The graph that the model is given: without the held-out edges.
    node_names_dict : dict of "input", "function" and "output" to names
    x_train, x_test : float32 arrays of shape (rows, inputs)
    y_train, y_test : float32 arrays of shape (rows, outputs)
        Standardised by the training rows.
    known_edges, validation_edges, test_edges : int64 arrays of shape (2, E)
        The edges between function nodes, in three parts.
    true_edges : int64 array of shape (2, E)
        All of them.

    Examples
    --------
    >>> from gsnn_edges.demo import tutorial
    >>> problem = tutorial(seed=0)
    >>> problem.known_edges.shape, problem.test_edges.shape, problem.x_train.shape
    ((2, 37), (2, 18), (1000, 25))
    """

    edge_index_dict: dict[EdgeType, Indices]
    node_names_dict: dict[str, list[str]]
    x_train: Rows
    y_train: Rows
    x_test: Rows
    y_test: Rows
    known_edges: Indices
    validation_edges: Indices
    test_edges: Indices
    true_edges: Indices


def tutorial(*, seed: int = 0) -> Problem:
    """Simulate the tutorial: 25 inputs, 50 function nodes, 1,000 training and 500 test rows.

    Parameters
    ----------
    seed : int
        Of the data and the split.

    Returns
    -------
    Problem

    Examples
    --------
    >>> problem = tutorial(seed=0)
    >>> problem.x_train.shape, problem.test_edges.shape
    ((1000, 25), (2, 18))
    """
    return simulate(graph("tutorial"), seed=seed)


def observations() -> tuple[Rows, Rows]:
    """Activations and gradients of a GSNN trained on the tutorial, to correlate without torch.

    They are those of the first 48 test rows of ``tutorial(seed=0)`` in a model of six layers after
    20 epochs. The file lies beside this module, as
    ``importlib.resources.files("gsnn_edges.demo") / "observations.npz"``, and is one that
    ``gsnn-edges capture`` writes and ``gsnn-edges correlate`` reads.

    Returns
    -------
    a, g : float32 arrays of shape (240, 50)
        As `gsnn_edges.capture` gives them: layers above each other, nodes side by side.

    Examples
    --------
    >>> from gsnn_edges import cross_correlation, mrr
    >>> problem, (a, g) = tutorial(seed=0), observations()
    >>> round(mrr(cross_correlation(a, g), problem.test_edges, problem.true_edges), 2)
    0.97
    """
    with (
        resources.files(__package__).joinpath("observations.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        a, g = arrays["a"], arrays["g"]
    return a.reshape(-1, a.shape[-1]), g.reshape(-1, g.shape[-1])


def simulate(
    topology: Topology,
    *,
    seed: int = 0,
    train_rows: int = 1_000,
    test_rows: int = 500,
    held_out_share: float = 0.2,
) -> Problem:
    """Simulate data along the full graph and hold out a part of its edges.

    Inputs x are standard normal, noise e is normal with standard deviation 0.25. Linear dynamics:
    every node, outputs included, is the sum of its parents plus noise. Tanh dynamics: the nodes are
    the fixed point of ``v = tanh(W v + x + e)``, weights of random sign and 0.5 to 1.5 in size, and
    are measured as they are; rows that do not settle, as strong cycles can keep them moving, are
    drawn anew (in the DREAM4 graphs 0 to 7 in a hundred, in the ligand-receptor graph up to 28).

    Parameters
    ----------
    topology : Topology
    seed : int
        Of the data, the weights and the split.
    train_rows, test_rows : int
    held_out_share : float
        Share of the edges to hold out, self-edges aside, where the topology does not name them.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If there are too few edges to hold one out for validation and one for testing, or too few
        rows settle.

    Examples
    --------
    >>> from gsnn_edges.demo import graph
    >>> problem = simulate(graph("dream4-1"), seed=0, train_rows=20, test_rows=10)
    >>> problem.x_test.shape, problem.known_edges.shape[0], problem.test_edges.shape[1] > 0
    ((10, 15), 2, True)
    """
    generator = np.random.default_rng(seed)
    validation, test = _split_held_out(topology, held_out_share, generator)
    sample = _linear_rows if topology.dynamics == "linear" else _tanh_rows
    x, y = sample(topology, train_rows + test_rows, generator)
    y = (y - y[:train_rows].mean(0)) / y[:train_rows].std(0)
    known = edges_without(topology.edges, np.concatenate([validation, test], axis=1))
    return Problem(
        edge_index_dict=edge_index_dict_of(topology, known),
        node_names_dict=topology.node_names_dict,
        x_train=x[:train_rows].astype(np.float32),
        y_train=y[:train_rows].astype(np.float32),
        x_test=x[train_rows:].astype(np.float32),
        y_test=y[train_rows:].astype(np.float32),
        known_edges=known,
        validation_edges=validation,
        test_edges=test,
        true_edges=topology.edges,
    )


def masked_problem(problem: Problem) -> Problem:
    """Problem whose network also sees measurements, part of them hidden, at their own nodes.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Problem
        With the graph of `gsnn_edges.masking.masked_inputs`; data and edges are the same. Train
        with ``train(..., masked=True)``, score with ``infer(..., masks=4)``: both draw the masks.

    Examples
    --------
    >>> from gsnn_edges.demo import tutorial
    >>> problem = masked_problem(tutorial(seed=0))
    >>> len(problem.node_names_dict["input"]), problem.x_train.shape
    (75, (1000, 25))
    """
    # Here, so that data are simulated without torch.
    from gsnn_edges.masking import masked_inputs

    edges, names = masked_inputs(problem.edge_index_dict, problem.node_names_dict)
    return replace(problem, edge_index_dict=edges, node_names_dict=names)


def fixed_point(weights: Any, drive: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Solutions of ``v = tanh(weights v + drive)`` for each row of drive, by iteration from 0.

    Parameters
    ----------
    weights : float64 array, or sparse array of SciPy, of shape (N, N)
        Weight of the edge from column to row.
    drive : float64 array of shape (rows, N)

    Returns
    -------
    values : float64 array of shape (rows, N)
    settled : bool array of shape (rows,)
        Whether the row solves the equation to 1e-6, after at most 1,000 steps.
    """
    values = np.zeros_like(drive)
    moving = np.arange(len(drive))
    for _ in range(_MAX_STEPS):
        change = np.tanh(values[moving] @ weights.T + drive[moving]) - values[moving]
        # A whole step would oscillate for ever around a negative feedback loop.
        values[moving] += 0.3 * change
        moving = moving[np.abs(change).max(axis=1) > _TOLERANCE]
        if not len(moving):
            break
    settled = np.ones(len(drive), dtype=bool)
    settled[moving] = False
    return values, settled


def _linear_rows(
    topology: Topology, rows: int, generator: np.random.Generator
) -> tuple[Values, Values]:
    n_nodes = len(topology.functions)
    source, target = topology.edges
    weights = np.zeros((n_nodes, n_nodes))
    weights[target, source] = 1.0
    x, drive = _draw_drive(topology, rows, generator)
    values = np.linalg.solve(np.eye(n_nodes) - weights, drive.T).T[:, topology.measured]
    return x, values + _NOISE * generator.standard_normal(values.shape)


def _tanh_rows(
    topology: Topology, rows: int, generator: np.random.Generator
) -> tuple[Values, Values]:
    weights = _draw_weights(topology, generator)
    xs, ys, missing = [], [], rows
    for _ in range(_MAX_DRAWS):
        x, drive = _draw_drive(topology, missing, generator)
        values, settled = fixed_point(weights, drive)
        xs.append(x[settled])
        ys.append(values[settled][:, topology.measured])
        missing -= int(settled.sum())
        if not missing:
            return np.concatenate(xs), np.concatenate(ys)
    raise ValueError(
        f"graph must have cycles weak enough to settle; after {_MAX_DRAWS} draws {missing} of "
        f"{rows} rows of {topology.name!r} reach no fixed point. Another seed draws other weights."
    )


def _draw_weights(topology: Topology, generator: np.random.Generator) -> Any:
    """Draw the weight of each edge, at (target, source)."""
    n_nodes, count = len(topology.functions), topology.edges.shape[1]
    signs = generator.choice([-1.0, 1.0], size=count)
    weights = np.zeros((n_nodes, n_nodes))
    weights[topology.edges[1], topology.edges[0]] = signs * generator.uniform(0.5, 1.5, size=count)
    if n_nodes < _SPARSE_NODES:
        return weights
    sparse = _validation.imported(
        "scipy.sparse", f"a graph of {n_nodes} nodes needs SciPy", "stats"
    )
    return sparse.csr_array(weights)


def _draw_drive(
    topology: Topology, rows: int, generator: np.random.Generator
) -> tuple[Values, Values]:
    """Draw the inputs, and what they and the noise add to each node."""
    x = generator.standard_normal((rows, len(topology.inputs)))
    drive = _NOISE * generator.standard_normal((rows, len(topology.functions)))
    drive[:, topology.perturbed] += x
    return x, drive


def _split_held_out(
    topology: Topology, share: float, generator: np.random.Generator
) -> tuple[Indices, Indices]:
    """Shuffle and halve the edges to hold out, kind by kind."""
    kinds = topology.held_out or (_draw_held_out(topology.edges, share, generator),)
    shuffled = [generator.permutation(kind, axis=1) for kind in kinds]
    validation = np.concatenate([kind[:, : kind.shape[1] // 2] for kind in shuffled], axis=1)
    test = np.concatenate([kind[:, kind.shape[1] // 2 :] for kind in shuffled], axis=1)
    return validation, test


def _draw_held_out(edges: Indices, share: float, generator: np.random.Generator) -> Indices:
    # A GSNN has all self-edges, so none can be kept from it.
    candidates = edges[:, edges[0] != edges[1]]
    count = round(share * candidates.shape[1])
    if count < 2:
        raise ValueError(
            f"held_out_share must leave an edge for validation and one for testing; {share} of "
            f"{candidates.shape[1]} edges between different nodes is {count}. "
            "Take a larger graph or a larger share."
        )
    drawn: Indices = generator.choice(candidates, size=count, replace=False, axis=1)
    return drawn


def edges_without(edges: Indices, removed: Indices) -> Indices:
    """Edges but for those that are removed, in their order."""
    gone = set(zip(*removed.tolist(), strict=True))
    return edges[:, [pair not in gone for pair in zip(*edges.tolist(), strict=True)]]


def edge_index_dict_of(topology: Topology, known: Indices) -> dict[EdgeType, Indices]:
    """Graph of a GSNN that is given these edges between function nodes."""
    return {
        INPUT_EDGES: np.stack([np.arange(len(topology.inputs)), topology.perturbed]),
        FUNCTION_EDGES: known,
        OUTPUT_EDGES: np.stack([topology.measured, np.arange(len(topology.outputs))]),
    }
