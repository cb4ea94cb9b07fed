"""Every group on sizes that take no time; nothing here looks at the times."""

from gsnn_edges.bench import evidence
from gsnn_edges.bench.group import Settings

SETTINGS = Settings(repeats=1)
LIBRARIES = ("numpy", "torch", "jax")


def labels(rows):
    return [row.what for row in rows]


def test_channels_have_a_limit_and_ours():
    rows = evidence.channels(5, 3, 60, SETTINGS)
    assert rows[0].what.startswith("bare product, ")
    kinds = ("Spearman", "two directions", "Pearson")
    ours = [f"{kind}, {name}" for kind in kinds for name in LIBRARIES]
    assert labels(rows)[1:] == [f"channel score, {one}" for one in ours]
    assert {row.reference for row in rows[1:]} == {rows[0].what}
    assert {row.size for row in rows} == {"N=5, C=3, M=60"}


def test_permutations_are_divided_by_as_many_products():
    rows = evidence.permutations(5, 60, 20, SETTINGS)
    assert labels(rows)[1:] == [f"20 permutations, {name}" for name in LIBRARIES]
    assert {row.reference for row in rows[1:]} == {f"20 x {rows[0].what}"}


def test_evaluation_is_divided_by_mrr():
    rows = evidence.evaluation(30, 60, SETTINGS)
    assert labels(rows) == [
        "mrr",
        "evaluate_edges, ranks only",
        "evaluate_edges, no intervals",
        "evaluate_edges",
        "to_frame",
    ]
    assert [row.reference for row in rows] == ["", "mrr", "mrr", "mrr", ""]


def test_goals_are_those_of_the_size(monkeypatch):
    monkeypatch.setitem(evidence.CHANNELS_AT_MOST, (5, 2, 60), 1.5)
    monkeypatch.setitem(evidence.PERMUTATIONS_AT_MOST, (5, 60), 1.6)
    monkeypatch.setitem(evidence.EVALUATION_AT_MOST, (30, 60), 1.7)
    rows = [
        *evidence.channels(5, 2, 60, SETTINGS),
        *evidence.permutations(5, 60, 20, SETTINGS),
        *evidence.evaluation(30, 60, SETTINGS),
    ]
    assert sorted(row.at_most for row in rows if row.at_most) == [1.5, 1.6, 1.7, 1.7]
