"""Mean and deviation are NumPy's, scaled ranks are SciPy's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from gsnn_edges.evidence import combining


@pytest.mark.parametrize("count", [2, 3, 10])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_mean_and_deviation_are_numpys(count, offset):
    matrices = offset + np.random.default_rng(count).standard_normal((count, 5, 5))
    mean, spread = combining.mean_and_deviation(iter(matrices))
    assert_allclose(mean, matrices.mean(0), rtol=1e-14, atol=1e-15)
    assert_allclose(spread, matrices.std(0, ddof=1), rtol=1e-9)


def test_one_matrix_has_no_deviation():
    matrix = np.eye(3, dtype=np.float32)
    mean, spread = combining.mean_and_deviation([matrix])
    assert_array_equal(mean, matrix)
    assert spread is None
    assert mean is not matrix


@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_scaled_ranks_are_scipys(levels):
    matrix = np.random.default_rng(levels).integers(0, levels, (7, 7)).astype(np.float32)
    expected = (rankdata(matrix).reshape(7, 7) - 1) / 48
    assert_allclose(combining.scaled_ranks(matrix), expected, rtol=1e-15)


@pytest.mark.parametrize("nodes", [0, 1])
def test_scaled_ranks_of_next_to_nothing(nodes):
    assert_array_equal(combining.scaled_ranks(np.ones((nodes, nodes))), np.zeros((nodes, nodes)))


def test_differences_are_named():
    values = {"method": ["spearman", "pearson", "spearman"], "shape": [(3, 3)] * 3, "n": [1, 2, 3]}
    message = "they differ in method: 'spearman', 'pearson'; n: 1, 2, 3: combine"
    with pytest.raises(ValueError, match=message):
        combining.check_same(values)
    combining.check_same({"shape": [(3, 3)] * 3, "names": [["a"], ["a"]]})


def test_shared_entries_are_those_alike():
    first, second = {"a": 1, "b": [1], "c": 2}, {"a": 1, "b": [1], "c": 3, "d": 4}
    assert combining.shared([first, second]) == {"a": 1, "b": [1]}
    assert combining.shared([first]) == first
