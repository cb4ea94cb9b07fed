"""Fixtures of all tests."""

import pytest
from libraries import LIBRARIES, Library, require

from gsnn_edges.backends.paths import VARIABLE


@pytest.fixture(params=LIBRARIES, ids=str)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Each array library, on its host and on its device path, eager and compiled."""
    chosen = request.param
    require(chosen.name)
    monkeypatch.setenv(VARIABLE, chosen.path)
    return chosen
