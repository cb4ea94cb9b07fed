"""What of the optional libraries is installed."""

from importlib.metadata import PackageNotFoundError, version

import gsnn_edges.cli.cmd_backends as own
from gsnn_edges.cli.cmd_backends import installed_extras as extras

NEEDS = [
    "numpy>=2.0",
    'torch>=2.11; extra == "torch"',
    "pandas>=2.2; extra == 'files'",
    'not-there>=1; extra == "files"',
    'pytest>=8; extra == "test"',
]


def test_libraries_are_sorted_by_whether_they_are_there(monkeypatch):
    monkeypatch.setattr(own, "requires", lambda _: NEEDS)
    torch, files = extras()
    assert torch[:3] == ("torch", [f"torch {version('torch')}"], [])
    assert files[:3] == ("files", [f"pandas {version('pandas')}"], ["not-there"])
    assert files.install == "pip install 'gsnn-edges[files]'"


def test_the_installed_package_has_extras():
    assert {extra.name for extra in extras()} <= set(own.SHOWN)
    assert extras()[0].name == "torch"
    assert issubclass(PackageNotFoundError, ImportError)
