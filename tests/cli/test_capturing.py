"""The parts of capture."""

import numpy as np
import pytest

from gsnn_edges.cli.cmd_capture import record as write
from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.models import Network
from gsnn_edges.cli.tables import read_observations

PASSES = {"prenorm": True, "batch_size": None, "seed": 0, "mode": "as-is", "norm": "l1"}
PASSES |= {"agg": "sum", "score": "magnitude"}


@pytest.mark.usefixtures("folder")
def test_as_is_leaves_the_mode_of_the_model(network):
    from torch.nn import MSELoss

    data = np.load("data.npz")
    how = {"blocks": None, "groups": None, "node_names": None}
    given = Network(network.train(), MSELoss(), data["x"], data["y"], how)
    with pytest.warns(UserWarning, match="dropout or batch statistics are at work"):
        write(Screen(), given, PASSES, "cpu", "train.npz", None)
    write(Screen(), given, PASSES | {"mode": "eval"}, "cpu", "eval.npz", None)
    train, evaluated = (read_observations(f"{mode}.npz").a for mode in ("train", "eval"))
    assert network.training
    network.eval()
    assert (train != evaluated).any()
