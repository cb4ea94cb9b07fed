"""Permutation tests equal a loop that ranks and correlates anew for each permutation."""

import numpy as np
import pytest
import torch
from gsnn_models import TinyGSNN, data
from oracles import channel_score, correlation, layered
from torch import nn

from gsnn_edges import (
    FunctionEdgeInferer,
    capture,
    capture_channels,
    permutation_test,
)
from gsnn_edges.backends.numpy_backend import NumpyBackend

LAYERS, SAMPLES, PERMUTATIONS, SEED = 3, 40, 25, 7
LEFT, RIGHT = np.array([0, 0, 1, 3, 3, 3]), np.array([2, 2, 0, 1, 0, 3])
CHANNELS = {"a_nodes": LEFT, "g_nodes": RIGHT, "alternative": "greater"}
SLACK = 2e-6


def observations(columns=6):
    """Columns with effects, ties and levels that differ between layers; the last is constant."""
    rng = np.random.default_rng(1)
    a = rng.standard_normal((LAYERS, SAMPLES, columns)) + rng.standard_normal((LAYERS, 1, columns))
    g = rng.standard_normal((LAYERS, SAMPLES, columns)) + 0.3 * a[:, :, ::-1]
    a, g = (x.reshape(LAYERS * SAMPLES, columns) for x in (a, g))
    a[:, 1], g[:, 2] = np.maximum(a[:, 1], 0), np.maximum(g[:, 2], 0)
    a[:, -1], g[:, -1] = 1.0, 2.0
    return a.astype(np.float32), g.astype(np.float32)


def reordered(g, order):
    """Rows of ``g`` with the samples of each layer in this order."""
    return g.reshape(LAYERS, SAMPLES, -1)[:, order].reshape(g.shape)


def permuted_scores(score, a, g):
    """Scores of the orders that the generator draws for this seed."""
    rng = np.random.default_rng(SEED)
    orders = [rng.permutation(SAMPLES) for _ in range(PERMUTATIONS)]
    return np.stack([score(a, reordered(g, order)) for order in orders])


def mean_over_orders(a, g, method):
    """Average W over cyclic shifts, in which each sample of ``g`` meets each of ``a`` once.

    So a sum over samples has the mean that it has over all orders.
    """
    orders = [np.roll(range(SAMPLES), shift) for shift in range(SAMPLES)]
    return np.mean([correlation(a, reordered(g, order), method) for order in orders], axis=0)


def run(library, **options):
    a, g = (library.array(x) for x in observations())
    return permutation_test(a, g, SAMPLES, n_resamples=PERMUTATIONS, seed=SEED, **options)


def close(found, expected, atol=1e-6):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def assert_those_of_a_loop(library, found, W, null, mean=0, candidates=None):
    """Compare all tables with the scores of the samples as they are and of each permutation."""
    two_sided = found.alternative == "two-sided"
    distance = np.abs if two_sided else np.asarray
    observed, null = distance(W - mean) - SLACK, distance(null - mean)
    exceedances = (null >= observed).sum(axis=0)
    chosen = np.ones(W.shape, bool) if candidates is None else candidates
    maxima = null[:, chosen].max(axis=1)
    above = (maxima[:, None, None] >= observed).sum(axis=0)
    familywise = np.where(chosen, (1 + above) / (PERMUTATIONS + 1), np.nan)
    close(library.numpy(found.statistic), W, 4e-6)
    np.testing.assert_array_equal(library.numpy(found.exceedances), exceedances)
    close(found.maxima, maxima, 4e-6)
    close(library.numpy(found.p), (1 + exceedances) / (PERMUTATIONS + 1))
    close(library.numpy(found.p_familywise), familywise)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_equals_a_loop(eager, alternative, method):
    found = run(eager, alternative=alternative, method=method)
    a, g = observations()
    mean = mean_over_orders(a, g, method)
    null = permuted_scores(lambda a, g: correlation(a, g, method), a, g)
    assert_those_of_a_loop(eager, found, correlation(a, g, method), null, mean)
    close(eager.numpy(found.null_mean), mean)


def test_only_candidates_compete(eager):
    mask = np.random.default_rng(0).random((6, 6)) < 0.4
    found = run(eager, candidates=eager.array(mask))
    a, g = observations()
    mean, null = mean_over_orders(a, g, "spearman"), permuted_scores(correlation, a, g)
    assert_those_of_a_loop(eager, found, correlation(a, g), null, mean, mask)


@pytest.mark.parametrize("layers", ["mean", "last", 1])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_layers_by_themselves_equal_a_loop(eager, alternative, layers):
    found = run(eager, alternative=alternative, layers=layers)
    a, g = observations()

    def score(a, g):
        return layered(correlation, a, g, LAYERS, layers)

    assert_those_of_a_loop(eager, found, score(a, g), permuted_scores(score, a, g))
    np.testing.assert_array_equal(eager.numpy(found.null_mean), 0)
    assert (found.layers, found.choice) == (LAYERS, layers)


@pytest.mark.parametrize("n_components", [None, 1])
@pytest.mark.parametrize("layers", ["pooled", None, "last"])
def test_channel_score_equals_a_loop(eager, layers, n_components):
    found = run(eager, layers=layers, nodes=5, n_components=n_components, **CHANNELS)
    a, g = observations()

    def each(a, g):
        return channel_score(a, g, LEFT, RIGHT, 5, n_components)

    def score(a, g):
        return layered(each, a, g, LAYERS, layers or "mean")

    assert_those_of_a_loop(eager, found, score(a, g), permuted_scores(score, a, g))
    assert found.null_mean is None


