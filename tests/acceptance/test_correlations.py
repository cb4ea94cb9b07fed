"""Ranks and correlations equal SciPy's, of every library and on every path."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from gsnn_edges import channel_correlation, cross_correlation, partial_correlation, rankdata

from . import slow
from .arrays import Way, as_numpy
from .columns import ROWS, columns, pair

# Columns of few distinct values, law 3; of two libraries, law 6.
FEW_VALUES = 4e-6
A_NODES = [2, 0, 0, 3, 3, 3, 2, 5, 5, 0, 2, 3]
G_NODES = [0, 2, 2, 5, 3, 0, 2, 3, 5, 5, 6]


def test_ranks(way):
    x = columns(0)
    found = way.call(rankdata, x)
    assert_array_equal(found, slow.ranks(x))
    assert found.dtype == np.float32


def test_ordinal_ranks(few):
    x = columns(0)
    assert_array_equal(few.call(rankdata, x, ties="ordinal"), slow.ranks(x, "ordinal"))


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_ranks_of_every_dtype(library, dtype):
    x = np.random.default_rng(0).integers(0, 99, (ROWS, 3)).astype(dtype)
    found = rankdata(x if library == "numpy" else torch.from_numpy(x))
    assert_array_equal(as_numpy(found), slow.ranks(x))
    assert as_numpy(found).dtype == ("float64" if dtype == "float64" else "float32")


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_ranks_along_an_axis(axis):
    x = np.random.default_rng(0).integers(0, 4, (5, 6, 7))
    expected = np.apply_along_axis(lambda line: slow.ranks(line[:, None])[:, 0], axis, x)
    assert_array_equal(rankdata(x, axis=axis), expected)


def test_correlations(way):
    a, g = pair()
    found = way.call(cross_correlation, a, g)
    assert_allclose(found, slow.correlation(a, g), rtol=0, atol=FEW_VALUES)
    assert found.dtype == np.float32
    assert_array_equal(found[[8, 9]], 0)
    assert_array_equal(found[:, [7, 8]], 0)
    assert abs(found).max() <= 1


@pytest.mark.parametrize(
    "options", [{"ties": "ordinal"}, {"method": "pearson"}, {"row_chunk": 4}], ids=str
)
def test_correlations_by_option(few, options):
    a, g = pair()
    found = few.call(cross_correlation, a, g, **options)
    options.pop("row_chunk", None)
    assert_allclose(found, slow.correlation(a, g, **options), rtol=0, atol=FEW_VALUES)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("row_chunk", [5, 999])
def test_arrays_of_the_host_go_to_a_backend_in_chunks(backend, row_chunk):
    a, g = pair()
    for order in "CF":
        found = cross_correlation(
            np.asarray(a, order=order), g, backend=backend, row_chunk=row_chunk
        )
        assert type(found).__module__.startswith(backend)
        assert_allclose(as_numpy(found), slow.correlation(a, g), rtol=0, atol=FEW_VALUES)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(("method", "offset"), [("spearman", 1e8), ("pearson", 0)])
def test_correlations_in_float64(backend, method, offset):
    rng = np.random.default_rng(0)
    a, g = rng.standard_normal((2, 500, 6)) * 1e-3 + offset
    g[:, 0] = np.round(g[:, 0], 3)
    found = cross_correlation(a, g, method=method, precision="float64", backend=backend)
    assert as_numpy(found).dtype == np.float64
    assert_allclose(as_numpy(found), slow.correlation(a, g, method), rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
def test_rows_that_are_sorted_by_layer(backend):
    rng = np.random.default_rng(0)
    level = np.repeat([-3.0, 0.0, 5.0, 2.0], 5_000)[:, None]
    a, g = (rng.standard_normal((2, 20_000, 3)) + level).astype(np.float32)
    g[:, 2] = np.sort(a[:, 2])
    found = as_numpy(cross_correlation(a, g, backend=backend))
    assert_allclose(found, slow.correlation(a, g), rtol=0, atol=1e-6)


def by_nodes(way, **options):
    """The channel score of the pair of columns."""
    return way.call(lambda a, g: channel_correlation(a, g, A_NODES, G_NODES, **options), *pair())


def test_channel_scores(eager):
    found = by_nodes(eager, nodes=8)
    expected = slow.channel_score(*pair(), A_NODES, G_NODES, 8)
    assert_allclose(found, expected, rtol=0, atol=4 * FEW_VALUES)
    assert_array_equal(found[[1, 4, 6, 7]], 0)


@pytest.mark.parametrize(
    "options", [{"n_components": 2}, {"method": "pearson"}, {"row_chunk": 2}], ids=str
)
def test_channel_scores_by_option(few, options):
    found = by_nodes(few, **options)
    options.pop("row_chunk", None)
    expected = slow.channel_score(*pair(), A_NODES, G_NODES, 7, **options)
    assert_allclose(found, expected, rtol=0, atol=4 * FEW_VALUES)


@pytest.fixture(scope="module")
def dependent():
    """Columns that go with one another, of which some are held fixed."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((ROWS, 6))
    g = a @ rng.standard_normal((6, 5)) + rng.standard_normal((ROWS, 5))
    a[:, 1] += a[:, 0]
    a[:, 5] = 2
    return a.astype(np.float32), g.astype(np.float32)


