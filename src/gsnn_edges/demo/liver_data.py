"""Measured phospho-proteins of liver cells, and the signalling graph that was known of them."""

import csv
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gsnn_edges import _validation
from gsnn_edges.demo.simulation import Problem, Rows, edge_index_dict_of, edges_without
from gsnn_edges.demo.topologies import Topology

# Folder of each set, and its table of measurements and edge list.
_FILES = {
    "HepG2": (
        "HepG2", "MD-ExtLiverHepG2-MCP2010-mod4.csv", "PKN-ExtLiverHepG2-MCP2010.sif",
    ),
    "PriHu": (
        "ExtLiverPriHu-MCP2010", "MD-ExtLiverPriHu-MCP2010-mod5.csv",
        "PKN-ExtLiverPriHu-MCP2010.sif",
    ),
    "LiverMSB": ("LiverMSB2009", "MD-LiverMSB2009.csv", "PKN-LiverMSB2009.sif"),
}  # fmt: skip


@dataclass(frozen=True)
class Measurements:
    """Real data on a known graph, whose edges are held out fold by fold.

    Attributes
    ----------
    topology : Topology
        Function nodes and their edges, the inputs and what they perturb, the outputs and where
        they are measured.
    x : float32 array of shape (rows, inputs)
    y : float32 array of shape (rows, outputs)
    """

    topology: Topology
    x: Rows
    y: Rows

    def problem(self, fold: int, *, folds: int = 5, seed: int = 0) -> Problem:
        """Problem in which the edges of one fold are to be found.

        Parameters
        ----------
        fold : int
            From 0 to ``folds - 1``; each edge is in one fold.
        folds : int
        seed : int
            Of the order in which edges are dealt to folds.

        Returns
        -------
        Problem
            Its rows for training and for testing are the same, all there are; it has no
            validation edges.

        Raises
        ------
        ValueError
            For folds of no edges, or no such fold.
        """
        topology, count = self.topology, self.topology.edges.shape[1]
        _validation.whole_number("folds", folds, least=2)
        if not 0 <= _validation.whole_number("fold", fold, least=0) < folds <= count:
            raise ValueError(
                f"fold must be below folds, and these at most the {count} edges; got fold={fold} "
                f"of folds={folds}"
            )
        test = topology.edges[:, np.random.default_rng(seed).permutation(count)[fold::folds]]
        known = edges_without(topology.edges, test)
        return Problem(
            edge_index_dict=edge_index_dict_of(topology, known),
            node_names_dict=topology.node_names_dict,
            x_train=self.x,
            y_train=self.y,
            x_test=self.x,
            y_test=self.y,
            known_edges=known,
            validation_edges=test[:, :0],
            test_edges=test,
            true_edges=topology.edges,
        )


def liver(name: str, path: str | Path | None = None) -> Measurements:
    """Phospho-proteins of liver cells under ligands and inhibitors, from the package cellnopt.data.

    Nothing of that package is part of this one, and nothing is downloaded. An input is 1 where a
    ligand was given and -1 where an inhibitor was, which feeds its target. Outputs are
    ``log2(value + 32)``, standardised within each time; rows before the treatment are left out.

    Parameters
    ----------
    name : {"HepG2", "PriHu", "LiverMSB"}
        HepG2 cells or primary human hepatocytes (128 rows, 82 nodes, 118 edges) [1]_, or HepG2
        cells of an earlier study (72 rows, 82 nodes, 115 edges) [2]_.
    path : str or Path, optional
        The source distribution of cellnopt.data, ``cellnopt.data-1.0.3.tar.gz``, or the folder
        that it was unpacked to; by default the installed package.

    Returns
    -------
    Measurements

    Raises
    ------
    FileNotFoundError
        Where the path holds no such data, or, without a path, the package is not installed.
    ValueError
        For another name.

    References
    ----------
    .. [1] L. G. Alexopoulos et al. (2010). Networks inferred from biochemical data reveal profound
       differences in toll-like receptor and inflammatory signaling between normal and transformed
       hepatocytes. Molecular & Cellular Proteomics 9, 1849-1865.
    .. [2] J. Saez-Rodriguez et al. (2009). Discrete logic modelling as a means to link protein
       signalling networks with functional analysis of mammalian signal transduction. Molecular
       Systems Biology 5, 331.
    """
    _validation.choice("name", name, _FILES)
    folder, *files = _FILES[name]
    table, graph = (_read(path, f"share/data/{folder}/{file}") for file in files)
    pairs = [(line.split()[0], line.split()[2]) for line in graph if line.strip()]
    functions = tuple(dict.fromkeys(node for pair in pairs for node in pair))
    number = {node.casefold(): k for k, node in enumerate(functions)}
    header, *rows = csv.reader(table)
    header = [column.strip() for column in header]
    values = np.array([[float(cell.strip() or 0) for cell in row] for row in rows])
    time_column = header.index(f"DA:{header[-1].removeprefix('DV:')}")
    values = values[values[:, time_column] > 0]
    inputs = [place for place, column in enumerate(header) if _target(column, number)[1]]
    perturbed, signs = zip(*(_target(header[place], number) for place in inputs), strict=True)
    outputs = [place for place, column in enumerate(header) if column.startswith("DV:")]
    measured = [number[header[place][3:].casefold()] for place in outputs]
    y = np.log2(values[:, outputs] + 32)
    for time in np.unique(values[:, time_column]):
        part = values[:, time_column] == time
        y[part] = (y[part] - y[part].mean(axis=0)) / y[part].std(axis=0)
    topology = Topology(
        name=name,
        dynamics="tanh",
        inputs=tuple(header[place][3:] for place in inputs),
        functions=functions,
        outputs=tuple(f"measurement of {functions[node]}" for node in measured),
        edges=np.array([[number[node.casefold()] for node in pair] for pair in pairs]).T,
        perturbed=np.array(perturbed),
        measured=np.array(measured),
    )
    x = values[:, inputs] * np.array(signs)
    return Measurements(topology, x.astype(np.float32), y.astype(np.float32))


def _target(column: str, number: dict[str, int]) -> tuple[int, float]:
    """The node that a ligand or an inhibitor acts on, and its sign; 0 for other columns."""
    name = column.removeprefix("TR:").casefold()
    if name in number:
        return number[name], 1.0
    return (number[name[:-1]], -1.0) if name[:-1] in number else (0, 0.0)


def _read(path: str | Path | None, file: str) -> list[str]:
    """Lines of a file of the package: installed, unpacked or in its source distribution."""
    root = Path(sys.prefix if path is None else path)
    for place in (root / file, *root.glob(f"*/{file}")):
        if place.is_file():
            return place.read_text(encoding="utf-8").splitlines()
    if root.is_file() and tarfile.is_tarfile(root):
        with tarfile.open(root) as archive:
            for member in archive:
                opened = archive.extractfile(member) if member.name.endswith(file) else None
                if opened is not None:
                    return opened.read().decode("utf-8").splitlines()
    where = "is not installed" if path is None else f"is not at {str(path)!r}"
    raise FileNotFoundError(
        f"liver needs {file} of cellnopt.data 1.0.3, which {where}: pip download --no-deps "
        "--no-binary :all: cellnopt.data==1.0.3, and pass that file as path="
    )
