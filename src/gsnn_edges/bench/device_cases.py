"""What is measured of the correlation on a GPU, for one library at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gsnn_edges.bench.device_bench import PRODUCT, Bench, size_text
from gsnn_edges.bench.device_data import observations_on, observations_on_host
from gsnn_edges.bench.paper import H200, flop
from gsnn_edges.bench.report import Row
from gsnn_edges.correlation import cross_correlation

# Goals for an H200: over the paper limit of the card as measured, over bare products, and for the
# naive pattern over ours.
LIMIT_AT_MOST = 3.0
HOST_AT_MOST = 1.0
NAIVE_AT_LEAST = 4.0
PEARSON_AT_MOST = 1.2
# Milliseconds and megabytes at the largest size: beyond inputs on the device, and from the host.
LARGEST = 10_000, 300_000
LARGEST_MS, LARGEST_MB, FROM_HOST_MB = 3000.0, 14_000.0, 24_000.0

LIMIT, PAPER_LIMIT = "paper limit of this card", "paper limit of an H200"
NAIVE = "naive torch pattern"


def spearman(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time Spearman over the limit, with inputs on the device."""
    a, g = observations_on(bench.ops, count, nodes)
    what = f"Spearman, {bench.framework}"
    largest = (nodes, count) == LARGEST
    group = bench.group(size_text(nodes, count), {what: partial(cross_correlation, a, g)})
    row = group.row(
        what,
        over=bench.card.spearman(nodes, nodes, count),
        reference=PAPER_LIMIT if bench.card == H200 else LIMIT,
        at_most=LIMIT_AT_MOST,
        at_most_ms=LARGEST_MS if largest else None,
        at_most_mb=LARGEST_MB if largest else None,
    )
    return [bench.counted(row, flop(nodes, nodes, count), H200.spearman(nodes, nodes, count))]


def from_host(bench: Bench, nodes: int, count: int, *, pinned: bool = False) -> list[Row]:
    """Time Spearman of inputs on the host, over 1.5 times their transfer and the time without.

    Nothing else is on the device before: JAX tells one peak for a whole process.
    """
    inputs: Any = observations_on_host(bench.ops, count, nodes, pinned=pinned)
    where: dict[str, Any] = {"backend": bench.framework, "device": bench.settings.device}
    what = f"Spearman, {bench.framework}, from {'pinned memory' if pinned else 'the host'}"
    group = bench.group(
        size_text(nodes, count), {what: partial(cross_correlation, *inputs, **where)}
    )
    a, g = (bench.ops.adopt(x) for x in inputs)
    there = bench.group("", {"": partial(cross_correlation, a, g)}).found[""].median
    row = group.row(
        what,
        over=1.5 * bench.card.transfer(2 * nodes * count) + there,
        reference="1.5 x transfer + on the device",
        at_most=HOST_AT_MOST,
        at_most_mb=FROM_HOST_MB if (nodes, count) == LARGEST else None,
    )
    paper = H200.spearman(nodes, nodes, count, bus=True)
    return [bench.counted(row, flop(nodes, nodes, count), paper)]


def pearson(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time Pearson over the bare product."""
    a, g = observations_on(bench.ops, count, nodes)
    product, ours = f"{PRODUCT}, {bench.framework}", f"Pearson, {bench.framework}"
    calls: dict[str, Callable[[], object]] = {
        product: bench.bare_product(a.T, g.T),
        ours: partial(cross_correlation, a, g, method="pearson"),
    }
    group = bench.group(size_text(nodes, count), calls)
    work = flop(nodes, nodes, count)
    over = group.versus(ours, product, at_most=PEARSON_AT_MOST)
    return [
        bench.counted(group.row(product), work, H200.product(nodes, nodes, count)),
        bench.counted(over, work, H200.pearson(nodes, nodes, count)),
    ]


def naive(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time the naive pattern of torch over ours."""
    from gsnn_edges.bench.naive import naive_spearman

    a, g = observations_on(bench.ops, count, nodes)
    ours = f"Spearman, {bench.framework}"
    calls: dict[str, Callable[[], object]] = {
        ours: partial(cross_correlation, a, g),
        NAIVE: partial(naive_spearman, a, g),
    }
    group = bench.group(size_text(nodes, count), calls)
    row = group.versus(NAIVE, ours, at_least=NAIVE_AT_LEAST)
    return [bench.counted(row, flop(nodes, nodes, count), H200.naive(nodes, nodes, count))]
