"""Pools hold the pairs that a mask marks, or that a loop over names and rules finds."""

from fnmatch import fnmatchcase

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gsnn_edges.evaluation.candidates import checked_names, pool_of

NAMES = ["PROTEIN__a", "PROTEIN__b", "RNA__a", "rna__b", "drug"]
MASK = np.random.default_rng(0).random((5, 5)) < 0.5
EVERY = np.stack(np.divmod(np.arange(25), 5))


def by_loop(rules):
    """Mark the pairs that one rule matches, one pair at a time."""
    pairs = [tuple(part.strip() for part in rule.split("->")) for rule in rules]
    return np.array(
        [
            [any(fnmatchcase(s, f) and fnmatchcase(t, g) for f, g in pairs) for t in NAMES]
            for s in NAMES
        ]
    )


CASES = {
    "all": (None, np.ones((5, 5), bool)),
    "mask": (MASK, MASK),
    "mask as lists": (MASK.tolist(), MASK),
    "rule": ("PROTEIN__* -> RNA__*", by_loop(["PROTEIN__*->RNA__*"])),
    "rules": (
        ["PROTEIN__? -> [rR]*", "drug->*"],
        by_loop(["PROTEIN__? -> [rR]*", "drug->*"]),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("exclude_self", [False, True])
def test_rows_columns_and_edges_of_a_pool(case, exclude_self):
    candidates, expected = CASES[case]
    expected = expected & ~(exclude_self & np.eye(5, dtype=bool))
    pool = pool_of(candidates, 5, exclude_self=exclude_self, node_names=NAMES)
    anchors = np.array([0, 2, 3])
    assert_array_equal(pool.rows(anchors, 0), expected[anchors])
    assert_array_equal(pool.rows(anchors, 1), expected[:, anchors].T)
    assert_array_equal(pool.holds(EVERY), expected.reshape(-1))


def test_the_mask_of_the_caller_stays_as_it_was():
    mask = np.ones((5, 5), bool)
    for axis in (0, 1):
        pool_of(mask, 5, exclude_self=True, node_names=None).rows(np.arange(5), axis)
    assert_array_equal(mask, np.ones((5, 5), bool))


@pytest.mark.parametrize(
    ("candidates", "names", "error", "phrase"),
    [
        (MASK.astype(int), NAMES, TypeError, "candidates must be a mask of bools.*got dtype int64"),
        (MASK[:3], NAMES, ValueError, r"shape of A, \(5, 5\); got \(3, 5\)"),
        ("PROTEIN__*", NAMES, ValueError, "two patterns with an arrow"),
        ("a -> b -> c", NAMES, ValueError, "two patterns with an arrow"),
        (" -> b", NAMES, ValueError, "two patterns with an arrow"),
        ("* -> *", None, ValueError, "give node_names"),
        ("protein* -> *", NAMES, ValueError, r"'protein\*' of .* matches none of PROTEIN__a, "),
        (["* -> *", "* -> X*"], NAMES, ValueError, r"'X\*' of '\* -> X\*' matches none"),
        ([], NAMES, ValueError, "at least one rule"),
        (3.5, NAMES, TypeError, "candidates must be a mask of bools"),
    ],
)
def test_bad_candidates_are_explained(candidates, names, error, phrase):
    with pytest.raises(error, match=phrase):
        pool_of(candidates, 5, exclude_self=False, node_names=names)


def test_exclude_self_is_a_bool():
    with pytest.raises(TypeError, match="exclude_self must be True or False; got 'yes'"):
        pool_of(None, 5, exclude_self="yes", node_names=None)


@pytest.mark.parametrize(
    ("names", "error", "phrase"),
    [
        (NAMES[:4], ValueError, "each of the 5 nodes of A, in its order; got 4"),
        ("abcde", TypeError, "list of strings; got 'abcde'"),
        ([*NAMES[:4], 7], TypeError, "list of strings; got 7"),
    ],
)
def test_bad_names_are_explained(names, error, phrase):
    with pytest.raises(error, match=phrase):
        checked_names(names, 5)


def test_names_of_numpy_become_plain_strings():
    found = checked_names(np.array(NAMES), 5)
    assert [type(name) for name in found] == [str] * 5
    assert found == tuple(NAMES)
    assert checked_names(None, 5) is None
