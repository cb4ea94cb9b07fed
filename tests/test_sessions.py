"""Two users at work, from what they have to a ranked table; without guessing."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import torch
from click.testing import CliRunner
from gsnn_models import KNOWN, NAMES, Original, data
from torch import nn

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer
from gsnn_edges.cli.main import main

SAMPLES = [f"patient {number}" for number in range(40)]


def lightning_checkpoint(path):
    """Train a model a little, and save it as Lightning does."""
    model, (x, y) = Original(seed=4), data(200)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 5, "hyper_parameters": {"lr": 0.01}}, path)
    return model.eval()


def test_from_a_checkpoint_and_csv_to_a_table_with_known_edges_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_model.py").write_text("from gsnn_models import Original as model\n")
    model, sides = lightning_checkpoint("model.ckpt"), data(40, seed=1)
    for name, side, columns in zip("xy", sides, (NAMES[6:10], NAMES[10:]), strict=True):
        frame = pd.DataFrame(side.numpy(), SAMPLES, columns).rename_axis("sample")
        frame.sample(frac=1, axis=1, random_state=0).to_csv(f"{name}.csv")
    call = "infer --model my_model:model --weights model.ckpt --x x.csv --y y.csv --untrained 1"
    call += " --score channels --out new.csv --evidence evidence.npz --figure W.png --json"
    shown = CliRunner().invoke(main, call.split())
    assert shown.exit_code == 0, shown.output
    said = [line.partition(" ")[2] for line in shown.stderr.splitlines() if "Warning" in line]
    assert [line for line in said if "'model.'" in line and "read without it" in line] == said[:1]
    assert sum("'sample' is taken as the names of samples" in line for line in said) == 2
    assert sum("they are put in the model's order, by their names" in line for line in said) == 2
    assert len(said) == 5
    result = json.loads(shown.stdout)
    assert (result["known"], result["untrained_model"]) == (len(KNOWN[0]), False)
    assert (tmp_path / "W.png").read_bytes()[:4] == b"\x89PNG"

    evidence = EdgeEvidence.load("evidence.npz")
    inferer = FunctionEdgeInferer(model, nn.MSELoss(), KNOWN)
    how = {"score": "channels", "untrained": 1, "seed": 0, "mode": "eval"}
    wanted = inferer.infer(*sides, fresh=Original, **how)
    np.testing.assert_allclose(evidence.W, wanted.W, rtol=0, atol=2e-6)
    table, new = evidence.to_frame(30), pd.read_csv("new.csv")
    known = {(NAMES[i], NAMES[j]) for i, j in zip(*KNOWN, strict=True)}
    assert set(table[table["known"]][["source", "target"]].itertuples(index=False)) == known
    rest = table[~table["known"]].reset_index(drop=True)
    np.testing.assert_array_equal(new[["source", "target"]], rest[["source", "target"]])
    np.testing.assert_allclose(new["score"], rest["score"], rtol=1e-6)


WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("there is no torch", name="torch")
sys.meta_path.insert(0, NoTorch())
from importlib import resources
import jax, jax.numpy as jnp
from gsnn_edges import EdgeEvidence, cross_correlation, demo, mrr
from gsnn_edges.cli.main import main

problem, (a, g) = demo.tutorial(seed=0), demo.observations()
W = cross_correlation(jnp.asarray(a), jnp.asarray(g))
print(isinstance(W, jax.Array), round(mrr(W, problem.test_edges, problem.true_edges), 2))
names, known = problem.node_names_dict["function"], problem.known_edges
evidence = EdgeEvidence(W, names, known_edges=known)
evidence.to_frame(60, exclude_known=False).to_csv("python.csv", index=False)
file = str(resources.files("gsnn_edges.demo") / "observations.npz")
main(["correlate", file, "--backend", "jax", "--top", "49", "--out", "shell.csv"])
"""


def test_from_shipped_observations_to_a_ranked_table_with_jax_and_without_torch(tmp_path):
    call = [sys.executable, "-c", WITHOUT_TORCH]
    shown = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0] == "True 0.97"
    python, shell = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("python", "shell"))
    assert set(python["known"]) == {True, False}
    ranked = shell.sort_values("score", ascending=False, kind="stable").head(60)
    assert set(ranked["source"] + ranked["target"]) == set(python["source"] + python["target"])
    np.testing.assert_allclose(ranked["score"], python["score"], rtol=0, atol=1e-6)
