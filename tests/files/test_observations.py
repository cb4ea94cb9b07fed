"""Observations in one file."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.cli.tables import Observations, read_observations, write_observations

A, G = np.random.default_rng(0).random((2, 3, 5, 4), np.float32)
CHANNELS = Observations(A, G, np.array([0, 0, 1, 2]), 3, "channels", ["a", "b", "c"])
NODES = Observations(A, G, np.arange(4), 4, "magnitude", None)


@pytest.mark.parametrize("wanted", [CHANNELS, NODES])
def test_observations_come_back(wanted, tmp_path):
    write_observations(tmp_path / "o.npz", wanted)
    found = read_observations(tmp_path / "o.npz")
    for name in ("a", "g", "column_nodes"):
        assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found[3:] == wanted[3:]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"g": G[:, :-1]}, "its arrays do not fit each other"),
        ({"column_nodes": np.arange(3)}, "its arrays do not fit each other"),
        ({"a": np.where(A > 0.9, np.nan, A)}, "its values are not finite"),
        ({"a": A[:0], "g": G[:0]}, "do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(change, phrase, tmp_path):
    write_observations(tmp_path / "o.npz", NODES._replace(**change))
    with pytest.raises(ValueError, match=phrase):
        read_observations(tmp_path / "o.npz")


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "o.npz", a=A)
    with pytest.raises(ValueError, match=r"must be a whole file of gsnn-edges observations"):
        read_observations(tmp_path / "o.npz")
    (tmp_path / "o.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"must be a whole file"):
        read_observations(tmp_path / "o.npz")
