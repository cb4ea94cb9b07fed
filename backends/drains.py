"""Blocks of a result on their way from where they are made, while the next ones are."""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from gsnn_edges._typing import Array
from gsnn_edges.backends.summation import parts
from gsnn_edges.backends.transfers import STAGES, rows_in_stage, stage_size

Write = Callable[[Array, Array, int, int], Array]


class Drain:
    """Blocks written into a result one after another; here each at once."""

    def __init__(self, write: Write, move: Callable[[Array], Array]) -> None:
        self.write = write
        self.move = move

    def put(self, out: Array, block: Array, row: int, column: int) -> Array:
        """Give ``out``; it has the block at (row, column) when `finish` has been called."""
        return self.write(out, self.move(block), row, column)

    def finish(self, out: Array) -> Array:
        """Give the whole result."""
        return out

    def let_go(self) -> None:
        """Wait until nothing that was put is read any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_go()


class LateDrain(Drain):
    """Each block when the next has been asked for: to wait for it leaves no device idle."""

    def __init__(self, write: Write, move: Callable[[Array], Array]) -> None:
        super().__init__(write, move)
        self.last: tuple[Array, int, int] | None = None

    def put(self, out: Array, block: Array, row: int, column: int) -> Array:
        """Write the block before, and remember this one."""
        out = self.finish(out)
        self.last = block, row, column
        return out

    def finish(self, out: Array) -> Array:
        """Write the last block."""
        if self.last is None:
            return out
        last, self.last = self.last, None
        return super().put(out, *last)


class LeavingLanes(Protocol):
    """A device that computes in one lane, and copies to the host in another."""

    def stage(self, size: int, like: Array) -> Array:
        """Make a flat host buffer of so many values, which the device can write to by itself."""

    def fetch(self, stage: Array, x: Array, after: Any) -> tuple[Array, Any]:
        """Copy to the host, behind a mark: the part of a stage that will hold ``x``, and when."""

    def mark(self) -> Any:
        """Mark what is to be computed so far."""

    def wait(self, mark: Any) -> None:
        """Wait on the host."""


class StagedDrain(LateDrain):
    """For a device that copies beside its work: blocks pass small pinned buffers of the host.

    A block is copied out behind the work that makes it, while the next one is made; a buffer is
    emptied on the host when its copy has been made, and not before it is needed again.
    """

    def __init__(self, write: Write, lanes: LeavingLanes) -> None:
        super().__init__(write, lambda block: block)
        self.lanes = lanes
        self.made: Any = None  # the mark of the last block
        # Of each copy under way: its buffer and the part that it fills, its mark, and its place.
        # The block itself stays until it has been read.
        self.under_way: deque[tuple[Array, Array, Any, Array, int, int]] = deque()
        self.stages: list[Array] = []

    def put(self, out: Array, block: Array, row: int, column: int) -> Array:
        """Let the block before leave, and mark where this one will be there."""
        made = self.lanes.mark()
        out = self.leave(out)
        self.last, self.made = (block, row, column), made
        return out

    def finish(self, out: Array) -> Array:
        """Let the last block leave, and wait for all."""
        out = self.leave(out)
        while self.under_way:
            out = self.empty_one(out)
        return out

    def leave(self, out: Array) -> Array:
        """Ask for the copies of the last block."""
        if self.last is None:
            return out
        (block, row, column), self.last = self.last, None
        for start, stop in parts(0, len(block), rows_in_stage(block)):
            piece = block[start:stop]
            while len(self.under_way) >= STAGES:
                out = self.empty_one(out)
            stage = self.next_stage(piece)
            filled, done = self.lanes.fetch(stage, piece, self.made)
            self.under_way.append((stage, filled, done, piece, row + start, column))
        return out

    def empty_one(self, out: Array) -> Array:
        """Write the oldest copy into the result, when it has been made."""
        stage, filled, done, _, row, column = self.under_way.popleft()
        self.lanes.wait(done)
        self.stages.append(stage)
        return self.write(out, filled, row, column)

    def next_stage(self, x: Array) -> Array:
        """Give a buffer of the host that no copy is under way to."""
        while self.stages:
            stage = self.stages.pop()
            if stage.dtype == x.dtype and len(stage) >= stage_size(x):
                return stage
        return self.lanes.stage(stage_size(x), x)

    def let_go(self) -> None:
        """Wait for copies under way: what they read and write goes back to its library."""
        self.last = None
        while self.under_way:
            self.lanes.wait(self.under_way.popleft()[2])
