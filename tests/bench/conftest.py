"""Tiny runs need no pause between calls."""

import pytest

from gsnn_edges.bench import measure


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(measure, "SETTLE_SECONDS", 0.0)
