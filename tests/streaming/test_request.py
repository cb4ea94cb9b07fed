"""Arguments that break their rules are explained."""

import numpy as np
import pytest
from stores import draw, write_store

from gsnn_edges.scale import correlate_store


@pytest.mark.parametrize(
    ("arguments", "error", "phrase"),
    [
        ({"method": "kendall"}, ValueError, "method must be one of"),
        ({"ties": "first"}, ValueError, "ties must be one of"),
        ({"layers": "all"}, ValueError, "layers must be one of"),
        ({"layers": 3}, ValueError, "a layer pair in 0 .. 2"),
        ({"n_components": 2}, ValueError, "n_components=2 needs a store of score='channels'"),
        ({"max_memory": "1 parsec"}, ValueError, "max_memory must be bytes"),
        ({"max_memory": 2000}, ValueError, "max_memory must hold a node of 303 observations"),
        ({"top": 24}, ValueError, "top must be at most 23"),
        (
            {"top": 20, "max_memory": "10KB"},
            ValueError,
            "max_memory=10 kB; got 20, which takes 11.1 kB",
        ),
        ({"top": 2, "threshold": 0.1}, ValueError, "must not both be given"),
        ({"top": None}, ValueError, "out must name a .zarr or a .npy for W"),
        ({"precision": "half"}, ValueError, "precision must be one of"),
        ({"backend": "abacus"}, ValueError, "backend must be one of"),
        ({"device": "gpu"}, ValueError, "device must be None or 'cpu'"),
        ({"resume": "no"}, TypeError, "resume must be True or False"),
        ({"verbose": 1}, TypeError, "verbose must be True or False"),
        ({"scratch": 3}, TypeError, "scratch must be a text or a path"),
        ({"scratch": "/nowhere/at/all"}, NotADirectoryError, "make it first"),
        ({"out": 3}, TypeError, "out must be a text or a path"),
        ({"out": "W.npy"}, ValueError, "out must end with .npz for top="),
        ({"out": "W.npz", "top": None}, ValueError, "out must end with .zarr or .npy for W"),
        ({"out": "/nowhere/at/all/W.npz"}, FileNotFoundError, "make '/nowhere/at/all' first"),
        ({"backend": "jax", "precision": "float64"}, ValueError, "computed in float64"),
    ],
)
def test_bad_arguments_are_explained(magnitudes, tmp_path, monkeypatch, arguments, error, phrase):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=phrase):
        correlate_store(magnitudes, **{"top": 1, **arguments})
    assert sorted(tmp_path.rglob("*")) == before


def test_few_observations_are_explained(tmp_path):
    a, g = draw(samples=2)
    store = write_store(tmp_path / "s", a, g)
    with pytest.raises(FileNotFoundError, match="path must be a store of observations"):
        correlate_store(tmp_path / "nothing", top=1)
    assert correlate_store(store, top=1).targets.shape == (23, 1)
    facts = {"score": "channels", "column_nodes": np.arange(23)}
    store = write_store(tmp_path / "c", a, g, **facts)
    with pytest.raises(ValueError, match="at least 3 observations for each matrix; got 2"):
        correlate_store(store, top=1)


def test_float64_needs_a_library_that_has_it(tmp_path):
    pytest.importorskip("jax")
    store = write_store(tmp_path / "s", *(x.astype(float) for x in draw()))
    with pytest.raises(ValueError, match="a store of dtype float64 must be computed in float64"):
        correlate_store(store, top=1, backend="jax")
