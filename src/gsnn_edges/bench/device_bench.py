"""One library on a device: how calls are timed there, and their rates counted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from gsnn_edges._typing import Array
from gsnn_edges.backends import Backend
from gsnn_edges.bench import references
from gsnn_edges.bench.ceilings import exact_product
from gsnn_edges.bench.group import Group, Settings
from gsnn_edges.bench.measure import Clock, Contestant, CudaClock, CudaMemory, JaxMemory, Resident
from gsnn_edges.bench.paper import GRADES, H200, Card
from gsnn_edges.bench.report import Row

PRODUCT = "bare product"


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

    @property
    def on_cuda(self) -> bool:
        """Whether torch computes on a CUDA device."""
        return self.framework == "torch" and self.settings.device != "cpu"

    def contestant(self, call: Callable[[], object]) -> Contestant:
        """Make a call to be timed; away from a CPU, the library's own account tells its memory."""
        if self.settings.device == "cpu":
            return Contestant(call)
        clock: Clock = CudaClock() if self.on_cuda else Clock()
        memory: Resident = CudaMemory() if self.on_cuda else JaxMemory(self.ops.device)
        return Contestant(call, memory=memory, clock=clock, settles=False)

    def group(self, size: str, calls: dict[str, Callable[[], object]]) -> Group:
        """Time calls side by side."""
        return self.settings.group(size, {n: self.contestant(call) for n, call in calls.items()})

    def counted(self, row: Row, work: float, paper: float, grade: str = "float32") -> Row:
        """Add to a row the operations a second that it reached, and what paper says.

        Short operands are multiplied several times in place of once: the share of the ceiling, of
        that kind of operands, counts each of these products.
        """
        products, kind = GRADES[grade]
        rate = rate_of(row, work)
        share = None if rate is None else products * rate / float(getattr(self.card, kind))
        return replace(row, rate=rate, unit="flop/s", share=share, paper_ms=1e3 * paper)

    def moved(self, row: Row, paper: float) -> Row:
        """Add to a row the bytes a second that it moved, by the count of the paper model."""
        rate = rate_of(row, paper * H200.copy)
        share = None if rate is None else rate / self.card.copy
        return replace(row, rate=rate, unit="B/s", share=share, paper_ms=1e3 * paper)

    def bare_product(self, a: Array, b: Array) -> Callable[[], Array]:
        """Multiply rows by the library itself, in true float32."""
        if self.framework == "torch":
            return partial(exact_product, a, b)
        return partial(references.jax_product(), a, b, dimension=1)


def rate_of(row: Row, work: float) -> float | None:
    """Give work over the time of a row."""
    return None if row.milliseconds is None else 1e3 * work / row.milliseconds


def size_text(nodes: int, count: int) -> str:
    """Say how large a correlation is."""
    return f"N={nodes}, M={count}"
