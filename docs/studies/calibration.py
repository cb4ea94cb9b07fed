"""False alarms and intervals on data whose truth is known: docs/studies/calibration.csv.

    OMP_NUM_THREADS=1 python docs/studies/calibration.py      # half an hour

The tests of calibration draw the same data sets, and hold the same shares to bounds.
"""

from functools import cache, partial
from typing import NamedTuple

import click
import numpy as np
import scipy.stats
from provenance import csv_option, write_csv

from gsnn_edges import EdgeEvidence, channel_correlation, cross_correlation
from gsnn_edges.layer_pairs import layer_pairs
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.resampling import drawn_counts
from gsnn_edges.scoring import Scorer
from gsnn_edges.significance import (
    bootstrap_interval,
    correlation_pvalue,
    null_moments,
    permutation_test,
)

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
    options = CorrelationOptions(backend="numpy")
    scorer = Scorer("magnitude", layers, LAYER_PAIRS, a.shape[1], None, options)
    counts = drawn_counts(samples, iters, np.random.default_rng(seed), size=rows)
    draws = list(scorer.matrices(a, g, counts))
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


# The file


def measured(few=None):
    """All of it, a row for each share; by few data sets, where that is asked for."""
    alone, shared, wide = few or SETS, few or COVERED_SETS, few or CHANNEL_SETS
    alarms, covered = "false alarms at 0.05", "coverage of 95% intervals"
    for name in TESTS:
        for kind in KINDS:
            yield row(alarms, name, kind, "", SAMPLES, false_alarms(name, kind, alone))
    alarms = "any familywise alarm at 0.05"
    yield row(alarms, "permutations, pooled", KINDS[0], "", SAMPLES, familywise_alarms(2 * alone))
    for name in INTERVALS:
        for rho in RHOS:
            for kind in KINDS:
                yield row(covered, name, kind, rho, SAMPLES, coverage(name, rho, kind, sets=shared))
    channels = "channels, mean over layers"
    for rho in RHOS:
        yield row(covered, channels, KINDS[0], rho, SAMPLES, channel_coverage(rho, sets=wide))
    for samples in BATCHES[:-1]:
        for name in INTERVALS:
            found = coverage(name, 0.6, KINDS[0], samples, shared)
            yield row(covered, name, KINDS[0], 0.6, samples, found)
        yield row(covered, channels, KINDS[0], 0.6, samples, channel_coverage(0.6, samples, wide))


def row(measure, name, data, rho, samples, found):
    click.echo(f"{measure}, {name}, {data}, {rho}, {samples}: {found}", err=True)
    keys = ("measure", "name", "data", "rho", "samples", "share", "standard_error")
    numbers = (f"{number:.4f}" for number in found)
    return dict(zip(keys, (measure, name, data, rho, samples, *numbers), strict=True))


@click.command(help=__doc__)
@click.option("--sets", type=int, help="Data sets of each share, to try the script.")
@csv_option("calibration.csv")
def main(sets, file):
    """Measure, and write."""
    write_csv(file, measured(sets))


if __name__ == "__main__":
    main()
