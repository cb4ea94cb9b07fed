"""Each wrong call of the table fails as documented, in words of its own, and changes no model."""

import inspect
import re
from collections import Counter
from contextlib import nullcontext
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from gsnn_models import TinyGSNN
from mistakes import MSE, WRONG_CALLS, X, Y
from model_state import assert_unchanged
from torch import nn

import gsnn_edges
from gsnn_edges import backends, baselines, capture, significance, store, training
from gsnn_edges import layer_pairs as layers
from gsnn_edges import scale as planning

# Where the functions of the table live that the top level does not name.
HOMES = {
    "BestCheckpoint": training,
    "adjust_pvalues": significance,
    "correlation_pvalue": significance,
    "effective_sample_size": significance,
    "layer_parts": layers,
    "null_moments": significance,
    "open_matrix": store,
    "plan": planning,
    "untrained_scores": baselines,
}
# Functions that take options of others, by **options or by a method that a row calls too.
PASSED_ON = {
    "BestCheckpoint": [training.BestCheckpoint.step],
    "EdgeEvidence.evaluate": [gsnn_edges.evaluate_edges],
    "FunctionEdgeInferer.infer": [gsnn_edges.FunctionEdgeInferer.fit],
    "capture_channels": [capture],
    "untrained_scores": [gsnn_edges.FunctionEdgeInferer.fit],
}
ROWS = [pytest.param(row, id=f"{row.function}: {row.name}") for row in WRONG_CALLS]


@cache
def message_of(row):
    """What a call says, with the notes that are added to errors of the user's own code."""
    with pytest.raises(row.error) as caught:
        row.call()
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def public(name):
    """The callables along a dotted name, the outermost first."""
    parts = name.split(".")
    found = [HOMES.get(parts[0], gsnn_edges)]
    for part in parts:
        found.append(getattr(found[-1], part))
    return [thing for thing in found if callable(thing)]


def arguments_of(name):
    """Arguments of a function, or of a method and of the class that it belongs to."""
    things = [*public(name), *PASSED_ON.get(name, ())]
    found = {argument for thing in things for argument in inspect.signature(thing).parameters}
    # The name of a backend is called so in all functions but those that have no other argument.
    return found - {"self", "options"} | ({"backend"} if name.startswith("backends.") else set())


@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_call_is_refused_and_changes_no_model(row):
    with (
        assert_unchanged(row.model) if row.model else nullcontext(),
        pytest.raises(row.error, match=row.phrase) as caught,
    ):
        row.call()
    assert type(caught.value) is row.error


@pytest.mark.parametrize("row", ROWS)
def test_the_message_names_an_argument(row):
    words = set(re.findall(r"\w+", message_of(row)))
    assert words & arguments_of(row.function)


def test_no_two_wrong_calls_are_told_the_same():
    said = Counter(message_of(row) for row in WRONG_CALLS)
    assert [message for message, times in said.items() if times > 1] == []


def test_no_message_is_longer_than_a_few_lines():
    lengths = {row.name: len(message_of(row)) for row in WRONG_CALLS}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_names_of_rows_are_different():
    names = Counter((row.function, row.name) for row in WRONG_CALLS)
    assert [name for name, times in names.items() if times > 1] == []


# What was once taken otherwise than it was meant, or is refused for no good reason


def test_a_frame_is_its_rows_and_not_its_columns():
    expected = capture(TinyGSNN().eval(), MSE, X[:4], Y[:4])
    frames = pd.DataFrame(X[:4].numpy()), pd.DataFrame(Y[:4].numpy())
    found = capture(TinyGSNN().eval(), MSE, *frames)
    for frame, tensor in zip(found, expected, strict=True):
        np.testing.assert_array_equal(frame, tensor)


def test_a_masked_array_without_a_masked_value_is_an_array():
    x = np.array([[3.0], [1.0], [2.0]])
    np.testing.assert_array_equal(gsnn_edges.rankdata(np.ma.masked_array(x)), x)


def test_an_error_of_the_model_says_what_it_was_given():
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes") as caught:
        capture(network, MSE, (X[:, :3],), Y, blocks=["0", "2"], groups=[range(5), range(3)])
    assert caught.value.__notes__ == [
        "raised by model(x), with x: a tuple of (12, 3) torch.float32"
    ]


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_a_device_of_torch_may_be_named_to_every_backend(device):
    assert [backends.load(name, device).name for name in backends.available()] == [
        *backends.BACKENDS
    ]
