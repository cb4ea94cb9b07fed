"""gsnn-edges correlate: W is that of the inferer, and torch is not needed."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from torch.nn import MSELoss

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer, correlate_store
from gsnn_edges.cli.tables import Observations, write_observations
from gsnn_edges.store import open_matrix

DATA = ("--x", "data.npz:x", "--y", "data.npz:y")
CAPTURE = ("capture", "--model", "tiny:model", "--weights", "state.safetensors", *DATA, "-q")
ACCURACY = 2e-6  # twice the bound of one backend for continuous columns


@pytest.fixture(params=["npz", "zarr"])
def seen(request, run, folder):
    """Observations of nodes, in both kinds of files."""
    name = f"seen.{request.param}"
    assert run(*CAPTURE, "--out", name).exit_code == 0
    return name


@pytest.fixture
def fitted(network, folder):
    data = np.load(folder / "data.npz")
    none = np.empty((2, 0), np.int64)
    inferer = FunctionEdgeInferer(network, MSELoss(), none, backend="numpy")
    return lambda **options: inferer.fit(data["x"], data["y"], mode="eval", **options)


def read(path):
    return EdgeEvidence.load(path).W if path.endswith(".npz") else open_matrix(path).to_numpy()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], {}),
        (["--method", "pearson"], {"method": "pearson"}),
        (["--layers", "mean"], {"layers": "mean"}),
        (["--layers", "1", "--precision", "float64"], {"layers": 1}),
        (["--backend", "torch", "--device", "cpu"], {}),
        (["--backend", "jax"], {}),
    ],
)
def test_w_of_observations_in_memory_is_that_of_the_inferer(options, wanted, run, fitted):
    assert run(*CAPTURE, "--out", "seen.npz").exit_code == 0
    shown = run("correlate", "seen.npz", "--out", "new.npy", *options)
    assert shown.stdout == "W of 50 nodes, score magnitude: new.npy\n"
    assert_allclose(read("new.npy"), fitted(**wanted), atol=ACCURACY)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("few", [("--top", 3), ("--threshold", 0.4)], ids=lambda few: few[0])
def test_pairs_are_the_strongest_by_names(few, ending, seen, run, fitted, names, problem):
    out = f"pairs.{ending}"
    shown = run("correlate", seen, "--out", out, *few)
    table = (pd.read_csv if ending == "csv" else pd.read_parquet)(out)
    W = pd.DataFrame(fitted(), names, names).stack()
    W = W[W.index.get_level_values(0) != W.index.get_level_values(1)]
    best = W.groupby(level=0).nlargest(3).droplevel(0)
    wanted = best if few[0] == "--top" else W[abs(W) >= 0.4]
    assert shown.stdout == f"{len(wanted)} pairs, score magnitude: {out}\n"
    pairs = table.set_index(["source", "target"])["score"]
    assert_allclose(pairs.loc[wanted.index], wanted, atol=ACCURACY)
    assert len(table) == len(wanted)
    assert list(table["rank"]) == list(range(1, len(table) + 1))
    assert table["score"].is_monotonic_decreasing
    if seen.endswith(".zarr"):
        known = {(names[s], names[t]) for s, t in problem.known_edges.T}
        assert list(table["known"]) == [pair in known for pair in pairs.index]
        assert table["known"].sum() > 0


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("few", [("--threshold", 0.5), ("--top", 1)], ids=lambda few: few[0])
def test_tables_of_pairs_are_alike_on_every_backend(few, backend, run, tmp_path):
    a, g = np.random.default_rng(0).random((2, 1, 60, 3), np.float32)
    g[0, :, :2] = a[0, :, [2, 0]].T  # two pairs beyond the threshold, and no more
    seen, out = str(tmp_path / "seen.npz"), str(tmp_path / "pairs.csv")
    write_observations(seen, Observations(a, g, np.arange(3), 3, "magnitude", None))
    assert run("correlate", seen, "--out", out, "--backend", backend, *few).exit_code == 0
    W = pd.DataFrame(np.hstack([a[0], g[0]])).corr("spearman").to_numpy()[:3, 3:]
    others = ~np.eye(3, dtype=bool)
    best = W.max(axis=1, where=others, initial=-1, keepdims=True)
    kept = others & (abs(W) >= 0.5 if few[0] == "--threshold" else best <= W)
    assert kept.sum() == (2 if few[0] == "--threshold" else 3)
    found = pd.read_csv(out)
    scores = np.zeros((3, 3))
    scores[found["source"], found["target"]] = found["score"]
    assert len(found) == kept.sum()
    assert_allclose(scores, np.where(kept, W, 0), atol=ACCURACY)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("score", ["magnitude", "channels"])
def test_devices_of_a_machine_share_the_work(score, run, fitted, names):
    assert run(*CAPTURE, "--score", score, "--out", "c.npz").exit_code == 0
    call = ("correlate", "c.npz", "--out", "new.npz", "--backend", "jax", "--devices", 1, "-v")
    shown = run(*call)
    assert shown.exit_code == 0, shown.output
    assert "working memory" in shown.stderr
    evidence = EdgeEvidence.load("new.npz")
    assert_allclose(evidence.W, fitted(score=score), atol=1e-5)
    assert evidence.node_names == names
    assert evidence.counts == {"samples": 40, "layer_pairs": 2, "observations": 80}
    assert evidence.settings["score"] == score


@pytest.mark.parametrize("few", [{"top": 3}, {"threshold": 0.2}], ids=str)
def test_a_call_goes_on_with_the_pairs_that_an_ended_one_gathered(few, run, folder):
    assert run(*CAPTURE, "--out", "c.zarr").exit_code == 0
    options = [part for name, value in few.items() for part in (f"--{name}", value)]
    assert run("correlate", "c.zarr", "--out", "whole.csv", *options, "-q").exit_code == 0
    there = {one.name for one in folder.iterdir()}
    # One more than the best three: the source itself may be among them.
    gathered = {name: 4 if name == "top" else value for name, value in few.items()}
    correlate_store("c.zarr", ".new.csv.gsnn-edges.npz", **gathered)
    shown = run("correlate", "c.zarr", "--out", "new.csv", *options, "-q")
    assert shown.exit_code == 0, shown.output
    assert (folder / "new.csv").read_text() == (folder / "whole.csv").read_text()
    assert {one.name for one in folder.iterdir()} - there == {"new.csv"}


BAD = {
    "top and threshold": (("--out", "t.csv", "--top", 1, "--threshold", 1), "not both"),
    "negative": (("--out", "t.csv", "--threshold", -1), "at least 0, and finite; got -1.0"),
    "ending": (("--out", "W.txt"), "must end in .npy, "),
    "half a job": (("--out", "W9.npy", "--process", 0), "several processes read observations in"),
    "job": (("--out", "W9.npy", "--distributed", "--process", 0), "who is who; got --process too"),
    "nobody": (("--out", "W9.npy", "--row-chunk", 9), "--row-chunk is of several processes"),
    "n_components": (("--out", "W9.npy", "--n-components", 1), "channels"),
    "devices": (("--out", "W9.npy", "--devices", 2), "--devices needs --backend jax"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, run, folder, refused):
    assert run(*CAPTURE, "--out", "seen.npz").exit_code == 0
    options, phrase = BAD[case]
    assert phrase in refused("correlate", "seen.npz", *options)


def test_an_output_inside_the_observations_is_refused(run, refused):
    assert run(*CAPTURE, "--out", "c.zarr").exit_code == 0
    said = refused("correlate", "c.zarr", "--out", "c.zarr/W.npy")
    assert "must lie outside of other stores; got 'c.zarr/W.npy'" in said


@pytest.mark.parametrize(
    "option",
    [
        ("--precision", "float64"),
        ("--max-memory", "1GB"),
        ("--scratch", "."),
        ("--device", "cpu"),
    ],
)
def test_what_several_processes_do_not_heed_is_refused(option, run, refused):
    assert run(*CAPTURE, "--out", "c.zarr").exit_code == 0
    call = ("correlate", "c.zarr", "--out", "new.zarr", "--processes", 1)
    assert f"{option[0]} is of one process" in refused(*call, *option)
