"""The model and the data that options name."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from gsnn_edges.activations import capture, capture_channels
from gsnn_edges.cli.models import read_network, shape_of

USUAL = {
    "factory": "tiny:model",
    "model_args": None,
    "weights": "state.safetensors",
    "untrained_model": False,
    "trust_pickle": None,
    "crit": "torch.nn:MSELoss",
    "x_files": ["x.npy"],
    "y_file": "y.csv",
    "blocks": (),
    "groups": None,
    "names": None,
    "device": "cpu",
}


@pytest.mark.usefixtures("folder")
def test_the_network_is_that_of_the_files(network):
    found = read_network(**USUAL)
    for name, value in network.state_dict().items():
        assert_array_equal(found.model.state_dict()[name].numpy(), value.numpy())
    assert_array_equal(found.x, np.load("x.npy"))
    np.testing.assert_allclose(found.y, np.load("data.npz")["y"], rtol=1e-7)
    assert isinstance(found.crit, torch.nn.MSELoss)


def tables(problem):
    """Inputs and targets as frames whose columns are the names of the model's nodes."""
    data = np.load("data.npz")
    names = {"x": problem.node_names_dict["input"], "y": problem.node_names_dict["output"]}
    return {side: pd.DataFrame(data[side], columns=names[side]) for side in "xy"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_go_to_the_nodes_of_their_names(ending, problem, run):
    write = {"csv": "to_csv", "parquet": "to_parquet"}[ending]
    call = ("infer", "--model", "tiny:model", "--weights", "state.pt", "--json", "--x")
    wanted = run(*call, "data.npz:x", "--y", "data.npz:y")
    for side, table in tables(problem).items():
        shuffled = table.sample(frac=1, axis=1, random_state=0)
        getattr(table, write)(f"named_{side}.{ending}", index=False)
        getattr(shuffled, write)(f"shuffled_{side}.{ending}", index=False)
    named = run(*call, f"named_x.{ending}", "--y", f"named_y.{ending}")
    assert (named.stderr, named.exit_code) == ("", 0)
    shuffled = run(*call, f"shuffled_x.{ending}", "--y", f"shuffled_y.{ending}")
    assert shuffled.stderr.count("another order than the model: they are put in the model's") == 2
    strongest = [json.loads(one.stdout)["strongest"] for one in (wanted, named, shuffled)]
    assert strongest[0] == strongest[1] == strongest[2]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda table: table.rename(columns={table.columns[0]: "other"}), "unknown: 'other'"),
        (lambda table: table.rename(columns=str.lower).add_suffix("_"), r"missing: '.*25 in all"),
        (lambda table: table.iloc[:, 1:], "missing: '"),
        (lambda table: table.assign(sample=1.0), r"\(unknown: 'sample'\)"),
        (lambda table: pd.concat([table, table.iloc[:, :1]], axis=1), "repeated: '"),
    ],
)
@pytest.mark.parametrize("side", "xy")
def test_columns_of_other_names_are_refused(side, change, phrase, problem):
    change(tables(problem)[side]).to_csv("other.csv", index=False)
    files = {"x": {"x_files": ["other.csv"]}, "y": {"y_file": "other.csv"}}[side]
    with pytest.raises(ValueError, match=f"--{side} must have a column for each .*{phrase}"):
        read_network(**USUAL | files)


@pytest.mark.usefixtures("folder")
def test_several_inputs_are_several_arguments():
    found = read_network(**USUAL | {"x_files": ["x.npy", "data.npz:x"]})
    assert [part.shape for part in found.x] == [(40, 25), (40, 25)]
    assert found.samples == 40


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_the_shape_is_known_before_the_passes(score):
    found = read_network(**USUAL)
    call = capture if score == "magnitude" else capture_channels
    a = call(found.model, found.crit, found.x, found.y, mode="eval")[0]
    shape = shape_of(found, score)
    assert (shape["observations"], shape["columns"]) == tuple(a.shape)
    assert shape["bytes"] == 2 * a.numel() * a.element_size()
    assert shape["layer_pairs"] * shape["samples"] == shape["observations"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"factory": None}, "--model must be given"),
        ({"trust_pickle": "whole.pt"}, "and not both"),
        ({"factory": None, "trust_pickle": "whole.pt"}, "--weights and --model-args need --model"),
        ({"weights": None}, "--weights must be given: .* add --untrained-model"),
        ({"untrained_model": True}, "--untrained-model is without --weights"),
        ({"y_file": "short.npy"}, "got 40 in 'x.npy', 3 in 'short.npy'"),
        ({"model_args": "{layers}"}, "must be a JSON object"),
        ({"model_args": '{"layers": 4}'}, "missing: ResBlocks.3"),
    ],
)
def test_options_that_do_not_go_together_are_explained(change, phrase):
    np.save("short.npy", np.ones((3, 2)))
    with pytest.raises(ValueError, match=phrase):
        read_network(**USUAL | change)
