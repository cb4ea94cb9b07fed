"""The cross-correlation over several devices, of one machine or of many, by JAX.

Observations lie in rows, as they are captured. One all-to-all for each input brings whole columns
together, which are ranked without communication. The standardized targets then pass from device
to device in a ring, and each device multiplies its sources with those that pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gsnn_edges import _validation, backends
from gsnn_edges._io import format_bytes
from gsnn_edges._typing import Array, Method, Precision, Ties
from gsnn_edges.backends.generic_backend import BLOCK_ELEMENTS
from gsnn_edges.backends.jax_backend import JaxBackend, long_product
from gsnn_edges.chunks import ROUNDS, sources_at_once
from gsnn_edges.options import CorrelationOptions, check_pair, check_values
from gsnn_edges.ranks import correlation_dtype, standardize_rows

Span: TypeAlias = tuple[int, int]

_AXIS = "shards"
# Observations, (pairs, samples, columns) or (samples, columns): samples are sharded.
_SAMPLES = PartitionSpec(None, _AXIS, None)
_FLAT_SAMPLES = PartitionSpec(_AXIS, None)
# Standardized rows, (parts, rows, observations), and W: rows are sharded.
_ROWS = PartitionSpec(None, _AXIS, None)
_MATRIX = PartitionSpec(_AXIS, None)
# Bytes of a W that each device may hold whole, where no even shards are left.
_GATHERED = 1 << 28
# Traced values lie on no device that could be named.
_OPS = JaxBackend()


def sharded_correlation(
    a: Array,
    g: Array,
    *,
    devices: Any = None,
    method: Method = "spearman",
    ties: Ties = "average",
    row_chunk: int | None = None,
    precision: Precision = "float32",
) -> jax.Array:
    """Correlate every column of ``a`` with every column of ``g``, over several devices.

    Parameters
    ----------
    a, g : arrays of real numbers of shape (M, Na) and (M, Ng)
        M >= 2 observations in rows. JAX arrays, sharded or not, or arrays of another library,
        of which each device gets its own rows from the host.
    devices : int, sequence of jax devices, or jax.sharding.Mesh, optional
        The devices that share the work; by default those that the inputs are sharded over, else
        all.
    method, ties, precision
        As of `cross_correlation`.
    row_chunk : int, optional
        Sources that a device multiplies at a time. It bounds the products beside W; by default
        2**23 of them.

    Returns
    -------
    jax.Array of shape (Na, Ng)
        Sharded by its rows where the number of devices divides Na. JAX shards evenly or not at
        all: of any other Na, a W of up to 256 MB is whole on every device, and a larger one is an
        error, before anything is computed, that names what to do.

    Raises
    ------
    TypeError, ValueError
        As `cross_correlation`; for devices that are not there, for a large W that they do not
        divide, and under ``jax.jit``.

    Notes
    -----
    On D devices each holds M Na / D and M Ng / D standardized values, twice M Ng / D that pass,
    and Na Ng / D of W. It sends M (Na + Ng) / D values in the all-to-all, and M Ng (D - 1) / D in
    the ring. The result is that of one device within rounding, with the same ranks. NaN and
    infinity are looked for in arrays that this process holds all of.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    >>> sharded_correlation(a, a, devices=1).round(3).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    options = CorrelationOptions(
        method=method, ties=ties, row_chunk=row_chunk, precision=precision, devices=devices
    )
    return correlate_sharded(a, g, options)


def sharded_blocks(
    a: Array,
    g: Array,
    *,
    devices: Any = None,
    method: Method = "spearman",
    ties: Ties = "average",
    row_chunk: int | None = None,
    precision: Precision = "float32",
) -> Iterator[tuple[int, jax.Array]]:
    """Rows of `sharded_correlation`, block by block, so that no device holds W.

    Parameters
    ----------
    a, g, devices, method, ties, precision
        As of `sharded_correlation`.
    row_chunk : int, optional
        Sources at a time, over all devices; rounded up to a multiple of the devices. By default
        an eighth of them.

    Returns
    -------
    iterator of (top, block)
        ``block`` has the rows of W from number ``top`` on, and is sharded by rows. All blocks
        have one shape: the last one repeats rows where the size does not divide Na.

    Raises
    ------
    TypeError, ValueError
        As `sharded_correlation`, before the first block.

    Notes
    -----
    Standardized targets stay on the devices, M Ng / D values on each; sources come and go. Each
    block sends the targets round the ring once. Arrays of the host are sent chunk by chunk.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.random.default_rng(0).random((20, 5), dtype=np.float32)
    >>> [(top, block.shape) for top, block in sharded_blocks(a, a, devices=1, row_chunk=2)]
    [(0, (2, 5)), (2, (2, 5)), (3, (2, 5))]
    """
    options = CorrelationOptions(
        method=method, ties=ties, row_chunk=row_chunk, precision=precision, devices=devices
    )
    return _pair_task(a, g, replace(options, row_chunk=None)).blocks(options.row_chunk)


