"""Mean and deviation of arrays that come one after another, holding none of them."""

from gsnn_edges._typing import Array


class Moments:
    """Mean and sums of squared differences from it, by Welford's recurrence [1]_.

    It takes no difference of large sums. ``first`` is used up: it becomes the mean, and is
    written to where arrays can be. Peak memory is five arrays of its size, one of which is that
    which is added.

    References
    ----------
    .. [1] B. P. Welford (1962). Note on a method for calculating corrected sums of squares and
       products. Technometrics 4(3), 419-420.

    Examples
    --------
    >>> import numpy as np
    >>> moments = Moments(np.array([1.0, 5.0]))
    >>> moments.add(np.array([3.0, 5.0]))
    >>> moments.mean, moments.variance
    (array([2., 5.]), array([2., 0.]))
    """

    def __init__(self, first: Array) -> None:
        self.count = 1
        self.mean = first
        self.squares: Array | None = None

    def add(self, values: Array) -> None:
        """Take one more array, of any dtype that the first one's can hold."""
        self.count += 1
        difference = values - self.mean
        # In place, but for arrays that cannot be written to: these are bound anew.
        self.mean += difference / self.count
        difference *= values - self.mean
        if self.squares is None:
            self.squares = difference
        else:
            self.squares += difference

    @property
    def variance(self) -> Array | None:
        """Variance of a sample (ddof 1); None after one array, which has none."""
        return None if self.squares is None else self.squares / (self.count - 1)
