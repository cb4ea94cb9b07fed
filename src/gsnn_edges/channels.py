"""The channel score: how all channels of one node go with all channels of another."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import Columns, Kernel, checked_backend
from gsnn_edges.options import check_pair, over_devices


def channel_correlation(
    a: Array,
    g: Array,
    a_nodes: Any,
    g_nodes: Any,
    *,
    nodes: int | None = None,
    method: Method = "spearman",
    ties: Ties = "average",
    n_components: int | None = None,
    row_chunk: int | None = None,
    precision: Precision = "float32",
    backend: str | None = None,
    device: Device = None,
    devices: Any = None,
) -> Array:
    """Correlate nodes that have several columns each.

    ``W[i, j]`` is the Frobenius norm of the block of correlations between all columns of node i
    in ``a`` and all columns of node j in ``g``: signs may differ from column to column, and no
    sum over columns lets them cancel.

    Parameters
    ----------
    a, g : arrays of real numbers of shape (M, Ca) and (M, Cg)
        M >= 3 observations of channels. Both of one library, on one device.
    a_nodes, g_nodes : array-like of whole numbers, shapes (Ca,) and (Cg,)
        The node of each column, counted from 0.
    nodes : int, optional
        Number of nodes N; by default one more than the largest in ``a_nodes`` and ``g_nodes``.
    method, ties, precision, backend, device, devices
        As of `cross_correlation`.
    n_components : int, optional
        Reduce the columns of each node to so many principal directions before they are
        multiplied: the cost falls from the square of the columns of a node to the square of this.
        By default all columns are used.
    row_chunk : int, optional
        Source nodes at a time. By default chosen from the memory that is free.

    Returns
    -------
    array of shape (N, N)
        From 0 to the square root of the product of both nodes' numbers of columns; 0 where a node
        has no column, or only constant ones.

    Raises
    ------
    TypeError, ValueError, ImportError, MemoryError
        As `cross_correlation`; and for nodes that do not go with the columns, or M < 3.

    Notes
    -----
    Blocks of correlations are reduced to nodes as they are made: Ca x Cg numbers are never held.
    Nodes with fewer columns than the widest are filled up with zeros. With ``n_components`` the
    norm of the leading principal directions of the standardized columns stands for that of all:
    never more than that, and the same where a node has no more columns.

    Of M independent observations ``W`` is about ``sqrt(Ci * Cj / (M - 1))`` where nothing goes
    with anything, for nodes of Ci and Cj columns: it favours nodes that have more of them.
    `permutation_test` compares each pair with its own chance.

    The square of ``W`` is, but for a constant, the Hilbert-Schmidt independence criterion with
    linear kernels on the standardized columns of both nodes [1]_. Eager only: it does not run
    under ``jax.jit``.

    References
    ----------
    .. [1] A. Gretton, O. Bousquet, A. Smola, B. Schoelkopf (2005). Measuring statistical
       dependence with Hilbert-Schmidt norms. Algorithmic Learning Theory.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [4.0, 0.0]])
    >>> channel_correlation(a, -a, [0, 0], [0, 0]).round(4)
    array([[1.5232]], dtype=float32)
    """
    n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
    row_chunk = _validation.whole_number_or_none("row_chunk", row_chunk, least=1)
    if over_devices(a, g, backend, device, devices):
        from gsnn_edges.sharded import sharded_channels

        check_pair(a, g)
        return sharded_channels(
            a,
            g,
            node_tables(a, g, a_nodes, g_nodes, nodes),
            devices=devices,
            method=method,
            ties=ties,
            n_components=n_components,
            row_chunk=row_chunk,
            precision=precision,
            project=leading,
            norms=block_norms,
        )
    ops, precision = checked_backend(a, g, method, ties, precision, backend, device)
    left, right = node_tables(a, g, a_nodes, g_nodes, nodes)
    # Directions are those of centred rows, which a shift does not leave.
    sides = ((a, left, False), (g, right, n_components is None))
    sources, targets = (
        NodeColumns(x, ops, method, ties, precision, shift, table, n_components)
        for x, table, shift in sides
    )
    return ChannelKernel(ops, precision, may_leave=True).run(sources, targets, row_chunk)


def node_tables(
    a: Array, g: Array, a_nodes: Any, g_nodes: Any, nodes: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Give the columns of each node on both sides, for the same number of nodes."""
    _validation.samples("the observations (rows) of a and g", a.shape[0])
    left, right = members("a_nodes", a_nodes, a), members("g_nodes", g_nodes, g)
    count = max(len(left), len(right))
    if nodes is not None:
        count = _validation.whole_number("nodes", nodes, least=count)
    return filled_up(left, count), filled_up(right, count)


