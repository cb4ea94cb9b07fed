"""Random calls of the array functions equal SciPy and slow loops; see fuzz.py."""

import numpy as np
import pytest
from fuzz import CASES, FLOATS, INTS, LAYOUTS, ON_CPU, QUICK, VALUES, make
from libraries import require

from gsnn_edges.options import BACKENDS

SEEDS = [
    *range(QUICK),
    *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(QUICK, CASES)),
]


# Self-edges and queries that are not among the true edges are drawn on purpose.
@pytest.mark.filterwarnings("ignore:mrr. .* edges in edge_index are:UserWarning")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_call_equals_scipy(seed, monkeypatch):
    case = make(seed)
    require(case.origin.name)
    require(case.backend)
    monkeypatch.setenv("GSNN_EDGES_PATH", case.origin.path)
    print(case)  # pytest shows it where the case fails
    case.check()


def test_a_number_makes_the_same_case_again():
    for seed in range(QUICK):
        one, two = make(seed), make(seed)
        assert str(one) == str(two)
        np.testing.assert_array_equal(one.a.values, two.a.values)
        np.testing.assert_array_equal(one.g.values, two.g.values)


def test_the_cases_draw_all_that_there_is_to_draw():
    cases = [make(seed) for seed in range(CASES)]
    matrices = [matrix for case in cases for matrix in (case.a, case.g, case.scores)]
    assert {case.origin for case in cases} == set(ON_CPU)
    assert {case.backend for case in cases} == set(BACKENDS)
    assert {matrix.dtype for matrix in matrices} == {*FLOATS, *INTS, "bool"}
    assert {matrix.layout for matrix in matrices} == set(LAYOUTS)
    assert {kind for matrix in matrices for kind in matrix.kinds} == set(VALUES)
    assert {matrix.refused for matrix in matrices} >= {None, "must be finite"}
    sizes = [size for case in cases for size in (case.a.values.shape[1], case.g.values.shape[1])]
    assert {*sizes} == set(range(13))
    rows = [len(case.a.values) for case in cases]
    assert min(rows) == 2
    assert 4000 < max(rows) <= 5000
