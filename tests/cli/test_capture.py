"""gsnn-edges capture: the numbers of capture, over files."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from torch.nn import MSELoss

from gsnn_edges import capture, capture_channels, open_store
from gsnn_edges.cli.tables import read_nodes, read_observations

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
    seen = open_store(out) if out.endswith(".zarr") else read_observations(out)
    sides = [seen.read(side) for side in "ag"] if out.endswith(".zarr") else [seen.a, seen.g]
    for side, wanted in zip(sides, (a, g), strict=True):
        assert_array_equal(np.reshape(side, wanted.shape), wanted)
    assert (seen.score, seen.nodes, seen.pairs, seen.samples) == (score, 50, 2, 40)
    assert_array_equal(seen.column_nodes, np.repeat(np.arange(50), a.shape[1] // 50))
    assert read_nodes(out)[0] == names


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--norm", "l2", "--agg", "max"], {"norm": "l2", "agg": "max"}),
        (["--postnorm", "--batch-size", "7"], {"use_prenorm": False, "batch_size": 7}),
    ],
)
@pytest.mark.parametrize("out", ["seen.npz", "seen.zarr"])
def test_options_are_those_of_capture(options, wanted, out, captured, run):
    assert run(*CALL, *options, "--out", out, "-q").exit_code == 0
    a, _ = captured("magnitude", **wanted)
    kept = open_store(out).read("a") if out.endswith(".zarr") else read_observations(out).a
    assert_array_equal(np.reshape(kept, a.shape), a)


def test_as_is_leaves_the_mode_of_the_model(run, folder):
    (folder / "training.py").write_text(
        "from tiny import model as made\ndef model():\n    return made().train()\n"
    )
    call = ("capture", "--model", "training:model", *CALL[3:], "-q")
    shown = run(*call, "--mode", "as-is", "--out", "train.npz")
    assert "dropout or batch statistics are at work" in shown.stderr
    assert run(*call, "--out", "eval.npz").stderr == ""
    train, evaluated = (read_observations(f"{mode}.npz").a for mode in ("train", "eval"))
    assert (train != evaluated).any()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("known", [("--known", "known.csv"), ()])
def test_known_edges_are_kept_with_the_observations(known, run, problem):
    assert run(*CALL, *known, "--out", "seen.zarr", "-q").exit_code == 0
    assert_array_equal(open_store("seen.zarr").edge_index, problem.known_edges)
    ranked = ("evaluate", "W.npy", "--names", "seen.zarr", "--edges", "held_out.csv", "--json")
    shown = run(*ranked)
    assert (json.loads(shown.stdout)["known"], shown.stderr) == (37, "")


@pytest.mark.parametrize("out", ["seen.npz", "seen.zarr"])
def test_json_and_dry_run_say_the_same(out, run, folder):
    before = json.loads(run(*CALL, "--out", out, "--dry-run", "--json").stdout)
    assert not (folder / out).exists()
    after = json.loads(run(*CALL, "--out", out, "--json").stdout)
    assert before.pop("dry_run") is True
    assert {name: after[name] for name in before} == before
    assert after["written"] == [out]


@pytest.mark.usefixtures("folder")
def test_a_store_is_finished_by_the_same_call_and_kept_from_another(run, refused):
    for _ in range(2):
        assert run(*CALL, "--out", "seen.zarr", "-q").exit_code == 0
    other = [one for one in CALL if one not in ("--weights", "state.safetensors")]
    refused(*other, "--untrained-model", "--out", "seen.zarr")
    assert open_store("seen.zarr").samples == 40


BAD = {
    "an input": (("--out", "data.npz"), "must be a file of its own; 'data.npz' is also --x"),
    "groups": (("--out", "seen.npz", "--groups", "W.npy"), "groups must come with blocks"),
    "names": (
        ("--out", "seen.npz", "--names", "few.txt"),
        "names must hold a name for each of 50 nodes; got 2",
    ),
    "known": (("--out", "seen.zarr", "--known", "few.txt"), "--known must end in"),
    "known in npz": (("--out", "seen.npz", "--known", "known.csv"), "--known needs a .zarr"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, folder, refused):
    (folder / "few.txt").write_text("f1\nf2\n")
    options, phrase = BAD[case]
    assert phrase in refused(*CALL, *options)
