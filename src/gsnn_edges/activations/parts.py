"""Data batch by batch: arrays that are cut, or the batches of a loader as they come."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, SequentialSampler

from gsnn_edges.activations.batches import Batch, as_batches, as_pair, rows_in, take
from gsnn_edges.activations.preserve_state import generators_unchanged

USUAL_BATCH = 256


@dataclass(frozen=True)
class Data:
    """Samples in an order that is the same each time.

    Attributes
    ----------
    source : pair of batches, or DataLoader
    samples : int
        How many there are.
    batch_size : int
        Rows of a forward and backward pass.
    """

    source: tuple[Batch, Batch] | DataLoader[Any]
    samples: int
    batch_size: int

    @property
    def count(self) -> int:
        """Number of batches."""
        return -(-self.samples // self.batch_size)

    def batches(self) -> Iterator[tuple[Batch, Batch]]:
        """Give x and y batch by batch."""
        if isinstance(self.source, DataLoader):
            yield from iter_batches(self.source)
            return
        for start in range(0, self.samples, self.batch_size):
            x, y = (take(side, slice(start, start + self.batch_size)) for side in self.source)
            yield x, y

    def first(self) -> tuple[Batch, Batch]:
        """Give the first batch."""
        found = next(self.batches(), None)
        if found is None:
            raise ValueError("x must be a DataLoader with at least one batch; got an empty one")
        return found

    def checked_batches(self) -> Iterator[tuple[Batch, Batch]]:
        """Give the batches, and see that they hold as many samples as was said."""
        seen = 0
        for x, y in self.batches():
            left = self.samples - seen
            seen += rows_in(x)
            if rows_in(x) != min(left, self.batch_size):
                raise ValueError(
                    f"x must be a DataLoader of {self.samples} samples in batches of "
                    f"{self.batch_size}, the last one of the rest; got others up to sample {seen}"
                )
            yield as_pair(x, y)
        if seen != self.samples:
            raise ValueError(f"x must give {self.samples} samples; got {seen}: say samples={seen}")


def iter_batches(loader: DataLoader[Any]) -> Iterator[tuple[Batch, Batch]]:
    """Give the batches of a loader; nothing is drawn from the user's generators."""
    with generators_unchanged():  # a loader draws a seed for its workers
        read = iter(loader)
    while True:
        with generators_unchanged():
            batch = next(read, None)
        if batch is None:
            return
        yield as_batches(batch)


def data_of(x: Any, y: Any, batch_size: int | None, samples: int | None, repeatable: bool) -> Data:
    """Settle how many samples there are, in batches of how many."""
    if not isinstance(x, DataLoader):
        pair = as_pair(x, y)
        rows = rows_in(pair[0])
        if samples not in (None, rows):
            raise ValueError(f"samples must be the rows of x, {rows}, or left out; got {samples}")
        return Data(pair, rows, min(rows, batch_size or USUAL_BATCH))
    if y is not None or batch_size is not None:
        raise TypeError(
            "y and batch_size must be left out where x is a DataLoader, which has its own"
        )
    check_order(x, repeatable)
    if x.batch_size is None:
        raise ValueError(
            "x must be a DataLoader with a batch_size; got one with a batch_sampler of its own: "
            "pass batch_size and sampler instead"
        )
    return Data(x, rows_of(x) if samples is None else samples, x.batch_size)


def check_order(loader: DataLoader[Any], repeatable: bool) -> None:
    """Reject a loader whose next pass may come in another order."""
    if repeatable or isinstance(loader.sampler, SequentialSampler):
        return
    raise ValueError(
        "x must be a DataLoader of repeatable order, so that a capture that was cut off can go on; "
        f"got one with a {type(loader.sampler).__name__}: make it with shuffle=False, or say "
        "repeatable=True where its order is the same each time"
    )


def rows_of(loader: DataLoader[Any]) -> int:
    """Count the samples of a loader."""
    try:
        rows = len(loader.sampler)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(
            "samples must say how many there are, where the DataLoader has no length"
        ) from error
    return rows - rows % loader.batch_size if loader.drop_last and loader.batch_size else rows
