"""The three stages over files with the installed package; `check_wheel.py` runs each where it can.

    python -I try_stages.py STAGE

in a folder that all stages share. The first needs torch, the second must have none.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FACTORY = """
from gsnn_edges.demo import GSNN, tutorial

def model():
    problem = tutorial(seed=0)
    return GSNN(problem.edge_index_dict, problem.node_names_dict, layers=3, seed=0)
"""


def call(*arguments: str) -> str:
    """Run the installed command."""
    command = Path(sys.executable).with_name("gsnn-edges")
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=True).stdout


def capture() -> None:
    import numpy as np

    from gsnn_edges.demo import tutorial

    problem = tutorial(seed=0)
    names = problem.node_names_dict["function"]
    Path("my_model.py").write_text(FACTORY)
    for side in "xy":
        np.savetxt(f"{side}.csv", getattr(problem, f"{side}_test")[:50], delimiter=",")
    rows = [f"{names[source]},{names[target]}" for source, target in problem.test_edges.T]
    Path("held_out.csv").write_text("\n".join(["source,target", *rows]) + "\n")
    files = ("--untrained-model", "--x", "x.csv", "--y", "y.csv", "--out", "seen.zarr")
    assert "50 nodes" in call("capture", "--model", "my_model:model", *files)


def correlate() -> None:
    assert find_spec("torch") is None
    for backend in ("numpy", "jax"):
        call("correlate", "seen.zarr", "--backend", backend, "--out", f"{backend}.npy")


def evaluate() -> None:
    asked = ("--names", "seen.zarr", "--edges", "held_out.csv", "--json")
    figure = ("--figure", "ranks.png", "--out", "ranked.csv")
    found = [json.loads(call("evaluate", f"{b}.npy", *asked, *figure)) for b in ("numpy", "jax")]
    assert [one["known"] for one in found] == [37, 37]
    assert abs(found[0]["micro"]["mrr"] - found[1]["micro"]["mrr"]) < 1e-3
    assert Path("ranks.png").stat().st_size > 1000


def extra(name: str) -> None:
    """All that an extra brings is there, and said to be."""
    rows = json.loads(call("backends", "--json"))["extras"]
    (row,) = [row for row in rows if row["name"] == name]
    assert row["missing"] == [], row


if __name__ == "__main__":
    stage, *arguments = sys.argv[1:]
    {"capture": capture, "correlate": correlate, "evaluate": evaluate, "extra": extra}[stage](
        *arguments
    )
    print("works:", *sys.argv[1:])
