"""What is measured of scores, their significance, their ranking and their tables."""

from functools import partial
from typing import Any

from gsnn_edges.bench import references
from gsnn_edges.bench.data import nodes_of, observations, scored_edges
from gsnn_edges.bench.group import Group, Settings
from gsnn_edges.bench.libraries import ON_DEVICE, installed
from gsnn_edges.bench.measure import Contestant
from gsnn_edges.bench.report import Row
from gsnn_edges.channels import channel_correlation
from gsnn_edges.evaluation import evaluate_edges, mrr
from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.significance import permutation_test

# Goals over the bare products of the same matrices, over mrr, and in milliseconds.
CHANNELS_AT_MOST = {(1000, 4, 10**4): 1.3}
PERMUTATIONS_AT_MOST = {(1000, 10**4): 1.3}
EVALUATION_AT_MOST = {(5000, 50_000): 2.0}

CHANNEL_SCORES: dict[str, dict[str, Any]] = {
    "Spearman": {"method": "spearman"},
    "two directions": {"method": "spearman", "n_components": 2},
    "Pearson": {"method": "pearson"},
}
PRODUCT = "bare product"
PAIRS = 5  # layer pairs of the observations that are permuted


def channels(nodes: int, width: int, count: int, settings: Settings) -> list[Row]:
    """Time the channel score on all libraries, beside the product of all channels."""
    a, g = observations(count, nodes * width)
    own = nodes_of(nodes, width)
    libraries = installed(settings.device)
    scored = {
        f"channel score, {kind}, {name}": Contestant(
            partial(channel_correlation, ops.adopt(a), ops.adopt(g), own, own, **options)
        )
        for kind, options in CHANNEL_SCORES.items()
        for name, ops in libraries.items()
    }
    products = references.products(a, g, libraries)
    group = settings.group(f"N={nodes}, C={width}, M={count}", scored | named(products))
    best = fastest(group, products)
    limit: Any = {"over": group.found[best].median, "reference": best}
    goal = CHANNELS_AT_MOST.get((nodes, width, count))
    there = ON_DEVICE[settings.device]
    return [
        group.row(best),
        *group.ours("channel score, Spearman", there, **limit, at_most=goal),
        *group.ours("channel score, two directions", there, **limit),
        *group.ours("channel score, Pearson", there, **limit),
    ]


def permutations(nodes: int, count: int, number: int, settings: Settings) -> list[Row]:
    """Time a permutation test on all libraries, beside as many bare products."""
    a, g = observations(count, nodes)
    libraries = installed(settings.device)
    tests = {
        f"{number} permutations, {name}": Contestant(
            partial(
                permutation_test,
                ops.adopt(a),
                ops.adopt(g),
                count // PAIRS,
                n_resamples=number,
                seed=0,
            )
        )
        for name, ops in libraries.items()
    }
    products = references.products(a, g, libraries)
    group = settings.group(f"N={nodes}, M={count}", tests | named(products))
    best = fastest(group, products)
    return [
        group.row(best),
        *group.ours(
            f"{number} permutations",
            ON_DEVICE[settings.device],
            over=number * group.found[best].median,
            reference=f"{number} x {best}",
            at_most=PERMUTATIONS_AT_MOST.get((nodes, count)),
        ),
    ]


def evaluation(nodes: int, edges: int, settings: Settings) -> list[Row]:
    """Time all link-ranking metrics beside mrr, and the table of all pairs."""
    scores, queries = scored_edges(nodes, edges)
    call = partial(evaluate_edges, scores, queries, queries, seed=0)
    ranks = "evaluate_edges, ranks only"
    group = settings.group(
        f"N={nodes}, E={edges}",
        {
            "mrr": Contestant(partial(mrr, scores, queries, queries)),
            ranks: Contestant(partial(call, n_resamples=None, pool_metrics=False)),
            "evaluate_edges, no intervals": Contestant(partial(call, n_resamples=None)),
            "evaluate_edges": Contestant(call),
            "to_frame": Contestant(EdgeEvidence(scores).to_frame),
        },
    )
    goal = EVALUATION_AT_MOST.get((nodes, edges))
    return [
        group.row("mrr"),
        group.versus(ranks, "mrr", at_most=goal),
        group.versus("evaluate_edges, no intervals", "mrr", at_most=goal),
        group.versus("evaluate_edges", "mrr"),
        group.row("to_frame"),
    ]


def named(products: dict[str, Contestant]) -> dict[str, Contestant]:
    """Say of each product that it is one."""
    return {f"{PRODUCT}, {name}": contestant for name, contestant in products.items()}


def fastest(group: Group, products: dict[str, Contestant]) -> str:
    """Name the fastest product of a group."""
    return min(named(products), key=lambda name: group.found[name].median)
