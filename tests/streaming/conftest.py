"""Stores of observations, as fixtures."""

import numpy as np
import pytest
from stores import draw, write_store


@pytest.fixture
def observations():
    """Activations and gradients (P, S, C)."""
    return draw()


@pytest.fixture
def magnitudes(tmp_path, observations):
    """A store of one column a node."""
    return write_store(tmp_path / "magnitudes", *observations)


# Nodes of one to four columns, which do not lie side by side, and one of none.
COLUMN_NODES = np.array([0, 1, 2, 3, 4, 6, 7, 0, 1, 2, 3, 4, 6, 0, 0, 1, 1, 2, 4, 7, 7, 7, 3])


@pytest.fixture
def channels(tmp_path, observations):
    """A store of several columns a node."""
    facts = {"score": "channels", "column_nodes": COLUMN_NODES, "nodes": 9}
    return write_store(tmp_path / "channels", *observations, **facts)
