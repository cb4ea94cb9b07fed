"""Measure false alarms and intervals on data whose truth is known, and write docs/calibration.md.

    OMP_NUM_THREADS=1 python tests/calibration.py      # half an hour

The tests of calibration draw the same data sets, and hold the same shares to bounds.
"""

import os
import platform
import time
import tracemalloc
from datetime import date
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import scipy.stats
from reliability import ROOT, current_commit, write

from gsnn_edges import EdgeEvidence, channel_correlation, cross_correlation
from gsnn_edges.layer_pairs import layer_pairs
from gsnn_edges.partial import partial_correlation
from gsnn_edges.resampling import drawn_counts
from gsnn_edges.scoring import Scorer, backend_of
from gsnn_edges.significance import (
    bootstrap_interval,
    correlation_pvalue,
    null_moments,
    permutation_test,
)

PAGE = ROOT / "docs/calibration.md"
COMMAND = "make calibration"
LIBRARIES = ("numpy", "scipy", "gsnn-edges")

LAYER_PAIRS, SAMPLES, NODES = 5, 200, 30  # L = 6
CHANNELS = 2  # of a node
SETS, COVERED_SETS, COLUMNS = 200, 40, 50
CHANNEL_SETS = 20
KINDS = ("equal layers", "levels differ", "half zeros")
RHOS = (0.0, 0.6, 0.9)
BATCHES = (10, 20, 50, 100, 200)


class Share(NamedTuple):
    """A share over data sets, and its standard error."""

    value: float
    error: float

    def __str__(self):
        return f"{self.value:.4f} ± {self.error:.4f}"


def share_of(per_set):
    """Average over data sets, which are independent; pairs of one set are not."""
    per_set = np.array(per_set, float)
    return Share(per_set.mean(), per_set.std(ddof=1) / np.sqrt(len(per_set)))


# Data without an effect


def normal_layers(rng, columns, shared, samples=SAMPLES):
    """Standard normal columns whose layers share so much of their variance in a sample."""
    own = rng.standard_normal((LAYER_PAIRS, samples, columns))
    common = rng.standard_normal((1, samples, columns))
    return np.sqrt(shared) * common + np.sqrt(1 - shared) * own


def shaped(sides, levels, kind):
    """Move layers to their levels, and cut at zero, as the kind has it."""
    if kind != "equal layers":
        sides = [x + level for x, level in zip(sides, levels, strict=True)]
    return [np.maximum(x, 0) if kind == "half zeros" else x for x in sides]


def null_data(rng, kind, columns=NODES):
    """Two sides that have nothing to do with each other; layers are strongly dependent."""
    sides = [normal_layers(rng, columns, shared=0.9) for _ in range(2)]
    levels = [rng.standard_normal((LAYER_PAIRS, 1, columns)) for _ in range(2)]
    return [x.reshape(-1, columns) for x in shaped(sides, levels, kind)]


# Tests of it: p-values of a data set


def permutation_p(a, g, seed, **options):
    return permutation_test(a, g, SAMPLES, seed=seed, **options).p


def fisher_p(a, g, seed, layers="pooled"):
    null = null_moments(a, g, SAMPLES, layers=layers)
    each = zip(*(x.reshape(LAYER_PAIRS, SAMPLES, -1) for x in (a, g)), strict=True)
    pairs = [(a, g)] if layers == "pooled" else each
    W = np.mean([cross_correlation(*pair) for pair in pairs], axis=0)
    return correlation_pvalue(W, null.effective_sample_size, null_mean=null.mean)


def channels_p(a, g, seed, layers="mean"):
    own = np.arange(a.shape[1]) // CHANNELS
    return permutation_p(a, g, seed, a_nodes=own, g_nodes=own, layers=layers, alternative="greater")


# What is tested and how -> the test, and the columns of a side.
TESTS = {
    "permutations, pooled": (permutation_p, NODES),
    "permutations, mean over layers": (partial(permutation_p, layers="mean"), NODES),
    "permutations, channels, mean over layers": (channels_p, CHANNELS * NODES),
    "permutations, channels, pooled": (partial(channels_p, layers="pooled"), CHANNELS * NODES),
    "Fisher's z, pooled": (fisher_p, NODES),
    "Fisher's z, mean over layers": (partial(fisher_p, layers="mean"), NODES),
}


