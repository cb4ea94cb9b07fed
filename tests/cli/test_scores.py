"""What the commands read W and names from."""

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from gsnn_edges import EdgeEvidence
from gsnn_edges.cli.tables import Observations, read_node_names, read_scores, write_observations

W = np.random.default_rng(0).random((3, 3))
NAMES = ["a", "b", "c"]


@pytest.mark.parametrize("name", ["W.npy", "W.npz", "W.csv", "W.zarr"])
def test_a_matrix_comes_without_names(name, tmp_path):
    file = tmp_path / name
    writers = {
        ".npy": lambda: np.save(file, W),
        ".npz": lambda: np.savez(file, W=W),
        ".csv": lambda: np.savetxt(file, W, delimiter=",", fmt="%.17g"),
        ".zarr": lambda: zarr.save_array(str(file), W),
    }
    writers[file.suffix]()
    found = read_scores(str(file))
    assert_array_equal(found.W.to_numpy() if hasattr(found.W, "to_numpy") else found.W, W)
    assert found[1:] == (None, None)


def test_evidence_comes_with_names_and_known_edges(tmp_path):
    EdgeEvidence(W, NAMES, known_edges=[[0], [1]]).save(tmp_path / "e.npz")
    found = read_scores(str(tmp_path / "e.npz"))
    assert_array_equal(found.W, W)
    assert found.node_names == NAMES
    assert_array_equal(found.known_edges, [[0], [1]])


def write_names(path):
    path.write_text("\n".join(NAMES))


def write_evidence(path):
    EdgeEvidence(W, NAMES).save(path)


def write_captured(path):
    a, g = np.ones((2, 1, 4, 3), np.float32)
    write_observations(path, Observations(a, g, np.arange(3), 3, "magnitude", NAMES))


@pytest.mark.parametrize(
    ("name", "write"),
    [("n.txt", write_names), ("n.npz", write_evidence), ("n.npz", write_captured)],
)
def test_names_come_from_lists_evidence_and_observations(name, write, tmp_path):
    write(tmp_path / name)
    assert read_node_names(str(tmp_path / name)) == NAMES


def test_no_file_is_no_names():
    assert read_node_names(None) is None


def test_evidence_without_names_is_explained(tmp_path):
    EdgeEvidence(W).save(tmp_path / "e.npz")
    with pytest.raises(ValueError, match=r"--names must be .* names of nodes; .* has none"):
        read_node_names(str(tmp_path / "e.npz"))
