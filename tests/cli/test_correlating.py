"""What correlate settles before it reads, and what it keeps of a matrix in memory."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges import EdgeEvidence
from gsnn_edges.cli.cmd_correlate import check_options as check
from gsnn_edges.cli.cmd_correlate import counted
from gsnn_edges.cli.cmd_correlate import job_of as job
from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.tables import Observations, write_observations
from gsnn_edges.correlation import cross_correlation

USUAL = {
    "top": None,
    "threshold": None,
    "max_memory": "2GB",
    "coordinator": None,
    "processes": None,
    "process": None,
    "distributed": False,
    "method": "spearman",
    "ties": "average",
    "layers": None,
    "n_components": None,
    "precision": "float32",
    "backend": "numpy",
    "device": None,
    "devices": None,
}
A, G = np.random.default_rng(0).random((2, 2, 30, 3), np.float32)


@pytest.fixture
def seen(tmp_path):
    path = tmp_path / "seen.npz"
    write_observations(path, Observations(A, G, np.arange(3), 3, "magnitude", ["a", "b", "c"]))
    return str(path)


def test_evidence_keeps_names_and_settings(seen, tmp_path):
    out = str(tmp_path / "W.npz")
    made = job(seen, out, USUAL)
    assert made.facts == counted("magnitude", 3, 2, 30, 3)
    assert made.run(Screen()) is None
    found = EdgeEvidence.load(out)
    assert_array_equal(found.W, cross_correlation(A.reshape(-1, 3), G.reshape(-1, 3)))
    assert found.node_names == ["a", "b", "c"]
    assert found.counts == {"samples": 30, "layer_pairs": 2, "observations": 60}
    assert found.settings["score"] == "magnitude"


@pytest.mark.parametrize(
    ("change", "out", "phrase"),
    [
        ({"coordinator": "a:1", "processes": 2, "process": 0}, "W.npy", "write W to a .zarr"),
        ({"distributed": True}, "W.npy", "write W to a .zarr"),
        (
            {"distributed": True, "process": 1},
            "W.npy",
            "asks the cluster who is who; got --process",
        ),
        ({"processes": 2}, "W.npy", "go together; got --processes: give all three"),
        ({"top": 1, "threshold": 0.5}, "e.csv", "--top or --threshold may be given, and not both"),
        ({"threshold": float("nan")}, "e.csv", "--threshold must be at least 0, and finite; got"),
        ({"threshold": -1.0}, "e.csv", "--threshold must be at least 0, and finite; got -1.0"),
        ({"max_memory": "much"}, "W.npy", "--max-memory must be bytes, or a number with a unit"),
        ({"devices": 2}, "W.npy", "--devices needs --backend jax"),
        ({}, "W.zarr", "for .npz observations must end in .npy, .npz"),
    ],
)
def test_what_cannot_be_is_found_out_first(change, out, phrase, seen, tmp_path):
    with pytest.raises(ValueError, match=phrase):
        check(seen, str(tmp_path / out), USUAL | change)
