"""The model, the criterion, inputs and targets that options name."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gsnn_edges.cli.scores import read_node_names

# Where a GSNN, or what makes one, keeps the edges between its function nodes.
FUNCTION_EDGES = ("function", "to", "function")


@dataclass(frozen=True)
class Network:
    """What capture and infer run.

    Attributes
    ----------
    model, crit
        A module and its loss.
    x, y
        Arrays with a row for each sample; x a tuple of them for a model of several arguments.
    how : dict
        ``blocks``, ``groups`` and ``node_names``, as capture takes them.
    """

    model: Any
    crit: Any
    x: Any
    y: Any
    how: dict[str, Any]

    @property
    def samples(self) -> int:
        """Number of rows."""
        return len(self.x[0] if isinstance(self.x, tuple) else self.x)


def read_network(
    *,
    factory: str | None,
    model_args: str | None,
    weights: str | None,
    untrained_model: bool,
    trust_pickle: str | None,
    crit: str,
    x_files: Sequence[str],
    y_file: str,
    blocks: Sequence[str],
    groups: str | None,
    names: str | None,
    device: str,
) -> Network:
    """Read inputs first, then load the model: a wrong path is found out soonest so."""
    from gsnn_edges.cli.arrays import read_array

    if (factory is None) == (trust_pickle is None):
        raise ValueError(
            "--model must be given, as package.module:name, or else --trust-pickle, and not both"
        )
    if trust_pickle is not None and (weights is not None or model_args is not None):
        raise ValueError("--weights and --model-args need --model; a pickled model has its own")
    if untrained_model and (weights is not None or trust_pickle is not None):
        raise ValueError("--untrained-model is without --weights and --trust-pickle: leave it out")
    if weights is None and trust_pickle is None:
        if not untrained_model:
            raise ValueError(
                "--weights must be given: without them the model is what its factory makes, "
                "untrained as a rule; if that is meant, add --untrained-model"
            )
        warnings.warn(
            "the model has no --weights: W is that of what its factory makes, untrained as a rule",
            stacklevel=2,
        )
    for option, file in {"--weights": weights, "--trust-pickle": trust_pickle}.items():
        if file is not None and not Path(file).is_file():
            raise FileNotFoundError(f"{option} must be a file that is there; got {file!r}")
    given = [read_array(file, name="--x") for file in x_files]
    how = {
        "blocks": list(blocks) or None,
        "groups": None if groups is None else read_array(groups, name="--groups"),
        "node_names": read_node_names(names),
    }
    y = read_array(y_file, name="--y")
    check_rows(given, y, x_files, y_file)

    from gsnn_edges.cli import models

    if trust_pickle is not None:
        model = models.load_pickled(trust_pickle, trust_pickle=True)
    else:
        model = models.load_model(
            str(factory), weights, arguments=models.model_arguments(model_args)
        )
    given[0] = in_order("--x", x_files[0], given[0], names_of(model, "input"))
    y = in_order("--y", y_file, y, names_of(model, "output"))
    x = given[0] if len(given) == 1 else tuple(given)
    return Network(on_device(model, device), models.load_criterion(crit), x, y, how)


def on_device(model: Any, device: str) -> Any:
    """Move a model to a device that is there."""
    try:
        return model.to(device)
    except (AssertionError, RuntimeError) as error:  # torch without CUDA asserts that it has it
        if "memory" in str(error):
            raise
        raise ValueError(
            f"--device must be a device of torch that is there; got {device!r} ({error})"
        ) from error


def check_rows(given: Sequence[Any], y: Any, x_files: Sequence[str], y_file: str) -> None:
    """Reject inputs and targets of different numbers of samples."""
    rows = {
        file: len(array) if array.ndim else 0 for file, array in zip(x_files, given, strict=True)
    }
    rows[y_file] = len(y) if y.ndim else 0
    if len(set(rows.values())) > 1:
        found = ", ".join(f"{count} in {file!r}" for file, count in rows.items())
        raise ValueError(f"--x and --y must have a row for each sample; got {found}")


def names_of(model: Any, kind: str) -> list[str] | None:
    """Names that a model keeps of its "input", "function" or "output" nodes; None without any."""
    for module in model.modules():
        names = getattr(module, "node_names_dict", None)
        if isinstance(names, Mapping) and kind in names:
            return [str(name) for name in names[kind]]
    return None


def in_order(option: str, file: str, array: Any, nodes: list[str] | None) -> Any:
    """Columns of an array in the order of the model's nodes, where both have names.

    Raises
    ------
    ValueError
        For a name that one of the two lacks, or has twice.
    """
    from gsnn_edges import _validation
    from gsnn_edges.cli.arrays import column_names

    columns = column_names(file)
    if nodes is None or columns is None or columns == nodes:
        return array
    there, wanted = Counter(columns), Counter(nodes)
    wrong = {
        "missing": [name for name in wanted if name not in there],
        "unknown": [name for name in there if name not in wanted],
        "repeated": [name for name in there if max(there[name], wanted[name]) > 1],
    }
    if any(wrong.values()):
        found = "; ".join(
            f"{what}: {_validation.listing([repr(name) for name in names])}"
            for what, names in wrong.items()
            if names
        )
        raise ValueError(
            f"{option} must have a column for each of the model's {len(nodes)} nodes, by their "
            f"names; {file!r} does not ({found}): name them so, or leave the names out where the "
            "columns stand in the model's order"
        )
    warnings.warn(
        f"{option} {file!r} has its columns in another order than the model: they are put in the "
        "model's order, by their names",
        stacklevel=2,
    )
    place = {name: number for number, name in enumerate(columns)}
    return array[:, [place[name] for name in nodes]]


def layers_of(network: Network) -> Any:
    """Find the blocks, and the nodes of their channels."""
    from gsnn_edges.activations.model_layout import find_layers

    how = network.how
    return find_layers(network.model, how["blocks"], how["groups"], how["node_names"])


def known_edges(network: Network, path: str | None, by: str | None = None) -> Any:
    """Read the known edges, or take those of the graph that the model keeps; None without any."""
    from gsnn_edges import _validation
    from gsnn_edges.cli.edges import read_edges

    layers = layers_of(network)
    if path is not None:
        edges = read_edges(path, layers.node_names, name="--known", by=by)
        return _validation.edge_index("--known", edges, (layers.nodes, layers.nodes))
    for module in network.model.modules():
        graph = getattr(module, "edge_index_dict", None)
        if isinstance(graph, Mapping) and FUNCTION_EDGES in graph:
            edges = graph[FUNCTION_EDGES]
            return _validation.edge_index("edge_index_dict", edges, (layers.nodes, layers.nodes))
    return None


def shape_of(network: Network, score: str) -> dict[str, int]:
    """Count what capture would give, without running the model."""
    layers = layers_of(network)
    columns = layers.nodes if score == "magnitude" else len(layers.groups[0])
    pairs, samples = len(layers.blocks) - 1, network.samples
    values = pairs * samples * columns
    return {
        "nodes": layers.nodes,
        "columns": columns,
        "layer_pairs": pairs,
        "samples": samples,
        "observations": pairs * samples,
        "bytes": 2 * values * 4,
    }
