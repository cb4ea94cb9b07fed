"""``python -m gsnn_edges.bench.device_child``: the cases of one library, in their own process."""

import gc
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gsnn_edges import backends
from gsnn_edges.bench.ceilings import PRODUCTS, SIDE, VALUES, copies, learned, product
from gsnn_edges.bench.device_bench import Bench
from gsnn_edges.bench.device_cases import from_host, naive, pearson, spearman
from gsnn_edges.bench.device_scores import channels, fit, gather, ranking
from gsnn_edges.bench.device_sorts import SHAPES, sorts
from gsnn_edges.bench.group import Settings
from gsnn_edges.bench.paper import Card
from gsnn_edges.bench.report import Row
from gsnn_edges.bench.reporting import Case, own_channel, run_cases

# A call is made once to warm up, and at least once more.
REPEATS, LEAST = 3, 1
BUDGET = 5.0
# Calls that take less are made several times in a round.
SHORT_SECONDS = 0.05
# No size of a scaled table is less.
LEAST_SIZE = 20


def device_cases(library: str, scale: float = 1.0) -> list[Case[Bench]]:
    """List the cases of a library, with all sizes but those of the ceilings and widths scaled."""
    torch = library == "torch"

    def case(
        run: Callable[..., list[Row]], *sizes: int, fixed: tuple[object, ...] = ()
    ) -> Case[Bench]:
        given = tuple(max(LEAST_SIZE, int(scale * size)) for size in sizes)
        name = ", ".join([run.__name__.replace("_", " "), *map(str, fixed), library])
        size = " x ".join(map(str, given))
        return Case(name, size, lambda bench: run(bench, *fixed, *given))

    def pinned(bench: Bench, nodes: int, count: int) -> list[Row]:
        return from_host(bench, nodes, count, pinned=True)

    def channel_score(bench: Bench, nodes: int, batch: int) -> list[Row]:
        return channels(bench, nodes, 4, batch)

    largest = 10_000, 300_000
    return [
        *([Case("copies, torch", "", partial(copies, size=int(VALUES * scale)))] if torch else []),
        *(product_case(kind, scale) for kind in PRODUCTS if torch),
        # Before all else of JAX, whose peak is that of the process.
        case(from_host, *largest),
        case(spearman, *largest),
        *(case(spearman, *s) for s in ((10_000, 100_000), (5000, 50_000), (10_000, 10_000))),
        case(pearson, 10_000, 100_000),
        *([case(naive, 10_000, 100_000)] if torch else []),
        case(ranking, 10_000, 200_000),
        *([case(gather, 10_000, 200_000)] if torch else []),
        case(fit, 5000, 1000),
        case(channel_score, 5000, 2000),
        *([case(pinned, *largest)] if torch else []),
        *(sort_case(library, rows, length, scale) for rows, length in SHAPES),
    ]


def product_case(kind: str, scale: float) -> Case[Bench]:
    """Make the case of one of the large products."""
    side = max(LEAST_SIZE, int(SIDE * scale**0.5))
    return Case(
        f"{PRODUCTS[kind]}, torch", f"{side} x {side}", partial(product, kind=kind, side=side)
    )


def sort_case(library: str, rows: int, length: int, scale: float) -> Case[Bench]:
    """Make the case of the sorts at one shape, as many rows of a shorter length."""
    length = max(LEAST_SIZE, int(scale * length))
    size = f"{rows} rows of {length}"
    return Case(f"sorts, {library}", size, partial(sorts, rows=rows, length=length))


def main(order: str) -> int:
    """Run the cases that another process has asked for; give the status to end with."""
    given = json.loads(order)
    library, device = given["library"], given["device"]
    channel = own_channel()
    settings = Settings(device, REPEATS, BUDGET, device != "cpu", LEAST, SHORT_SECONDS)
    bench = Bench(backends.load(library, device), Card(**given["card"]), settings)
    cases = device_cases(library, given["scale"])
    clean = partial(let_go, library)
    done = run_cases(cases, given["first"], bench, channel, learn=with_card, clean=clean)
    return 0 if done else 1


def with_card(bench: Bench, row: Row) -> Bench:
    """Give a bench that knows the ceiling which a row measured."""
    return replace(bench, card=learned(bench.card, row))


def let_go(library: str) -> None:
    """Give memory back that no array is in: the next case may need all of a card."""
    gc.collect()
    if library == "torch" or "torch" in sys.modules:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
