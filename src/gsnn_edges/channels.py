"""The channel score: how all channels of one node go with all channels of another."""

from typing import Any

import numpy as np

from gsnn_edges import _validation
from gsnn_edges._tables import as_arrays
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import (
    Operand,
    backend_and_dtype,
    leading_components,
    multiply,
)
from gsnn_edges.options import CorrelationOptions, check_pair


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
    options = CorrelationOptions(
        method=method,
        ties=ties,
        row_chunk=row_chunk,
        precision=precision,
        backend=backend,
        device=device,
        devices=devices,
    )
    a, g = as_arrays(a=a, g=g)
    return correlate_channels(
        a, g, a_nodes, g_nodes, options, nodes=nodes, n_components=n_components
    )


def correlate_channels(
    a: Array,
    g: Array,
    a_nodes: Any,
    g_nodes: Any,
    options: CorrelationOptions,
    *,
    nodes: int | None = None,
    n_components: int | None = None,
) -> Array:
    """`channel_correlation` with options that are checked already."""
    n_components = _validation.whole_number_or_none("n_components", n_components, least=1)
    check_pair(a, g)
    left, right = node_tables(a, g, a_nodes, g_nodes, nodes)
    # Principal directions are those of centred rows, which a shift does not leave.
    shift = n_components is None
    if options.shared(a, g):
        from gsnn_edges.sharded import correlate_sharded

        return correlate_sharded(
            a,
            g,
            options,
            (left, right),
            n_components=n_components,
            project=leading_components,
            norms=block_norms,
        )
    ops, dtype = backend_and_dtype(a, g, options, by_multiply=True)
    sources = Operand(a, ops, dtype, options, False, left, n_components)
    targets = Operand(g, ops, dtype, options, shift, right, n_components)
    return multiply(sources, targets, norms_of_nodes, may_leave=True)


def node_tables(
    a: Array, g: Array, a_nodes: Any, g_nodes: Any, nodes: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of each node on both sides, (N, widest), for the same number N of nodes."""
    _validation.samples("the observations (rows) of a and g", a.shape[0])
    left, right = node_members("a_nodes", a_nodes, a), node_members("g_nodes", g_nodes, g)
    count = max(len(left), len(right))
    if nodes is not None:
        count = _validation.whole_number("nodes", nodes, least=count)
    return filled_up(left, count), filled_up(right, count)


def optional_tables(
    a: Array, g: Array, a_nodes: Any, g_nodes: Any, nodes: int | None, n_components: int | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """`node_tables`, or None where no nodes are named and each column is a node."""
    if a_nodes is not None and g_nodes is not None:
        return node_tables(a, g, a_nodes, g_nodes, nodes)
    if n_components is not None:
        raise ValueError(
            f"n_components={n_components} needs a_nodes and g_nodes, the node of each column; "
            "without them each column is a node: leave n_components out"
        )
    if a_nodes is None and g_nodes is None and nodes is None:
        return None
    missing = "a_nodes" if a_nodes is None else "g_nodes"
    raise ValueError(
        f"a_nodes and g_nodes must be given together; got {missing}=None: name the node of each "
        "column of both arrays"
    )


def node_members(name: str, nodes: Any, x: Array) -> np.ndarray:
    """Columns of each node, (N, widest), -1 where a node has fewer."""
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


def norms_of_nodes(products: Array, sources: Operand, targets: Operand) -> Array:
    """Frobenius norm of the block of products of each pair of nodes."""
    return sources.ops.call(block_norms, products, left=sources.width, right=targets.width)


def block_norms(products: Array, *, ops: Backend, left: int, right: int) -> Array:
    """Frobenius norm of each block of ``left`` rows and ``right`` columns."""
    xp = ops.xp
    rows, columns = products.shape[0] // left, products.shape[1]
    squares = xp.reshape(products * products, (rows, left, columns))
    # First over rows of blocks, in whole rows of memory; so little is left for the slow step.
    squares = xp.reshape(xp.sum(squares, axis=1), (rows, columns // right, right))
    return xp.sqrt(xp.sum(squares, axis=2))
