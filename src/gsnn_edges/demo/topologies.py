"""Graphs to simulate along: the tutorial's, three of real biology, or any edge list in a csv."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
EdgeType = tuple[str, str, str]

INPUT_EDGES: EdgeType = ("input", "to", "function")
FUNCTION_EDGES: EdgeType = ("function", "to", "function")
OUTPUT_EDGES: EdgeType = ("function", "to", "output")

_PACKAGED = ("dream4-1", "dream4-2", "ligand-receptor")
NAMES = ("tutorial", *_PACKAGED)


@dataclass(frozen=True)
class Topology:
    """A directed graph of function nodes, where it is perturbed and where it is measured.

    Attributes
    ----------
    name : str
        Name or path of the graph.
    dynamics : {"linear", "tanh"}
        How values flow along the edges; see `gsnn_edges.demo.simulation.simulate`.
    inputs, functions, outputs : tuple of str
        Names of the nodes of each kind.
    edges : int64 array of shape (2, E)
        Edges between function nodes, source over target.
    perturbed : int64 array of shape (number of inputs,)
        The function node that each input feeds.
    measured : int64 array of shape (number of outputs,)
        The function node that feeds each output.
    held_out : tuple of int64 arrays of shape (2, E_k)
        Edges that the model shall not see, by kind; empty where they are to be drawn.

    Examples
    --------
    >>> from gsnn_edges.demo import graph
    >>> topology = graph("dream4-1")
    >>> len(topology.functions), topology.edges.shape, topology.dynamics
    (100, (2, 176), 'tanh')
    """

    name: str
    dynamics: Literal["linear", "tanh"]
    inputs: tuple[str, ...]
    functions: tuple[str, ...]
    outputs: tuple[str, ...]
    edges: Indices
    perturbed: Indices
    measured: Indices
    held_out: tuple[Indices, ...] = ()

    @property
    def node_names_dict(self) -> dict[str, list[str]]:
        """Names of each kind of node, as a GSNN takes them."""
        return {
            "input": list(self.inputs),
            "function": list(self.functions),
            "output": list(self.outputs),
        }


def graph(name: str | Path) -> Topology:
    """Graph of this name, or of the edge list in a file.

    Parameters
    ----------
    name : str or Path
        "tutorial"; "dream4-1" and "dream4-2", gold standards of the DREAM4 challenge [1]_;
        "ligand-receptor", 1,876 human ligands and receptors of OmniPath's consensus set [2]_;
        or the path of a csv file with a header line and the columns ``source`` and ``target``.
        There nodes are numbered as they first appear, an edge given twice counts once, other
        columns are not read, one node of each source component is perturbed and every node is
        measured.

    Returns
    -------
    Topology

    Raises
    ------
    FileNotFoundError
        If the name is neither one of these nor a file.
    ValueError
        If a column is missing, a node has an empty name, or no edge is there.

    References
    ----------
    .. [1] D. Marbach et al. (2010). Revealing strengths and weaknesses of methods for gene network
       inference. PNAS 107, 6286-6291.
    .. [2] D. Türei et al. (2021). Integrated intra- and intercellular signaling knowledge for
       multicellular omics analysis. Molecular Systems Biology 17, e9923.

    Examples
    --------
    >>> graph("tutorial").edges.shape
    (2, 72)
    >>> len(graph("dream4-1").functions)
    100
    """
    if name == "tutorial":
        return _tutorial_graph()
    if name in _PACKAGED:
        packaged = resources.files(__package__) / f"{name}.csv"
        with packaged.open(encoding="utf-8") as file:
            return _from_edge_list(str(name), file)
    return _read_topology(Path(name))


def _read_topology(path: Path) -> Topology:
    if not path.is_file():
        raise FileNotFoundError(
            f"graph must be one of {', '.join(NAMES)} or the path of a csv file; "
            f"got {str(path)!r}, which is no file. Check the path."
        )
    # Spreadsheets put a byte order mark before the header, which "utf-8-sig" drops.
    with path.open(encoding="utf-8-sig", newline="") as file:
        return _from_edge_list(str(path), file)


def _tutorial_graph() -> Topology:
    """Build the tutorial's graph of 50 function nodes in three levels.

    25 inputs feed a node each; 24 middles are fed by two neighbouring ones and feed an output each;
    a sink is fed by all middles and feeds the last output. Held out are one of the two edges into
    each middle but the first, and every second edge into the sink.
    """
    first, middle, sink = np.arange(25), np.arange(25, 49), 49
    left, right = np.stack([first[:-1], middle]), np.stack([first[1:], middle])
    last = np.stack([middle, np.full_like(middle, sink)])
    return Topology(
        name="tutorial",
        dynamics="linear",
        inputs=tuple(f"in{k}" for k in range(25)),
        functions=tuple(f"f{k}" for k in range(50)),
        outputs=tuple(f"out{k}" for k in range(25)),
        edges=np.concatenate([left, right, last], axis=1),
        perturbed=first,
        measured=np.append(middle, sink),
        held_out=(left[:, 1:], last[:, ::2]),
    )


def source_nodes(n_nodes: int, edges: Indices) -> Indices:
    """One node of each source component: a smallest set from which all can be reached.

    Parameters
    ----------
    n_nodes : int
    edges : int64 array of shape (2, E)

    Returns
    -------
    int64 array
        Ascending; the lowest node of each strongly connected component that nothing else feeds.

    Examples
    --------
    >>> source_nodes(4, np.array([[0, 1, 1, 3], [1, 0, 2, 2]]))
    array([0, 3])
    """
    targets: list[list[int]] = [[] for _ in range(n_nodes)]
    for source, target in edges.T.tolist():
        targets[source].append(target)
    # Each source component is first met at its lowest node, as nothing leads into it. A start in
    # any other component is led into from a source that came later, so going back over the starts
    # meets that source first and skips the start.
    starts = _search_starts(range(n_nodes), targets)
    return np.array(sorted(_search_starts(reversed(starts), targets)), dtype=np.int64)


def _search_starts(order: Iterable[int], targets: Sequence[Sequence[int]]) -> list[int]:
    """Nodes that no search from an earlier node had reached."""
    starts: list[int] = []
    seen: set[int] = set()
    for start in order:
        if start in seen:
            continue
        starts.append(start)
        seen.add(start)
        waiting = [start]
        while waiting:
            new = [node for node in targets[waiting.pop()] if node not in seen]
            seen.update(new)
            waiting.extend(new)
    return starts


def _from_edge_list(name: str, file: IO[str]) -> Topology:
    pairs = list(dict.fromkeys(_read_pairs(name, file)))
    functions = tuple(dict.fromkeys(node for pair in pairs for node in pair))
    number = {node: k for k, node in enumerate(functions)}
    edges = np.array([[number[node] for node in pair] for pair in pairs], dtype=np.int64).T
    perturbed = source_nodes(len(functions), edges)
    return Topology(
        name=name,
        dynamics="tanh",
        inputs=tuple(f"perturbation of {functions[k]}" for k in perturbed),
        functions=functions,
        outputs=tuple(f"measurement of {node}" for node in functions),
        edges=edges,
        perturbed=perturbed,
        measured=np.arange(len(functions)),
    )


def _read_pairs(name: str, file: IO[str]) -> list[tuple[str, str]]:
    rows = csv.DictReader(file)
    header = rows.fieldnames or []
    if not {"source", "target"} <= set(header):
        raise ValueError(
            f"graph must be a csv with the columns source and target; the header line of {name!r} "
            f"is {','.join(header)!r}. Name the columns in its first line."
        )
    pairs = []
    for row in rows:
        pair = tuple((row[column] or "").strip() for column in ("source", "target"))
        if not all(pair):
            raise ValueError(
                f"graph must name both nodes of each edge; line {rows.line_num} of {name!r} has "
                f"source {pair[0]!r} and target {pair[1]!r}. Fill in the name or drop the line."
            )
        pairs.append((pair[0], pair[1]))
    if not pairs:
        raise ValueError(f"graph must have an edge; {name!r} has none under its header line.")
    return pairs
