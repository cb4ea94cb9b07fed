"""Compare scores where half of the nodes are hidden: docs/studies/hidden.csv.

    OMP_NUM_THREADS=1 python docs/studies/hidden.py --first 30

30% of the nodes are perturbed and 50% measured, on dream4-1 and dream4-2. Data are those of
``gsnn_edges.demo.simulate``, and those of a second simulator, outside the class of the structural
equation model: each node saturates at limits of its own, above and below, and noise is Student's t
with 3 degrees of freedom and another size at each node. Nothing is chosen by these seeds.
"""

from dataclasses import replace

import numpy as np
import torch
from study import Run, model_of, observed_at, trained

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer
from gsnn_edges.demo.run import recipe_for
from gsnn_edges.demo.simulation import Problem, simulate
from gsnn_edges.demo.topologies import Topology, graph

SIMULATORS = ("tanh", "saturating")
_STEPS, _TOLERANCE = 1_000, 1e-6


def problem_of(name: str, seed: int, simulator: str) -> tuple[Topology, Problem]:
    """A half-hidden problem of a graph; the held-out edges are those of ``simulate``."""
    topology = observed_at(graph(name), "part", seed)
    problem = simulate(topology, seed=seed, train_rows=recipe_for(topology).train_rows)
    if simulator == "saturating":
        problem = saturating(topology, problem, np.random.default_rng([seed, 1]))
    return topology, problem


def saturating(topology: Topology, problem: Problem, rng: np.random.Generator) -> Problem:
    """The same problem with data of the second simulator."""
    nodes, (source, target) = len(topology.functions), topology.edges
    weights = np.zeros((nodes, nodes))
    signs = rng.choice([-1.0, 1.0], len(source))
    weights[target, source] = signs * rng.uniform(0.5, 1.5, len(source))
    low, high = rng.uniform(0.5, 2.0, (2, nodes))
    sizes = 0.25 * np.exp(0.5 * rng.standard_normal(nodes))
    train, test = len(problem.x_train), len(problem.x_test)
    rows = 2 * (train + test)  # rows that do not settle are left out
    x = rng.standard_normal((rows, len(topology.inputs)))
    drive = sizes * rng.standard_t(3, (rows, nodes)) / np.sqrt(3)
    drive[:, topology.perturbed] += x
    values, moving = np.zeros_like(drive), np.arange(rows)
    for _ in range(_STEPS):
        u = values[moving] @ weights.T + drive[moving]
        change = u / (1 + np.abs(u) / np.where(u > 0, high, low)) - values[moving]
        values[moving] += 0.3 * change
        moving = moving[np.abs(change).max(axis=1) > _TOLERANCE]
    settled = np.delete(np.arange(rows), moving)
    kept = settled[: train + test]
    if len(kept) < train + test:
        raise ValueError(f"only {len(kept)} of {rows} rows settle")
    y = values[kept][:, topology.measured]
    noise = rng.uniform(0.05, 0.3, y.shape[1]) * y.std(axis=0)
    y = y + noise * rng.standard_t(3, y.shape) / np.sqrt(3)
    y = (y - y[:train].mean(axis=0)) / y[:train].std(axis=0)
    x, y = x[kept].astype(np.float32), y.astype(np.float32)
    parts = {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}
    return replace(problem, **parts)


def networks(topology: Topology, problem: Problem, seed: int) -> EdgeEvidence:
    """Channel scores of a trained and an untrained network, their mean: T+U."""
    recipe = recipe_for(topology)
    run = Run(topology.name, "part", "none", False, seed, recipe.epochs)
    model = model_of(run, problem, recipe)
    trained(model, problem, recipe, seed)
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    rows = torch.from_numpy(problem.x_test), torch.from_numpy(problem.y_test)
    return inferer.infer(*rows, score="channels", layers="mean", untrained=1)
