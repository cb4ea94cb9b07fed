"""W over many devices: whole, or block by block."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from gsnn_edges._typing import Array, Method, Precision, Ties
from gsnn_edges.chunks import ROUNDS, sources_at_once
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.sharded.arguments import Options, checked_options, observations
from gsnn_edges.sharded.devices import device_mesh
from gsnn_edges.sharded.placement import Observations, one_each
from gsnn_edges.sharded.program import Score, Side
from gsnn_edges.sharded.task import Task, first_rows


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
    """Correlate every column of ``a`` with every column of ``g``, over many devices.

    Parameters
    ----------
    a, g : arrays of real numbers of shape (M, Na) and (M, Ng)
        M >= 2 observations in rows. JAX arrays, sharded or not, or arrays of another library,
        of which each device gets its own rows from the host.
    devices : int, sequence of jax devices, or jax.sharding.Mesh, optional
        Which devices share the work; by default those that the inputs are sharded over, else all.
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
    Observations lie in rows, as they are captured. One all-to-all for each input brings whole
    columns together, which are ranked without communication. The standardized targets then pass
    from device to device in a ring, and each multiplies its own sources with those that pass.

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


def correlate_sharded(a: Array, g: Array, options: CorrelationOptions) -> jax.Array:
    """`sharded_correlation` with options that are checked already."""
    return plain_task(a, g, options.devices, checked_options(a, g, options)).whole()


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
    """Give the rows of `sharded_correlation` block by block, and never hold W.

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
    checked = checked_options(a, g, options)._replace(row_chunk=None)
    return blocks(plain_task(a, g, devices, checked), options.row_chunk)


def correlate_channels_sharded(
    a: Array,
    g: Array,
    members: tuple[np.ndarray, np.ndarray],
    options: CorrelationOptions,
    *,
    n_components: int | None,
    project: Callable[..., Any],
    norms: Callable[..., Any],
) -> jax.Array:
    """`correlate_channels` over many devices.

    Parameters
    ----------
    members : two arrays of shape (N, width)
        The columns of each node of ``a`` and of ``g``, -1 for none. The columns of a node come
        together on one device.
    project, norms : callables
        How rows of a node are reduced to ``n_components``, and blocks of products to numbers.
    """
    sides = channel_sides(members, n_components, project)
    pair = observations(a, members[0]), observations(g, members[1])
    score = make_score(pair, sides, checked_options(a, g, options), norms=norms)
    return Task(*pair, device_mesh(options.devices, (a, g)), score).whole()


def plain_task(a: Array, g: Array, devices: Any, options: Options) -> Task:
    """Give the task of columns that are nodes."""
    found = device_mesh(devices, (a, g))
    pair = observations(a, one_each(a.shape[1])), observations(g, one_each(g.shape[1]))
    return Task(*pair, found, make_score(pair, plain_sides(), options))


def plain_sides() -> tuple[Side, Side]:
    """Sides of nodes that have a column each; targets are shifted, which keeps digits."""
    return Side(shift=False), Side(shift=True)


def channel_sides(
    members: tuple[np.ndarray, np.ndarray], n_components: int | None, project: Callable[..., Any]
) -> tuple[Side, Side]:
    """Sides of nodes that have several columns, reduced to directions where these are fewer."""
    sides = []
    # Directions are those of centred rows, which a shift does not leave.
    for table, shift in zip(members, (False, n_components is None), strict=True):
        width = int(table.shape[1])
        kept = width if n_components is None else min(width, n_components)
        sides.append(Side(shift, width, kept, project if kept < width else None))
    return sides[0], sides[1]


def make_score(
    pair: tuple[Observations, Observations],
    sides: tuple[Side, Side],
    options: Options,
    *,
    pooled: bool = True,
    norms: Callable[..., Any] | None = None,
) -> Score:
    """Give what is computed; a device multiplies some 2**23 numbers at a time."""
    usual = sources_at_once(len(pair[1].members), sides[0].kept, sides[1].kept)
    row_chunk = options.row_chunk or usual
    return Score(*options[:3], pair[0].samples, pooled, row_chunk, *sides, norms)


def blocks(task: Task, row_chunk: int | None) -> Iterator[tuple[int, jax.Array]]:
    """Give W by equal blocks of rows."""
    if 0 in (task.sources, task.targets):
        return
    # No more than there are, so that blocks stay where they are made.
    size = min(max(1, task.sources // int(task.mesh.size)), rows_at_a_time(task, row_chunk))
    resident = task.resident(size)
    size *= task.mesh.size
    if size > task.sources:  # fewer sources than devices
        yield 0, first_rows(resident.block(0, size), task.sources, task.mesh)
        return
    for top in starts(task.sources, size):
        yield top, resident.block(top, top + size)


def starts(count: int, size: int) -> Iterator[int]:
    """Cover a range by windows of this size; the last one overlaps its neighbour."""
    for start in range(0, count, size):
        yield min(start, count - size)


def rows_at_a_time(task: Task, row_chunk: int | None) -> int:
    """Say how many sources a device has at a time."""
    if row_chunk is None:
        return -(-task.each(task.sources) // ROUNDS)
    return task.each(row_chunk)
