"""Blocks of an array on their way to a device, while it computes.

The host asks for work and goes on; the device does it later, in order. So what is needed for a copy
beside that work is a lane of its own, and care that no buffer is written to while it is read.
"""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from gsnn_edges._typing import Array
from gsnn_edges.backends.summation import parts

# Blocks on the device that are not yet ranked, the one that is being ranked among them.
BLOCKS = 2
# Host buffers between an array and the device, each so large: pinning more takes longer than it
# saves.
STAGES = 3
STAGE_BYTES = 1 << 26


class Feed:
    """Blocks handed to a backend one after another; here each is moved when it is taken."""

    def __init__(self, move: Callable[[Array], Array]) -> None:
        self.move = move

    def take(self, x: Array) -> Array:
        """Give a block, to be used until the next but one is taken."""
        return self.move(x)

    def release(self, made: Array) -> None:
        """Say that all work with the block taken last has been asked for, and gave ``made``."""

    def finish(self) -> None:
        """Wait until no array of the caller is read any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()


class PatientFeed(Feed):
    """For a library that copies and computes later by itself: work does not pile up."""

    def __init__(self, move: Callable[[Array], Array], wait: Callable[[Array], Any]) -> None:
        super().__init__(move)
        self.wait = wait
        self.pending: deque[Array] = deque()

    def take(self, x: Array) -> Array:
        """Give a block when all but the last few before have been worked with."""
        while len(self.pending) >= BLOCKS:
            self.wait(self.pending.popleft())
        return self.move(x)

    def release(self, made: Array) -> None:
        """Remember what was made, to be waited for."""
        # One value is there when all are, and holds no memory.
        self.pending.append(made[:1, :1])


class Lanes(Protocol):
    """A device that copies in one lane and computes in another.

    A mark is a place in a lane: all that was asked for there before. Each lane keeps its order.
    """

    def on_host(self, x: Array) -> bool:
        """Whether an array lies in host memory."""

    def host_view(self, x: Array) -> Array:
        """Give an array of the host, of any library, as one that `load` takes."""

    def turned(self, x: Array) -> bool:
        """Whether the columns of a matrix lie nearer together in memory than its rows do."""

    def is_pinned(self, x: Array) -> bool:
        """Whether the device can read an array of the host by itself, as it lies."""

    def stage(self, size: int, like: Array) -> Array:
        """Make a flat host buffer of so many values, which the device can read by itself."""

    def block(self, shape: tuple[int, ...], like: Array) -> Array:
        """Make room on the device."""

    def load(self, stage: Array, x: Array) -> Array:
        """Copy on the host, at once: give the part of a stage that now holds ``x``."""

    def copy(self, target: Array, source: Array, after: Any) -> Any:
        """Copy to the device in the copying lane, behind a mark; give the mark of its end."""

    def join(self, mark: Any) -> None:
        """Let what is computed from now on wait for a mark."""

    def mark(self) -> Any:
        """Mark what is to be computed so far."""

    def wait(self, mark: Any) -> None:
        """Wait on the host."""


class StagedFeed(Feed):
    """For a device that copies beside its work: blocks pass small pinned buffers of the host.

    A block's room on the device is written to when the work with the block before last is done; a
    buffer of the host, when the copy out of it is.
    """

    def __init__(self, move: Callable[[Array], Array], lanes: Lanes) -> None:
        super().__init__(move)
        self.lanes = lanes
        self.stages: deque[tuple[Array, Any]] = deque()
        self.blocks: deque[tuple[Array, Any]] = deque()
        self.reading: Any = None  # the end of the last copy straight from the caller's memory
        self.sent: Any = None  # the end of the last copy of all

    def take(self, x: Array) -> Array:
        """Give a block on the device, which work asked for from now on will find there."""
        if not self.lanes.on_host(x) or 0 in x.shape:
            return self.move(x)
        x = self.lanes.host_view(x)
        # Columns of a C-ordered matrix lie row by row, and are copied so.
        turned = self.lanes.turned(x)
        whole = x.T if turned else x
        block, free = self.block_for(whole)
        for start, stop in parts(0, len(whole), rows_in_stage(whole)):
            self.sent = self.send(block[start:stop], whole[start:stop], free)
        self.lanes.join(self.sent)
        return block.T if turned else block

    def release(self, made: Array) -> None:
        """Mark the work with the block taken last."""
        if self.blocks:
            self.blocks[-1] = (self.blocks[-1][0], self.lanes.mark())

    def finish(self) -> None:
        """Wait for copies straight from the caller's memory, and let all room go.

        Work asked for from now on, which may be given that room, begins behind the last copy: an
        error may have come between a copy and the work that would have waited for it.
        """
        if self.sent is not None:
            self.lanes.join(self.sent)
        if self.reading is not None:
            self.lanes.wait(self.reading)
        self.stages.clear()
        self.blocks.clear()

    def block_for(self, x: Array) -> tuple[Array, Any]:
        """Give the block before last to be filled anew, and the mark behind which it may be."""
        if len(self.blocks) == BLOCKS and fits(self.blocks[0][0], x):
            block, free = self.blocks.popleft()
        else:
            # New room may have held what is still being computed with.
            block, free = self.lanes.block(tuple(x.shape), x), self.lanes.mark()
            if len(self.blocks) == BLOCKS:
                self.blocks.popleft()
        self.blocks.append((block, free))
        return block, free

    def send(self, target: Array, source: Array, free: Any) -> Any:
        """Copy some rows to the device; give the mark of the end."""
        if self.lanes.is_pinned(source):
            self.reading = self.lanes.copy(target, source, free)
            return self.reading
        stage = self.next_stage(source)
        done = self.lanes.copy(target, self.lanes.load(stage, source), free)
        self.stages.append((stage, done))
        return done

    def next_stage(self, x: Array) -> Array:
        """Give a buffer of the host that nothing reads."""
        if len(self.stages) < STAGES:
            return self.lanes.stage(stage_size(x), x)
        stage, done = self.stages.popleft()
        self.lanes.wait(done)
        large = bool(stage.dtype == x.dtype and len(stage) >= stage_size(x))
        return stage if large else self.lanes.stage(stage_size(x), x)


def fits(block: Array, x: Array) -> bool:
    """Whether an array can be copied into the room of another."""
    return bool(tuple(block.shape) == tuple(x.shape) and block.dtype == x.dtype)


def rows_in_stage(x: Array) -> int:
    """Rows that a buffer of the host holds, one at least."""
    return max(1, STAGE_BYTES // row_bytes(x))


def stage_size(x: Array) -> int:
    """Values of a buffer of the host for these rows, or as many of them as it holds."""
    return min(len(x), rows_in_stage(x)) * int(x.shape[1])


def row_bytes(x: Array) -> int:
    """Bytes of a row."""
    return max(1, int(x.shape[1]) * int(x.itemsize))
