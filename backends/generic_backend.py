"""Every primitive in nothing but the Array API standard: the oracle of the other backends.

Any compliant array runs on it (array-api-strict, CuPy, ...). A backend of its own is worth a
file where the library does one of these faster, or not at all as the standard says it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import array_api_compat
import array_api_compat.numpy
import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends.windows import windows

# A sort holds a few copies of its block: 2**24 elements keep them to some hundred megabytes.
BLOCK_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class GenericBackend:
    """Primitives over one array namespace and device; the laws are in `Backend`."""

    xp: Any
    device: Any = None
    name = "generic"

    @classmethod
    def load(cls, device: Any = None) -> Self:
        """Over NumPy's arrays; `of` serves the arrays of any other library."""
        host_only(device)
        return cls(array_api_compat.numpy)

    @classmethod
    def of(cls, x: Array) -> Self:
        return cls(array_api_compat.array_namespace(x), array_api_compat.device(x))

    def ranker(self) -> "GenericBackend":
        """Rank where the arrays lie."""
        return self

    def concrete(self, x: Array) -> bool:
        """Values can be looked at."""
        return True

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        order = self.xp.argsort(x, axis=1, stable=True)
        return self.xp.take_along_axis(x, order, axis=1), order

    def run_bounds(self, first: Array) -> tuple[Array, Array]:
        xp, length = self.xp, first.shape[1]
        position = xp.arange(length, device=self.device)[None, :]
        starts = xp.sort(xp.where(first, position, length), axis=1)
        end = xp.full((first.shape[0], 1), length, dtype=starts.dtype, device=self.device)
        bounds = xp.concat([starts, end], axis=1)
        run = xp.cumulative_sum(xp.astype(first, starts.dtype), axis=1) - 1
        return (
            xp.take_along_axis(bounds, run, axis=1),
            xp.take_along_axis(bounds, run + 1, axis=1),
        )

    def scatter_rows(self, order: Array, values: Array) -> Array:
        inverse = self.xp.argsort(order, axis=1)
        return self.xp.take_along_axis(values, inverse, axis=1)

    def matmul(self, a: Array, b: Array) -> Array:
        return self.xp.matmul(a, self.xp.matrix_transpose(b))

    def map_rows(
        self, fn: Callable[..., Array], rows: Array, dtype: str, **options: Any
    ) -> Array:
        count, length = rows.shape
        out = self.empty((count, length), getattr(self.xp, dtype))
        for start, stop in windows(count, max(1, BLOCK_ELEMENTS // max(1, length))):
            block = self.call(fn, rows[start:stop, :], dtype=dtype, **options)
            out = self.write(out, block, start, 0)
        return out

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        return fn(*arrays, ops=self, **options)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self.xp.empty(shape, dtype=dtype, device=self.device)

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        out[row : row + block.shape[0], column : column + block.shape[1]] = block
        return out

    def adopt(self, x: Array) -> Array:
        return self.xp.asarray(x, device=self.device)

    def take_over(self, x: np.ndarray) -> Array:
        return self.xp.asarray(x, device=self.device)

    def to_numpy(self, x: Array) -> np.ndarray:
        return np.from_dlpack(x)

    def free_bytes(self) -> int | None:
        """Unknown: the standard does not say."""
        return None


def host_only(device: Any) -> None:
    """Reject any device but the host."""
    if device is not None and str(device) not in ("cpu", "host"):
        raise ValueError(f"device must be None or 'cpu' for this backend; got {device!r}")