def members(name: str, nodes: Any, x: Array) -> np.ndarray:
    """Give the columns of each node, (N, widest), filled up with -1."""
    nodes = _validation.node_indices(name, nodes, x.shape[1])
    count = np.bincount(nodes)
    order = np.argsort(nodes, kind="stable")
    table = np.full((len(count), max(count, default=0)), -1)
    slot = np.arange(len(nodes)) - (np.cumsum(count) - count)[nodes[order]]
    table[nodes[order], slot] = order
    return table


def filled_up(table: np.ndarray, nodes: int) -> np.ndarray:
    """Add nodes without a column."""
    return np.pad(table, ((0, nodes - len(table)), (0, 0)), constant_values=-1)


@dataclass(frozen=True)
class NodeColumns(Columns):
    """Columns of which each node has several: ``members`` (N, widest) says which, -1 for none."""

    members: np.ndarray
    n_components: int | None

    @property
    def count(self) -> int:
        """Number of nodes."""
        return len(self.members)

    @property
    def width(self) -> int:
        """Rows of a node."""
        widest = int(self.members.shape[1])
        return widest if self.n_components is None else min(widest, self.n_components)

    def rows(self, low: int, high: int) -> Array:
        """Standardized rows, or their leading directions, of the nodes ``low`` to ``high``."""
        members = self.members[low:high].reshape(-1)
        rows = self.standardized(rows_of(self.x, members))
        if (members < 0).any():
            there = self.ops.adopt((members >= 0)[:, None])
            rows = self.ops.xp.where(there, rows, self.ops.xp.zeros_like(rows))
        return rows if self.width == self.members.shape[1] else self.projected(rows)

    def projected(self, rows: Array) -> Array:
        """Leading directions of each node."""
        return self.ops.call(leading, rows, width=self.members.shape[1], n_components=self.width)


def rows_of(x: Array, members: np.ndarray) -> Array:
    """Columns of an array by their numbers, as rows; a view where they lie side by side."""
    first, owner = int(members[0]), backends.of(x)
    if np.array_equal(members, np.arange(first, first + len(members))):
        return owner.columns_as_rows(x, first, first + len(members))
    return owner.xp.take(x, owner.adopt(np.maximum(members, 0)), axis=1).T


def leading(rows: Array, *, ops: Backend, width: int, n_components: int) -> Array:
    """Project the ``width`` rows of each node on their leading principal directions.

    The norm of products with what comes back is that of products with the rows, but for what
    lies in the other directions.
    """
    xp = ops.xp
    nodes, length = rows.shape[0] // width, rows.shape[1]
    each = xp.reshape(rows, (nodes, width, length))
    gram = xp.matmul(each, xp.matrix_transpose(each))
    # Of a symmetric matrix, by rising eigenvalues.
    vectors = xp.linalg.eigh(gram).eigenvectors[:, :, width - n_components :]
    return xp.reshape(xp.matmul(xp.matrix_transpose(vectors), each), (nodes * n_components, length))


class ChannelKernel(Kernel):
    """The chunk loop over nodes that have several rows each."""

    def reduced(self, products: Array, sources: Columns, targets: Columns) -> Array:
        """Give the norm of the block of each pair of nodes."""
        return self.ops.call(block_norms, products, left=sources.width, right=targets.width)


def block_norms(products: Array, *, ops: Backend, left: int, right: int) -> Array:
    """Frobenius norm of each block of ``left`` rows and ``right`` columns."""
    xp = ops.xp
    rows, columns = products.shape[0] // left, products.shape[1]
    squares = xp.reshape(products * products, (rows, left, columns))
    # First over rows of blocks, in whole rows of memory; so little is left for the slow step.
    squares = xp.reshape(xp.sum(squares, axis=1), (rows, columns // right, right))
    return xp.sqrt(xp.sum(squares, axis=2))
