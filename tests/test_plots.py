"""Pictures hold what the evidence, the rankings and slow counts say; texts can be read."""

import subprocess
import sys
from itertools import combinations
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.hierarchy import leaves_list, optimal_leaf_ordering, ward

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.text import Text

from gsnn_edges import EdgeEvidence, compare, evaluate_edges, plots, split_edges

N = 14
HISTORY = [(0, 0.2), (2, 0.7), (4, float("nan")), (6, 0.7), (8, float("inf")), (10, 0.1)]


@pytest.fixture(autouse=True)
def settings_and_figures():
    """Settings stay as they were, whatever is drawn; figures are closed."""
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture(scope="module")
def edges():
    """25 edges between 14 nodes: known ones and held-out ones."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(~np.eye(N, dtype=bool)).T
    return split_edges(pairs[:, rng.choice(pairs.shape[1], 25, replace=False)], (0.6, 0.4), seed=0)


@pytest.fixture(scope="module")
def evidence(edges):
    """Scores without an equal one, and names."""
    W = np.random.default_rng(1).standard_normal((N, N))
    return EdgeEvidence(W, [f"node{k}" for k in range(N)], known_edges=edges[0])


@pytest.fixture(scope="module")
def ranking(evidence, edges):
    """Ranks of scores in steps, so that many are equal."""
    W = np.round(2 * evidence.W) / 2
    return evaluate_edges(W, edges[1], np.concatenate(edges, axis=1), ks=range(1, N + 1), seed=0)


@pytest.fixture(scope="module")
def compared(evidence, edges):
    untrained = [np.random.default_rng(seed).random(evidence.W.shape) for seed in range(3)]
    scores = {"W": evidence.W, "other": -evidence.W}
    options = {"known_edges": edges[0], "untrained": untrained, "seed": 0}
    return compare(scores, edges[1], np.hstack(edges), **options)


def labelled(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_order_is_that_of_scipy():
    W = np.random.default_rng(0).standard_normal((15, 15))
    before = W.copy()
    without_self = W - np.diag(np.diag(W))
    profiles = np.hstack([without_self, without_self.T])
    expected = leaves_list(optimal_leaf_ordering(ward(profiles), profiles))
    assert_array_equal(plots.cluster_order(W), expected)
    assert_array_equal(plots.cluster_order(W + 100 * np.diag(np.arange(15.0))), expected)
    assert_array_equal(W, before)
    assert_array_equal(plots.cluster_order(np.eye(2)), [0, 1])


@pytest.mark.parametrize("order", [None, "cluster", range(N)[::-1]], ids=str)
def test_cells_and_marks_stand_where_w_and_the_edges_say(evidence, edges, order):
    nodes = plots.cluster_order(evidence) if order == "cluster" else np.array(order or range(N))
    kinds = dict(
        zip(("validation", "test"), split_edges(edges[1], (0.5, 0.5), seed=0), strict=True)
    )
    ax = plots.heatmap(evidence, order=order, held_out=kinds)
    cells = ax.images[0].get_array()
    different = ~np.eye(N, dtype=bool)
    assert_array_equal(np.ma.getmaskarray(cells), ~different)
    for y, x in zip(*different.nonzero(), strict=True):
        assert cells[y, x] == evidence.W[nodes[y], nodes[x]]
    assert_allclose(ax.images[0].get_clim(), [0, evidence.W[different].max()])
    lines = labelled(ax)
    assert lines["validation"].get_marker() != lines["test"].get_marker()
    for label, wanted in {"known edge": edges[0], **kinds}.items():
        points = lines[label].get_xydata().astype(int)
        assert_array_equal(np.transpose([(nodes[y], nodes[x]) for x, y in points]), wanted)


def test_colours_run_one_way_between_the_ends(evidence):
    W = abs(evidence.W) + 1
    shown = W[~np.eye(N, dtype=bool)]
    for options, clim, extend in (
        ({}, (shown.min(), shown.max()), "neither"),
        ({"vmin": 0, "vmax": 2}, (0, 2), "max"),
        ({"vmin": 2, "vmax": 9}, (2, 9), "min"),
        ({"vmin": 1.5, "vmax": 1.7}, (1.5, 1.7), "both"),
    ):
        ax = plots.heatmap(W, order=None, **options)
        assert ax.images[0].get_clim() == clim
        assert ax.images[0].colorbar.extend == extend
    assert plots.heatmap(-W, order=None).images[0].get_clim() == (-shown.max(), -shown.min())


def test_densities_are_those_of_numpy(evidence, edges):
    ax = plots.score_distributions(evidence, {"test": edges[1]}, bins=7)
    known, test = (evidence.W[tuple(part)] for part in edges)
    mask = ~np.eye(N, dtype=bool)
    mask[tuple(np.hstack(edges))] = False
    ends = np.linspace(*np.quantile(evidence.W[~np.eye(N, dtype=bool)], [0, 1]), 8)
    for patch, values in zip(ax.patches[::2], (known, test, evidence.W[mask]), strict=True):
        density, places, _ = patch.get_data()
        assert_allclose(places, ends)
        assert_allclose(density, np.histogram(values, ends, density=True)[0])
    assert legend(ax) == ["known edge (15)", "test (10)", "other pair (157)"]
    plain = plots.score_distributions(evidence.W)
    assert legend(plain) == ["other pair (182)"]


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({}, "evidence W"),
        ({"settings": {"score": "magnitude"}}, "W, rank correlation"),
        ({"settings": {"score": "magnitude"}, "method": "pearson"}, "W, correlation"),
        ({"settings": {"score": "channels"}}, "W, norm of the correlations of channels"),
    ],
)
def test_the_bar_says_what_w_is(options, label):
    ax = plots.heatmap(EdgeEvidence(np.eye(3), **options))
    assert ax.child_axes[0].get_ylabel() == label


def test_heatmap_of_all_pairs_on_axes_of_the_user(evidence):
    blank = plots.blank_axes()
    ax = plots.heatmap(evidence.W, known_edges=[[3], [5]], order=None, exclude_self=False, ax=blank)
    assert ax is blank
    assert_array_equal(ax.images[0].get_array(), evidence.W)
    assert not np.ma.is_masked(ax.images[0].get_array())
    assert_array_equal(ax.lines[0].get_xydata(), [[5, 3]])


def test_names_where_they_fit(evidence):
    ax = plots.heatmap(evidence, order=None)
    assert [label.get_text() for label in ax.get_xticklabels()] == evidence.node_names
    assert ax.get_xlabel() == "target node"
    ax = plots.heatmap(np.eye(30), order=None)
    assert ax.get_ylabel() == "source node (1 in 2 of 30 named)"
    assert [label.get_text() for label in ax.get_yticklabels()] == [*map(str, range(0, 30, 2))]


def arrows_by_kind(ax, evidence):
    number = {name: node for node, name in enumerate(evidence.node_names)}
    kinds = {}
    for arrow in ax.patches:
        kind, source, _, target = arrow.get_gid().rsplit(" ", 3)
        kinds.setdefault(kind, set()).add((number[source], number[target]))
    return kinds


def pairs(edges):
    return set(zip(*np.asarray(edges).tolist(), strict=True))


@pytest.mark.parametrize("top", [1, 6, 20])
def test_arrows_are_the_strongest_new_edges(evidence, edges, top):
    kinds = arrows_by_kind(plots.edge_network(evidence, top, held_out=edges[1]), evidence)
    new, true = {(edge.source, edge.target) for edge in evidence.top(top)}, pairs(edges[1])
    assert kinds.get("new", set()) == new - true
    assert kinds.get("new and held out", set()) == new & true
    nodes = {node for pair in new for node in pair}
    assert kinds.get("known", set()) == {pair for pair in pairs(edges[0]) if {*pair} <= nodes}
    mask = np.zeros((N, N), bool)
    mask[2] = True
    kinds = arrows_by_kind(plots.edge_network(evidence, top, candidates=mask), evidence)
    assert {source for source, _ in kinds["new"]} == {2}


def test_arrows_run_from_source_to_target(evidence):
    ax, again = (plots.edge_network(evidence, 6) for _ in range(2))
    ax.figure.canvas.draw()
    nodes = ax.collections[0].get_offsets()
    assert_array_equal(nodes, again.collections[0].get_offsets())
    names = {n for e in evidence.top(6) for n in e.ends}
    texts = [text.get_text() for text in ax.texts]
    key = "\n".join(text for text in texts if " " in text)
    numbers = dict(line.split() for line in key.split("\n"))
    assert set(numbers.values()) == names
    assert texts[: len(names)] == [*numbers]
    assert sorted(texts[len(names) : len(names) + 6]) == [*"123456"]  # the ranks
    widths = [arrow.get_linewidth() for arrow in ax.patches if arrow.get_gid().startswith("new")]
    assert max(widths) > 3 * min(widths)
    order = [*numbers.values()]
    for arrow in ax.patches:
        _, source, _, target = arrow.get_gid().rsplit(" ", 3)
        inverse = ax.transData.inverted()
        path = inverse.transform(arrow.get_transform().transform(arrow.get_path().vertices))
        near = [order[np.argmin(np.linalg.norm(nodes - point, axis=1))] for point in path]
        assert near[0] == source
        assert target in near[3:]


@pytest.mark.parametrize("bins", [1, 3, 5, 20])
def test_bars_count_the_ranks(ranking, bins):
    ax = plots.rank_histogram(ranking, bins=bins)
    bars = ax.containers[0]
    step = bars[0].get_width()
    low = np.array([bar.get_x() for bar in bars])
    assert {bar.get_width() for bar in bars} == {step}
    assert len(bars) <= bins
    assert low[-1] < ranking.queries.candidates.max()
    ranks = ranking.queries.ranks.realistic
    counts = [((a <= ranks) & (ranks < a + step)).sum() for a in low]
    assert_array_equal([bar.get_height() for bar in bars], counts)
    chance = labelled(ax)["random scores"]
    expected = [
        step * sum((r <= n) / n for n in ranking.queries.candidates) for r in chance.get_xdata()
    ]
    assert_allclose(chance.get_ydata(), expected, rtol=1e-12)
    assert sorted(legend(ax)) == ["10 queries", "random scores"]


def test_hits_are_those_of_evaluate_edges(ranking, evidence, edges):
    plain = evaluate_edges(evidence.W, edges[1], np.hstack(edges), n_resamples=None)
    ax = plots.hits_curve({"in steps": ranking, "as they are": plain})
    curve, other, chance = ax.lines
    ks = range(1, int(ranking.queries.candidates.max()) + 1)
    assert_array_equal(curve.get_xdata(), ks)
    assert_allclose(curve.get_ydata(), [ranking.hits[k] for k in ks])
    assert_allclose(chance.get_ydata(), [ranking.expected_hits[k] for k in ks])
    assert [line.get_label() for line in ax.lines] == ["in steps", "as they are", "random scores"]
    assert other.get_linestyle() != curve.get_linestyle()
    assert other.get_color() != curve.get_color()
    (band,) = ax.collections  # from pessimistic to optimistic; none without ties
    points = {tuple(point) for point in band.get_paths()[0].vertices.round(9).tolist()}
    for k in ks:
        for shares in (ranking.hits_optimistic, ranking.hits_pessimistic):
            assert (float(k), round(shares[k], 9)) in points


def test_hits_of_large_pools_take_few_points():
    rng = np.random.default_rng(0)
    queries = np.stack([rng.permutation(3000)[:300], rng.permutation(3000)[:300]])
    queries = queries[:, queries[0] != queries[1]]
    W = rng.random((3000, 3000), np.float32)
    ranking = evaluate_edges(W, queries, n_resamples=None, pool_metrics=False)
    curve, chance = plots.hits_curve(ranking).lines
    ks, ranks = curve.get_xdata(), ranking.queries.ranks.realistic
    most = ranking.queries.candidates.max()
    assert (ks[0], ks[-1]) == (1, most)
    assert len(ks) < 700
    assert_array_equal(curve.get_ydata(), [np.mean(ranks <= k) for k in ks])
    assert_allclose(chance.get_ydata()[:5], [k / most for k in ks[:5]], rtol=1e-3)


@pytest.mark.parametrize("history", [HISTORY, SimpleNamespace(history=HISTORY)])
def test_epochs_best_epoch_and_failures(history):
    lines = labelled(plots.mrr_over_epochs(history, chance=0.05))
    assert_array_equal(lines["score"].get_xdata(), [0, 2, 4, 6, 8, 10])
    assert_array_equal(lines["score"].get_ydata(), [0.2, 0.7, np.nan, 0.7, np.nan, 0.1])
    assert_array_equal(lines["best epoch"].get_xydata(), [[2, 0.7]])  # the first of equal ones
    assert_array_equal(lines["no finite score"].get_xdata(), [4, 8])
    assert_array_equal(lines["random scores"].get_ydata(), [0.05, 0.05])


def test_several_histories_and_nothing_but_failures():
    ax = plots.mrr_over_epochs({"a": [(0, 0.1), (1, 0.2)], "b": [(0, 0.3), (1, 0.2)]})
    lines = labelled(ax)
    assert_array_equal(lines["b"].get_ydata(), [0.3, 0.2])
    assert lines["a"].get_color() != lines["b"].get_color()
    assert legend(ax) == ["a", "best epoch", "b"]
    lines = labelled(plots.mrr_over_epochs([(0, float("nan"))]))
    assert "best epoch" not in lines
    assert_array_equal(lines["no finite score"].get_xdata(), [0])


def drawn_rows(ax):
    """Value, low and high end of each row of a comparison, by name."""
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


def test_rows_of_a_comparison_are_those_of_its_frame(compared):
    ax = plots.comparison(compared)
    rows, frame = drawn_rows(ax), compared.to_frame().set_index("name")
    names = [name for name in frame.index if frame.loc[name, "kind"] != "untrained"]
    names.remove("random")
    shown = [name.replace("_", " ") for name in names]
    assert list(rows) == [*shown[:2], "untrained", *shown[2:]]
    for name, row in zip(names, shown, strict=True):
        assert_allclose(rows[row], frame.loc[name, ["mrr", "mrr_low", "mrr_high"]].astype(float))
    mrrs = frame[frame["kind"] == "untrained"]["mrr"]
    assert_allclose(labelled(ax)["untrained seeds"].get_xdata(), mrrs)
    chance = labelled(ax)["random scores"].get_xdata()
    assert_allclose(chance, 2 * [compared["W"].ranking.expected_mrr])
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first row stands at the top"
    kinds = ["compared scores", "untrained seeds", "baselines", "random scores"]
    assert legend(ax) == kinds


def test_comparison_shows_single_models_and_permuted_values(edges):
    rng = np.random.default_rng(0)
    nodes = int(np.hstack(edges).max()) + 1
    models = [*rng.random((2, nodes, nodes))]
    y = rng.random((20, 3)), [0, 1, 2]
    options = {"known_edges": edges[0], "n_resamples": None, "seed": 0, "measured": y}
    seen = compare({"a": models}, edges[1], np.hstack(edges), permuted=1, **options)
    lines = labelled(plots.comparison(seen))
    mrrs = [ranking.mrr for ranking in seen["a"].members]
    assert_allclose(lines["single models"].get_xydata(), [(mrr, 0) for mrr in mrrs])
    crosses = [row.permuted.mrr for row in seen.rows[2:]]
    assert_allclose(lines["permuted values"].get_xdata(), crosses)


def test_comparison_without_intervals_has_no_lines(evidence, edges):
    options = {"known_edges": edges[0], "n_resamples": None, "seed": 0}
    bare = compare({"W": evidence.W}, edges[1], np.hstack(edges), **options)
    rows = drawn_rows(plots.comparison(bare))
    assert_allclose(rows["W"][0], bare["W"].ranking.mrr)
    assert {len(row) for row in rows.values()} == {1}


PICTURES = {
    "heatmap": lambda e, r, c: plots.heatmap(e, held_out=[[0], [3]]),
    "score_distributions": lambda e, r, c: plots.score_distributions(e, [[0], [3]]),
    "rank_histogram": lambda e, r, c: plots.rank_histogram(r),
    "hits_curve": lambda e, r, c: plots.hits_curve({"in steps": r, "random": c["random"].ranking}),
    "mrr_over_epochs": lambda e, r, c: plots.mrr_over_epochs(HISTORY, chance=0.1),
    "edge_network": lambda e, r, c: plots.edge_network(e, 20),
    "comparison": lambda e, r, c: plots.comparison(c),
}


def in_view(text, ax):
    """Whether a text is drawn: the ticks beyond the ends of an axis are not."""
    for axis in (ax.xaxis, ax.yaxis):
        for tick in axis.get_major_ticks() + axis.get_minor_ticks():
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return low <= tick.get_loc() <= high and ax.axison
    return text.axes is None or ax.axison or text not in (ax.xaxis.label, ax.yaxis.label)


@pytest.mark.parametrize("picture", PICTURES)
def test_texts_are_large_inside_and_side_by_side(picture, evidence, ranking, compared, tmp_path):
    ax = PICTURES[picture](evidence, ranking, compared)
    assert plt.imread(plots.save(ax, tmp_path / "picture.png")).shape[1] == 3.4 * 300
    ax.figure.canvas.draw()
    texts = [t for t in ax.figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if in_view(t, ax)]
    assert min(text.get_fontsize() for text in texts) >= 7
    whole = ax.figure.bbox
    for text, box in boxes:
        assert whole.x0 - 1 <= box.x0 < box.x1 <= whole.x1 + 1, text
        assert whole.y0 - 1 <= box.y0 < box.y1 <= whole.y1 + 1, text
    for (one, box), (other, beside) in combinations(boxes, 2):
        assert not box.shrunk(0.9, 0.6).overlaps(beside.shrunk(0.9, 0.6)), (one, other)


def test_new_axes_have_the_width_of_a_column(ranking):
    ax = plots.rank_histogram(ranking)
    assert_array_equal(ax.figure.get_size_inches(), [3.4, 2.5])
    assert ax.figure.number in plt.get_fignums()
    blank = plots.blank_axes(2, 3)
    assert_array_equal(blank.figure.get_size_inches(), [2, 3])
    assert plots.rank_histogram(ranking, ax=blank) is blank
    assert plt.get_fignums() == [ax.figure.number]


def test_saved_file_holds_the_picture(tmp_path, monkeypatch):
    ax = plots.blank_axes()
    ax.plot([0, 1])
    path = plots.save(ax, tmp_path / "line.png", dpi=100)
    assert plt.imread(path).shape[:2] == (250, 340)
    plots.save(ax, tmp_path / "line.PDF")
    assert (tmp_path / "line.PDF").read_bytes().startswith(b"%PDF")

    def no_space(unfinished, **_):
        unfinished.write_bytes(b"half")
        raise OSError("no space left")

    before = path.read_bytes()
    monkeypatch.setattr(ax.figure, "savefig", no_space)
    with pytest.raises(OSError, match="no space left"):
        plots.save(ax, path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["line.PDF", "line.png"]


def test_import_loads_no_matplotlib():
    script = "import sys, gsnn_edges.plots; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[plots\]'"):
        plots.blank_axes()


EYE = np.eye(3)
ONE = EdgeEvidence(np.eye(1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plots.heatmap(np.zeros((0, 0))), ValueError, "W must have a node to draw"),
        (lambda: plots.heatmap(EYE, order="alphabet"), ValueError, "order must be one of 'clust"),
        (lambda: plots.heatmap(EYE, order=3), TypeError, "order must be 'cluster', None or an"),
        (lambda: plots.heatmap(EYE, None, [[0], [3]]), ValueError, r"held_out .* 0 \.\. 2"),
        (lambda: plots.heatmap(EYE, None, dict.fromkeys("abcde")), ValueError, "at most 4 kinds"),
        (lambda: plots.score_distributions(EYE, bins=0), ValueError, "bins must be at least 1"),
        (lambda: plots.heatmap(EYE, vmax=np.nan), ValueError, "vmin and vmax must be finite"),
        (lambda: plots.heatmap(EYE, exclude_self="no"), TypeError, "exclude_self must be True"),
        (lambda: plots.edge_network(EYE), TypeError, "evidence must be an EdgeEvidence; got nda"),
        (lambda: plots.edge_network(ONE), ValueError, "a pair that is not known"),
        (
            lambda: plots.edge_network(EdgeEvidence(EYE), held_out=[[0], [9]]),
            ValueError,
            "held_out must hold targets",
        ),
        (lambda: plots.hits_curve(0.5), TypeError, "ranking must be a LinkRanking; got float"),
        (lambda: plots.rank_histogram([1]), TypeError, "ranking must be a LinkRanking; got list"),
        (lambda: plots.comparison(3), TypeError, "compared must be a Comparison; got int"),
        (lambda: plots.mrr_over_epochs([]), ValueError, "history must hold a scored epoch"),
        (lambda: plots.mrr_over_epochs([0.1]), ValueError, "history must be a list of .epoch"),
        (lambda: plots.mrr_over_epochs(0.5), TypeError, "history must be a list of .epoch, scor"),
        (lambda: plots.mrr_over_epochs({}), ValueError, "history must hold something to draw"),
        (lambda: plots.mrr_over_epochs(HISTORY, chance=5), ValueError, "chance must lie in"),
        (lambda: plots.mrr_over_epochs(HISTORY, ax=plt), TypeError, "ax must be one matplotlib"),
        (lambda: plots.save(None, "a.png"), TypeError, "ax must be one .*got NoneType"),
        (lambda: plots.save(plots.blank_axes(), "a"), ValueError, r"end in one of .*\.png.*'a'"),
        (lambda: plots.save(plots.blank_axes(), "a.png", dpi=0), ValueError, "dpi must be at lea"),
    ],
)
def test_wrong_calls_draw_nothing(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert plt.get_fignums() == []


def test_bins_are_at_least_1(ranking):
    with pytest.raises(ValueError, match="bins must be at least 1"):
        plots.rank_histogram(ranking, bins=0)