def correlate_sharded(
    a: Array,
    g: Array,
    options: CorrelationOptions,
    members: tuple[np.ndarray, np.ndarray] | None = None,
    **channels: Any,
) -> jax.Array:
    """`sharded_correlation`, or with ``members`` the channel score; see `sharded_task`."""
    return _pair_task(a, g, options, members, **channels).whole()


def _pair_task(
    a: Array,
    g: Array,
    options: CorrelationOptions,
    members: tuple[np.ndarray, np.ndarray] | None = None,
    **channels: Any,
) -> "ShardedTask":
    check_pair(a, g)
    for name, x in (("a", a), ("g", g)):
        if isinstance(x, jax.core.Tracer):
            raise TypeError(
                f"{name} must not be traced: several devices are chosen outside jax.jit, and this "
                "function compiles by itself"
            )
        check_values(name, x, _OPS)
    dtype = correlation_dtype(jnp, options.precision, a.shape[0])
    tables = members or (one_column_each(a.shape[1]), one_column_each(g.shape[1]))
    left, right = (_observations(x, table) for x, table in zip((a, g), tables, strict=True))
    mesh = device_mesh(options.devices, (a, g))
    return sharded_task(left, right, mesh, options, dtype, **channels)


def _observations(x: Array, members: np.ndarray) -> "Observations":
    if isinstance(x, jax.Array):
        return JaxObservations(x, members)
    host = backends.of(x).to_numpy(x)

    def read(samples: Span, columns: Span) -> np.ndarray:
        return host[None, slice(*samples), slice(*columns)]

    return HostObservations(read, members, 1, int(host.shape[0]), host.dtype)


def one_column_each(nodes: int) -> np.ndarray:
    """Members of nodes that have one column each: (nodes, 1)."""
    return np.arange(nodes)[:, None]


def device_mesh(devices: Any = None, arrays: Sequence[Array] = ()) -> Mesh:
    """Mesh of one axis over the devices that share the work.

    Parameters
    ----------
    devices : int, sequence of jax devices, or jax.sharding.Mesh, optional
        So many of ``jax.devices()``, or these, in this order, or all of a mesh, whatever its axes.
    arrays : sequence of arrays
        Without ``devices``: the devices of the first JAX array that lies on several, else all
        that JAX has.

    Raises
    ------
    TypeError
        For what is neither a number, nor devices, nor a mesh of JAX.
    ValueError
        For devices that are named twice, or for more than there are.

    Examples
    --------
    >>> device_mesh(1).size
    1
    """
    if devices is None:
        sharded = [x for x in arrays if is_sharded(x)]
        chosen = _devices_of(sharded[0]) if sharded else jax.devices()
    elif isinstance(devices, Mesh):
        chosen = list(devices.devices.flat)
    elif isinstance(devices, Sequence) and not isinstance(devices, str):
        chosen = list(devices)
        _check_devices(chosen)
    else:
        hint = ": give a number, a list of jax devices, or a mesh"
        count = _validation.whole_number("devices", devices, least=1, hint=hint)
        chosen = jax.devices()[:count]
        if count > len(chosen):
            raise ValueError(
                f"devices must be at most the {len(chosen)} that JAX finds "
                f"({chosen[0].platform}); got {count}: ask for fewer, or, to split a CPU, set "
                f"XLA_FLAGS=--xla_force_host_platform_device_count={count} before JAX starts"
            )
    return Mesh(np.array(chosen), (_AXIS,))


def _check_devices(devices: list[Any]) -> None:
    strange = [device for device in devices if not isinstance(device, jax.Device)]
    if strange:
        raise TypeError(
            f"devices must be devices of JAX; got {_validation.shown(strange[0])} "
            f"({type(strange[0]).__name__}): take them from jax.devices()"
        )
    if not devices or len(set(devices)) < len(devices):
        raise ValueError(
            "devices must name at least one device, and each once; got "
            f"{_validation.shown(devices)}: take them from jax.devices()"
        )