@pytest.mark.parametrize("options", [{}, {"layers": "mean"}, CHANNELS], ids=str)
@pytest.mark.parametrize("row_chunk", [None, 1, 4])
@pytest.mark.parametrize("free", [1 << 30, 1 << 12])
def test_blocks_do_not_change_the_answer(row_chunk, free, options, monkeypatch):
    usual = {"n_resamples": 20, "seed": 7, **options}
    expected = permutation_test(*observations(), SAMPLES, **usual)
    monkeypatch.setattr(NumpyBackend, "tile_rows", 3)
    monkeypatch.setattr(NumpyBackend, "free_bytes", lambda self: free)
    found = permutation_test(*observations(), SAMPLES, row_chunk=row_chunk, **usual)
    for name in ("statistic", "deviation", "exceedances", "maxima", "p", "p_familywise"):
        close(getattr(found, name), getattr(expected, name))


def test_float64_is_within_1e_9():
    a, g = (x.astype(np.float64) for x in observations())
    found = permutation_test(a, g, SAMPLES, n_resamples=2, seed=0, precision="float64")
    np.testing.assert_allclose(found.statistic, correlation(a, g), rtol=0, atol=1e-9)
    assert found.p.dtype == np.float64


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_columns_that_no_permutation_moves_get_p_1(alternative):
    a, g = observations()
    a[:, 0] = np.repeat([1, 2, 4], SAMPLES)  # varies between layers only
    found = permutation_test(a, g, SAMPLES, n_resamples=9, seed=0, alternative=alternative)
    for fixed in (found.p[0], found.p[-1], found.p[:, -1], found.p_familywise[0]):
        np.testing.assert_array_equal(fixed, 1)
    np.testing.assert_array_equal(found.statistic[-1], 0)


@pytest.fixture(scope="module")
def inferred():
    """A model whose blocks have the same channels, its batch, and what is observed of it."""
    torch.manual_seed(0)
    model = TinyGSNN([[0, 0, 1, 2, 2, 3]] * 4).eval()
    x, y = data(30)
    seen = capture_channels(model, nn.MSELoss(), x, y)
    observed = {
        "magnitude": (*capture(model, nn.MSELoss(), x, y), {}),
        "channels": (
            seen.a,
            seen.g,
            {"a_nodes": seen.nodes, "g_nodes": seen.nodes, "alternative": "greater"},
        ),
    }
    return FunctionEdgeInferer(model, nn.MSELoss(), [[0], [1]]), x, y, observed


@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("layers", [None, "pooled", "mean", 1])
@pytest.mark.parametrize(
    ("score", "more"), [("magnitude", {}), ("channels", {}), ("channels", {"n_components": 1})]
)
def test_the_statistic_is_what_infer_gives(inferred, score, more, layers, method):
    inferer, x, y, observed = inferred
    a, g, nodes = observed[score]
    options = {"layers": layers, "method": method, **more}
    found = permutation_test(a, g, len(x), n_resamples=1, seed=0, **nodes, **options)
    expected = inferer.infer(x, y, score=score, **options)
    np.testing.assert_allclose(found.statistic, expected.W, rtol=0, atol=2e-6)
    assert found.choice == expected.settings["layers"]


def test_seed_repeats():
    a, g = observations()
    first, second, other = (
        permutation_test(a, g, SAMPLES, n_resamples=9, seed=seed).maxima for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_progress_is_shown_and_columns_may_be_missing(capfd):
    a, g = observations()
    permutation_test(a, g, SAMPLES, n_resamples=3, seed=0, verbose=True)
    said = capfd.readouterr().err
    assert "permutations" in said
    assert "100%" in said
    found = permutation_test(a[:, :0], g, SAMPLES, n_resamples=3, seed=0)
    assert found.p.shape == found.p_familywise.shape == (0, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 41}, "samples must divide the number of observations, 120,"),
        ({"n_resamples": 0}, "n_resamples must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"row_chunk": 0}, "row_chunk must be at least 1"),
        ({"method": "kendall"}, "method must be one of"),
        ({"candidates": np.ones((5, 6), bool)}, "candidates must have a value for each pair"),
        ({"nodes": 4, "alternative": "greater"}, "must be given together; got a_nodes=None"),
        ({"n_components": 0}, "n_components must be at least 1"),
        ({"layers": "first"}, "layers must be one of 'pooled', 'mean', 'last'; got 'first'"),
        ({"layers": 3}, r"layer pair in 0 \.\. 2; got 3: 4 blocks make 3 pairs"),
        (CHANNELS | {"nodes": 3}, "nodes must be at least 4"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(ValueError, match=message):
        permutation_test(*observations(), **{"samples": SAMPLES, **options})


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("samples", [5, 10])
def test_correlations_that_rounding_takes_beyond_1_are_clipped(precision, samples):
    level = np.repeat([0, 2, 4], samples)[:, None]
    for seed in range(6):
        a = np.random.default_rng(seed).standard_normal((3 * samples, 12)) + level
        found = permutation_test(a, a, samples, n_resamples=1, seed=0, precision=precision)
        assert found.statistic.max() <= 1


def test_out_of_memory_names_a_chunk(monkeypatch):
    def full(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(NumpyBackend, "matmul", full)
    with pytest.raises(MemoryError, match="row_chunk=6 needs about"):
        permutation_test(*observations(), SAMPLES, n_resamples=1)