def false_alarms(name, kind, sets=SETS, level=0.05):
    """Share of pairs with p at or below the level, over data sets without an effect."""
    test, columns = TESTS[name]
    shares = []
    for seed in range(sets):
        a, g = null_data(np.random.default_rng(seed), kind, columns)
        shares.append(np.mean(test(a, g, seed) <= level))
    return share_of(shares)


def familywise_alarms(sets=2 * SETS):
    """Share of experiments without an effect in which any pair has a familywise p <= 0.05."""
    found = []
    for seed in range(sets):
        a, g = null_data(np.random.default_rng(seed), KINDS[0])
        found.append(permutation_test(a, g, SAMPLES, seed=seed).p_familywise.min() <= 0.05)
    return share_of(found)


# Data with a known correlation


def correlated(rng, rho, kind, samples=SAMPLES, columns=COLUMNS):
    """Sides of which each column goes with its partner; levels are those of the population."""
    a, noise = (normal_layers(rng, columns, shared=0.7, samples=samples) for _ in range(2))
    own = np.random.default_rng(99)
    levels = [own.standard_normal((LAYER_PAIRS, 1, columns)) for _ in range(2)]
    sides = shaped([a, rho * a + np.sqrt(1 - rho**2) * noise], levels, kind)
    return [x.reshape(-1, columns) for x in sides]


@cache
def true_correlations(rho, kind, layers, columns=COLUMNS):
    """Spearman's correlation of each column with its partner, in the population."""
    if kind == "equal layers":  # of normal pairs (Pearson 1907)
        return np.full(columns, 6 / np.pi * np.arcsin(rho / 2))
    samples = 50_000
    a, g = correlated(np.random.default_rng(7), rho, kind, samples, columns)
    stretches = [slice(None)] if layers == "pooled" else each_layer(samples)
    return np.mean(
        [
            [scipy.stats.spearmanr(a[rows, k], g[rows, k]).statistic for k in range(columns)]
            for rows in stretches
        ],
        axis=0,
    )


def each_layer(samples):
    return [slice(k * samples, (k + 1) * samples) for k in range(LAYER_PAIRS)]


# Intervals of a data set, at 95%


def by_bootstrap(a, g, samples, seed, **options):
    found = bootstrap_interval(a, g, samples, n_resamples=200, seed=seed, **options)
    return found.low, found.high


def by_evidence(a, g, samples, seed, layers="pooled", iters=20, rows=2500):
    """The way of `infer` with estimate=True, from observations on."""
    scorer = Scorer(
        score="magnitude",
        layers=layers,
        n_components=None,
        method="spearman",
        ties="average",
        row_chunk=None,
        pairs=LAYER_PAIRS,
        nodes=a.shape[1],
        columns=None,
        where=backend_of("numpy", None, "cpu", "float32"),
    )
    counts = drawn_counts(samples, iters, np.random.default_rng(seed), size=rows)
    draws = list(scorer.draws(a, g, counts))
    return EdgeEvidence(
        np.mean(draws, axis=0),
        std=np.std(draws, axis=0, ddof=1),
        counts={"samples": samples},
        settings={"estimate": True, "estimate_iters": iters, "estimate_n_samples": rows},
    ).interval()


INTERVALS = {
    "bootstrap_interval": by_bootstrap,
    "bootstrap_interval, mean over layers": partial(by_bootstrap, layers="mean"),
    "EdgeEvidence.interval": by_evidence,
}


def coverage(name, rho, kind, samples=SAMPLES, sets=COVERED_SETS):
    """Share of 95% intervals that hold the true correlation."""
    interval = INTERVALS[name]
    truth = true_correlations(rho, kind, getattr(interval, "keywords", {}).get("layers", "pooled"))
    held = []
    for seed in range(sets):
        a, g = correlated(np.random.default_rng(seed), rho, kind, samples)
        low, high = (np.diagonal(bound) for bound in interval(a, g, samples, seed))
        held.append(np.mean((low <= truth) & (truth <= high)))
    return share_of(held)


def channel_coverage(rho, samples=SAMPLES, sets=CHANNEL_SETS, width=4, nodes=20):
    """Share of intervals that hold the mean of W over batches, of nodes and their partners."""
    own = np.arange(nodes * width) // width
    made = partial(correlated, rho=rho, kind=KINDS[0], samples=samples, columns=nodes * width)
    batches = [made(np.random.default_rng(10_000 + seed)) for seed in range(5 * sets)]
    # All nodes have one mean: their columns are alike.
    mean = np.mean([np.diagonal(mean_norms(*pair, samples, own)) for pair in batches])
    held = []
    for seed in range(sets):
        a, g = made(np.random.default_rng(seed))
        found = bootstrap_interval(
            a, g, samples, a_nodes=own, g_nodes=own, n_resamples=100, seed=seed
        )
        low, high = (np.diagonal(bound) for bound in (found.low, found.high))
        held.append(np.mean((low <= mean) & (mean <= high)))
    return share_of(held)


