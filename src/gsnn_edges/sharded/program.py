"""The compiled programs: columns come together, are ranked where they are, and go round a ring."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from gsnn_edges._typing import Method, Ties
from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS
from gsnn_edges.backends.jax_backend import JaxBackend, long_product
from gsnn_edges.ranks import standardize_rows
from gsnn_edges.sharded.devices import AXIS
from gsnn_edges.sharded.placement import SPREAD, SPREAD_ROWS

# Standardized rows, (parts, rows, observations): rows are spread.
ROWS = PartitionSpec(None, AXIS, None)
MATRIX = PartitionSpec(AXIS, None)

# Traced values lie on no device that could be named.
OPS = JaxBackend()


@dataclass(frozen=True)
class Side:
    """What becomes of the columns of a node: ``width`` of them give ``kept`` rows.

    ``project(rows, ops=, width=, n_components=)`` reduces them, where they are not the same.
    """

    shift: bool
    width: int = 1
    kept: int = 1
    project: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Score:
    """What is computed; as it is hashed, it is compiled once.

    Parameters
    ----------
    method, ties, dtype
        Of `standardize_rows`.
    samples : int
        Without those that fill up the last device.
    pooled : bool
        Whether all layer pairs are correlated as one; else their matrices are averaged.
    row_chunk : int
        Source nodes that a device multiplies at a time.
    sources, targets : Side
    norms : callable, optional
        ``norms(products, ops=, left=, right=)`` gives one number for each pair of nodes; without
        it products are clipped to [-1, 1].
    """

    method: Method
    ties: Ties
    dtype: str
    samples: int
    pooled: bool
    row_chunk: int
    sources: Side
    targets: Side
    norms: Callable[..., Any] | None = None

    def reduced(self, products: jax.Array) -> jax.Array:
        """Give one number for each pair of nodes."""
        if self.norms is None:
            return jnp.clip(products, -1, 1)
        return self.norms(products, ops=OPS, left=self.sources.kept, right=self.targets.kept)


def spread(fn: Callable[..., Any], mesh: Mesh, inputs: Any, outputs: Any) -> Callable[..., Any]:
    """Run a function of parts on every device."""
    found: Callable[..., Any] = jax.shard_map(
        fn, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False
    )
    return found


def spread_of(x: jax.Array) -> PartitionSpec:
    """Say how observations lie."""
    return SPREAD if x.ndim == 3 else SPREAD_ROWS


@partial(jax.jit, static_argnames=("mesh", "score", "targets"))
def correlate(a: jax.Array, g: jax.Array, *, mesh: Mesh, score: Score, targets: int) -> jax.Array:
    """Give W by rows of sources, of observations as they were placed."""

    def part(a: jax.Array, g: jax.Array) -> jax.Array:
        sources = standardized(a, score, score.sources)
        return ring(sources, standardized(g, score, score.targets), score)[:, :targets]

    return spread(part, mesh, (spread_of(a), spread_of(g)), MATRIX)(a, g)


@partial(jax.jit, static_argnames=("mesh", "score"), donate_argnames="resident")
def add_targets(
    resident: jax.Array, g: jax.Array, row: int, *, mesh: Mesh, score: Score
) -> jax.Array:
    """Standardize some targets, and put them at a row of what each device keeps."""

    def part(resident: jax.Array, g: jax.Array, row: jax.Array) -> jax.Array:
        return put(resident, standardized(g, score, score.targets), (0, row, 0))

    inputs = (ROWS, spread_of(g), PartitionSpec())
    return spread(part, mesh, inputs, ROWS)(resident, g, row)


@partial(jax.jit, static_argnames=("mesh", "score", "targets", "batches"))
def correlate_chunk(
    a: jax.Array, resident: jax.Array, *, mesh: Mesh, score: Score, targets: int, batches: int
) -> jax.Array:
    """Give the rows of W of some sources; the targets came in so many batches."""

    def part(a: jax.Array, resident: jax.Array) -> jax.Array:
        block = ring(standardized(a, score, score.sources), resident, score)
        # Each device keeps a part of each batch, and W has the batches one after another.
        apart = block.reshape(block.shape[0], mesh.size, batches, -1)
        return apart.swapaxes(1, 2).reshape(block.shape)[:, :targets]

    return spread(part, mesh, (spread_of(a), ROWS), MATRIX)(a, resident)


def standardized(block: jax.Array, score: Score, side: Side) -> jax.Array:
    """Bring whole columns together, and standardize them: (parts, rows, observations)."""
    return ranked(gathered(block if block.ndim == 3 else block[None], score), score, side)


def ranked(columns: jax.Array, score: Score, side: Side) -> jax.Array:
    """Standardize columns that are whole, without communication."""
    parts, count, length = columns.shape

    def fn(rows: jax.Array) -> jax.Array:
        with jax.default_matmul_precision("highest"):
            rows = standardize_rows(
                rows,
                ops=OPS,
                method=score.method,
                ties=score.ties,
                dtype=score.dtype,
                shift=side.shift,
            )
            if side.project is None:
                return rows
            return side.project(rows, ops=OPS, width=side.width, n_components=side.kept)

    rows = by_nodes(fn, columns.reshape(parts * count, length), side)
    return rows.reshape(parts, count // side.width * side.kept, length)


def gathered(block: jax.Array, score: Score) -> jax.Array:
    """Give the columns of this device, whole: (parts, columns, observations).

    The only step that communicates before the ring: all to all.
    """
    whole = lax.all_to_all(block, AXIS, split_axis=2, concat_axis=1, tiled=True)
    pairs, _, columns = whole.shape
    whole = whole[:, : score.samples]
    if not score.pooled:
        return whole.swapaxes(1, 2)
    return jnp.moveaxis(whole, 2, 0).reshape(1, columns, pairs * score.samples)


def by_nodes(fn: Callable[[jax.Array], jax.Array], rows: jax.Array, side: Side) -> jax.Array:
    """Map over rows, so many nodes at a time that a sort's copies stay small."""
    nodes, length = rows.shape[0] // side.width, rows.shape[1]
    limit = max(1, BLOCK_ELEMENTS // max(1, length * side.width))
    if nodes <= limit:
        return fn(rows)
    size = -(-nodes // -(-nodes // limit))

    def step(place: jax.Array, out: jax.Array) -> jax.Array:
        # The last block overlaps its neighbour, as the slices are kept inside.
        top = jnp.minimum(place * size, nodes - size).astype(jnp.int32)
        block = lax.dynamic_slice_in_dim(rows, top * side.width, size * side.width)
        return lax.dynamic_update_slice_in_dim(out, fn(block), top * side.kept, axis=0)

    shape = jax.eval_shape(fn, rows[: size * side.width])
    out = jnp.zeros((nodes * side.kept, length), shape.dtype)
    return lax.fori_loop(0, -(-nodes // size), step, out)


def ring(sources: jax.Array, targets: jax.Array, score: Score) -> jax.Array:
    """Multiply own sources with the targets of every device, which pass by one after another.

    A device holds its own targets, those that it has, and those that arrive.
    """
    count, me = lax.axis_size(AXIS), lax.axis_index(AXIS)
    own = targets.shape[1] // score.targets.kept
    shape = (sources.shape[1] // score.sources.kept, own * count)
    onward = [(device, (device + 1) % count) for device in range(count)]

    def multiply(step: Any, visiting: jax.Array, out: jax.Array) -> jax.Array:
        return fill(out, sources, visiting, (me - step) % count * own, score)

    def pass_on(step: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        visiting, out = state
        arriving = lax.ppermute(visiting, AXIS, onward)
        return arriving, multiply(step, visiting, out)

    start = (targets, jnp.zeros(shape, sources.dtype))
    visiting, out = lax.fori_loop(0, count - 1, pass_on, start)
    return multiply(count - 1, visiting, out)


def fill(
    out: jax.Array, sources: jax.Array, targets: jax.Array, column: jax.Array, score: Score
) -> jax.Array:
    """Write the block of some targets, a chunk of sources at a time."""
    kept, nodes = score.sources.kept, out.shape[0]
    size = min(score.row_chunk, nodes)

    def step(place: jax.Array, out: jax.Array) -> jax.Array:
        top = jnp.minimum(place * size, nodes - size)
        rows = lax.dynamic_slice_in_dim(sources, top * kept, size * kept, axis=1)
        return put(out, mean_block(rows, targets, score), (top, column))

    return lax.fori_loop(0, -(-nodes // size), step, out)


def put(out: jax.Array, block: jax.Array, corner: tuple[Any, ...]) -> jax.Array:
    """Write a block; under x64 JAX makes places of two kinds, which it refuses together."""
    return lax.dynamic_update_slice(out, block, [jnp.int32(place) for place in corner])


def mean_block(sources: jax.Array, targets: jax.Array, score: Score) -> jax.Array:
    """Average the numbers of each pair of nodes over the parts."""
    parts = sources.shape[0]

    def one(part: Any) -> jax.Array:
        return score.reduced(long_product(sources[part], targets[part]))

    if parts == 1:
        return one(0)
    return lax.fori_loop(1, parts, lambda part, total: total + one(part), one(0)) / parts
