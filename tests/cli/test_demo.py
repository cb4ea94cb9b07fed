"""gsnn-edges demo."""

import json

import numpy as np
import pytest


@pytest.mark.parametrize("backend", ["torch", "jax", "numpy"])
def test_demo_writes_its_results(backend, run, tmp_path):
    out = tmp_path / "demo"
    shown = run("demo", "--backend", backend, "--epochs", 1, "--out", out)
    assert shown.exit_code == 0, shown.output
    assert "untrained" in shown.stdout
    assert np.load(out / "W.npy").shape == (50, 50)
    assert "trained" in json.loads((out / "metrics.json").read_text())["mrr"]


def test_demo_gives_json(run, tmp_path):
    shown = run("demo", "--epochs", 0, "--out", tmp_path, "--json")
    found = json.loads(shown.stdout)
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert {name: found[name] for name in kept} == kept


def test_demo_is_quiet_on_request(run, tmp_path):
    shown = run("-q", "demo", "--epochs", 0, "--out", tmp_path)
    assert (shown.exit_code, shown.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("--graph", "nowhere.csv"), "nowhere.csv"),
        (("--backend", "tensorflow"), "is not one of"),
        (("--epochs", "-1"), "--epochs"),
        (("--seed", "x"), "--seed"),
    ],
)
def test_mistakes_are_explained_in_a_line(arguments, phrase, refused):
    assert phrase in refused("demo", *arguments)