def mean_norms(a, g, samples, own):
    """The score of channels, averaged over layer pairs."""
    pairs = layer_pairs(a, g, samples)
    return np.mean([channel_correlation(*pair, own, own) for pair in pairs], axis=0)


# Partial correlation


def hub(parents, rows, extra=5, seed=0):
    """A target of many parents, one of which is constant, and two alike; sources beside them."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, parents + extra)) + rng.standard_normal((rows, 1))
    a[:, 1], a[:, 2] = 4.0, 3 * a[:, 0]
    a[:, 3] = np.maximum(a[:, 3], 0)
    g = a[:, :parents].mean(axis=1, keepdims=True) + 0.2 * rng.standard_normal((rows, 1))
    edges = np.stack([np.arange(parents), np.zeros(parents, int)])
    return a.astype(np.float32), g.astype(np.float32), edges


def regressed(a, g, edges, sources):
    """Partial correlations of some sources with target 0, by two regressions each."""
    a, g = (scipy.stats.rankdata(x, axis=0) for x in (a, g))
    return np.array(
        [by_residuals(a[:, i], g[:, 0], a[:, np.setdiff1d(edges[0], i)]) for i in sources]
    )


def by_residuals(x, y, held):
    design = np.column_stack([np.ones(len(x)), held])
    x, y = (z - design @ np.linalg.lstsq(design, z, rcond=1e-9)[0] for z in (x, y))
    if min(np.linalg.norm(x), np.linalg.norm(y)) < 1e-8 * len(x):
        return 0.0
    return scipy.stats.pearsonr(x, y).statistic


def partial_errors():
    """Largest differences from regressions, of a hub of 300 parents: precision -> difference."""
    a, g, edges = hub(300, rows=700)
    sources = [*range(0, 300, 10), 1, 2, 3, *range(300, a.shape[1])]
    expected = regressed(a, g, edges, sources)
    return {
        precision: np.abs(
            partial_correlation(a, g, parents=edges, precision=precision)[sources, 0] - expected
        ).max()
        for precision in ("float32", "float64")
    }


def partial_costs(nodes=2000, rows=2500):
    """Seconds, and the peak of NumPy's memory in MB, of graphs with and without a hub."""
    rng = np.random.default_rng(0)
    a, g = rng.standard_normal((2, rows, nodes)).astype(np.float32)
    graph = np.unique(rng.integers(0, nodes, (2, 4 * nodes)), axis=1)
    found = {}
    for parents in (0, 300, 1000):
        star = np.stack([np.arange(parents), np.full(parents, 7)])
        edges = np.concatenate([graph, star], axis=1)
        found[parents] = cost(partial(partial_correlation, a, g, parents=edges))
    return found


def cost(call):
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak / 1e6


# The page


def measured():
    """All of it: name of a section -> what was found."""
    return {
        "alarms": {name: [seen(false_alarms, name, kind) for kind in KINDS] for name in TESTS},
        "familywise": seen(familywise_alarms),
        "coverage": {
            (name, rho): [seen(coverage, name, rho, kind) for kind in KINDS]
            for name in INTERVALS
            for rho in RHOS
        },
        "channels": {rho: seen(channel_coverage, rho) for rho in RHOS},
        "batches": {
            samples: [
                *(seen(coverage, name, 0.6, KINDS[0], samples) for name in INTERVALS),
                seen(channel_coverage, 0.6, samples),
            ]
            for samples in BATCHES
        },
        "errors": partial_errors(),
        "costs": partial_costs(),
    }


def seen(measure, *arguments):
    """Measure, and say so."""
    found = measure(*arguments)
    click.echo(f"{measure.__name__} {arguments}: {found}", err=True)
    return found


def table(head, rows):
    yield f"| {' | '.join(head)} |"
    yield f"| --- |{' --: |' * (len(head) - 1)}"
    for cells in rows:
        yield f"| {' | '.join(map(str, cells))} |"


def page(found, commit, machine):
    """Write the page."""
    parts = header(commit, machine), alarms(found), intervals(found), partials(found)
    return "\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n"