def test_partial_correlations_of_conditions(few, dependent):
    a, g = dependent
    held = a[:, [0, 2, 5]] + np.float32(0.5) * g[:, [1, 1, 0]]
    found = few.call(partial_correlation, a, g, held)
    expected = slow.partial(a, g, lambda i, j: slow.standardized(held))
    assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["numpy", "strict", "torch"])
def test_partial_correlations_of_parents(name, dependent):
    a, g = dependent
    parents = np.array([[0, 1, 0, 5, 3, 4, 4, 0], [0, 0, 1, 1, 3, 3, 3, 0]])
    method = "pearson" if name == "strict" else "spearman"
    found = Way(name).call(
        lambda a, g: partial_correlation(a, g, parents=parents, method=method), a, g
    )
    columns = slow.standardized(a, method)

    def held(i, j):
        return columns[:, sorted({*parents[0, parents[1] == j].tolist()} - {i})]

    assert_allclose(found, slow.partial(a, g, held, method), rtol=0, atol=2e-5)


def test_several_devices_share_the_work(tmp_path):
    a, g = pair()
    np.savez(tmp_path / "in.npz", a=a, g=g, a_nodes=A_NODES, g_nodes=G_NODES)
    subprocess.run(
        [sys.executable, "-c", ON_FOUR_DEVICES, str(tmp_path)],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
        check=True,
    )
    found = np.load(tmp_path / "out.npz")
    assert_allclose(found["plain"], slow.correlation(a, g), rtol=0, atol=FEW_VALUES)
    assert_allclose(found["chunks"], slow.correlation(a, g, "pearson"), rtol=0, atol=FEW_VALUES)
    expected = slow.channel_score(a, g, A_NODES, G_NODES, 7)
    assert_allclose(found["channels"], expected, rtol=0, atol=4 * FEW_VALUES)


ON_FOUR_DEVICES = """
import sys
import jax
import numpy as np
from gsnn_edges import channel_correlation, cross_correlation

assert len(jax.devices()) == 4
folder = sys.argv[1]
a, g, a_nodes, g_nodes = np.load(f"{folder}/in.npz").values()
jax_there = {"backend": "jax"}
np.savez(
    f"{folder}/out.npz",
    plain=cross_correlation(a, g, devices=4, **jax_there),
    chunks=cross_correlation(a, g, devices=3, method="pearson", row_chunk=2, **jax_there),
    channels=channel_correlation(a, g, a_nodes, g_nodes, devices=2, **jax_there),
)
"""
