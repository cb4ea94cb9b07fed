"""Equal windows over a range, so that a compiled kernel meets one shape only."""

from collections.abc import Iterator


def windows(count: int, limit: int) -> Iterator[tuple[int, int]]:
    """Cover ``range(count)`` by the fewest windows of one size, none larger than ``limit``.

    Where the size does not divide ``count`` the last window overlaps its neighbour: that
    repeats less than one window of work and keeps the shape, so nothing is compiled twice.

    >>> list(windows(10, 4))
    [(0, 4), (4, 8), (6, 10)]
    >>> list(windows(10, 9))
    [(0, 5), (5, 10)]
    """
    if count == 0:
        return
    size = -(-count // -(-count // limit))
    for start in range(0, count, size):
        begin = min(start, count - size)
        yield begin, begin + size
