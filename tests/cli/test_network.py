"""The model and the data that options name."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from gsnn_edges.activations import capture, capture_channels
from gsnn_edges.cli.network import read_network, shape_of

USUAL = {
    "factory": "tiny:model",
    "model_args": None,
    "weights": "state.safetensors",
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
        ({"y_file": "short.npy"}, "got 40 in 'x.npy', 3 in 'short.npy'"),
        ({"model_args": "{layers}"}, "must be a JSON object"),
        ({"model_args": '{"layers": 4}'}, "missing: ResBlocks.3"),
    ],
)
def test_options_that_do_not_go_together_are_explained(change, phrase):
    np.save("short.npy", np.ones((3, 2)))
    with pytest.raises(ValueError, match=phrase):
        read_network(**USUAL | change)
