"""gsnn-edges evaluate: the metrics are those of evaluate_edges, and mistakes are one line."""

import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
import zarr

from gsnn_edges import EdgeEvidence, evaluate_edges


@pytest.fixture
def wanted(folder, problem):
    truths = np.concatenate([problem.known_edges, problem.test_edges], axis=1)
    W = np.load(folder / "W.npy")

    def evaluate(**options):
        return evaluate_edges(W, problem.test_edges, truths, seed=0, **options)

    return evaluate


CALL = ("evaluate", "W.npy", "--edges", "held_out.csv", "--known", "known.csv")
NAMED = (*CALL, "--names", "names.txt")


def test_a_parquet_holds_the_ranks(run, wanted, names):
    shown = run(*NAMED, "--out", "ranked.parquet", "--direction", "both")
    assert shown.exit_code == 0, shown.output
    expected = wanted(node_names=names, direction="both").to_frame()
    expected = expected.sort_values("realistic", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_parquet("ranked.parquet"), expected, check_dtype=False)


def test_dry_run_writes_nothing(run, folder):
    shown = run(*NAMED, "--out", "r.csv", "--dry-run").stdout
    assert "would rank 18 edges among 50 nodes; 37 known ones never compete; W takes 10 kB" in shown
    assert not (folder / "r.csv").exists()


def test_known_edges_are_not_ranked(run, folder, wanted, refused):
    both = (folder / "held_out.csv").read_text() + (folder / "known.csv").read_text()[14:]
    (folder / "both.csv").write_text(both)
    call = ("evaluate", "W.npy", "--known", "known.csv", "--names", "names.txt", "--json")
    shown = run(*call, "--edges", "both.csv")
    assert shown.stderr == "Warning: 37 of --edges are known edges: they are not ranked\n"
    assert json.loads(shown.stdout)["edges"] == 18
    assert json.loads(shown.stdout)["micro"]["mrr"] == wanted().mrr
    assert "all of them are in --known" in refused(*call, "--edges", "known.csv")


@pytest.mark.usefixtures("folder")
def test_it_is_said_where_no_edges_are_known(run):
    shown = run("evaluate", "W.npy", "--edges", "held_out.csv", "--names", "names.txt")
    assert shown.stdout.endswith("\n50 nodes, 0 known edges\n")
    assert shown.stderr.startswith("Warning: there are no known edges: ")


def test_numbers_that_are_names_are_told_apart(folder, run, refused):
    (folder / "numbers.txt").write_text("\n".join(str(one) for one in range(1, 51)))
    (folder / "some.csv").write_text("source,target\n1,2\n")
    call = ("evaluate", "W.npy", "--edges", "some.csv", "--names", "numbers.txt")
    assert refused(*call).endswith("may be both: pass by='name' or by='index'")
    W = np.load("W.npy")
    for by, edges in (("name", [[0], [1]]), ("index", [[1], [2]])):
        found = json.loads(run(*call, "--by", by, "--n-resamples", 0, "--json").stdout)
        assert found["micro"]["mrr"] == evaluate_edges(W, edges, n_resamples=None).mrr


@pytest.mark.parametrize("name", ["W.npy", "W.npz", "W.csv", "W.zarr"])
def test_w_comes_from_many_kinds_of_files(name, folder, run, wanted, names):
    W = np.load("W.npy")
    {
        "W.npy": lambda: np.save("W.npy", W),
        "W.npz": lambda: np.savez("W.npz", W=W),
        "W.csv": lambda: pd.DataFrame(W, names, names).to_csv("W.csv"),
        "W.zarr": lambda: zarr.save_array("W.zarr", W),
    }[name]()
    shown = run("evaluate", name, *NAMED[2:], "--json")
    assert json.loads(shown.stdout)["micro"]["mrr"] == wanted().mrr


def test_names_that_w_has_already_are_held_against_others(folder, run, refused, names):
    pd.DataFrame(np.load("W.npy"), columns=names).to_csv("W.csv", index=False)
    call = ("evaluate", "W.csv", "--edges", "held_out.csv", "--known", "known.csv", "-q")
    assert run(*call).exit_code == 0
    (folder / "others.txt").write_text("\n".join(names[::-1]))
    assert "--names must be the names that W has, in th" in refused(*call, "--names", "others.txt")


def test_evidence_comes_with_names_and_known_edges(folder, run, wanted, names, problem, refused):
    W = np.load("W.npy")
    EdgeEvidence(W, names, known_edges=problem.known_edges).save("e.npz")
    shown = json.loads(run("evaluate", "e.npz", "--edges", "held_out.csv", "--json").stdout)
    assert (shown["micro"]["mrr"], shown["known"]) == (wanted().mrr, 37)
    (folder / "fewer.csv").write_text("source,target\n0,1\n")
    fewer = run("evaluate", "e.npz", "--edges", "held_out.csv", "--known", "fewer.csv", "--json")
    assert json.loads(fewer.stdout)["known"] == 1
    EdgeEvidence(W).save("bare.npz")
    said = refused("evaluate", "W.npy", "--edges", "held_out.csv", "--names", "bare.npz")
    assert "--names must be a file with names of nodes; 'bare.npz' has none" in said


@pytest.mark.usefixtures("folder")
def test_pictures_show_the_ranks_and_the_hits(drawn, run):
    shown = run(*NAMED, "--figure", "ranks.pdf")
    assert "figure: ranks.pdf\n" in shown.stdout
    assert sum(bar.get_height() for bar in drawn[0].containers[0]) == 18
    with open("ranks.pdf", "rb") as file:
        assert file.read(5) == b"%PDF-"
    assert run(*NAMED, "--figure", "hits.png", "--picture", "hits", "-q").exit_code == 0
    assert drawn[1].lines[0].get_ydata()[-1] == 1


@pytest.mark.usefixtures("folder")
def test_a_missing_library_is_an_error_before_the_work(monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = refused(*NAMED, "--figure", "W.png", code=1)
    assert said.endswith("pip install '.[plots]'")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_to_an_input_is_no_output(link, folder, refused):
    link("held_out.csv", "linked.csv")
    before = (folder / "held_out.csv").read_bytes()
    said = refused(*NAMED, "--out", "linked.csv")
    assert "--out must be a file of its own; 'linked.csv' is also --edges 'held_out.csv'" in said
    assert (folder / "held_out.csv").read_bytes() == before


BAD = {
    "mismatched N": ((*CALL, "--names", "few.txt"), "each of the 50 nodes of W"),
    "head alone": (("evaluate", "W.npy", "--edges", "head.csv"), "at least one edge"),
    "no names": (CALL, "not an index: give the names of all nodes too"),
    "an input": ((*NAMED, "--out", "./sub/../held_out.csv"), "is also --edges 'held_out.csv'"),
    "twice": ((*NAMED, "--out", "m.json", "--metrics", "m.json"), "is also --out 'm.json'"),
    "figure": ((*NAMED, "--figure", "nowhere/W.png"), "--figure must lie in a folder that is"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case, folder, refused):
    (folder / "sub").mkdir()
    (folder / "few.txt").write_text("f1\nf2\n")
    (folder / "head.csv").write_text("source,target\n")
    arguments, phrase = BAD[case]
    assert phrase in refused(*arguments)
