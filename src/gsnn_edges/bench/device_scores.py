"""What is measured on a GPU beside the correlation: rankings, a fit, the channel score."""

from collections.abc import Callable
from functools import partial

from gsnn_edges.bench.data import nodes_of, scored_edges
from gsnn_edges.bench.device_bench import PRODUCT, Bench
from gsnn_edges.bench.device_data import observations_on
from gsnn_edges.bench.paper import H200, flop
from gsnn_edges.bench.report import Row
from gsnn_edges.channels import channel_correlation
from gsnn_edges.evaluation import mrr
from gsnn_edges.layer_pairs import layer_pairs

# Goals for an H200: for the gather over ours, and over bare passes and products.
GATHER_AT_LEAST = 10.0
FIT_AT_MOST = 1.3
CHANNELS_AT_MOST = 1.3

GATHER = "per-query gather, torch"
EDGES_PER_NODE, GSNN_CHANNELS, GSNN_LAYERS = 5, 4, 5


def ranking(bench: Bench, nodes: int, edges: int) -> list[Row]:
    """Time mrr of scores on the device."""
    edges = some_edges(nodes, edges)
    scores, queries = scored_edges(nodes, edges)
    table, ours = bench.ops.adopt(scores), f"mrr, {bench.framework}"
    group = bench.group(f"N={nodes}, E={edges}", {ours: partial(mrr, table, queries, queries)})
    return [bench.moved(group.row(ours), H200.mrr(nodes))]


def gather(bench: Bench, nodes: int, edges: int) -> list[Row]:
    """Time the gather per query over mrr, both by torch."""
    from gsnn_edges.bench.naive import gather_mrr

    edges = some_edges(nodes, edges)
    scores, queries = scored_edges(nodes, edges)
    table, pairs = bench.ops.adopt(scores), bench.ops.adopt(queries)
    ours = f"mrr, {bench.framework}"
    calls: dict[str, Callable[[], object]] = {
        ours: partial(mrr, table, queries, queries),
        GATHER: partial(gather_mrr, table, pairs, pairs),
    }
    group = bench.group(f"N={nodes}, E={edges}", calls)
    row = group.versus(GATHER, ours, at_least=GATHER_AT_LEAST)
    return [bench.moved(row, H200.gather(nodes, edges))]


def some_edges(nodes: int, edges: int) -> int:
    """Give as many edges, or half of those that so few nodes can have."""
    return min(edges, nodes * (nodes - 1) // 2)


def fit(bench: Bench, nodes: int, batch: int) -> list[Row]:
    """Time the fit of a GSNN over its bare forward and backward pass, both by torch."""
    from gsnn_edges.activations import capture
    from gsnn_edges.bench.fitting import BARE, CAPTURE, inferer
    from gsnn_edges.bench.gsnn import bare_pass, example

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
    count = (GSNN_LAYERS - 1) * batch
    passes = H200.passes(nodes, EDGES_PER_NODE * nodes, GSNN_CHANNELS, GSNN_LAYERS, batch)
    whole = group.versus(ours, BARE, at_most=FIT_AT_MOST)
    paper = passes + H200.spearman(nodes, nodes, count)
    return [
        bench.moved(group.row(BARE), passes),
        bench.moved(group.versus(CAPTURE, BARE), passes),
        bench.counted(whole, flop(nodes, nodes, count), paper),
    ]


def channels(bench: Bench, nodes: int, width: int, batch: int) -> list[Row]:
    """Time the channel score, a layer pair at a time, over its bare products."""
    pairs, columns = GSNN_LAYERS - 1, nodes * width
    a, g = observations_on(bench.ops, pairs * batch, columns)
    parts = list(layer_pairs(a, g, batch))
    own = nodes_of(nodes, width)
    ours, product = f"channel score, {bench.framework}", f"{pairs} {PRODUCT}s, {bench.framework}"
    products = [bench.bare_product(x.T, y.T) for x, y in parts]
    group = bench.group(
        f"N={nodes}, C={width}, {pairs} layer pairs, B={batch}",
        {
            product: lambda: [call() for call in products][-1],
            ours: lambda: [channel_correlation(x, y, own, own) for x, y in parts][-1],
        },
    )
    work = pairs * flop(columns, columns, batch)
    score = group.versus(ours, product, at_most=CHANNELS_AT_MOST)
    return [
        bench.counted(group.row(product), work, pairs * H200.product(columns, columns, batch)),
        bench.counted(score, work, pairs * H200.channels(nodes, width, batch)),
    ]