def header(commit, machine):
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        "# Calibration",
        "",
        "How often p-values and intervals are right on data whose truth is known, and how exact",
        "partial correlations are. [Significance](significance.md) says what they are. This page",
        "is written by `tests/calibration.py`; nothing here is typed. A share stands with its",
        "standard error over data sets.",
        "",
        f"- date: {date.today().isoformat()}",
        f"- machine: {machine}",
        f"- versions: Python {platform.python_version()}, {libraries}",
        f"- commit: {commit}",
        f"- command: `{COMMAND}`",
    )


def alarms(found):
    yield "## False alarms"
    yield ""
    yield f"Share of pairs without an effect that have p <= 0.05: {SETS} data sets of {NODES}"
    yield f"nodes, {LAYER_PAIRS} layer pairs that share 90% of their variance, {SAMPLES} samples,"
    yield f"200 permutations. Nodes with channels have {CHANNELS}. Where levels differ they do from"
    yield "layer to layer and from column to column; half zeros are the same after a ReLU."
    yield ""
    yield from table(["test", *KINDS], [[name, *row] for name, row in found["alarms"].items()])
    yield ""
    yield "Share of experiments, twice as many with equal layers, in which any of all pairs has a"
    yield f"`p_familywise` <= 0.05: {found['familywise']}."


def intervals(found):
    yield "## Intervals"
    yield ""
    yield f"Share of 95% intervals that hold the true correlation: {COVERED_SETS} data sets of"
    yield f"{COLUMNS} columns, each beside a partner; rho is the correlation of the two where both"
    yield f"are normal. {LAYER_PAIRS} layer pairs share 70% of their variance, {SAMPLES} samples."
    yield "The truth is a formula for equal layers, and else that of 50,000 samples."
    yield "`bootstrap_interval` has 200 draws, `EdgeEvidence.interval` 20 of 2,500 samples."
    yield ""
    rows = [[name, rho, *row] for (name, rho), row in found["coverage"].items()]
    yield from table(["interval", "rho", *KINDS], rows)
    yield ""
    yield "Of the score of channels, 4 a node, mean over equal layers: the share of intervals that"
    yield "hold the mean of W over batches of as many samples, not the norm of true correlations"
    yield f"({CHANNEL_SETS} data sets of 20 nodes, 100 draws)."
    yield ""
    yield from table(["rho", "share"], found["channels"].items())
    yield ""
    yield "By the number of samples, rho 0.6, equal layers:"
    yield ""
    head = ["samples", *INTERVALS, "channels, mean over layers"]
    yield from table(head, [[samples, *row] for samples, row in found["batches"].items()])
    yield ""
    enough = enough_samples(found["batches"])
    yield f"From {enough} samples on, all of these hold the truth in at least 93% of cases."


def enough_samples(batches):
    """The least number of samples from which on all intervals cover 93% or more."""
    short = [samples for samples, row in batches.items() if min(row).value < 0.93]
    larger = [samples for samples in batches if samples > max(short, default=0)]
    return min(larger) if larger else f"more than {max(batches)}"


def partials(found):
    yield "## Partial correlation"
    yield ""
    yield "A target with 300 parents, one of them constant and two of them alike, 700 samples: the"
    yield "largest difference from two regressions by least squares in float64, for parents and for"
    yield "sources that are none."
    yield ""
    rows = [[name, f"{error:.1e}"] for name, error in found["errors"].items()]
    yield from table(["precision", "largest difference"], rows)
    yield ""
    yield "A random graph of 2,000 nodes and 8,000 edges, 2,500 samples, by NumPy, and the same"
    yield "with one target that has more parents. The peak is that of arrays beyond `a` and `g`."
    yield ""
    rows = [
        [f"a hub of {parents:,}" if parents else "none", f"{seconds:.1f}", f"{peak:.0f}"]
        for parents, (seconds, peak) in found["costs"].items()
    ]
    yield from table(["hub", "seconds", "peak, MB"], rows)


@click.command(help=__doc__)
@click.option("--out", default=PAGE, type=click.Path(path_type=Path), show_default=True)
@click.option("--commit", help="Name the commit; by default it is asked for.")
@click.option(
    "--machine",
    default=f"{platform.machine()}, {os.cpu_count()} cores",
    show_default=True,
    help="Say what it was measured on.",
)
def main(out, commit, machine):
    """Measure, and write the page."""
    write(out, page(measured(), commit or current_commit(), machine))


if __name__ == "__main__":
    main()
