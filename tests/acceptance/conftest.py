"""Fixtures of the acceptance tests."""

import pytest

from .arrays import EAGER, FEW, WAYS
from .program import Command


def prepared(way, monkeypatch):
    if way.device_path:
        monkeypatch.setenv("GSNN_EDGES_PATH", "device")
    return way


@pytest.fixture(params=WAYS, ids=str)
def way(request, monkeypatch):
    """Each way in which arrays come."""
    return prepared(request.param, monkeypatch)


@pytest.fixture(params=EAGER, ids=str)
def eager(request, monkeypatch):
    """Each way that is not compiled."""
    return prepared(request.param, monkeypatch)


@pytest.fixture(params=FEW, ids=str)
def few(request, monkeypatch):
    """A few of the ways, all paths of torch among them."""
    return prepared(request.param, monkeypatch)


@pytest.fixture
def command(tmp_path):
    """The command, in a folder of this test."""
    return Command(tmp_path)
