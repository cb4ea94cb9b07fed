"""What is measured on a GPU: a function for each group of rows, for one library at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gsnn_edges._typing import Array, Precision
from gsnn_edges.backends import Backend
from gsnn_edges.bench import references
from gsnn_edges.bench.ceilings import exact_product
from gsnn_edges.bench.data import nodes_of, scored_edges
from gsnn_edges.bench.device_data import observations_on
from gsnn_edges.bench.group import Group, Settings
from gsnn_edges.bench.measure import Contestant, CudaMemory
from gsnn_edges.bench.paper import H200, Card, flop
from gsnn_edges.bench.report import Row
from gsnn_edges.channels import channel_correlation
from gsnn_edges.correlation import cross_correlation
from gsnn_edges.layers import layer_pairs
from gsnn_edges.link_ranking import mrr

# Goals for an H200: over the paper limit of the card as measured, over bare products and passes,
# and for naive patterns over ours.
LIMIT_AT_MOST = 3.0
HOST_AT_MOST = 1.0
NAIVE_AT_LEAST = 4.0
PEARSON_AT_MOST = 1.2
GATHER_AT_LEAST = 10.0
FIT_AT_MOST = 1.3
CHANNELS_AT_MOST = 1.3

SHORT: tuple[Precision, ...] = ("float32", "tf32x3", "bf16x3", "tf32")

LIMIT = "paper limit of this card"
PRODUCT = "bare product"
NAIVE = "naive torch pattern"
GATHER = "per-query gather, torch"
EDGES_PER_NODE, GSNN_CHANNELS, GSNN_LAYERS = 5, 4, 5


@dataclass(frozen=True)
class Bench:
    """One library on a device, the card as it was measured, and how long to measure."""

    ops: Backend
    card: Card
    settings: Settings

    @property
    def framework(self) -> str:
        """Name of the library."""
        return self.ops.name

    def contestant(self, call: Callable[[], object]) -> Contestant:
        """Make a call to be timed; torch's own account of a card tells its peak of memory."""
        if self.framework == "torch" and self.ops.device.type == "cuda":
            return Contestant(call, memory=CudaMemory())
        return Contestant(call)

    def group(self, size: str, calls: dict[str, Callable[[], object]]) -> Group:
        """Time calls side by side."""
        return self.settings.group(size, {n: self.contestant(call) for n, call in calls.items()})

    def counted(self, row: Row, work: float, paper: float) -> Row:
        """Add to a row the operations a second that it reached, and what paper says."""
        rate = None if row.milliseconds is None else 1e3 * work / row.milliseconds
        share = None if rate is None else rate / self.card.float32
        return replace(row, rate=rate, unit="flop/s", share=share, paper_ms=1e3 * paper)


