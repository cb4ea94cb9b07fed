"""Baselines by name, as far as what is given allows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.baselines.comparison import BASELINES, OF_GRAPH, baselines
from gsnn_edges.baselines.measured import node_values

NODES = 6
KNOWN = np.array([[0, 1, 3], [1, 2, 0]])


def data():
    rng = np.random.default_rng(0)
    return {
        "observations": rng.standard_normal((9, NODES)),
        "measured": node_values("measured", (rng.standard_normal((9, 3)), [5, 0, 1]), NODES),
        "perturbations": node_values("perturbations", (rng.standard_normal((9, 2)), [2, 0]), NODES),
    }


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ([], set()),
        (["perturbations"], {"perturbation_correlation"}),
        (["measured"], {*BASELINES[-5:]}),
        (["observations"], {"activation_correlation"}),
        (["observations", "measured", "perturbations"], {*BASELINES[-6:]}),
    ],
)
def test_baselines_follow_from_what_is_given(left_out, missing):
    given = {name: None if name in left_out else value for name, value in data().items()}
    found = dict(baselines(NODES, KNOWN, **given, seed=0))
    assert list(found) == [name for name in BASELINES if name not in missing]
    assert {matrix.shape for matrix in found.values()} == {(NODES, NODES)}


def test_pairs_are_scored_where_both_nodes_have_values():
    found = dict(baselines(NODES, KNOWN, **data(), seed=0))
    different = ~np.eye(NODES, dtype=bool)
    rows = {name: np.isin(np.arange(NODES), [5, 0, 1]) for name in BASELINES[-5:]}
    rows["perturbation_correlation"] = np.isin(np.arange(NODES), [2, 0])
    for name, sources in rows.items():
        scored = np.outer(sources, np.isin(np.arange(NODES), [5, 0, 1])) & different
        assert_array_equal(np.isfinite(found[name]), scored)
    for name in ("random", *list(OF_GRAPH)[:3]):
        assert_array_equal(np.isfinite(found[name]), True)
    for name in (*list(OF_GRAPH)[3:], "activation_correlation"):
        assert_array_equal(np.isfinite(found[name]), different)


def test_observations_of_other_nodes_are_refused():
    given = data() | {"observations": np.ones((9, 4))}
    with pytest.raises(ValueError, match=r"must have shape \(M, 6\), .* got \(9, 4\)"):
        list(baselines(NODES, KNOWN, **given, seed=0))


def test_two_observations_are_refused():
    given = data() | {"observations": np.ones((2, NODES))}
    with pytest.raises(ValueError, match=r"rows. of observations must be at least 3; got 2"):
        list(baselines(NODES, KNOWN, **given, seed=0))
