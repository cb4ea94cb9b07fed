"""Files by their endings: arrays, tables, edges and names. Nothing is ever unpickled."""

from gsnn_edges.files.arrays import read_array
from gsnn_edges.files.edges import read_edges
from gsnn_edges.files.names import read_names
from gsnn_edges.files.tables import read_table, write_json, write_table

__all__ = ["read_array", "read_edges", "read_names", "read_table", "write_json", "write_table"]
