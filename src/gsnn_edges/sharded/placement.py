"""Observations on their way to the devices: rows spread, columns in the order of their nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gsnn_edges.sharded.devices import AXIS

# (pairs, samples, columns): the samples are spread, and each device has them of all layer pairs.
SPREAD = PartitionSpec(None, AXIS, None)
SPREAD_ROWS = PartitionSpec(AXIS, None)

Range = tuple[int, int]


class Observations(Protocol):
    """One side of a correlation, on its way to the devices."""

    @property
    def members(self) -> np.ndarray:
        """Columns of each node, (N, width); -1 for none."""
        ...

    @property
    def pairs(self) -> int:
        """Number of layer pairs that a column has values for."""
        ...

    @property
    def samples(self) -> int:
        """Number of values of a column for each layer pair."""
        ...

    def placed(self, low: int, high: int, mesh: Mesh) -> jax.Array:
        """Give the columns of the nodes ``low`` to ``high``, their samples spread over the mesh.

        Filled up with zeros: samples to a multiple of the devices, nodes beyond the last one, and
        nodes with fewer columns than the widest.
        """
        ...


@dataclass(frozen=True)
class HostObservations:
    """Observations that the host reads some samples and some columns of.

    ``read(samples, columns)`` takes two ranges, and gives an array (pairs, samples, columns); it
    reads ``unit`` samples at a time, which no two devices share where there are enough of them.
    """

    read: Callable[[Range, Range], np.ndarray]
    members: np.ndarray
    pairs: int
    samples: int
    dtype: Any
    unit: int = 1

    def each(self, devices: int) -> int:
        """Give the samples of a device."""
        units = -(-self.samples // self.unit)
        if units < devices:
            return -(-self.samples // devices)
        return -(-units // devices) * self.unit

    def placed(self, low: int, high: int, mesh: Mesh) -> jax.Array:
        """Read the part of each device by itself, so that none holds all."""
        each = self.each(mesh.size)
        columns = wanted(self.members, low, high)

        def part(index: tuple[slice, ...]) -> np.ndarray:
            start = index[1].start or 0
            return self.filled(columns, (start, start + each))

        shape = (self.pairs, each * mesh.size, len(columns))
        return jax.make_array_from_callback(shape, NamedSharding(mesh, SPREAD), part)

    def filled(self, columns: np.ndarray, samples: Range) -> np.ndarray:
        """Read some columns at some samples; zeros where there are none."""
        start, stop = (min(end, self.samples) for end in samples)
        there = columns >= 0
        own = columns[there]
        out = np.zeros((self.pairs, samples[1] - samples[0], len(columns)), self.dtype)
        if stop == start or not len(own):
            return out
        first, last = int(own.min()), int(own.max()) + 1
        found = self.read((start, stop), (first, last))
        if found.shape == out.shape and np.array_equal(columns, np.arange(first, last)):
            return found
        out[:, : stop - start, there] = found[:, :, own - first]
        return out


@dataclass(frozen=True)
class JaxObservations:
    """Observations in a JAX array (M, columns), on one device or on many."""

    x: jax.Array
    members: np.ndarray

    @property
    def pairs(self) -> int:
        """Number of layer pairs that stay apart: all rows are one."""
        return 1

    @property
    def samples(self) -> int:
        """Number of rows."""
        return int(self.x.shape[0])

    def placed(self, low: int, high: int, mesh: Mesh) -> jax.Array:
        """Spread the rows; the array itself where that is how it lies."""
        spread = NamedSharding(mesh, SPREAD_ROWS)
        columns = wanted(self.members, low, high)
        rows = -(-self.samples // mesh.size) * mesh.size
        if rows == self.samples and np.array_equal(columns, np.arange(self.x.shape[1])):
            return jax.device_put(self.x, spread)
        # Arrays of the mesh are cut where they lie; others first, on the devices they are on.
        there = spread if self.x.sharding.device_set == spread.device_set else None
        cut = jax.jit(taken, static_argnums=2, out_shardings=there)
        return jax.device_put(cut(self.x, columns, rows), spread)


def wanted(members: np.ndarray, low: int, high: int) -> np.ndarray:
    """Columns of the nodes ``low`` to ``high``, which may lie beyond the last; -1 for none."""
    own = members[low:high]
    return np.pad(own, ((0, high - low - len(own)), (0, 0)), constant_values=-1).reshape(-1)


def taken(x: jax.Array, columns: jax.Array, rows: int) -> jax.Array:
    """Take columns of an array, and add rows; zeros where there is none."""
    found = jnp.where(columns >= 0, jnp.take(x, columns, axis=1, mode="clip"), 0)
    return jnp.pad(found, ((0, rows - x.shape[0]), (0, 0)))


def one_each(columns: int) -> np.ndarray:
    """Members of nodes that have a column each."""
    return np.arange(columns)[:, None]


def cut(x: np.ndarray, samples: Range, columns: Range) -> np.ndarray:
    """Cut out some rows and columns, as of one layer pair."""
    return x[None, slice(*samples), slice(*columns)]
