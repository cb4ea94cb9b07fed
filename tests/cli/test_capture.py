"""gsnn-edges capture: the numbers of capture, over files."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from torch.nn import MSELoss

from gsnn_edges.activations import capture, capture_channels
from gsnn_edges.cli.tables import read_node_names, read_observations
from gsnn_edges.store import open_store

DATA = ("--x", "data.npz:x", "--y", "data.npz:y")
CALL = ("capture", "--model", "tiny:model", "--weights", "state.safetensors", *DATA)


@pytest.fixture
def captured(network, folder):
    data = np.load(folder / "data.npz")

    def columns(score, **options):
        call = capture if score == "magnitude" else capture_channels
        a, g = call(network, MSELoss(), data["x"], data["y"], mode="eval", seed=0, **options)[:2]
        return a.numpy(), g.numpy()

    return columns


@pytest.mark.parametrize("score", ["magnitude", "channels"])
@pytest.mark.parametrize("out", ["seen.npz", "seen.zarr"])
def test_observations_are_those_of_capture(out, score, captured, run, names):
    shown = run(*CALL, "--out", out, "--score", score)
    assert shown.exit_code == 0, shown.output
    a, g = captured(score)
    if out.endswith(".zarr"):
        found = open_store(out)
        sides = [found.read(side, slice(None)) for side in "ag"]
    else:
        seen = found = read_observations(out)
        sides = [side.reshape(-1, side.shape[2]) for side in (seen.a, seen.g)]
    for side, wanted in zip(sides, (a, g), strict=True):
        assert_array_equal(side, wanted)
    assert (found.score, found.nodes) == (score, 50)
    assert_array_equal(found.column_nodes, np.repeat(np.arange(50), a.shape[1] // 50))
    assert read_node_names(out) == names


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--norm", "l2", "--agg", "max"], {"norm": "l2", "agg": "max"}),
        (["--postnorm", "--batch-size", "7"], {"use_prenorm": False, "batch_size": 7}),
    ],
)
@pytest.mark.parametrize("out", ["seen.npz", "seen.zarr"])
def test_options_are_those_of_capture(options, asked, out, captured, run):
    assert run(*CALL, *options, "--out", out, "-q").exit_code == 0
    a, _ = captured("magnitude", **asked)
    if out.endswith(".npz"):
        assert_array_equal(read_observations(out).a.reshape(a.shape), a)
    else:
        assert_array_equal(open_store(out).read("a", slice(None)), a)


@pytest.mark.usefixtures("folder")
def test_known_edges_are_kept_with_the_observations(run, problem):
    assert run(*CALL, "--known", "known.csv", "--out", "seen.zarr", "-q").exit_code == 0
    assert_array_equal(open_store("seen.zarr").edge_index, problem.known_edges)


@pytest.mark.usefixtures("folder")
def test_known_edges_of_the_model_are_kept_and_evaluate_takes_them(run, problem):
    assert run(*CALL, "--out", "seen.zarr", "-q").exit_code == 0
    assert_array_equal(open_store("seen.zarr").edge_index, problem.known_edges)
    ranked = ("evaluate", "W.npy", "--names", "seen.zarr", "--edges", "held_out.csv", "--json")
    shown = run(*ranked)
    assert (json.loads(shown.stdout)["known"], shown.stderr) == (37, "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("out", ["seen.npz", "seen.zarr"])
def test_json_and_dry_run_say_the_same(out, run, folder):
    before = json.loads(run(*CALL, "--out", out, "--dry-run", "--json").stdout)
    assert not (folder / out).exists()
    after = json.loads(run(*CALL, "--out", out, "--json").stdout)
    assert before.pop("dry_run") is True
    assert {name: after[name] for name in before} == before
    assert after["written"] == [out]


@pytest.mark.usefixtures("folder")
def test_the_same_call_again_finds_the_store_finished(run):
    for _ in range(2):
        assert run(*CALL, "--out", "seen.zarr", "-q").exit_code == 0


BAD = {
    "ending": (("--out", "seen.csv"), "--out must end in .zarr, .npz"),
    "folder": (("--out", "nowhere/seen.npz"), "make 'nowhere' first"),
    "no out": ((), "Missing option '--out'"),
    "score": (("--out", "seen.npz", "--score", "rank"), "is not one of"),
    "device": (("--out", "seen.npz", "--device", "warp"), "warp"),
    "groups": (("--out", "seen.npz", "--groups", "W.npy"), "groups must come with blocks"),
    "names": (
        ("--out", "seen.npz", "--names", "few.txt"),
        "--names must hold a name for each of 50 nodes; got 2",
    ),
    "known": (("--out", "seen.zarr", "--known", "few.txt"), "--known must end in"),
    "known in npz": (("--out", "seen.npz", "--known", "known.csv"), "--known needs a .zarr"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, folder, refused):
    (folder / "few.txt").write_text("f1\nf2\n")
    options, phrase = BAD[case]
    assert phrase in refused(*CALL, *options)


def test_a_store_of_another_model_is_kept(run, folder, refused):
    assert run(*CALL, "--out", "seen.zarr", "-q").exit_code == 0
    other = [one for one in CALL if one not in ("--weights", "state.safetensors")]
    refused(*other, "--out", "seen.zarr")
    assert open_store(folder / "seen.zarr").samples == 40
