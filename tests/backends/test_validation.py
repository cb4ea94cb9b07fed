"""The user's own check finds what is wrong."""

import pytest
from libraries import require

from gsnn_edges import backends
from gsnn_edges.backends.numpy_backend import NumpyBackend


@pytest.mark.parametrize("path", ["auto", "device"])
@pytest.mark.parametrize("name", list(backends.BACKENDS))
def test_every_backend_keeps_the_laws(name, path, monkeypatch):
    if name != "generic":
        require(name)
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    assert [finding.law for finding in backends.check(name) if not finding.kept] == []


@pytest.mark.parametrize(
    ("primitive", "broken"),
    [
        ("sort_rows", lambda self, x: (x, x.argsort(axis=1)[:, ::-1])),
        ("scatter_rows", lambda self, order, values: values),
        ("run_bounds", lambda self, keys: (keys * 0, keys * 0)),
        ("matmul", lambda self, a, b: (a.astype("f2") @ b.astype("f2").T).astype("f4")),
    ],
)
def test_a_broken_primitive_is_found(primitive, broken, monkeypatch):
    monkeypatch.setattr(NumpyBackend, primitive, broken)
    kept = {finding.law: finding.kept for finding in backends.check("numpy")}
    assert not all(kept.values())
    assert not any(value for law, value in kept.items() if law.startswith(primitive))
