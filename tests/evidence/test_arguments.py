"""What EdgeEvidence refuses, and the form in which it keeps what it takes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.evidence import EdgeEvidence, arguments

W = np.arange(9.0).reshape(3, 3)
NAMES = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"W": W.tolist()}, TypeError, "W must be an array"),
        ({"W": W[0]}, ValueError, r"W must have 2 dimensions \(sources, targets\)"),
        ({"W": W[:2]}, ValueError, r"W must be square.*got shape \(2, 3\)"),
        ({"W": W > 1}, TypeError, "W must hold real numbers"),
        ({"W": np.where(W == 4, np.nan, W)}, ValueError, "W must be finite; got 1 NaN"),
        ({"std": W[:2, :2]}, ValueError, r"std must have the shape of W, \(3, 3\); got"),
        ({"std": np.full((3, 3), np.inf)}, ValueError, "std must be finite"),
        ({"node_names": NAMES[:2]}, ValueError, "node_names must be as many as W has nodes, 3"),
        ({"node_names": ["a", "b", "a"]}, ValueError, "node_names must be different; got 'a' more"),
        ({"node_names": [0, 1, 2]}, TypeError, r"a sequence of strings; got \[0, 1, 2\]"),
        ({"node_names": "abc"}, TypeError, "a sequence of strings; got 'abc'"),
        ({"node_names": 3}, TypeError, "a sequence of strings; got 3"),
        ({"method": None}, TypeError, "method must be a string"),
        ({"counts": {"samples": 2.5}}, TypeError, r"counts\['samples'\] must be a whole number"),
        ({"counts": {"layers": -1}}, ValueError, r"counts\['layers'\] must be at least 0"),
        ({"settings": {"norm": np.eye(2)}}, TypeError, "settings must be .*what JSON can hold"),
        ({"settings": {"penalty": float("nan")}}, ValueError, "settings must be .*JSON"),
        ({"settings": 3}, TypeError, "settings must be a mapping"),
        ({"known_edges": [[0], [3]]}, ValueError, "known_edges must hold targets in 0 .. 2"),
    ],
)
def test_what_it_refuses(options, error, phrase):
    with pytest.raises(error, match=phrase):
        EdgeEvidence(**{"W": W, **options})


def test_what_it_keeps():
    settings = {"norm": "l1", "layers": (1, 2)}
    made = EdgeEvidence(
        W,
        tuple(np.array(NAMES)),
        counts={"samples": np.int64(5)},
        settings=settings,
        known_edges=[[0, 1], [1, 2]],
    )
    settings["norm"] = "l2"
    assert made.node_names == NAMES
    assert {type(name) for name in made.node_names} == {str}
    assert made.counts == {"samples": 5}
    assert made.settings == {"norm": "l1", "layers": [1, 2]}
    assert_array_equal(made.known_edges, [[0, 1], [1, 2]])
    assert made.W is W


def test_versions_are_those_installed(library):
    found = arguments.installed_versions(library.array(W.astype("float32")))
    package = {"strict": "array-api-compat"}.get(library.name, library.name)
    assert list(found) == ["gsnn-edges", package]
    assert EdgeEvidence(W, versions={"gsnn-edges": "0.0.1"}).versions == {"gsnn-edges": "0.0.1"}


def test_a_long_value_is_shown_by_its_beginning():
    assert arguments.shown([1, 2]) == "[1, 2]"
    assert arguments.shown("x" * 100) == f"'{'x' * 56}..."


@pytest.mark.parametrize("threshold", ["high", None, [1, 2]])
def test_a_threshold_is_a_number(threshold):
    with pytest.raises(TypeError, match="threshold must be a number; got"):
        arguments.checked_threshold(threshold)


def test_a_threshold_of_nan_is_refused():
    with pytest.raises(ValueError, match="got nan, which no score reaches"):
        arguments.checked_threshold(float("nan"))
