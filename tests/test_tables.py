"""Files of users: arrays, tables, names and edges come back as they were, or are an error."""

import gzip
import json
import os
import pickle
import sys
import zipfile

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.testing import assert_array_equal
from safetensors.numpy import save_file

from gsnn_edges.cli.tables import (
    Observations,
    read_array,
    read_edges,
    read_names,
    read_observations,
    read_scores,
    read_table,
    write_json,
    write_observations,
    write_table,
)

VALUES = np.random.default_rng(0).standard_normal((7, 3))
FRAME = pd.DataFrame(VALUES, columns=list("abc"))


def text_of(frame, **options):
    return frame.to_csv(index=False, **options)


def write_zarr_group(path):
    group = zarr.open_group(path, mode="w")
    group.create_array("x", data=VALUES)
    group.create_array("other", data=np.ones(2))


WRITERS = {
    "x.npy": lambda path: np.save(path, VALUES),
    "x.npz": lambda path: np.savez(path, only=VALUES),
    "two.npz:x": lambda path: np.savez(path, x=VALUES, other=np.ones(2)),
    "x.safetensors": lambda path: save_file({"only": VALUES}, path),
    "two.safetensors:x": lambda path: save_file({"x": VALUES, "other": np.ones(2)}, path),
    "x.zarr": lambda path: zarr.save_array(str(path), VALUES),
    "two.zarr:x": write_zarr_group,
    "named.csv": lambda path: path.write_text(text_of(FRAME.rename(columns={"a": "a,1"}))),
    "breaks.csv": lambda path: path.write_text(text_of(FRAME.rename(columns={"a": "a\n(TPM)"}))),
    "quoted.csv": lambda path: path.write_text(text_of(FRAME, quoting=1)),
    "empty lines.csv": lambda path: path.write_text(text_of(FRAME) + "\n\r\n"),
    "windows.csv": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + text_of(FRAME).replace("\n", "\r\n").encode()
    ),
    "tabs.tsv": lambda path: path.write_text(text_of(FRAME, sep="\t")),
    "x.csv.gz": lambda path: path.write_bytes(gzip.compress(text_of(FRAME).encode())),
    "x.parquet": lambda path: FRAME.to_parquet(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_an_array_comes_back(name, tmp_path):
    WRITERS[name](tmp_path / name.partition(":")[0])
    assert_array_equal(read_array(tmp_path / name), VALUES)


@pytest.mark.parametrize("text", ["y\n1\n2\n", "y\n1e0\n2.\n", 'y\n" 1"\n2\n'])
def test_a_column_is_a_matrix_of_one_column(text, tmp_path):
    (tmp_path / "y.csv").write_text(text)
    assert_array_equal(read_array(tmp_path / "y.csv"), [[1.0], [2.0]])


def test_a_first_record_of_whole_numbers_is_names_or_values_as_it_is_said(tmp_path):
    pd.DataFrame(VALUES).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match=r"names or values; .* begins with 0, 1, 2: add --header"):
        read_array(tmp_path / "x.csv")
    assert_array_equal(read_array(tmp_path / "x.csv", header=True), VALUES)
    assert_array_equal(read_array(tmp_path / "x.csv", header=False)[0], [0, 1, 2])
    np.savetxt(tmp_path / "x.csv", VALUES, delimiter=",", fmt="%.17g")
    with pytest.raises(ValueError, match=r"names or values; .* begins with .*: add --header"):
        read_array(tmp_path / "x.csv")
    assert_array_equal(read_array(tmp_path / "x.csv", header=False), VALUES)


@pytest.mark.parametrize("record", ["1e3", "0.5,NaN", ",0.5,2", "NA,0,1", "p1,0.5,1.5", ",1,2"])
def test_nothing_is_guessed_of_a_first_record_that_may_be_values(tmp_path, record):
    (tmp_path / "x.csv").write_text(f"{record}\n{record}\n")
    with pytest.raises(ValueError, match="must say whether its first record holds names or values"):
        read_array(tmp_path / "x.csv")


@pytest.mark.parametrize("text", ["\ufeffa,b\n1,2\n", "a,b\r\n1,2\r\n", "\ufeff,0,1\n7,1,2\n"])
def test_what_spreadsheets_write_is_read(tmp_path, text):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8", newline="")
    assert_array_equal(read_array(tmp_path / "x.csv"), [[1, 2]])


