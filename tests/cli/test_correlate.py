"""gsnn-edges correlate: W is that of the inferer, and torch is not needed."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from torch.nn import MSELoss

from gsnn_edges import EdgeEvidence, FunctionEdgeInferer
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


@pytest.mark.parametrize("ending", ["npy", "same"])
def test_w_is_that_of_the_inferer(ending, seen, run, fitted):
    ending = ending if ending == "npy" else seen.rpartition(".")[2]
    shown = run("correlate", seen, "--out", f"new.{ending}")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == f"W of 50 nodes, score magnitude: new.{ending}\n"
    assert_allclose(read(f"new.{ending}"), fitted(), atol=ACCURACY)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--method", "pearson"], {"method": "pearson"}),
        (["--layers", "mean"], {"layers": "mean"}),
        (["--layers", "1"], {"layers": 1}),
        (["--backend", "torch", "--device", "cpu"], {}),
        (["--backend", "jax"], {}),
        (["--precision", "float64"], {}),
    ],
)
def test_options_are_those_of_the_inferer(options, asked, seen, run, fitted):
    assert run("correlate", seen, "--out", "new.npy", *options, "-q").exit_code == 0
    assert_allclose(read("new.npy"), fitted(**asked), atol=ACCURACY)


@pytest.mark.parametrize("kind", ["npz", "zarr"])
def test_channels_are_correlated_by_their_norms(kind, run, fitted):
    assert run(*CAPTURE, "--score", "channels", "--out", f"c.{kind}").exit_code == 0
    assert (
        run("correlate", f"c.{kind}", "--out", "new.npy", "--n-components", 1, "-q").exit_code == 0
    )
    assert_allclose(read("new.npy"), fitted(score="channels", n_components=1), atol=1e-5)


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


def test_dry_run_says_what_it_takes(seen, run, folder):
    shown = run("correlate", seen, "--out", "new.npy", "--dry-run")
    assert shown.stdout.startswith(
        "would correlate 80 observations of 50 columns (magnitude) to W of 50 nodes, 10 kB"
    )
    facts = json.loads(run("correlate", seen, "--out", "new.npy", "--dry-run", "--json").stdout)
    assert (facts["observations"], facts["bytes"], facts["dry_run"]) == (80, 10_000, True)
    assert not (folder / "new.npy").exists()


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


@pytest.mark.usefixtures("folder")
def test_processes_share_a_store(run, fitted):
    assert run(*CAPTURE, "--out", "c.zarr").exit_code == 0
    crew = ("--processes", 1, "--row-chunk", 10, "--start-timeout", 60, "--backend", "jax")
    shown = run("correlate", "c.zarr", "--out", "new.zarr", *crew)
    assert shown.exit_code == 0, shown.output
    assert_allclose(read("new.zarr"), fitted(), atol=ACCURACY)


STOPPED = """
import os, signal, sys, tempfile
from gsnn_edges.cli.main import main
from gsnn_edges.scale import out_of_core as work
from gsnn_edges.scale import outputs

work._Run._choose_sizes = lambda _: work._Sizes(20, 13, False)
left = int(os.environ["LEFT"])

def stopping(put):
    def call(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), getattr(signal, os.environ["HOW"]))
        return put(*arguments)
    return call

for sink in (outputs.TopPieces, outputs.PairPieces):
    sink.put = stopping(sink.put)
