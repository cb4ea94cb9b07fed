"""The comparison: points and lines against the frame of the same comparison."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gsnn_edges import compare
from gsnn_edges.plots import comparison


@pytest.fixture(scope="module")
def found(evidence, edges):
    untrained = [np.random.default_rng(seed).random(evidence.W.shape) for seed in range(3)]
    return compare(
        {"W": evidence.W, "other": -evidence.W},
        edges[1],
        np.hstack(edges),
        known_edges=edges[0],
        untrained=untrained,
        seed=0,
    )


def drawn(ax):
    """Value, low and high end of each row, by name."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    values = {
        int(y): x
        for line in ax.lines
        for x, y in line.get_xydata()
        if line.get_marker() not in ("", "None", None)
    }
    ends = {
        round(segment[0][1]): (segment[0][0], segment[1][0])
        for lines in ax.collections
        for segment in lines.get_segments()
        if len(segment)
    }
    return {name: (values[y], *ends.get(y, ())) for y, name in enumerate(names)}


def test_rows_are_those_of_the_frame(found):
    rows = drawn(comparison(found))
    frame = found.to_frame().set_index("name")
    names = [name for name in frame.index if frame.loc[name, "kind"] != "untrained"]
    assert list(rows) == [*names[:2], "untrained", *names[2:]]
    for name in names:
        assert_allclose(rows[name], frame.loc[name, ["mrr", "mrr_low", "mrr_high"]].astype(float))
    mrrs = frame[frame["kind"] == "untrained"]["mrr"]
    assert_allclose(rows["untrained"], [mrrs.mean(), mrrs.min(), mrrs.max()])


def test_chance_and_order(found):
    ax = comparison(found)
    (line,) = [line for line in ax.lines if line.get_label() == "random scores"]
    assert_allclose(line.get_xdata(), 2 * [found["W"].ranking.expected_mrr])
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first row stands at the top"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["given scores", "untrained models: mean, range", "baselines", "random scores"]


def test_without_intervals_there_are_no_lines(evidence, edges):
    bare = compare(
        {"W": evidence.W},
        edges[1],
        np.hstack(edges),
        known_edges=edges[0],
        n_resamples=None,
        seed=0,
    )
    rows = drawn(comparison(bare))
    assert_allclose(rows["W"][0], bare["W"].ranking.mrr)
    assert {len(row) for row in rows.values()} == {1}


def test_wrong_kind(ranking):
    with pytest.raises(TypeError, match="found must be a Comparison; got LinkRanking"):
        comparison(ranking)
