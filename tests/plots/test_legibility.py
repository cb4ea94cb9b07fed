"""Every picture, drawn to a PNG at column width: texts are large enough, inside, and apart."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from gsnn_edges import compare, plots

HISTORY = [(0, 0.2), (2, 0.7), (4, float("nan")), (6, 0.5)]
ROWS = [
    {"what": what, "size": f"N={n}, M=10000", "milliseconds": 0.1 * n * k}
    for k, what in enumerate(("Spearman, numpy", "Spearman, torch", "naive torch pattern"), 1)
    for n in (1000, 2000, 5000)
]

PICTURES = {
    "heatmap": lambda e, r, c: plots.heatmap(e, held_out=[[0], [3]]),
    "rank_histogram": lambda e, r, c: plots.rank_histogram(r),
    "hits_curve": lambda e, r, c: plots.hits_curve({"in steps": r, "random": c["random"].ranking}),
    "mrr_over_epochs": lambda e, r, c: plots.mrr_over_epochs(HISTORY, chance=0.1),
    "edge_network": lambda e, r, c: plots.edge_network(e, 6),
    "comparison": lambda e, r, c: plots.comparison(c),
    "scaling": lambda e, r, c: plots.scaling(ROWS),
}


@pytest.fixture(scope="module")
def compared(evidence, edges):
    untrained = [np.random.default_rng(seed).random(evidence.W.shape) for seed in range(2)]
    true = np.hstack(edges)
    return compare(
        {"W": evidence.W}, edges[1], true, known_edges=edges[0], untrained=untrained, seed=0
    )


@pytest.fixture(scope="module", params=PICTURES)
def drawn(request, evidence, ranking, compared, tmp_path_factory):
    """Texts of a picture that was written to a file, with the box of each in pixels."""
    ax = PICTURES[request.param](evidence, ranking, compared)
    path = plots.save(ax, tmp_path_factory.mktemp("drawn") / "picture.png")
    assert plt.imread(path).shape[1] == 3.4 * 300
    ax.figure.canvas.draw()
    texts = [t for t in ax.figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    inside = [t for t in texts if in_view(t, ax)]
    return ax.figure, [(t, t.get_window_extent()) for t in inside]


def in_view(text, ax):
    """Whether a text is drawn: the ticks beyond the ends of an axis are not."""
    for axis in (ax.xaxis, ax.yaxis):
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return low <= tick.get_loc() <= high and axis.get_visible() and ax.axison
    return text.axes is None or ax.axison or text not in (ax.xaxis.label, ax.yaxis.label)


def test_texts_are_large_enough(drawn):
    _, boxes = drawn
    assert boxes
    assert min(text.get_fontsize() for text, _ in boxes) >= 7


def test_texts_lie_within_the_figure(drawn):
    figure, boxes = drawn
    whole = figure.bbox
    outside = [
        text.get_text()
        for text, box in boxes
        if box.x0 < whole.x0 - 1 or box.x1 > whole.x1 + 1 or box.y0 < -1 or box.y1 > whole.y1 + 1
    ]
    assert outside == []


def test_texts_do_not_cover_each_other(drawn):
    _, boxes = drawn
    covered = [
        (one.get_text(), other.get_text())
        for (one, box), (other, beside) in combinations(boxes, 2)
        if box.shrunk(0.9, 0.6).overlaps(beside.shrunk(0.9, 0.6))
    ]
    assert covered == []