def spearman(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time Spearman over the limit, with inputs on the device."""
    a, g = observations_on(bench.ops, count, nodes)
    what = f"Spearman, {bench.framework}"
    group = bench.group(size_text(nodes, count), {what: partial(cross_correlation, a, g)})
    row = group.row(
        what,
        over=bench.card.spearman(nodes, nodes, count),
        reference=LIMIT,
        at_most=LIMIT_AT_MOST,
    )
    return [bench.counted(row, flop(nodes, nodes, count), H200.spearman(nodes, nodes, count))]


def short_products(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time Spearman with products by tensor cores, over that in float32."""
    a, g = observations_on(bench.ops, count, nodes)
    names = {f"Spearman, {bench.framework}, {p}": p for p in SHORT}
    calls = {n: partial(cross_correlation, a, g, precision=p) for n, p in names.items()}
    group = bench.group(size_text(nodes, count), {**calls})
    whole = next(iter(names))
    return [
        bench.counted(
            group.versus(name, whole),
            flop(nodes, nodes, count),
            H200.spearman(nodes, nodes, count, precision),
        )
        for name, precision in names.items()
        if name != whole
    ]


def from_host(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time Spearman of inputs on the host, over 1.5 times their transfer and the time without."""
    a, g = observations_on(bench.ops, count, nodes)
    where: dict[str, Any] = {"backend": bench.framework, "device": bench.settings.device}
    there = bench.group("", {"": partial(cross_correlation, a, g)}).found[""].median
    inputs = {"from the host": tuple(bench.ops.to_numpy(x) for x in (a, g))}
    if bench.framework == "torch" and bench.ops.device.type == "cuda":
        inputs["from pinned memory"] = tuple(x.cpu().pin_memory() for x in (a, g))
    del a, g
    calls = {
        f"Spearman, {bench.framework}, {name}": partial(cross_correlation, *pair, **where)
        for name, pair in inputs.items()
    }
    group = bench.group(size_text(nodes, count), {**calls})
    over = 1.5 * bench.card.transfer(2 * nodes * count) + there
    paper = H200.spearman(nodes, nodes, count, bus=True)
    return [
        bench.counted(
            group.row(
                name, over=over, reference="1.5 x transfer + on the device", at_most=HOST_AT_MOST
            ),
            flop(nodes, nodes, count),
            paper,
        )
        for name in calls
    ]


def beside_the_naive(bench: Bench, nodes: int, count: int) -> list[Row]:
    """Time Pearson over the bare product, and the naive pattern over ours."""
    a, g = observations_on(bench.ops, count, nodes)
    ours, pearson = (f"{method}, {bench.framework}" for method in ("Spearman", "Pearson"))
    calls: dict[str, Callable[[], object]] = {
        f"{PRODUCT}, {bench.framework}": bare_product(bench.ops, a.T, g.T),
        ours: partial(cross_correlation, a, g),
        pearson: partial(cross_correlation, a, g, method="pearson"),
    }
    if bench.framework == "torch":
        from gsnn_edges.bench.naive import naive_spearman

        calls[NAIVE] = partial(naive_spearman, a, g)
    group = bench.group(size_text(nodes, count), calls)
    work = flop(nodes, nodes, count)
    product = f"{PRODUCT}, {bench.framework}"
    rows = [
        bench.counted(group.row(product), work, H200.product(nodes, nodes, count)),
        bench.counted(
            group.versus(pearson, product, at_most=PEARSON_AT_MOST),
            work,
            H200.pearson(nodes, nodes, count),
        ),
    ]
    if NAIVE in calls:
        naive = group.versus(NAIVE, ours, at_least=NAIVE_AT_LEAST)
        rows.append(bench.counted(naive, work, H200.naive(nodes, nodes, count)))
    return rows


def ranking(bench: Bench, nodes: int, edges: int) -> list[Row]:
    """Time mrr of scores on the device, and the gather per query over it."""
    scores, queries = scored_edges(nodes, edges)
    table, ours = bench.ops.adopt(scores), f"mrr, {bench.framework}"
    calls: dict[str, Callable[[], object]] = {ours: partial(mrr, table, queries, queries)}
    if bench.framework == "torch":
        from gsnn_edges.bench.naive import gather_mrr

        pairs = bench.ops.adopt(queries)
        calls[GATHER] = partial(gather_mrr, table, pairs, pairs)
    group = bench.group(f"N={nodes}, E={edges}", calls)
    rows = [replace(group.row(ours), paper_ms=1e3 * H200.mrr(nodes))]
    if GATHER in calls:
        gather = group.versus(GATHER, ours, at_least=GATHER_AT_LEAST)
        rows.append(replace(gather, paper_ms=1e3 * H200.gather(nodes, edges)))
    return rows


def fit(bench: Bench, nodes: int, batch: int) -> list[Row]:
    """Time the fit of a GSNN over its bare forward and backward pass, both by torch."""
    from gsnn_edges.bench.fitting import BARE, CAPTURE, inferer
    from gsnn_edges.bench.gsnn import bare_pass, example
    from gsnn_edges.observations import capture

    device, ours = bench.settings.device, f"fit, {bench.framework}"
    given = example(
        nodes,
        batch=batch,
        layers=GSNN_LAYERS,
        channels=GSNN_CHANNELS,
        edges_per_node=EDGES_PER_NODE,
        device=device,
    )
    x, y = given.x, given.y
    calls: dict[str, Callable[[], object]] = {
        BARE: partial(bare_pass, given),
        CAPTURE: partial(capture, given.model, given.crit, x, y, device=device),
        ours: partial(inferer(given, bench.framework, device).fit, x, y),
    }
    group = bench.group(f"N={nodes}, B={batch}", calls)
    size = nodes, EDGES_PER_NODE * nodes, GSNN_CHANNELS, GSNN_LAYERS, batch
    paper = H200.passes(*size)
    correlated = H200.spearman(nodes, nodes, (GSNN_LAYERS - 1) * batch)
    return [
        replace(group.row(BARE), paper_ms=1e3 * paper),
        replace(group.versus(CAPTURE, BARE), paper_ms=1e3 * paper),
        replace(group.versus(ours, BARE, at_most=FIT_AT_MOST), paper_ms=1e3 * (paper + correlated)),
    ]


def channels(bench: Bench, nodes: int, width: int, batch: int) -> list[Row]:
    """Time the channel score, a layer pair at a time, over its bare products."""
    pairs, columns = GSNN_LAYERS - 1, nodes * width
    a, g = observations_on(bench.ops, pairs * batch, columns)
    parts = list(layer_pairs(a, g, batch))
    own = nodes_of(nodes, width)
    ours, product = f"channel score, {bench.framework}", f"{pairs} {PRODUCT}s, {bench.framework}"
    products = [bare_product(bench.ops, x.T, y.T) for x, y in parts]
    group = bench.group(
        f"N={nodes}, C={width}, {pairs} layer pairs, B={batch}",
        {
            product: lambda: [call() for call in products][-1],
            ours: lambda: [channel_correlation(x, y, own, own) for x, y in parts][-1],
        },
    )
    work = pairs * flop(columns, columns, batch)
    return [
        bench.counted(group.row(product), work, pairs * H200.product(columns, columns, batch)),
        bench.counted(
            group.versus(ours, product, at_most=CHANNELS_AT_MOST),
            work,
            pairs * H200.channels(nodes, width, batch),
        ),
    ]


def bare_product(ops: Backend, a: Array, b: Array) -> Callable[[], Array]:
    """Multiply rows by the library itself, in true float32."""
    if ops.name == "torch":
        return partial(exact_product, a, b)
    return partial(references.jax_product(), a, b, dimension=1)


def size_text(nodes: int, count: int) -> str:
    """Say how large a correlation is."""
    return f"N={nodes}, M={count}"
