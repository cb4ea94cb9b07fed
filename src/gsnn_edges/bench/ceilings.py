"""What a card does at its best: a large copy, large products."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.backends.torch_backend import full_precision
from gsnn_edges.bench.paper import H200, Card, flop
from gsnn_edges.bench.report import Row

COPY, BUS = "large copy", "large copy from pinned memory"
PRODUCTS = {"float32": "large product"}
# What each call says of a card.
CEILINGS = {COPY: "copy", BUS: "bus", **{name: kind for kind, name in PRODUCTS.items()}}

VALUES = 1 << 28
SIDE = 16_384


def copies(bench: Any, size: int) -> list[Row]:
    """Time copies of so many values, within a card and from memory that it reads by itself."""
    group = bench.group(f"{size} values", copy_calls(bench.ops, size))
    work = {COPY: 8 * size, BUS: 4 * size}
    return [ceiling_row(group.row(name), work[name], "B/s") for name in work]


def product(bench: Any, kind: str, side: int) -> list[Row]:
    """Time one product of square matrices."""
    what = PRODUCTS[kind]
    group = bench.group(f"{side} x {side}", {what: large_product(bench.ops, side)})
    return [ceiling_row(group.row(what), flop(side, side, side), "flop/s")]


def ceiling_row(row: Row, work: float, unit: str) -> Row:
    """Add to a row its rate, and the time by the data sheet of an H200."""
    sheet = float(getattr(H200, CEILINGS[row.what]))
    assert row.milliseconds is not None
    return replace(row, rate=1e3 * work / row.milliseconds, unit=unit, paper_ms=1e3 * work / sheet)


def learned(card: Card, row: Row) -> Card:
    """Give the card with the ceiling that a row measured, if it is one's row."""
    field = CEILINGS.get(row.what)
    return card if field is None or row.rate is None else replace(card, **{field: row.rate})


def copy_calls(ops: Backend, size: int) -> dict[str, Callable[[], object]]:
    """Copy within a device, and to it from memory that it reads by itself."""
    import torch

    source, target = torch.randn(size, device=ops.device), torch.empty(size, device=ops.device)
    on_host = source.cpu()
    on_host = on_host.pin_memory() if ops.device.type == "cuda" else on_host
    return {
        COPY: partial(target.copy_, source),
        BUS: partial(target.copy_, on_host, non_blocking=True),
    }


def large_product(ops: Backend, side: int) -> Callable[[], Array]:
    """Multiply random square matrices."""
    import torch

    # Products of ones, or of zeros, run faster than those of any numbers.
    a, b = (torch.randn((side, side), device=ops.device) for _ in range(2))
    return partial(exact_product, a, b)


def exact_product(a: Array, b: Array) -> Array:
    """Give ``a @ b.T`` in true float32, by torch's own product."""
    with full_precision(a.device.type):
        return a @ b.T
