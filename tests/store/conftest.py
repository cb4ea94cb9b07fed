import numpy as np
import pytest
from store_sizes import SIZES

from gsnn_edges.store import StoreWriter


@pytest.fixture
def sides():
    """Activations and gradients of shape (P, S, C)."""
    rng = np.random.default_rng(0)
    shape = (SIZES["pairs"], SIZES["samples"], SIZES["columns"])
    return tuple(rng.normal(size=shape).astype(np.float32) for _ in range(2))


@pytest.fixture
def writer(tmp_path):
    return StoreWriter.create(tmp_path / "seen.zarr", **SIZES)


@pytest.fixture
def store(writer, sides):
    for unit in writer.missing:
        part = slice(*writer.facts.rows_of(unit))
        writer.put(unit, *(side[:, part] for side in sides))
    return writer.finish()
