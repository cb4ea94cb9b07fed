"""What is measured on arrays: a function for each group of rows."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

from gsnn_edges._typing import Array
from gsnn_edges.bench import references
from gsnn_edges.bench.data import observations, scored_edges
from gsnn_edges.bench.group import Group, Settings
from gsnn_edges.bench.libraries import ON_DEVICE, installed
from gsnn_edges.bench.measure import Contestant, Measurement
from gsnn_edges.bench.report import Row
from gsnn_edges.correlation import cross_correlation
from gsnn_edges.evaluation import mrr

Size = tuple[int, int]

# Goals for the fastest library at (N, M), over its limits.
SPEARMAN_AT_MOST = {(1000, 10**4): 2.0, (2000, 10**4): 1.6, (5000, 10**4): 1.25, (1000, 10**5): 1.7}
PEARSON_AT_MOST = {(5000, 10**4): 1.3}
# Goals for others over ours, at (N, M) and at (N, E).
NAIVE_AT_LEAST = {(1000, 10**4): 7.0, (2000, 10**4): 5.0, (5000, 10**4): 4.0, (1000, 10**5): 13.0}
PEER_AT_LEAST = {("scipy", 1000, 10**4): 15.0, ("pandas", 500, 5000): 100.0}
GATHER_AT_LEAST = {(5000, 50_000): 30.0, (10_000, 200_000): 80.0}
# Goals for the time over that of half of N, and of half of M.
TWICE_AT_MOST = {"N": 4.1, "M": 2.2}

SORT = "key sort"
NAIVE = "naive torch pattern"
GATHER = "per-query gather, torch"
PEERS = {
    "scipy": ("SciPy spearmanr", references.scipy_spearman),
    "pandas": ("pandas corr", references.pandas_spearman),
}


def correlation(nodes: int, count: int, settings: Settings) -> list[Row]:
    """Spearman and Pearson on all libraries, beside the limits and the naive torch pattern."""
    a, g = observations(count, nodes)
    libraries = installed(settings.device)
    products = references.products(a, g, libraries)
    # A short trial: only the fastest one takes turns with the rest.
    tried = replace(settings, repeats=2, budget=settings.budget / 3).time(products)
    best = min(tried, key=lambda name: tried[name].least)
    product = f"bare product, {best}"
    contestants = {
        product: products[best],
        SORT: references.key_sort(a, g, settings.device),
        **correlations({name: (ops.adopt(a), ops.adopt(g)) for name, ops in libraries.items()}),
    }
    del products  # and their matrices
    group = settings.group(_size_text(nodes, count), contestants)
    return correlation_rows(group, product, (nodes, count), ON_DEVICE[settings.device])


def correlations(arrays: dict[str, tuple[Array, Array]]) -> dict[str, Contestant]:
    """Give ours on each library's arrays, and the naive pattern on those of torch."""
    contestants = {
        f"{method.capitalize()}, {name}": Contestant(
            partial(cross_correlation, *pair, method=method)
        )
        for method in ("spearman", "pearson")
        for name, pair in arrays.items()
    }
    if "torch" in arrays:
        from gsnn_edges.bench.naive import naive_spearman

        contestants[NAIVE] = Contestant(partial(naive_spearman, *arrays["torch"]))
    return contestants


def correlation_rows(group: Group, product: str, size: Size, libraries: Sequence[str]) -> list[Row]:
    """Compare ours with the limits, and the naive pattern with ours."""
    floor = group.found[product].median
    return [
        group.row(product),
        group.row(SORT),
        *group.ours(
            "Spearman",
            libraries,
            over=floor + group.found[SORT].median,
            reference="bare product + key sort",
            at_most=SPEARMAN_AT_MOST.get(size),
        ),
        group.versus(NAIVE, "Spearman, torch", at_least=NAIVE_AT_LEAST.get(size)),
        *group.ours(
            "Pearson",
            libraries,
            over=floor,
            reference="bare product",
            at_most=PEARSON_AT_MOST.get(size),
        ),
    ]


def peer(package: str, nodes: int, count: int, settings: Settings) -> list[Row]:
    """Time the Spearman correlation of SciPy or pandas, beside ours on NumPy arrays."""
    label, call = PEERS[package]
    arrays = observations(count, nodes)
    ours = "Spearman, numpy"
    contestants = {ours: Contestant(partial(cross_correlation, *arrays))}
    if find_spec(package):
        contestants[label] = Contestant(partial(call, *arrays))
    group = settings.group(_size_text(nodes, count), contestants)
    return [group.versus(label, ours, at_least=PEER_AT_LEAST.get((package, nodes, count)))]


def ranking(nodes: int, edges: int, settings: Settings) -> list[Row]:
    """Time mrr on all libraries, and the per-query gather."""
    scores, queries = scored_edges(nodes, edges)
    libraries = installed(settings.device)
    tables = {name: ops.adopt(scores) for name, ops in libraries.items()}
    contestants = {
        f"mrr, {name}": Contestant(partial(mrr, table, queries, queries))
        for name, table in tables.items()
    }
    if "torch" in tables:
        from gsnn_edges.bench.naive import gather_mrr

        pairs = libraries["torch"].adopt(queries)
        contestants[GATHER] = Contestant(partial(gather_mrr, tables["torch"], pairs, pairs))
    group = settings.group(f"N={nodes}, E={edges}", contestants)
    return [
        *group.ours("mrr", ON_DEVICE[settings.device]),
        group.versus(GATHER, "mrr, torch", at_least=GATHER_AT_LEAST.get((nodes, edges))),
    ]


def growth(nodes: Sequence[int], counts: Sequence[int], settings: Settings) -> list[Row]:
    """Time Spearman where N doubles and where M doubles: the worst step of each.

    ``nodes`` and ``counts`` hold two sizes or more, each twice the one before.
    """
    libraries = installed(settings.device)
    # The default backend, where it is installed.
    name = "torch" if "torch" in libraries else next(iter(libraries))
    adopt = libraries[name].adopt
    contestants: dict[Size, Contestant] = {}
    for n in nodes:
        a, g = (adopt(x) for x in observations(max(counts), n))
        # The first rows lie together, so that smaller sizes need no data of their own.
        contestants |= {
            (n, m): Contestant(partial(cross_correlation, a[:m], g[:m])) for m in counts
        }
    found = settings.time(contestants)
    steps = {
        "N": [((n, m), (2 * n, m)) for n in nodes[:-1] for m in counts],
        "M": [((n, m), (n, 2 * m)) for n in nodes for m in counts[:-1]],
    }
    return [
        worst_step(
            f"Spearman, {name}, {letter} doubled: worst of {len(pairs)}",
            [(found[small], found[large], small, large) for small, large in pairs],
            at_most=TWICE_AT_MOST[letter] if settings.device == "cpu" else None,
        )
        for letter, pairs in steps.items()
    ]


def worst_step(
    what: str, steps: Sequence[tuple[Measurement, Measurement, Size, Size]], at_most: float | None
) -> Row:
    """Give the step whose larger size takes most times as long as its smaller size."""
    small, large, small_size, size = max(steps, key=lambda step: step[1].median / step[0].median)
    return Row(
        what,
        _size_text(*size),
        milliseconds=large.milliseconds,
        ratio=large.median / small.median,
        reference=_size_text(*small_size),
        at_most=at_most,
        peak_mb=large.peak_mb,
    )


def _size_text(nodes: int, count: int) -> str:
    return f"N={nodes}, M={count}"
