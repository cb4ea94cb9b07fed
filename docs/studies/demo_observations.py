"""Activations and gradients that the package ships, `gsnn_edges.demo.observations`.

``python docs/studies/demo_observations.py`` writes src/gsnn_edges/demo/observations.npz.
"""

from pathlib import Path

import numpy as np
import torch

from gsnn_edges import capture
from gsnn_edges.cli.tables import Observations, write_observations
from gsnn_edges.demo import GSNN, train, tutorial

FILE = Path(__file__).parents[2] / "src/gsnn_edges/demo/observations.npz"
# These are 96 kB.
SAMPLES = 48


def main():
    problem = tutorial(seed=0)
    names = problem.node_names_dict
    model = GSNN(problem.edge_index_dict, names, seed=0)
    x, y = torch.from_numpy(problem.x_train), torch.from_numpy(problem.y_train)
    train(model, x, y, epochs=20, seed=0)
    data = problem.x_test[:SAMPLES], problem.y_test[:SAMPLES]
    sides = capture(model.eval(), torch.nn.MSELoss(), *data)
    a, g = (side.numpy().reshape(-1, SAMPLES, 50) for side in sides)
    seen = Observations(a, g, np.arange(50), 50, "magnitude", names["function"])
    write_observations(FILE, seen)


if __name__ == "__main__":
    main()
