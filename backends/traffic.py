"""How arrays come, go and lie: the rest of the laws, in nothing but the Array API standard."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from gsnn_edges._typing import Array
from gsnn_edges.backends.drains import Drain, LateDrain
from gsnn_edges.backends.transfers import Feed


class Traffic:
    """What a backend does with arrays beside the primitives of `GenericBackend`."""

    xp: Any
    device: Any

    def concrete(self, x: Array) -> bool:
        """Whether values can be looked at: false under ``jax.jit`` alone."""
        return True

    def is_sharded(self, x: Array) -> bool:
        """Whether an array lies on several devices, which is for JAX to say."""
        return False

    def views(self) -> bool:
        """Whether a part of an array shares its memory; a copy of all parts would double it."""
        return True

    def columns_as_rows(self, x: Array, low: int, high: int) -> Array:
        """Give the columns ``low`` to ``high`` of an array of this library, as rows.

        A view, where there are views; or an array of NumPy's, where that is what ranks.
        """
        return x[:, low:high].T

    def feed(self, move: Callable[[Array], Array]) -> Feed:
        """Give what brings blocks of another array here by ``move``, one ahead where it can."""
        return Feed(move)

    def host(self) -> Self:
        """Give this library's backend on the host, or this one where it knows no other."""
        return self

    def drain(self, home: "Traffic", move: Callable[[Array], Array]) -> Drain:
        """Give what writes blocks into a result of ``home``, one behind where they leave."""
        return Drain(home.write, move) if home is self else LateDrain(home.write, move)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Room for `write`."""
        return self.xp.empty(shape, dtype=dtype, device=self.device)

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        """``out`` with ``block`` at (row, column), in the same memory; ``out`` is used up."""
        out[row : row + block.shape[0], column : column + block.shape[1]] = block
        return out

    def fixed_size(self, count: int) -> int:
        """Give a length, ``count`` or more, for an array whose length changes from call to call.

        A library that compiles for each length gives few.
        """
        return count

    def marked(self, places: np.ndarray, length: int) -> Array:
        """Give a bool array of that length on this device, true at these places, of NumPy."""
        mask = np.zeros(length, bool)
        mask[places] = True
        return self.take_over(mask)

    def adopt(self, x: Array) -> Array:
        """``x``, of NumPy or of this library, on this device.

        A later write to ``x`` must not change a result that is still being computed.
        """
        return self.xp.asarray(x, device=self.device)

    def adopt_from(self, owner: Any, x: Array) -> Array:
        """`adopt` for an array of another library, whose backend is ``owner``."""
        return self.adopt(owner.to_numpy(x))

    def take_over(self, x: np.ndarray) -> Array:
        """`adopt` for a NumPy array that nobody else will write to: shared if it can be."""
        return self.adopt(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        """``x`` as a NumPy array, without a copy where it lies on the host."""
        return np.from_dlpack(x)

    def free_bytes(self) -> int | None:
        """Memory to be had on the device, or None where the library does not tell."""
        return None

    def multiprocessors(self) -> int | None:
        """How many parts of a product a GPU makes at a time, or None where nobody tells."""
        return None