@pytest.mark.parametrize(
    "index",
    [None, pd.Index([7, 2, 5, 1, 3, 4, 6]), pd.Index(list("tuvwxyz"), name="sample")],
    ids=["range", "numbers", "names"],
)
def test_an_index_of_pandas_is_no_column(index, tmp_path):
    frame = FRAME.set_index(index) if index is not None else FRAME
    frame.to_parquet(tmp_path / "x.parquet")
    assert_array_equal(read_array(tmp_path / "x.parquet"), VALUES)
    frame.rename_axis(None).to_csv(tmp_path / "x.csv")
    assert_array_equal(read_array(tmp_path / "x.csv"), VALUES)
    pd.read_csv(tmp_path / "x.csv").to_csv(tmp_path / "again.csv", index=False)
    assert_array_equal(read_array(tmp_path / "again.csv"), VALUES)


def test_x_of_an_anndata_comes_by_its_names(tmp_path, monkeypatch):
    # anndata does not write the strings of pandas 3.
    obs, var = (pd.DataFrame(index=pd.Index([*n], dtype=object)) for n in ("tuvwxyz", "abc"))
    anndata.AnnData(VALUES, obs, var).write_h5ad(tmp_path / "x.h5ad")
    table = read_table(tmp_path / "x.h5ad")
    assert table.rows() == [(name,) for name in "tuvwxyz"]
    assert table.without_index().columns == list("abc")
    assert_array_equal(read_array(tmp_path / "x.h5ad"), VALUES)
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(
        ImportError, match="need anndata, which is not installed: pip install anndata"
    ):
        read_array(tmp_path / "x.h5ad")


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def pickled(path, mark):
    path.write_bytes(pickle.dumps(Evil(mark)))


def objects(path, mark):
    np.save(path, np.array([Evil(mark)], object), allow_pickle=True)


def objects_in_zip(path, mark):
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array(file, np.array([Evil(mark)], object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        *((f"x{end}", pickled) for end in (".npy", ".npz", ".safetensors", ".csv", ".parquet")),
        ("x.npy", objects),
        ("x.npz", objects_in_zip),
    ],
)
def test_nothing_is_unpickled(name, write, tmp_path):
    mark = tmp_path / "unpickled"
    write(tmp_path / name, mark)
    with pytest.raises(ValueError, match="must be a whole") as caught:
        read_array(tmp_path / name)
    assert "allow_pickle" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("where", "codec"), [("filters", '[{"id": "pickle"}]'), ("compressor", '{"id": "pickle"}')]
)
def test_zarr_that_names_a_pickle_codec_is_refused(where, codec, tmp_path):
    array = zarr.create_array(
        tmp_path / "x.zarr", shape=(2,), dtype="f4", zarr_format=2, compressors=None
    )
    array[...] = 1
    meta, mark = tmp_path / "x.zarr" / ".zarray", tmp_path / "mark"
    meta.write_text(meta.read_text().replace(f'"{where}": null', f'"{where}": {codec}'))
    assert codec in meta.read_text()
    pickled(tmp_path / "x.zarr" / "0", mark)
    with pytest.raises(ValueError, match=r"\('?.*pickle"):
        read_array(tmp_path / "x.zarr")
    assert not mark.exists()


