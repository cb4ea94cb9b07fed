"""What a card does at its best: a large copy, large products, the sorts to choose from."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.backends.splits import SPLITS
from gsnn_edges.backends.torch_products import full_precision, short_tensor, tensor_core_product
from gsnn_edges.bench.device_data import observations_on
from gsnn_edges.bench.group import Group, Settings
from gsnn_edges.bench.measure import Contestant
from gsnn_edges.bench.paper import H200, Card, flop
from gsnn_edges.bench.report import Row

COPY, BUS = "large copy", "large copy from pinned memory"
PRODUCTS = {
    "float32": "large product",
    "tf32": "large product, TF32",
    "bf16": "large product, bf16",
}
SORT, PACKED = "torch.sort with places", "torch.sort of keys packed with places, int64"

VALUES = 1 << 28
SIDE = 16_384
KEYS = (1 << 7, 1 << 16)


def ceilings(ops: Backend, settings: Settings, scale: float) -> tuple[Card, list[Row]]:
    """Measure what torch's device can do.

    Returns
    -------
    card, rows
        The card as measured, and a row for each call, with its rate.
    """
    size = max(1, int(VALUES * scale))
    side = max(16, int(SIDE * scale**0.5))
    group = settings.group(
        f"{size} values, {side} x {side}",
        {
            **copies(ops, size),
            **{name: large_product(ops, side, kind) for kind, name in PRODUCTS.items()},
        },
    )
    copied = 8 * size / group.found[COPY].least
    card = Card(
        copy=copied,
        bus=4 * size / group.found[BUS].least,
        **{
            kind: flop(side, side, side) / group.found[name].least
            for kind, name in PRODUCTS.items()
        },
    )
    return card, ceiling_rows(group, card)


def ceiling_rows(group: Group, card: Card) -> list[Row]:
    """Give the rate of each call, and what the data sheet of an H200 says."""
    rates = [(COPY, card.copy, H200.copy, "B/s"), (BUS, card.bus, H200.bus, "B/s")]
    rates += [
        (name, float(getattr(card, kind)), float(getattr(H200, kind)), "flop/s")
        for kind, name in PRODUCTS.items()
    ]
    return [
        replace(
            group.row(name),
            rate=rate,
            unit=unit,
            paper_ms=1e3 * group.found[name].least * rate / sheet,
        )
        for name, rate, sheet, unit in rates
    ]


def sorts(ops: Backend, settings: Settings, scale: float) -> list[Row]:
    """Compare torch's sort with one of float32 keys that carry their places in one number."""
    rows, length = KEYS[0], max(2, int(KEYS[1] * scale))
    x, _ = observations_on(ops, rows, length)
    contestants = {
        SORT: Contestant(partial(ops.sort_rows, x)),
        PACKED: Contestant(partial(packed_sort, x)),
    }
    group = settings.group(f"{rows} rows of {length}", contestants)
    return [group.row(SORT), group.versus(PACKED, SORT)]


def packed_sort(x: Array) -> tuple[Array, Array]:
    """Sort each row of float32 values: keys and order, by one sort of 64-bit numbers.

    The bits of a float rise with it where it is positive, and fall with it where it is negative.
    """
    import torch

    bits = (x + 0.0).view(torch.int32)
    keys = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    place = torch.arange(x.shape[1], device=x.device)
    packed = ((keys << 32) | place).sort(dim=1).values
    return packed >> 32, packed & 0xFFFFFFFF


def copies(ops: Backend, size: int) -> dict[str, Contestant]:
    """Copy within a device, and to it from memory that it reads by itself."""
    import torch

    on_host = torch.zeros(size, pin_memory=ops.device.type == "cuda")
    source, target = (torch.zeros(size, device=ops.device) for _ in range(2))
    return {
        COPY: Contestant(partial(target.copy_, source)),
        BUS: Contestant(partial(target.copy_, on_host, non_blocking=True)),
    }


def large_product(ops: Backend, side: int, kind: str) -> Contestant:
    """Multiply square matrices, in float32 or by tensor cores."""
    import torch

    a, b = (torch.ones((side, side), device=ops.device) for _ in range(2))
    if kind == "float32":
        return Contestant(partial(exact_product, a, b))
    split = next(split for split in SPLITS.values() if split.kind == kind)
    if ops.device.type != "cuda":
        return Contestant(partial(ops.add_short_product, None, a, b, split))
    short: Callable[[Any], Any] = partial(short_tensor, split=split)
    return Contestant(partial(tensor_core_product, None, short(a), short(b), split))


def exact_product(a: Array, b: Array) -> Array:
    """Give ``a @ b.T`` in true float32, by torch's own product."""
    with full_precision(a.device.type):
        return a @ b.T
