"""Products in full float32 whatever the user has set, and numbers that floats would round."""

import numpy as np
import oracles
import pytest
from libraries import require

from gsnn_edges import cross_correlation, evaluate_edges, mrr, permutation_test

A = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)


def by_name(precision):
    import torch

    torch.backends.mkldnn.matmul.fp32_precision = precision


def for_all(precision):
    import torch

    torch.set_float32_matmul_precision({"bf16": "medium", "none": "highest"}[precision])


@pytest.mark.parametrize("lower", [by_name, for_all])
@pytest.mark.parametrize("path", ["auto", "device"])
def test_a_lower_precision_of_torch_is_lifted_around_a_product(lower, path, monkeypatch):
    require("torch")
    import torch
    from torch.overrides import TorchFunctionMode

    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    at_work = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if "mm" in function.__name__ or "matmul" in function.__name__:
                at_work.append(torch.backends.mkldnn.matmul.fp32_precision)
            return function(*args, **(kwargs or {}))

    a = torch.from_numpy(A)
    lower("bf16")
    try:
        with Watch():
            found = cross_correlation(a, a)
        assert set(at_work) == {"ieee"}
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        lower("none")
    np.testing.assert_allclose(found, oracles.correlation(A, A), rtol=0, atol=1e-6)


def test_a_lower_precision_of_jax_is_lifted_around_a_product():
    require("jax")
    import jax

    with jax.default_matmul_precision("bfloat16"):
        program = str(jax.make_jaxpr(lambda a: cross_correlation(a, a))(A))
    precisions = [line for line in program.splitlines() if "precision=" in line]
    assert precisions
    assert all("HIGHEST" in line for line in precisions)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_whole_numbers_whose_differences_overflow(library):
    require(library)
    x = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, (40, 4), endpoint=True)
    x[0], x[1] = -(2**63), 2**63 - 1
    found = cross_correlation(x, x[:, ::-1].copy(), method="pearson", backend=library)
    expected = oracles.correlation(x, x[:, ::-1], "pearson")
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rank", [mrr, evaluate_edges])
def test_scores_that_floats_would_make_equal_are_refused(rank):
    scores = np.arange(9).reshape(3, 3)
    assert rank(scores, [[0, 1], [1, 2]], [[0, 1], [1, 2]]) is not None
    with pytest.raises(
        ValueError, match=r"A must hold whole numbers of at most 2\*\*53.*got 90071"
    ):
        rank(scores + 2**53, [[0, 1], [1, 2]], [[0, 1], [1, 2]])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("samples", [5, 10])
def test_correlations_of_a_permutation_test_stay_within_one(precision, samples):
    level = np.repeat([0, 2, 4], samples)[:, None]
    for seed in range(6):
        a = np.random.default_rng(seed).standard_normal((3 * samples, 12)) + level
        found = permutation_test(a, a, samples, n_resamples=1, seed=0, precision=precision)
        assert found.statistic.max() <= 1