NO_VALUE = r"must have a value everywhere; .* has none in row {}, column {}: drop the row, or imp"


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("x.npy", b"source,target\n1,2\n", r"must be a whole .npy file; .* is broken or"),
        ("x.npz", b"\x93NUMPY\x01\x00", "must be a whole .npz file"),
        ("x.csv", b"PK\x03\x04" + bytes(9), "has no rows"),
        ("x.csv.gz", b"a,b\n1,2\n", "must be a whole .csv.gz file"),
        ("x.csv", b"a,b\n", "has no rows"),
        ("x.csv", b"a,b\n1,2\n3\n", r"\(CSV parse error: Row #3: Expected 2 columns, got 1: 3"),
        ("x.csv", b"a,b\n1,2,3\n", "Row #2: Expected 2 columns, got 3"),
        ("x.csv", b"\na,b\n1,2\n", "Row #2: Expected 1 columns, got 2"),
        ("x.csv", b'a,b\n"1,2\n3,4\n', "a quote is not closed"),
        ("x.csv", b"a,b\n\xff,2\n", "invalid UTF8"),
        ("x.csv", b"a,,c\n1,2,3\n", "must have a name for each column; .* has none for column 2"),
        ("x.csv", b"a,b\n1,2\n\n3,4\n", NO_VALUE.format("2 of the values", "'a'")),
        ("x.csv", b"a\n1\n\n3\n", NO_VALUE.format("2 of the values", "'a'")),
        ("x.csv", b"a,b\n1,2\n3,NaN\n", NO_VALUE.format("2 of the values", "'b'")),
        ("x.csv", b"a,b\n1,2\nN/A,3\n", NO_VALUE.format("2 of the values", "'a'")),
        ("x.csv", b"a,b\n3,\n", NO_VALUE.format("1 of the values", "'b'")),
        ("x.csv", b"a,b\n1,2\n3,high\n", "has 'high' in row 2 of the values, column 'b': write"),
        ("x.csv", b"a,b\n0.5,1\n#0.1,0.2\n3,4\n", "has '#0.1' in row 2 of the values, column"),
        ("x.csv", b"a,b\n3,4 # last\n", "has '4 # last' in row 1 of the values"),
        ("x.csv", b"a,b\n1,1_0\n", "has '1_0' in row 1"),
        ("x.csv", "a,b\n1,\u0661\n".encode(), "has '\u0661' in row 1"),
        ("x.csv", b"a,b\n1,True\n", "has 'True' in row 1"),
        ("x.csv", b"a,b\n1,inf\n", "has 'inf' in row 1"),
        ("x.csv", b"a,b\n1,0x10\n", "has '0x10' in row 1"),
        ("x.csv", b"a;b\n1;2\n", "has '1;2' in row 1 of the values, column 'a;b'"),
        ("x.parquet", b"PAR1" + bytes(20), "must be a whole .parquet file"),
        ("x.safetensors", b"{}", "must be a whole .safetensors file"),
        ("x.txt", b"1", "must end in .npy, .npz, .zarr"),
    ],
)
def test_a_file_that_holds_something_else_is_explained(name, content, phrase, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=phrase):
        read_array(tmp_path / name, name="--x")


@pytest.mark.parametrize(
    ("column", "phrase"),
    [
        ([1.0, None, 3.0], NO_VALUE.format("2 of the values", "'b'")),
        ([1.0, np.nan, 3.0], NO_VALUE.format("2 of the values", "'b'")),
        (["1", "2", "three"], "has 'three' in row 3 of the values, column 'b'"),
        ([True, False, True], "has True in row 1 of the values, column 'b'"),
        (pd.to_datetime(["2020", "2021", "2022"]), "in row 1 of the values, column 'b'"),
    ],
)
def test_columns_of_a_parquet_that_are_no_numbers_are_explained(column, phrase, tmp_path):
    pd.DataFrame({"a": [1, 2, 3], "b": column}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=phrase):
        read_array(tmp_path / "x.parquet")


def test_broken_and_cut_files_are_refused(tmp_path):
    zarr.save_array(str(tmp_path / "x.zarr"), VALUES)
    chunk = next(one for one in (tmp_path / "x.zarr").rglob("0") if one.is_file())
    chunk.write_bytes(b"broken")
    np.savez(tmp_path / "x.npz", x=VALUES)
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("x.zarr", "x.npz"):
        with pytest.raises(ValueError, match=rf"must be a whole \{name[1:]} file"):
            read_array(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("d.npz", "which are 'x', 'y': put the name behind a colon, as d.npz:x"),
        ("d.npz:z", "got 'z': it has 'x', 'y'"),
        ("words.npz", "must hold real numbers; .* holds dtype <U1"),
        ("none.npz", "which are none"),
    ],
)
def test_the_array_to_read_must_be_named(name, phrase, tmp_path):
    np.savez(tmp_path / "d.npz", x=VALUES, y=VALUES)
    np.savez(tmp_path / "words.npz", x=np.array(["a"]))
    np.savez(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=phrase):
        read_array(tmp_path / name)


def test_a_colon_may_be_part_of_a_name(tmp_path):
    np.save(tmp_path / "a.npz:b.npy", VALUES)
    assert_array_equal(read_array(tmp_path / "a.npz:b.npy"), VALUES)


