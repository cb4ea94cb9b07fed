"""Fixtures of all tests."""

import os
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from libraries import LIBRARIES, Library, require


def pytest_configure(config: pytest.Config) -> None:
    """Most of the time that JAX takes here is compilation: on a CPU it need not optimize."""
    if "not gpu" in config.option.markexpr:
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Files that need torch or anndata are left out where `make test-versions` has neither."""
    if collection_path.suffix != ".py":
        return None
    missing = [name for name in ("torch", "anndata") if find_spec(name) is None]
    needed = "|".join([*missing, *(["gsnn_models", "model_state"] if "torch" in missing else [])])
    text = collection_path.read_text(encoding="utf-8")
    return bool(missing and re.search(rf"^(import|from) ({needed})\b", text, re.MULTILINE)) or None


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


@pytest.fixture(autouse=True, scope="module")
def forget_compiled() -> Iterator[None]:
    """What JAX compiled for one file is of no use to the next, and all of it takes gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
