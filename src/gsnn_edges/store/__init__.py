"""Observations and matrices on disk: larger than memory, read in parts, and without torch."""

from gsnn_edges.store.matrix import StoredMatrix, open_matrix
from gsnn_edges.store.observations import ObservationStore, StoreMetadata, StoreWriter, open_store

__all__ = [
    "ObservationStore",
    "StoreMetadata",
    "StoreWriter",
    "StoredMatrix",
    "open_matrix",
    "open_store",
]