@pytest.mark.parametrize(
    ("name", "kind", "phrase"),
    [
        ("edgs.csv", FileNotFoundError, "did you mean .*edges.csv"),
        ("nowhere/x.csv", FileNotFoundError, "there is none at .*: look at its folder"),
        ("folder.npy", IsADirectoryError, "is a folder: name a file"),
        ("empty.csv", ValueError, "is empty: write it again"),
    ],
)
def test_what_cannot_be_read_is_explained(name, kind, phrase, tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(kind, match=phrase):
        read_array(tmp_path / name)
    with pytest.raises(TypeError, match="path must be a text or a path; got int"):
        read_array(3)


NODES = ["TP53", "MDM2", "1956", "β-catenin"]
NAMES = {
    "n.txt": lambda path: path.write_text("\n".join(NODES), encoding="utf-8"),
    "end.txt": lambda path: path.write_text("\r\n".join([*NODES, "", ""]), encoding="utf-8"),
    "n.json": lambda path: path.write_text(json.dumps(NODES)),
    "n.csv": lambda path: pd.DataFrame({"id": 1, "name": NODES}).to_csv(path),
    "n.parquet": lambda path: pd.DataFrame({"name": NODES}).to_parquet(path),
    "c.parquet": lambda path: pd.DataFrame({"name": NODES}, dtype="category").to_parquet(path),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_in_order(name, tmp_path):
    NAMES[name](tmp_path / name)
    assert read_names(tmp_path / name) == NODES


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("n.txt", "a\nb\na\n", "'a' more than once: number them"),
        ("n.txt", "\n\n", "at least one name"),
        ("n.txt", "a\n\nc\n", "has an empty one at place 2, which would shift those behind it"),
        ("n.json", '["a","","c"]', "has an empty one at place 2"),
        ("n.json", '["a",null]', "it holds no list of texts"),
        ("n.json", '{"a": 1}', "it holds no list of texts"),
        ("n.json", "[a", "must be a whole .json file"),
        ("n.csv", "id,name\n1,a\n2,\n", NO_VALUE.format("2 of the values", "'name'")),
        ("n.csv", "node\na\n", "must have one column name; .* has 'node'"),
        ("n.csv", "name,name\na,b\n", "must have one column name; .* has 'name', 'name'"),
        ("n.npy", "a", "must end in .txt"),
    ],
)
def test_other_names_are_explained(name, content, phrase, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=phrase):
        read_names(tmp_path / name)


EDGES = np.array([[0, 2, 0], [1, 0, 2]])
THREE = ["TP53", "MDM2", "7"]


def frame(labels):
    return pd.DataFrame({"weight": 1.0, "source": labels(EDGES[0]), "target": labels(EDGES[1])})


def named(nodes):
    return [THREE[node] for node in nodes]


EDGE_FILES = {
    "index.csv": lambda path: frame(list).to_csv(path),
    "floats.csv": lambda path: frame(lambda ends: ends.astype(float)).to_csv(path),
    "index.tsv": lambda path: frame(list).to_csv(path, sep="\t"),
    "index.csv.gz": lambda path: frame(list).to_csv(path),
    "index.parquet": lambda path: frame(list).to_parquet(path),
    "floats.parquet": lambda path: frame(lambda ends: ends.astype(float)).to_parquet(path),
    "edges.npy": lambda path: np.save(path, EDGES),
    "edges.npz:known": lambda path: np.savez(path, known=EDGES, other=EDGES),
    "name.csv": lambda path: frame(named).to_csv(path, index=False),
    "spaces.csv": lambda path: path.write_text(
        "source , target\r\n TP53, MDM2\r\n7,TP53\r\n TP53,7\r\n\r\n"
    ),
    "name.parquet": lambda path: frame(named).to_parquet(path),
}


@pytest.mark.parametrize("name", EDGE_FILES)
def test_edges_come_back(name, tmp_path):
    EDGE_FILES[name](tmp_path / name.partition(":")[0])
    edges = read_edges(tmp_path / name, THREE)
    assert edges.dtype == np.int64
    assert_array_equal(edges, EDGES)


