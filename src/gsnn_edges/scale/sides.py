"""Sources and targets of a store: columns that become standardized rows, some nodes at a time."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gsnn_edges._typing import Method, Precision, Ties
from gsnn_edges.backends import Backend
from gsnn_edges.correlation import Operand
from gsnn_edges.options import CorrelationOptions

Span = tuple[int, int]


@dataclass(frozen=True)
class Side:
    """One side of a store: ``"a"`` holds the sources, ``"g"`` the targets.

    Attributes
    ----------
    members : int array of shape (N, widest)
        The columns of each node, -1 for none.
    channels : bool
        Whether nodes have several columns, of which ``n_components`` are kept.
    shift : bool
        As in `standardize_rows`.
    """

    store: Any
    name: str
    members: np.ndarray
    channels: bool
    n_components: int | None
    ops: Backend
    method: Method
    ties: Ties
    precision: Precision
    shift: bool

    @property
    def count(self) -> int:
        """Number of nodes."""
        return len(self.members)

    @property
    def widest(self) -> int:
        """Columns of a node at most."""
        return int(self.members.shape[1])

    @property
    def width(self) -> int:
        """Rows of a node."""
        return min(self.widest, self.n_components or self.widest)

    def rows(self, pairs: Span, low: int, high: int) -> np.ndarray:
        """Standardized rows of the nodes ``low`` to ``high``, over some layer pairs, on the host.

        Each column is standardized over all samples of these pairs together.
        """
        x, members = self.read(pairs, self.members[low:high])
        options = CorrelationOptions(method=self.method, ties=self.ties)
        columns = Operand(x, self.ops, self.precision, options, self.shift)
        if self.channels:
            columns = replace(columns, members=members, n_components=self.n_components)
        return self.ops.to_numpy(columns.rows(0, high - low))

    def read(self, pairs: Span, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the columns of some nodes, and say where in the result each node's columns are."""
        wanted = np.unique(members[members >= 0])
        places = np.where(members >= 0, np.searchsorted(wanted, members), -1)
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1)
        if len(runs) == 1 and len(wanted):
            return self.read_run(pairs, wanted), places
        length = (pairs[1] - pairs[0]) * self.store.samples
        x = np.zeros((length, max(1, len(wanted))), self.store.dtype)
        for run in runs if len(wanted) else ():
            first = int(np.searchsorted(wanted, run[0]))
            x[:, first : first + len(run)] = self.read_run(pairs, run)
        return x, places

    def read_run(self, pairs: Span, columns: np.ndarray) -> np.ndarray:
        """Read columns that lie side by side."""
        x: np.ndarray = self.store.read(
            self.name, (int(columns[0]), int(columns[-1]) + 1), pairs=pairs
        )
        return x