main()
"""


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("how", "few"), [("SIGKILL", ("--top", 3)), ("SIGTERM", ("--threshold", 0.2))]
)
def test_what_is_kept_of_w_goes_on_after_a_kill(how, few, run, folder, monkeypatch):
    assert run(*CAPTURE, "--out", "c.zarr").exit_code == 0
    temporary = folder / "temporary"
    temporary.mkdir()
    there = {one.name for one in folder.iterdir()}
    call = [sys.executable, "-c", STOPPED, "correlate", "c.zarr", "--out", "new.csv", "-q"]
    call += map(str, few)

    def end(left):
        variables = {"LEFT": str(left), "HOW": how, "TMPDIR": str(temporary)}
        done = subprocess.run(call, env={**os.environ, **variables}, capture_output=True, text=True)
        return done.returncode, done.stderr

    said = "" if how == "SIGKILL" else "Terminated: no result is written; the same call goes on "
    code, line = end(7)
    assert code == (-signal.SIGKILL if how == "SIGKILL" else 143)
    assert line.startswith(said)
    assert {one.name for one in folder.iterdir()} - there == {".new.csv.pairs.npz.unfinished"}
    tiles = (folder / ".new.csv.pairs.npz.unfinished" / "done.txt").read_text().count("tile")
    assert tiles == 6
    assert end(17 - tiles) == (0, "")  # sixteen tiles, of which six are there
    assert {one.name for one in folder.iterdir()} - there == {"new.csv"}
    assert list(temporary.iterdir()) == []
    assert run("correlate", "c.zarr", "--out", "whole.csv", *few, "-q").exit_code == 0
    kept, whole = pd.read_csv("new.csv"), pd.read_csv("whole.csv")
    assert len(kept) > 100
    ends = ["source", "target"]
    pd.testing.assert_frame_equal(
        kept.sort_values(ends)[[*ends, "score"]].reset_index(drop=True),
        whole.sort_values(ends)[[*ends, "score"]].reset_index(drop=True),
        atol=ACCURACY,
    )


BAD = {
    "top and threshold": (("--out", "t.csv", "--top", 1, "--threshold", 1), "not both"),
    "threshold": (("--out", "t.csv", "--threshold", "nan"), "at least 0, and finite; got nan"),
    "negative": (("--out", "t.csv", "--threshold", -1), "at least 0, and finite; got -1.0"),
    "table of all": (("--out", "t.csv"), "--out without --top or --threshold"),
    "top in matrix": (("--out", "W9.npy", "--top", 1), "must end in .csv, .parquet"),
    "ending": (("--out", "W.txt"), "must end in .npy, "),
    "folder": (("--out", "nowhere/W.npy"), "make 'nowhere' first"),
    "half a job": (("--out", "W9.npy", "--process", 0), "several processes read observations in"),
    "job": (("--out", "W9.npy", "--distributed", "--process", 0), "who is who; got --process too"),
    "nobody": (("--out", "W9.npy", "--row-chunk", 9), "--row-chunk is of several processes"),
    "layers": (("--out", "W9.npy", "--layers", 7), "layer pair in 0 .. 1; got 7"),
    "layer": (("--out", "W9.npy", "--layers", "all"), "layers must be one of 'pooled', 'mean'"),
    "n_components": (("--out", "W9.npy", "--n-components", 1), "channels"),
    "device": (("--out", "W9.npy", "--backend", "jax", "--device", "warp"), "warp"),
    "devices": (("--out", "W9.npy", "--devices", 2), "--devices needs --backend jax"),
    "memory": (("--out", "W9.npy", "--max-memory", "much"), "--max-memory must be bytes, or a"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, seen, refused):
    options, phrase = BAD[case]
    assert phrase in refused("correlate", seen, *options)


def test_an_output_inside_the_observations_is_refused(run, refused):
    assert run(*CAPTURE, "--out", "c.zarr").exit_code == 0
    said = refused("correlate", "c.zarr", "--out", "c.zarr/W.npy")
    assert "is also observations 'c.zarr', which would be overwritten" in said


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


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("data.npz", "must be a whole file of gsnn-edges observations; 'data.npz'"),
        ("folder.zarr", "store"),
        ("nowhere.zarr", "observations must be a file that is there"),
        ("W.npy", "observations must end in .zarr, .npz"),
    ],
)
def test_other_files_are_refused(name, phrase, folder, refused):
    (folder / "folder.zarr").mkdir()
    assert phrase in refused("correlate", name, "--out", "new.npy")
