"""Measured phospho-proteins of liver cells, and the signalling graph that was known of them."""

import csv
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import _validation
from gsnn_edges.demo.simulation import Problem, Rows, edge_index_dict_of, edges_without
from gsnn_edges.demo.topologies import Topology

_PACKAGE, _VERSION = "cellnopt.data", "1.0.3"


class _Files(NamedTuple):
    """Folder, table of measurements and edge list of a data set."""

    folder: str
    table: str
    graph: str


_SETS = {
    "HepG2": _Files("HepG2", "MD-ExtLiverHepG2-MCP2010-mod4.csv", "PKN-ExtLiverHepG2-MCP2010.sif"),
    "PriHu": _Files(
        "ExtLiverPriHu-MCP2010",
        "MD-ExtLiverPriHu-MCP2010-mod5.csv",
        "PKN-ExtLiverPriHu-MCP2010.sif",
    ),
    "LiverMSB": _Files("LiverMSB2009", "MD-LiverMSB2009.csv", "PKN-LiverMSB2009.sif"),
}


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
    ImportError
        Without a path, where the package is not installed.
    FileNotFoundError
        Where the path holds no such data.
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
    _validation.choice("name", name, _SETS)
    files = _SETS[name]
    table, graph = (_read(path, f"share/data/{files.folder}/{file}") for file in files[1:])
    pairs = [(source, target) for source, _, target in map(str.split, graph)]
    functions = tuple(dict.fromkeys(node for pair in pairs for node in pair))
    number = {node.casefold(): k for k, node in enumerate(functions)}
    header, *rows = csv.reader(table)
    header = [column.strip() for column in header]
    values = np.array([[float(cell.strip() or 0) for cell in row] for row in rows])
    treatments, outputs = (
        {column.removeprefix(kind): place for place, column in enumerate(header) if kind in column}
        for kind in ("TR:", "DV:")
    )
    columns = {place: _target(treatment, number) for treatment, place in treatments.items()}
    columns = {place: target for place, target in columns.items() if target is not None}
    named = {place: treatment for treatment, place in treatments.items()}
    times = values[:, header.index(f"DA:{next(iter(outputs))}")]
    kept = times > 0
    signs = [1.0 if named[place].casefold() in number else -1.0 for place in columns]
    y = np.log2(values[:, list(outputs.values())] + 32)
    topology = Topology(
        name=name,
        dynamics="tanh",
        inputs=tuple(named[place] for place in columns),
        functions=functions,
        outputs=tuple(f"measurement of {functions[number[o.casefold()]]}" for o in outputs),
        edges=np.array([[number[n.casefold()] for n in pair] for pair in pairs]).T,
        perturbed=np.array(list(columns.values())),
        measured=np.array([number[output.casefold()] for output in outputs]),
    )
    return Measurements(
        topology,
        (values[:, list(columns)] * signs)[kept].astype(np.float32),
        _standardised(y[kept], times[kept]).astype(np.float32),
    )


def _target(treatment: str, number: dict[str, int]) -> int | None:
    """The node that a ligand or an inhibitor acts on; None for what is no treatment."""
    name = treatment.casefold()
    return number.get(name, number.get(name.removesuffix("i")))


def _standardised(y: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns with mean 0 and standard deviation 1 within each time."""
    for time in np.unique(times):
        part = times == time
        y[part] = (y[part] - y[part].mean(axis=0)) / y[part].std(axis=0)
    return y


def _read(path: str | Path | None, file: str) -> list[str]:
    """Lines of a file of the package: installed, unpacked or in its source distribution."""
    for name, text in _texts(path, Path(file).name):
        if name.replace("\\", "/").endswith(file):
            return [line for line in text.decode("utf-8").splitlines() if line.strip()]
    raise FileNotFoundError(
        f"path must be {_PACKAGE}-{_VERSION}.tar.gz or the folder that it was unpacked to; "
        f"{str(path)!r} holds no {file}"
    )


def _texts(path: str | Path | None, name: str) -> Iterator[tuple[str, bytes]]:
    """Files of this name, each with its path."""
    if path is None:
        try:
            installed = metadata.files(_PACKAGE) or []
        except metadata.PackageNotFoundError:
            raise ImportError(
                f"liver needs the data of {_PACKAGE}, which is not installed; get its source by "
                f"pip download --no-deps --no-binary :all: {_PACKAGE}=={_VERSION}, and pass the "
                "file as path="
            ) from None
        yield from ((str(f), f.read_binary()) for f in installed if f.name == name)
    elif Path(path).is_dir():
        yield from ((str(f), f.read_bytes()) for f in Path(path).rglob(name))
    elif Path(path).is_file() and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and Path(member.name).name == name:
                    opened = archive.extractfile(member)
                    yield member.name, opened.read() if opened else b""
