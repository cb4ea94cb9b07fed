"""Fixtures of all tests."""

import pytest
from libraries import LIBRARIES, Library, require


def prepared(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Skip where the library is missing, and set its path."""
    require(library.name)
    monkeypatch.setenv("GSNN_EDGES_PATH", library.path)
    return library


@pytest.fixture(params=LIBRARIES, ids=str)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Each array library, on its host and on its device path, eager and compiled."""
    return prepared(request.param, monkeypatch)


@pytest.fixture(params=[entry for entry in LIBRARIES if not getattr(entry, "jit", False)], ids=str)
def eager(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Each array library without ``jax.jit``, for functions that look at values."""
    return prepared(request.param, monkeypatch)
