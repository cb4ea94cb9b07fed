"""Frames equal a slow loop, graphs hold what was given, HTML is escaped."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from gsnn_edges.evidence import frames
from gsnn_edges.evidence import scored_edges

SCORES = np.arange(16, dtype=np.float32).reshape(4, 4)[::-1].copy()
CELLS = np.array([3, 0, 15, 6])
NAMES = ["d", "c", "b", "a"]


@pytest.mark.parametrize("names", [None, NAMES])
def test_frame_equals_a_slow_loop(names):
    known = SCORES > 9
    got = frames.frame(CELLS, 4, names, {"score": SCORES, "known": known})
    rows = []
    for cell in CELLS.tolist():
        i, j = divmod(cell, 4)
        ends = (names[i], names[j]) if names else (i, j)
        rows.append((*ends, SCORES[i, j], known[i, j]))
    expected = pd.DataFrame(rows, columns=["source", "target", "score", "known"])
    if names:
        kind = pd.CategoricalDtype(names)
        expected = expected.astype({"source": kind, "target": kind})
    assert_frame_equal(got, expected)


@pytest.mark.parametrize("nodes", [100, 127, 128, 129, 255, 256, 300])
def test_names_of_any_number(nodes):
    names = [f"n{k}" for k in range(nodes)]
    cells = np.arange(nodes) * (nodes + 1)
    got = frames.frame(cells, nodes, names, {"score": np.eye(nodes)})
    assert got["source"].tolist() == got["target"].tolist() == names


def test_frame_without_rows():
    got = frames.frame(np.zeros(0, int), 4, NAMES, {"score": SCORES})
    assert (list(got.columns), len(got)) == (["source", "target", "score"], 0)


@pytest.mark.parametrize(("names", "nodes"), [(NAMES, NAMES), (None, range(4))])
def test_graph_holds_all_nodes_and_the_edges_given(names, nodes):
    edges = scored_edges(SCORES, CELLS, names)
    found = frames.graph(edges, nodes)
    assert list(found.nodes) == list(nodes)
    expected = {(nodes[c // 4], nodes[c % 4]): float(SCORES.flat[c]) for c in CELLS.tolist()}
    assert {(s, t): weight for s, t, weight in found.edges.data("weight")} == expected


def test_html_is_escaped_and_complete():
    edges = scored_edges(SCORES, CELLS, ["<b>", "a&b", "c", '"d"'])
    html = frames.html_table("<script>", edges)
    assert not re.search(r"<script|<b>", html)
    assert html.count("<tr>") == 1 + len(CELLS)
    for text in ("&lt;script&gt;", "&lt;b&gt;", "a&amp;b", "&quot;d&quot;"):
        assert text in html


@pytest.mark.parametrize("module", ["pandas", "networkx"])
def test_a_missing_library_is_named(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module}.*pip install 'gsnn-edges\[frames\]'"):
        frames.optional(module)
