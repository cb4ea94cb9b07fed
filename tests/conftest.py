"""Fixtures of all tests."""

import pytest
from libraries import LIBRARIES, Library, require


@pytest.fixture(params=LIBRARIES, ids=str)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Each array library, on its host and on its device path, eager and compiled."""
    chosen = request.param
    require(chosen.name)
    monkeypatch.setenv("GSNN_EDGES_PATH", chosen.path)
    return chosen
