"""The three stages over files with the installed package; `check_wheel.py` runs each where it can.

    python -I try_stages.py STAGE

in a folder that all stages share, where user_script.py has a model. The first needs torch, the
second must have none.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def call(*arguments: str) -> str:
    """Run the installed command."""
    command = Path(sys.executable).with_name("gsnn-edges")
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=True).stdout


def capture() -> None:
    import numpy as np

    from gsnn_edges.demo import tutorial

    problem = tutorial(seed=0)
    np.savez("data.npz", x=problem.x_test[:50], y=problem.y_test[:50])
    np.save("held_out.npy", problem.test_edges)
    files = ("--untrained-model", "--x", "data.npz:x", "--y", "data.npz:y", "--out", "seen.zarr")
    assert "50 nodes" in call("capture", "--model", "user_script:model", *files)


def correlate() -> None:
    assert find_spec("torch") is None
    for backend in ("numpy", "jax"):
        call("correlate", "seen.zarr", "--backend", backend, "--out", f"{backend}.npy")


def evaluate() -> None:
    asked = ("--names", "seen.zarr", "--edges", "held_out.npy", "--json")
    files = ("--figure", "ranks.png", "--out", "ranked.csv")
    found = [json.loads(call("evaluate", f"{b}.npy", *asked, *files)) for b in ("numpy", "jax")]
    assert [one["known"] for one in found] == [37, 37]
    assert abs(found[0]["micro"]["mrr"] - found[1]["micro"]["mrr"]) < 1e-3
    assert Path("ranks.png").stat().st_size > 1000


def extra(name: str) -> None:
    """All that an extra brings is there, and said to be."""
    rows = json.loads(call("backends", "--json"))["extras"]
    assert [row["missing"] for row in rows if row["name"] == name] == [[]], rows


if __name__ == "__main__":
    stage, *arguments = sys.argv[1:]
    globals()[stage](*arguments)
