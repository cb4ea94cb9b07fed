"""Edges by index or by name."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.cli.tables import read_edges

EDGES = np.array([[0, 2, 0], [1, 0, 1]])
NAMES = ["TP53", "MDM2", "7"]


def frame(labels):
    return pd.DataFrame({"weight": 1.0, "source": labels(EDGES[0]), "target": labels(EDGES[1])})


def named(nodes):
    return [NAMES[node] for node in nodes]


WRITERS = {
    "index.csv": lambda path: frame(list).to_csv(path),
    "floats.csv": lambda path: frame(lambda ends: ends.astype(float)).to_csv(path),
    "index.parquet": lambda path: frame(list).to_parquet(path),
    "edges.npy": lambda path: np.save(path, EDGES),
    "name.csv": lambda path: frame(named).to_csv(path, index=False),
    "name.parquet": lambda path: frame(named).to_parquet(path),
}


@pytest.mark.filterwarnings("ignore:the numbers in .* are taken as indices")
@pytest.mark.parametrize("name", WRITERS)
def test_edges_come_back(name, tmp_path):
    WRITERS[name](tmp_path / name)
    found = read_edges(tmp_path / name, NAMES)
    assert found.dtype == np.int64
    assert_array_equal(found, EDGES)


def test_an_array_in_a_file_of_several(tmp_path):
    np.savez(tmp_path / "d.npz", known=EDGES, other=EDGES)
    assert_array_equal(read_edges(tmp_path / "d.npz:known"), EDGES)


@pytest.mark.parametrize(
    ("ends", "names", "by", "wanted"),
    [
        ("2,0", ["2", "1", "0"], "name", [[0], [2]]),
        ("2,0", ["2", "1", "0"], "index", [[2], [0]]),
        ("2,0", ["0", "1", "2"], None, [[2], [0]]),
        ("2,0", ["a", "b", "c"], None, [[2], [0]]),
        ("a,c", ["a", "b", "c"], "name", [[0], [2]]),
    ],
)
def test_it_may_be_said_what_numbers_are(ends, names, by, wanted, tmp_path):
    (tmp_path / "e.csv").write_text(f"source,target\n{ends}\n")
    assert_array_equal(read_edges(tmp_path / "e.csv", names, by=by), wanted)


@pytest.mark.parametrize(
    ("ends", "taken", "wanted"),
    [("7157,672", "names", [[1], [0]]), ("2,0", "indices", [[2], [0]])],
)
def test_it_is_said_as_what_numbers_are_taken(ends, taken, wanted, tmp_path):
    (tmp_path / "e.csv").write_text(f"source,target\n{ends}\n")
    with pytest.warns(UserWarning, match=f"are taken as {taken} of nodes: pass by="):
        found = read_edges(tmp_path / "e.csv", ["672", "7157", "4193"])
    assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("ends", "by", "phrase"),
    [
        ("2,0", None, "has some that may be both: pass by='name' or by='index'"),
        ("2,3", None, "has '3', which is no name, beside some that are: correct it, or"),
        ("2,3", "name", "must hold names of nodes; .* has '3', the name of no node"),
        ("2,a", "index", "must hold node indices from 0; .* has 'a', no index"),
        ("2,0", "names", "by must be one of 'index', 'name'"),
    ],
)
def test_numbers_that_may_be_both_are_refused(ends, by, phrase, tmp_path):
    (tmp_path / "e.csv").write_text(f"source,target\n{ends}\n")
    with pytest.raises(ValueError, match=phrase):
        read_edges(tmp_path / "e.csv", ["2", "1", "0"], by=by)


@pytest.mark.parametrize(
    ("content", "names", "phrase"),
    [
        ("source,target\n", NAMES, "must hold at least one edge; .* holds none"),
        ("", NAMES, "is empty"),
        ("from,to\n0,1\n", NAMES, "must have the columns source, target; .* has 'from', 'to'"),
        ("source,target\nTP53,MDM3\n", NAMES, "'MDM3', the name of no node: did you mean 'MDM2'"),
        ("source,target\nTP53,zzz\n", NAMES, "'zzz', the name of no node: look at the names"),
        ("source,target\nTP53,MDM2\n", None, "'TP53', no index: give the names of all nodes too"),
        ("source,target\n0,-1\n", None, "'-1', no index"),
        ("source,target\n0,1.5\n", None, "'1.5', no index"),
        ("source,target\n0,\n", None, "'', no index"),
        ("source,target\n0,nan\n", ["a", "b"], "'nan', the name of no node"),
        ("source,target\ninf,1\n", ["a", "b"], "'inf', the name of no node"),
        ("source,target\n0,1e300\n", None, "'1e300', no index"),
    ],
)
def test_other_files_are_explained(content, names, phrase, tmp_path):
    (tmp_path / "e.csv").write_text(content)
    with pytest.raises(ValueError, match=phrase):
        read_edges(tmp_path / "e.csv", names)


def test_an_array_of_another_shape_is_explained(tmp_path):
    np.save(tmp_path / "e.npy", EDGES.T)
    with pytest.raises(ValueError, match=r"must have shape \(2, E\).*: transpose it"):
        read_edges(tmp_path / "e.npy")
