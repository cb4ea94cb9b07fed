"""What the commands read W, names and edges from."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

# Files that W is read from by rows, and so may be larger than memory.
STAY = (".npy", ".zarr")


class Scores(NamedTuple):
    """A matrix of scores, as a file has it.

    Attributes
    ----------
    W : ndarray or StoredMatrix of shape (N, N)
    node_names : list of str or None
    known_edges : int64 ndarray of shape (2, E) or None
    """

    W: Any
    node_names: list[str] | None
    known_edges: Any


def read_scores(path: str) -> Scores:
    """Read W: evidence with its names, a matrix that stays on disk, or any array of a file."""
    file = Path(path)
    if file.suffix == ".npz" and is_evidence(file):
        from gsnn_edges.evidence import EdgeEvidence

        evidence = EdgeEvidence.load(file)
        return Scores(evidence.W, evidence.node_names, evidence.known_edges)
    from gsnn_edges.cli.arrays import read_array
    from gsnn_edges.cli.paths import readable

    if file.suffix in STAY:
        from gsnn_edges.store import open_matrix

        return Scores(open_matrix(readable("W", file, STAY)), None, None)
    return Scores(read_array(path, name="W"), None, None)


def is_evidence(file: Path) -> bool:
    """Whether an npz holds evidence and not plain arrays."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return {"header.npy", "W.npy"} <= set(archive.namelist())


def read_known(path: str | None) -> Any:
    """Read the known edges that observations or evidence hold beside the names; None without."""
    if path is None:
        return None
    file = Path(path)
    if file.suffix == ".zarr":
        from gsnn_edges.store import open_store

        return open_store(file).edge_index
    if file.suffix == ".npz" and is_evidence(file):
        return read_scores(path).known_edges
    return None


def read_node_names(path: str | None) -> list[str] | None:
    """Read names of nodes: from a list of them, from observations, or from evidence."""
    if path is None:
        return None
    file = Path(path)
    names: Any
    if file.suffix == ".zarr":
        from gsnn_edges.store import open_store

        names = open_store(file).node_names
    elif file.suffix == ".npz" and is_evidence(file):
        names = read_scores(path).node_names
    elif file.suffix == ".npz":
        from gsnn_edges.cli.observations import read_observations

        names = read_observations(file, name="--names").node_names
    else:
        from gsnn_edges.cli.names import read_names

        names = read_names(path, name="--names")
    if names is None:
        raise ValueError(f"--names must be a file with names of nodes; {path!r} has none")
    return list(names)