@pytest.mark.parametrize("name", ["e.csv", "e.npy"])
def test_an_edge_that_is_repeated_counts_once(name, tmp_path):
    twice = EDGES[:, [0, 1, 0, 2, 1]]
    (tmp_path / "e.csv").write_text(
        "source,target\n" + "".join(f"{s},{t}\n" for s, t in zip(*twice, strict=True))
    )
    np.save(tmp_path / "e.npy", twice)
    with pytest.warns(UserWarning, match="has 2 edges more than once: they count once"):
        assert_array_equal(read_edges(tmp_path / name), EDGES)


@pytest.mark.parametrize(
    ("ends", "names", "by", "wanted"),
    [
        ("2,0", ["2", "1", "0"], "name", [[0], [2]]),
        ("2,0", ["2", "1", "0"], "index", [[2], [0]]),
        ("2,0", ["0", "1", "2"], None, [[2], [0]]),
        ("2,0", ["a", "b", "c"], None, [[2], [0]]),
        ("7157,672", ["672", "7157", "4193"], None, [[1], [0]]),
        ("2,0", ["672", "7157", "4193"], None, [[2], [0]]),
        ("a,c", ["a", "b", "c"], "name", [[0], [2]]),
        ("NA,None", ["NA", "b", "None"], None, [[0], [2]]),
    ],
)
def test_it_may_be_said_what_numbers_are(ends, names, by, wanted, tmp_path):
    (tmp_path / "e.csv").write_text(f"source,target\n{ends}\n")
    assert_array_equal(read_edges(tmp_path / "e.csv", names, by=by), wanted)


@pytest.mark.parametrize(
    ("ends", "by", "phrase"),
    [
        ("2,0", None, "has some that may be both: pass by='name' or by='index'"),
        ("2,3", None, "must hold names of nodes; .* has '3', which is not the name of a node"),
        ("2,3", "name", "must hold names of nodes; .* has '3', which is not the name of a node"),
        ("2,a", "index", "must hold node indices from 0; .* has 'a', which is not an index"),
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
        ("source,target\n", THREE, "must hold at least one edge; .* holds none"),
        ("", THREE, "is empty"),
        ("from,to\n0,1\n", THREE, "must have one column source; .* has 'from', 'to'"),
        ("source;target\n0;1\n", THREE, "has 'source;target': name them so in its first line, wi"),
        ("source,target\nTP53,MDM3\n", THREE, "'MDM3', which is not the name of a node: did you"),
        ("source,target\nTP53,zzz\n", THREE, "'zzz', which is not the name of a node: look at"),
        ("source,target\nTP53,MDM2\n", None, "'TP53', which is not an index: give the names of"),
        ("source,target\n0,-1\n", None, "'-1', which is not an index"),
        ("source,target\n0,1.5\n", None, "'1.5', which is not an index"),
        ("source,target\n1_0,2\n", ["a"] * 20, "'1_0', which is not an index"),
        ("source,target\n\u0661,2\n", None, "'\u0661', which is not an index"),
        ("source,target\n0,\n", None, NO_VALUE.format("1 of the values", "'target'")),
        ("source,target\n0,nan\n", ["a", "b"], "'nan', which is not an index"),
        ("source,target\na,nan\n", ["a", "b"], "'nan', which is not the name of a node"),
        ("source,target\n0,1e300\n", None, "'1e300', which is not an index"),
        ("source,target\n#0,1\n", None, "'#0', which is not an index"),
    ],
)
def test_other_edges_are_explained(content, names, phrase, tmp_path):
    (tmp_path / "e.csv").write_text(content)
    with pytest.raises(ValueError, match=phrase):
        read_edges(tmp_path / "e.csv", names)


@pytest.mark.parametrize(
    ("target", "phrase"),
    [
        (["b", None], NO_VALUE.format("2 of the values", "'target'")),
        ([1.0, np.nan], NO_VALUE.format("2 of the values", "'target'")),
        ([True, False], "has True in row 1 of the values, column 'target'"),
        ([0.5, 1.0], "has 0.5 in row 1"),
    ],
)
def test_ends_of_edges_are_never_made_up(target, phrase, tmp_path):
    table = pd.DataFrame({"source": ["a", "b"], "target": target})
    table.to_parquet(tmp_path / "e.parquet")
    with pytest.raises(ValueError, match=phrase):
        read_edges(tmp_path / "e.parquet", ["a", "b", "None", "nan", "True", "1"])


