"""Ranks, correlations, channels and permutations, beside bare products, naive code and peers."""

import os
from functools import partial

import numpy as np
import pytest
import scipy.stats
import torch
from benchmarks.problems import array_of, bare_product, naive_spearman, observations

from gsnn_edges import channel_correlation, cross_correlation, permutation_test, rankdata

SIZES = [{"N": n, "M": m} for n, m in ((1000, 10**4), (2000, 10**4), (5000, 10**4), (1000, 10**5))]


@pytest.mark.sizes(*({"N": 4 * 10 ** (6 - power), "M": 10**power} for power in (3, 4, 5, 6)))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("path", ["kernel", "plain"])
def bench_rank_to_standardized_row(size, dtype, path, timed, monkeypatch):
    """The other side has one column, so that ranking is nearly all; on one thread."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GSNN_EDGES_PATH", path)
    x = observations(size["M"], size["N"])[0].astype(dtype)
    call = partial(cross_correlation, x, x[:, :1], precision=dtype)
    numba = "numba" if path == "kernel" else "without numba"
    row = timed(f"rank and standardize, {dtype}, {numba}, one thread", call)
    row["ratio"], row["over"] = 1e6 * row["cpu_ms"] / (x.size + len(x)), "CPU ns a value"


@pytest.mark.sizes({"N": 200, "M": 10**4})
def bench_rankdata(size, library, timed, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", "kernel")  # else so few values load none
    x = array_of(library, observations(size["M"], size["N"])[0])
    ours = partial(rankdata, x, axis=0)
    timed("SciPy rankdata", partial(scipy.stats.rankdata, x, axis=0), f"rankdata, {library}", ours)


@pytest.mark.sizes(SIZES[0])
def bench_without_numba(size, timed, monkeypatch):
    monkeypatch.setenv("GSNN_EDGES_PATH", "plain")
    call = partial(cross_correlation, *observations(size["M"], size["N"]))
    product = bare_product(size["M"], size["N"])
    timed("spearman, numpy, without numba", call, "bare product", product)


@pytest.mark.sizes(*SIZES)
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def bench_cross_correlation(size, method, library, timed):
    arrays = [array_of(library, x) for x in observations(size["M"], size["N"])]
    call = partial(cross_correlation, *arrays, method=method)
    timed(f"{method}, {library}", call, "bare product", bare_product(size["M"], size["N"]))


@pytest.mark.sizes(*SIZES)
def bench_key_sort(size, timed):
    """For information: NumPy's sort of the bare values, on one thread."""
    rows = observations(size["M"], size["N"]).swapaxes(1, 2).copy()
    timed("np.sort", partial(np.sort, rows), "bare product", bare_product(size["M"], size["N"]))


@pytest.mark.sizes(*SIZES)
def bench_naive_pattern(size, timed):
    arrays = [torch.from_numpy(x) for x in observations(size["M"], size["N"])]
    ours = partial(cross_correlation, *arrays)
    timed("naive torch pattern", partial(naive_spearman, *arrays), "spearman, torch", ours)


def polars_ranks(a, g):
    polars = pytest.importorskip("polars")
    every = polars.all().rank("average")
    ranks = [polars.DataFrame(x).select(every).to_numpy() - (len(x) + 1) / 2 for x in (a, g)]
    left, right = (x / np.linalg.norm(x, axis=0) for x in ranks)
    return left.T @ right


def pynetcor(a, g):
    correlate = pytest.importorskip("pynetcor.cor").corrcoef
    return correlate(a.T, g.T, method="spearman", threads=os.cpu_count())


def corals(a, g):
    correlate = pytest.importorskip("corals.correlation.full.default").cor_full
    return correlate(a, g, correlation_type="spearman")


def pandas_corr(a, g):
    return pytest.importorskip("pandas").DataFrame(np.hstack([a, g])).corr(method="spearman")


def torchmetrics(a, g):
    correlate = pytest.importorskip("torchmetrics.functional").spearman_corrcoef
    left, right = torch.from_numpy(a), torch.from_numpy(g)
    return [correlate(left, right.roll(shift, dims=1)) for shift in range(right.shape[1])]


PEERS = [(peer, None) for peer in (scipy.stats.spearmanr, polars_ranks, pynetcor, corals)]


@pytest.mark.sizes(SIZES[0])
@pytest.mark.parametrize(("peer", "columns"), [*PEERS, (pandas_corr, 40), (torchmetrics, 40)])
def bench_peer(size, peer, columns, timed):
    """The last two go pair by pair, so they get some columns only; ours gets the same."""
    arrays = [x[:, :columns] for x in observations(size["M"], size["N"])]
    ours = partial(cross_correlation, *arrays)
    timed(f"{peer.__name__}, columns: {columns}", partial(peer, *arrays), "spearman, numpy", ours)


@pytest.mark.sizes({"N": 1000, "C": 4, "M": 10**4})
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def bench_channel_score(size, method, library, timed):
    nodes = np.arange(size["N"]).repeat(size["C"])
    arrays = [array_of(library, x) for x in observations(size["M"], len(nodes))]
    call = partial(channel_correlation, *arrays, nodes, nodes, method=method)
    product = bare_product(size["M"], len(nodes))
    timed(f"channel score, {method}, {library}", call, "bare product of channels", product)


@pytest.mark.sizes({"N": 1000, "M": 10**4, "P": 200})
def bench_permutations(size, library, timed):
    arrays = [array_of(library, x) for x in observations(size["M"], size["N"])]
    options = {"samples": size["M"] // 5, "n_resamples": size["P"], "seed": 0}
    call = partial(permutation_test, *arrays, **options)
    product = bare_product(size["M"], size["N"])
    timed(f"permutations, {library}", call, "as many bare products", product, times=size["P"])
