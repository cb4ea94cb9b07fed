"""No output takes the place of an input, nor of another output."""

import os

import pytest

from gsnn_edges.cli.tables import check_apart

MODEL = ("--model", "tiny:model", "--untrained-model", "--x", "data.npz:x", "--y", "y.csv")
EVALUATE = ("evaluate", "W.npy", "--names", "names.txt", "--edges", "held_out.csv")
SAME = {
    "capture": (("capture", *MODEL, "--out", "data.npz"), "--x 'data.npz:x'"),
    "infer": (("infer", *MODEL, "--edges", "held_out.csv", "--out", "held_out.csv"), "--edges"),
    "correlate": (("correlate", "seen.npz", "--out", "seen.npz"), "observations 'seen.npz'"),
    "evaluate": ((*EVALUATE, "--out", "held_out.csv"), "--edges 'held_out.csv'"),
    "evaluate, another path": ((*EVALUATE, "--out", "./sub/../held_out.csv"), "--edges"),
    "evaluate, twice": ((*EVALUATE, "--out", "m.json", "--metrics", "m.json"), "--out 'm.json'"),
}


@pytest.mark.parametrize("case", SAME)
def test_an_output_that_is_an_input_is_refused(case, folder, run, refused):
    (folder / "sub").mkdir()
    if case == "correlate":
        assert run("capture", *MODEL, "--out", "seen.npz", "-q").exit_code == 0
    before = {one: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    call, phrase = SAME[case]
    said = refused(*call)
    assert "must be a file of its own" in said
    assert phrase in said
    assert {one: one.read_bytes() for one in before} == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_leads_to_the_same_file(link, folder):
    link(folder / "held_out.csv", folder / "linked.csv")
    with pytest.raises(ValueError, match=r"^--out must be .* also --edges 'held_out.csv'"):
        check_apart({"--out": "linked.csv"}, {"--edges": "held_out.csv"})


@pytest.mark.usefixtures("folder")
def test_an_output_inside_a_store_that_is_read_is_refused(folder):
    (folder / "seen.zarr").mkdir()
    with pytest.raises(ValueError, match="also observations"):
        check_apart({"--out": "seen.zarr/W.npy"}, {"observations": "seen.zarr"})


def test_files_of_their_own_pass():
    check_apart({"--out": "a.csv", "--metrics": None}, {"--x": ("x.npz:a", "x.npz:b"), "--y": None})
