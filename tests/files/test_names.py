"""Names of nodes, in their order."""

import json

import pandas as pd
import pytest

from gsnn_edges.cli.tables import read_names

NAMES = ["TP53", "MDM2", "1956", "β-catenin"]
WRITERS = {
    "n.txt": lambda path: path.write_text("\n".join(NAMES), encoding="utf-8"),
    "end.txt": lambda path: path.write_text("\r\n".join([*NAMES, "", ""]), encoding="utf-8"),
    "n.json": lambda path: path.write_text(json.dumps(NAMES)),
    "n.csv": lambda path: pd.DataFrame({"id": 1, "name": NAMES}).to_csv(path),
    "n.parquet": lambda path: pd.DataFrame({"name": NAMES}).to_parquet(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_names_come_back_in_order(name, tmp_path):
    WRITERS[name](tmp_path / name)
    assert read_names(tmp_path / name) == NAMES


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("n.txt", "a\nb\na\n", "'a' more than once: number them"),
        ("n.txt", "\n\n", "at least one name"),
        ("n.json", '{"a": 1}', "it holds no list of texts"),
        ("n.json", "[a", "must be a whole .json file"),
        ("n.csv", "node\na\n", "must have the column name; .* has 'node'"),
        ("n.npy", "a", "must end in .txt"),
    ],
)
def test_other_files_are_explained(name, content, phrase, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=phrase):
        read_names(tmp_path / name)
