"""Warnings count what is surely not meant, and name the line of the caller."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.evaluation import doubts

EDGES = np.array([[0, 1, 2], [0, 2, 2]])


def public(fn, *args, **options):
    """Stand for the public function that the user calls."""
    fn("public", *args, **options)


@pytest.mark.parametrize(
    ("call", "phrase"),
    [
        (
            lambda: public(doubts.warn_of_queries, EDGES, EDGES, square=True),
            "public: 2 of the 3 edges in edge_index are self-edges",
        ),
        (
            lambda: public(doubts.warn_of_queries, EDGES, EDGES[:, :1], square=False),
            "public: 2 of the 3 edges in edge_index are missing from all_true_edges",
        ),
        (
            lambda: public(doubts.warn_of_lone_queries, np.array([1, 2, 1])),
            "public: 2 of the 3 rankings hold no candidate but the query",
        ),
        (lambda: public(doubts.warn_of_one_unit, np.zeros(3, int)), "public: one query or cluster"),
    ],
)
def test_one_warning_at_the_line_of_the_caller(call, phrase):
    with pytest.warns(UserWarning, match=phrase) as found:
        call()
    assert [warning.filename for warning in found] == [__file__]


@pytest.mark.filterwarnings("error")
def test_nothing_strange_gives_no_warning():
    proper = EDGES[:, 1:2]
    public(doubts.warn_of_queries, proper, EDGES, square=True)
    public(doubts.warn_of_lone_queries, np.array([2, 3]))
    public(doubts.warn_of_one_unit, np.array([0, 1]))
    assert_array_equal(doubts.listed(proper, EDGES), [True])


def test_listed_equals_a_loop_over_pairs():
    rng = np.random.default_rng(0)
    edges, others = rng.integers(0, 6, (2, 40)), rng.integers(0, 9, (2, 20))
    known = set(zip(*others.tolist(), strict=True))
    expected = [pair in known for pair in zip(*edges.tolist(), strict=True)]
    assert_array_equal(doubts.listed(edges, others), expected)
    assert_array_equal(doubts.listed(edges, others[:, :0]), np.zeros(40, bool))


@pytest.mark.parametrize("known", [[], [3], [1, 3, 3, 9], list(range(20))])
def test_found_in_equals_isin(known):
    cells = np.random.default_rng(0).integers(0, 12, 50)
    assert_array_equal(doubts.found_in(cells, np.array(known, int)), np.isin(cells, known))