def is_sharded(x: Any) -> bool:
    """Whether this is a JAX array that lies on several devices.

    Examples
    --------
    >>> import numpy as np
    >>> is_sharded(np.zeros(3))
    False
    """
    return isinstance(x, jax.Array) and backends.of(x).is_sharded(x)


def _devices_of(x: jax.Array) -> list[Any]:
    """Devices of an array, in the order of its mesh where it has one."""
    if isinstance(x.sharding, NamedSharding):
        return list(x.sharding.mesh.devices.flat)
    return sorted(x.sharding.device_set, key=lambda device: device.id)


@dataclass(frozen=True)
class HostObservations:
    """One side of a correlation, of which the host reads some samples and some columns.

    Attributes
    ----------
    read : callable
        ``read(samples, columns)`` takes two ranges, and returns (pairs, samples, columns).
    members : int array of shape (N, width)
        Columns of each node; -1 for none.
    pairs, samples : int
        Layer pairs, and the samples of each.
    unit : int
        Samples that are read together: no two devices share them where there are enough.
    """

    read: Callable[[Span, Span], np.ndarray]
    members: np.ndarray
    pairs: int
    samples: int
    dtype: Any
    unit: int = 1

    def each(self, devices: int) -> int:
        """Samples of a device."""
        unit = self.unit if -(-self.samples // self.unit) >= devices else 1
        return -(-self.samples // (unit * devices)) * unit

    def placed(self, low: int, high: int, mesh: Mesh) -> jax.Array:
        """Columns of the nodes ``low`` to ``high``, (pairs, samples, columns), samples sharded.

        Each device's part is read by itself, so that the host never holds all. Filled up with
        zeros: samples to a multiple of the devices, nodes beyond the last, and nodes with fewer
        columns than the widest.
        """
        each = self.each(mesh.size)
        columns = _columns_of(self.members, low, high)

        def part(index: tuple[slice, ...]) -> np.ndarray:
            start = index[1].start or 0
            return self._filled(columns, (start, start + each))

        shape = (self.pairs, each * mesh.size, len(columns))
        return jax.make_array_from_callback(shape, NamedSharding(mesh, _SAMPLES), part)

    def _filled(self, columns: np.ndarray, samples: Span) -> np.ndarray:
        start, stop = (min(end, self.samples) for end in samples)
        there = columns >= 0
        wanted = columns[there]
        out = np.zeros((self.pairs, samples[1] - samples[0], len(columns)), self.dtype)
        if stop == start or not len(wanted):
            return out
        first, last = int(wanted.min()), int(wanted.max()) + 1
        values = self.read((start, stop), (first, last))
        if values.shape == out.shape and np.array_equal(columns, np.arange(first, last)):
            return values
        out[:, : stop - start, there] = values[:, :, wanted - first]
        return out


@dataclass(frozen=True)
class JaxObservations:
    """One side of a correlation in a JAX array (M, columns), on one device or on several."""

    x: jax.Array
    members: np.ndarray

    @property
    def pairs(self) -> int:
        """Layer pairs: all rows are one."""
        return 1

    @property
    def samples(self) -> int:
        """Number of rows."""
        return int(self.x.shape[0])

    def placed(self, low: int, high: int, mesh: Mesh) -> jax.Array:
        """As of `HostObservations`, without pairs; the array itself where that is how it lies."""
        sharding = NamedSharding(mesh, _FLAT_SAMPLES)
        columns = _columns_of(self.members, low, high)
        rows = -(-self.samples // mesh.size) * mesh.size
        if rows == self.samples and np.array_equal(columns, np.arange(self.x.shape[1])):
            return jax.device_put(self.x, sharding)
        # Arrays of the mesh are cut where they lie; others first, on the devices they are on.
        there = sharding if self.x.sharding.device_set == sharding.device_set else None
        cut = jax.jit(_take_columns, static_argnums=2, out_shardings=there)
        return jax.device_put(cut(self.x, columns, rows), sharding)


Observations: TypeAlias = HostObservations | JaxObservations


def _columns_of(members: np.ndarray, low: int, high: int) -> np.ndarray:
    """Columns of the nodes ``low`` to ``high``, which may lie beyond the last; -1 for none."""
    present = members[low:high]
    return np.pad(present, ((0, high - low - len(present)), (0, 0)), constant_values=-1).reshape(-1)


def _take_columns(x: jax.Array, columns: jax.Array, rows: int) -> jax.Array:
    """Columns of an array, with more rows; zeros where there is none."""
    cut = jnp.where(columns >= 0, jnp.take(x, columns, axis=1, mode="clip"), 0)
    return jnp.pad(cut, ((0, rows - x.shape[0]), (0, 0)))


@dataclass(frozen=True)
class _Side:
    """``width`` columns of each node become ``kept`` rows; ``shift`` as of `standardize_rows`."""

    shift: bool
    width: int
    kept: int


@dataclass(frozen=True)
class _Program:
    """What is computed; as it is hashed, it is compiled once.

    Attributes
    ----------
    options : CorrelationOptions
        ``row_chunk`` source nodes are multiplied at a time on a device.
    dtype : str
        Of rows and result.
    samples : int
        Without those that fill up the last device.
    pooled : bool
        Whether all layer pairs are correlated as one; else their matrices are averaged.
    """

    options: CorrelationOptions
    dtype: str
    samples: int
    pooled: bool
    sources: _Side
    targets: _Side
    project: Callable[..., Any] | None
    norms: Callable[..., Any] | None

    def reduced(self, products: jax.Array) -> jax.Array:
        """One number for each pair of nodes."""
        if self.norms is None:
            return jnp.clip(products, -1, 1)
        return self.norms(products, ops=_OPS, left=self.sources.kept, right=self.targets.kept)


def sharded_task(
    a: Observations,
    g: Observations,
    mesh: Mesh,
    options: CorrelationOptions,
    dtype: str,
    *,
    pooled: bool = True,
    n_components: int | None = None,
    project: Callable[..., Any] | None = None,
    norms: Callable[..., Any] | None = None,
) -> "ShardedTask":
    """Correlation of two sides over a mesh.

    Parameters
    ----------
    pooled : bool
        Whether all layer pairs are correlated as one; else their matrices are averaged.
    n_components : int, optional
        Rows that ``project(rows, ops=, width=, n_components=)`` leaves of the columns of a node.
    norms : callable, optional
        ``norms(products, ops=, left=, right=)`` is one number for each pair of nodes; without it
        products are clipped to [-1, 1].
    """
    sides = []
    # Principal directions are those of centred rows, which a shift does not leave.
    for side, shift in ((a, False), (g, n_components is None)):
        width = int(side.members.shape[1])
        sides.append(_Side(shift, width, min(width, n_components or width)))
    usual = sources_at_once(len(g.members), *(side.kept for side in sides))
    static = replace(options, devices=None, row_chunk=options.row_chunk or usual)
    left, right = sides
    program = _Program(static, dtype, a.samples, pooled, left, right, project, norms)
    return ShardedTask(a, g, mesh, program)


@dataclass(frozen=True)
class ShardedTask:
    """One correlation over a mesh: W whole, or block by block."""

    a: Observations
    g: Observations
    mesh: Mesh
    program: _Program

    @property
    def sources(self) -> int:
        """Number of source nodes."""
        return len(self.a.members)

    @property
    def targets(self) -> int:
        """Number of target nodes."""
        return len(self.g.members)

    def each(self, nodes: int) -> int:
        """Nodes of a device, when so many are shared by all."""
        return -(-nodes // int(self.mesh.size))

    def whole(self) -> jax.Array:
        """W (sources, targets), by rows."""
        if 0 in (self.sources, self.targets):
            return jnp.zeros((self.sources, self.targets), self.program.dtype)
        check_evenness(self.sources, self.targets, self.program.dtype, int(self.mesh.size))
        rows_of = self.resident(self.each(self.targets))
        filled = rows_of(0, self.each(self.sources) * self.mesh.size)
        return _first_rows(filled, self.sources, self.mesh)

    def blocks(self, row_chunk: int | None) -> Iterator[tuple[int, jax.Array]]:
        """W by equal blocks of rows, as of `sharded_blocks`."""
        if 0 in (self.sources, self.targets):
            return
        # No more than there are, so that blocks stay where they are made.
        size = min(max(1, self.sources // int(self.mesh.size)), self.rows_at_a_time(row_chunk))
        rows_of = self.resident(size)
        size *= self.mesh.size
        if size > self.sources:  # fewer sources than devices
            yield 0, _first_rows(rows_of(0, size), self.sources, self.mesh)
            return
        for start in range(0, self.sources, size):
            top = min(start, self.sources - size)  # the last block overlaps its neighbour
            yield top, rows_of(top, top + size)

    def rows_at_a_time(self, row_chunk: int | None) -> int:
        """Sources that a device has at a time."""
        if row_chunk is None:
            return -(-self.each(self.sources) // ROUNDS)
        return self.each(row_chunk)

    def resident(self, batch: int) -> Callable[[int, int], jax.Array]:
        """Standardize the targets, ``batch`` at a time on each device, which keeps them.

        Returns what makes the rows ``top`` to ``bottom`` of W, a multiple of the devices; rows
        beyond the last are 0.
        """
        program, mesh = self.program, self.mesh
        batch = min(batch, self.each(self.targets))
        batches = -(-self.targets // (batch * mesh.size))
        length = self.g.samples * (self.g.pairs if program.pooled else 1)
        rows = batch * program.targets.kept
        shape = (1 if program.pooled else self.g.pairs, batches * rows * mesh.size, length)
        make = partial(jnp.zeros, shape, program.dtype)
        kept = jax.jit(make, out_shardings=NamedSharding(mesh, _ROWS))()
        for number in range(batches):
            low = number * batch * mesh.size
            part = self.g.placed(low, low + batch * mesh.size, mesh)
            kept = _add_targets(kept, part, number * rows, mesh=mesh, program=program)

        def rows_of(top: int, bottom: int) -> jax.Array:
            static = {"targets": self.targets, "batches": batches}
            sources = self.a.placed(top, bottom, mesh)
            return _correlate_chunk(sources, kept, mesh=mesh, program=program, **static)

        return rows_of


def check_evenness(sources: int, targets: int, dtype: str, devices: int) -> None:
    """Reject a W that would have to be gathered, where it is large."""
    size = sources * targets * np.dtype(dtype).itemsize
    if sources % devices and size > _GATHERED:
        even = next(count for count in range(devices, 0, -1) if sources % count == 0)
        padded = -(-sources // devices) * devices
        raise ValueError(
            f"devices={devices} must divide the {sources} sources where W is as large as "
            f"{format_bytes(size)}: JAX shards evenly or not at all, and each device would hold "
            f"all of it; take {even} devices, add columns of zeros up to {padded}, or take W by "
            "gsnn_edges.sharded.sharded_blocks"
        )


def _first_rows(matrix: jax.Array, count: int, mesh: Mesh) -> jax.Array:
    """Cut off what fills up the last device: no even shards are left, so each device has all."""
    if matrix.shape[0] == count:
        return matrix
    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.jit(lambda x: x[:count], out_shardings=everywhere)(matrix)


def local_rows(block: jax.Array) -> Iterable[tuple[int, np.ndarray]]:
    """Rows that this process holds, after the number of the first."""
    for shard in block.addressable_shards:
        yield shard.index[0].start or 0, np.asarray(shard.data)


# The compiled programs.


def _on_each_device(
    fn: Callable[..., Any], mesh: Mesh, inputs: Any, outputs: Any
) -> Callable[..., Any]:
    mapped: Callable[..., Any] = jax.shard_map(
        fn, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False
    )
    return mapped


def _samples_spec(x: jax.Array) -> PartitionSpec:
    return _SAMPLES if x.ndim == 3 else _FLAT_SAMPLES


@partial(jax.jit, static_argnames=("mesh", "program"), donate_argnames="resident")
def _add_targets(
    resident: jax.Array, g: jax.Array, row: int, *, mesh: Mesh, program: _Program
) -> jax.Array:
    """Standardize some targets, and put them at a row of what each device keeps."""

    def part(resident: jax.Array, g: jax.Array, row: jax.Array) -> jax.Array:
        return _put(resident, _standardized(g, program, program.targets), (0, row, 0))

    inputs = (_ROWS, _samples_spec(g), PartitionSpec())
    return _on_each_device(part, mesh, inputs, _ROWS)(resident, g, row)


@partial(jax.jit, static_argnames=("mesh", "program", "targets", "batches"))
def _correlate_chunk(
    a: jax.Array, resident: jax.Array, *, mesh: Mesh, program: _Program, targets: int, batches: int
) -> jax.Array:
    """Rows of W of some sources; the targets came in so many batches."""

    def part(a: jax.Array, resident: jax.Array) -> jax.Array:
        block = _ring(_standardized(a, program, program.sources), resident, program)
        # Each device keeps a part of each batch, and W has the batches one after another.
        each = block.reshape(block.shape[0], mesh.size, batches, -1)
        return each.swapaxes(1, 2).reshape(block.shape)[:, :targets]

    return _on_each_device(part, mesh, (_samples_spec(a), _ROWS), _MATRIX)(a, resident)


def _standardized(block: jax.Array, program: _Program, side: _Side) -> jax.Array:
    """Bring whole columns together, and standardize them: (parts, rows, observations)."""
    return _ranked(_gathered(block if block.ndim == 3 else block[None], program), program, side)


def _ranked(columns: jax.Array, program: _Program, side: _Side) -> jax.Array:
    """Standardize columns that are whole, without communication."""
    parts, count, length = columns.shape

    def fn(rows: jax.Array) -> jax.Array:
        with jax.default_matmul_precision("highest"):
            rows = standardize_rows(
                rows,
                ops=_OPS,
                method=program.options.method,
                ties=program.options.ties,
                dtype=program.dtype,
                shift=side.shift,
            )
            if program.project is None or side.kept == side.width:
                return rows
            return program.project(rows, ops=_OPS, width=side.width, n_components=side.kept)

    rows = _by_nodes(fn, columns.reshape(parts * count, length), side)
    return rows.reshape(parts, count // side.width * side.kept, length)


def _gathered(block: jax.Array, program: _Program) -> jax.Array:
    """Columns of this device, whole: (parts, columns, observations).

    The only step that communicates before the ring: all to all.
    """
    whole = lax.all_to_all(block, _AXIS, split_axis=2, concat_axis=1, tiled=True)
    pairs, _, columns = whole.shape
    whole = whole[:, : program.samples]
    if not program.pooled:
        return whole.swapaxes(1, 2)
    return jnp.moveaxis(whole, 2, 0).reshape(1, columns, pairs * program.samples)


def _by_nodes(fn: Callable[[jax.Array], jax.Array], rows: jax.Array, side: _Side) -> jax.Array:
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


def _ring(sources: jax.Array, targets: jax.Array, program: _Program) -> jax.Array:
    """Multiply the sources of this device with the targets of each, which pass by in turn.

    A device holds its own targets, those that it has, and those that arrive.
    """
    count, me = lax.axis_size(_AXIS), lax.axis_index(_AXIS)
    width = targets.shape[1] // program.targets.kept
    shape = (sources.shape[1] // program.sources.kept, width * count)
    onward = [(device, (device + 1) % count) for device in range(count)]

    def multiply(step: Any, visiting: jax.Array, out: jax.Array) -> jax.Array:
        return _fill(out, sources, visiting, (me - step) % count * width, program)

    def pass_on(step: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        visiting, out = state
        arriving = lax.ppermute(visiting, _AXIS, onward)
        return arriving, multiply(step, visiting, out)

    start = (targets, jnp.zeros(shape, sources.dtype))
    visiting, out = lax.fori_loop(0, count - 1, pass_on, start)
    return multiply(count - 1, visiting, out)


def _fill(
    out: jax.Array, sources: jax.Array, targets: jax.Array, column: jax.Array, program: _Program
) -> jax.Array:
    """Write the block of some targets, a chunk of sources at a time."""
    kept, nodes = program.sources.kept, out.shape[0]
    size = min(program.options.row_chunk or nodes, nodes)

    def step(place: jax.Array, out: jax.Array) -> jax.Array:
        top = jnp.minimum(place * size, nodes - size)
        rows = lax.dynamic_slice_in_dim(sources, top * kept, size * kept, axis=1)
        return _put(out, _mean_block(rows, targets, program), (top, column))

    return lax.fori_loop(0, -(-nodes // size), step, out)


def _put(out: jax.Array, block: jax.Array, corner: tuple[Any, ...]) -> jax.Array:
    """Write a block; under x64 JAX makes places of two kinds, which it refuses together."""
    return lax.dynamic_update_slice(out, block, [jnp.int32(place) for place in corner])


def _mean_block(sources: jax.Array, targets: jax.Array, program: _Program) -> jax.Array:
    """Average the numbers of each pair of nodes over the parts."""
    parts = sources.shape[0]

    def one(part: Any) -> jax.Array:
        return program.reduced(long_product(sources[part], targets[part]))

    if parts == 1:
        return one(0)
    return lax.fori_loop(1, parts, lambda part, total: total + one(part), one(0)) / parts
