"""Long products as sums of sums of short ones."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from gsnn_edges._typing import Array

# So many stretches are added up before they join the total.
GROUP = 32


def sum_of_sums(add: Callable[[Array | None, int, int], Array], length: int, limit: int) -> Array:
    """Add up stretches of a range, by groups, so that no running sum has many terms.

    Parameters
    ----------
    add
        ``add(total, start, stop)`` gives ``total`` with the stretch ``start .. stop`` added, or
        that stretch alone where ``total`` is None.
    length, limit
        Of the range, and of a stretch at most.
    """
    total = None
    for begin, end in parts(0, length, GROUP * limit):
        group = None
        for start, stop in parts(begin, end, limit):
            group = add(group, start, stop)
        if total is None:
            total = group
        else:
            total += group
    return total


def parts(start: int, stop: int, limit: int) -> Iterator[tuple[int, int]]:
    """Split a range into the fewest parts that are at most ``limit`` long and about equal.

    >>> list(parts(0, 10, 4))
    [(0, 3), (3, 6), (6, 10)]
    """
    count = max(1, -(-(stop - start) // limit))
    return pairwise(start + (stop - start) * part // count for part in range(count + 1))
