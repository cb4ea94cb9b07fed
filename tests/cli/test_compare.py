"""gsnn-edges compare: the same as compare, over files."""

import json

import numpy as np
import pandas as pd
import torch
from numpy.testing import assert_allclose
from torch.nn import MSELoss

from gsnn_edges import FunctionEdgeInferer, baselines
from gsnn_edges.demo import GSNN

DATA = ("--x", "data.npz:x", "--y", "data.npz:y", "--edges", "held_out.csv")
CALL = ("compare", "--model", "tiny:model", "--weights", "state.pt", *DATA, "--n-resamples", "0")


def test_several_models_are_compared_as_in_python(run, problem, network, folder):
    other = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3, seed=6)
    torch.save(other.state_dict(), folder / "other.pt")
    options = ("--score", "channels", "--untrained", "1", "--permuted", "1", "--top", "3")
    files = ("--out", "top.csv", "--metrics", "m.json", "--figure", "f.png")
    shown = run(*CALL, "--more-weights", "other.pt", *options, *files)
    assert shown.exit_code == 0, shown.output
    data = np.load(folder / "data.npz")
    members = [
        FunctionEdgeInferer(model, MSELoss(), problem.known_edges).infer(
            data["x"], data["y"], score="channels", mode="eval"
        )
        for model in (network, other)
    ]
    graph = problem.edge_index_dict
    wanted = baselines.compare(
        {"W": members},
        problem.test_edges,
        np.concatenate([problem.known_edges, problem.test_edges], axis=1),
        known_edges=problem.known_edges,
        measured=(data["y"], graph["function", "to", "output"][0]),
        perturbations=(data["x"], graph["input", "to", "function"][1]),
        permuted=1,
        n_resamples=None,
        seed=0,
    )
    saved = json.loads((folder / "m.json").read_text())
    rows = {row["name"]: row for row in saved["rows"]}
    assert [*rows] == [row.name for row in wanted.rows]
    assert_allclose(rows["W"]["std"]["mrr"], wanted["W"].std["mrr"], rtol=1e-6)
    for row in wanted.rows[1:]:
        assert_allclose(rows[row.name]["ranking"]["micro"]["mrr"], row.ranking.mrr)
        assert_allclose(rows[row.name]["permuted"]["mrr"], row.permuted.mrr)
    assert list(saved["untrained_permuted"]) == [""]
    assert "needs retrain=" in shown.stdout
    assert (folder / "f.png").exists()
    assert set(pd.read_csv("top.csv")["models"]) <= {0.5, 1.0}


def test_nodes_of_columns_are_named_where_the_model_does_not_say(run, refused, names, folder):
    (folder / "twice.txt").write_text("\n".join(names[:1] * 25))
    (folder / "few.txt").write_text("\n".join(names[:3]))
    (folder / "y.txt").write_text("\n".join(names[25:]))
    assert "must give a whole number for each of the 25" in refused(*CALL, "--measured", "few.txt")
    assert refused(*CALL, "--measured", "twice.txt")
    shown = run(*CALL, "--measured", "y.txt", "--untrained", "0")
    assert shown.exit_code == 0, shown.output
    assert "structural_score" in shown.stdout
