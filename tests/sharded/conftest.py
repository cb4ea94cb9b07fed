"""What eight virtual devices give; they need a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shards
from libraries import require


@pytest.fixture(scope="session")
def eight(tmp_path_factory):
    """Run the cases of tests/shards.py: ``arrays`` by name, and ``facts``."""
    require("jax")
    folder = tmp_path_factory.mktemp("shards")
    environment = {**os.environ, "XLA_FLAGS": shards.FLAGS, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(Path(shards.__file__)), str(folder)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with np.load(folder / "found.npz") as found:
        arrays = dict(found)
    return SimpleNamespace(arrays=arrays, facts=json.loads((folder / "facts.json").read_text()))
