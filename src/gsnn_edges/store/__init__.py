"""Observations and matrices on disk: larger than memory, read in parts, and without torch."""

from gsnn_edges.store.facts import Facts
from gsnn_edges.store.matrix import StoredMatrix, open_matrix
from gsnn_edges.store.observations import ObservationStore, open_store
from gsnn_edges.store.writing import StoreWriter

__all__ = [
    "Facts",
    "ObservationStore",
    "StoreWriter",
    "StoredMatrix",
    "open_matrix",
    "open_store",
]