def test_an_array_of_another_shape_is_explained(tmp_path):
    np.save(tmp_path / "e.npy", EDGES.T[:2])
    np.save(tmp_path / "t.npy", np.repeat(EDGES.T, 2, axis=0))
    with pytest.raises(ValueError, match=r"must have shape \(2, E\).*: transpose it"):
        read_edges(tmp_path / "t.npy")


W = np.random.default_rng(0).random((3, 3))


@pytest.mark.parametrize("rows", [list("cab"), list("abd")])
def test_a_table_of_w_has_the_same_rows_as_columns(rows, tmp_path):
    frame = pd.DataFrame(W, list("abc"), list("abc"))
    frame.to_csv(tmp_path / "W.csv")
    scores = read_scores(tmp_path / "W.csv")
    assert_array_equal(scores.W, W)
    assert scores.node_names == list("abc")
    frame.set_axis(rows).to_parquet(tmp_path / "W.parquet")
    with pytest.raises(ValueError, match="same nodes in its rows and in its columns"):
        read_scores(tmp_path / "W.parquet")


TABLE = {"rank": np.arange(2), "name": ["a", 'b, "c"'], "score": np.float32([0.1, 1 / 3])}


@pytest.mark.parametrize(
    ("name", "read"),
    [("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet), ("t.json", pd.read_json)],
)
def test_a_table_comes_back(name, read, tmp_path):
    write_table(tmp_path / name, TABLE)
    table = read(tmp_path / name)
    assert list(table["name"]) == TABLE["name"]
    assert_array_equal(table["score"].to_numpy().astype(np.float32), TABLE["score"])
    assert list(table["rank"]) == [0, 1]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.json"])
def test_an_error_leaves_the_old_table(name, tmp_path):
    file = tmp_path / name
    write_table(file, {"a": [1]})
    before = file.read_bytes()
    with pytest.raises((TypeError, ValueError)):
        write_table(file, {"a": [1, 2], "b": [object()]})
    assert file.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "kind", "phrase"),
    [
        ("out.txt", ValueError, "path must end in .csv"),
        ("nowhere/out.csv", FileNotFoundError, "make .*nowhere.* first"),
        ("folder.csv", IsADirectoryError, "is a folder: add a name"),
    ],
)
def test_what_cannot_be_written_is_explained(name, kind, phrase, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(kind, match=phrase):
        write_table(tmp_path / name, TABLE)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"folder that can be written; .* choose another"):
        write_table(tmp_path / "out.csv", TABLE)


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "m.json", {"mrr": 0.5, "names": ["a"]})
    assert json.loads((tmp_path / "m.json").read_text()) == {"mrr": 0.5, "names": ["a"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "n.json", {"mrr": float("nan")})
    assert [file.name for file in tmp_path.iterdir()] == ["m.json"]


A, G = np.random.default_rng(0).random((2, 3, 5, 4), np.float32)
CHANNELS = Observations(A, G, np.array([0, 0, 1, 2]), 3, "channels", ["a", "b", "c"])
MAGNITUDES = Observations(A, G, np.arange(4), 4, "magnitude", None)


@pytest.mark.parametrize("wanted", [CHANNELS, MAGNITUDES])
def test_observations_come_back(wanted, tmp_path):
    write_observations(tmp_path / "o.npz", wanted)
    seen = read_observations(tmp_path / "o.npz")
    for name in ("a", "g", "column_nodes"):
        assert_array_equal(getattr(seen, name), getattr(wanted, name))
    assert seen[3:] == wanted[3:]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"g": G[:, :-1]}, "its arrays do not fit each other"),
        ({"column_nodes": np.arange(3)}, "column_nodes must give a whole number for each of the 4"),
        ({"column_nodes": np.array([1, 0, 2, 3])}, "column_nodes and nodes must be left out"),
        ({"nodes": 2**50}, "column_nodes and nodes must be left out"),
        ({"node_names": "abcd"}, "node_names must be a sequence of strings"),
        ({"score": "colour"}, "score must be one of"),
        ({"a": np.where(A > 0.9, np.nan, A)}, "its values are not finite"),
        ({"a": A[:0], "g": G[:0]}, "pairs must be at least 1"),
    ],
)
def test_observations_that_do_not_fit_are_refused(change, phrase, tmp_path):
    write_observations(tmp_path / "o.npz", MAGNITUDES._replace(**change))
    with pytest.raises(ValueError, match=phrase):
        read_observations(tmp_path / "o.npz")
