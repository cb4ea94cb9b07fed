"""Tables are read by their columns, and written whole or not at all."""

import json

import numpy as np
import pandas as pd
import pytest

from gsnn_edges.cli.tables import _read_table as read_table
from gsnn_edges.cli.tables import write_json, write_table

TABLE = {"source": ["a", "b, the second"], "target": ["c", 'quoted "d"'], "score": [0.1, -2e-9]}


@pytest.mark.parametrize(
    "write", [write_table, lambda p, t: pd.DataFrame(t).to_csv(p, index=False)]
)
def test_csv_comes_back_as_texts(write, tmp_path):
    write(tmp_path / "t.csv", TABLE)
    found = read_table(tmp_path / "t.csv")
    assert found == {name: [str(value) for value in column] for name, column in TABLE.items()}


@pytest.mark.parametrize("write", [write_table, lambda p, t: pd.DataFrame(t).to_parquet(p)])
def test_parquet_comes_back(write, tmp_path):
    write(tmp_path / "t.parquet", TABLE)
    assert read_table(tmp_path / "t.parquet", ["score", "source"]) == {
        "score": TABLE["score"],
        "source": TABLE["source"],
    }


def test_others_read_what_is_written(tmp_path):
    scores = np.array([0.1, 1 / 3], np.float32)
    for name, read in (("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)):
        write_table(tmp_path / name, {"rank": np.arange(2), "score": scores})
        found = read(tmp_path / name)
        np.testing.assert_array_equal(found["score"].to_numpy().astype(np.float32), scores)
        assert list(found["rank"]) == [0, 1]


def test_json_is_a_list_of_rows(tmp_path):
    write_table(tmp_path / "t.json", {"rank": np.arange(2), "name": ["a", "b"]})
    assert json.loads((tmp_path / "t.json").read_text()) == [
        {"rank": 0, "name": "a"},
        {"rank": 1, "name": "b"},
    ]


def test_spaces_and_a_mark_of_the_byte_order_do_not_matter(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfsource , target\r\n a, b\r\n\r\n")
    assert read_table(tmp_path / "t.csv") == {"source": ["a"], "target": ["b"]}


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("t.csv", b"from,to\na,b\n", "columns source, target; .* has 'from', 'to': name them so"),
        ("t.csv", b"source;target\na;b\n", "with commas between them"),
        ("t.csv", b"source,target\na\n", "line 2 has 1 values, and the first line 2"),
        ("t.csv", b"source,target,source\na,b,c\n", "its first line has 'source' 2 times"),
        ("t.csv", b"\x93NUMPY\x01\x00", "must be a whole .csv file"),
        ("t.csv", b"\xff\xfes\x00o\x00", "utf-8"),
        ("t.parquet", b"source,target\n", "must be a whole .parquet file"),
        ("t.xlsx", b"PK", "must end in .csv, .parquet"),
    ],
)
def test_another_table_is_explained(name, content, phrase, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=phrase):
        read_table(tmp_path / name, ["source", "target"])


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.json"])
def test_an_error_leaves_the_old_table(name, tmp_path):
    file = tmp_path / name
    write_table(file, {"a": [1]})
    before = file.read_bytes()
    with pytest.raises((TypeError, ValueError)):
        write_table(file, {"a": [1, 2], "b": [object()]})
    assert file.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_json_facts_come_back(tmp_path):
    write_json(tmp_path / "m.json", {"mrr": 0.5, "names": ["a"]})
    assert json.loads((tmp_path / "m.json").read_text()) == {"mrr": 0.5, "names": ["a"]}


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "m.json", {"mrr": float("nan")})
    assert list(tmp_path.iterdir()) == []
