"""Models and criteria by name, with weights from a file, and what a pickle would do kept out."""

import json
import pickle
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsnn_edges import _validation
from gsnn_edges.cli.tables import read_node_names

if TYPE_CHECKING:
    from torch import Tensor, nn


WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
# Where training libraries put the weights in what they save.
WRAPPED = ("state_dict", "model_state_dict", "model")
# Wrappers put this before the name of every weight.
PREFIXES = ("module.", "_orig_mod.")
SHOWN = 5
# What reading a file that is broken, or of another kind, may raise.
UNREADABLE = (
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    ImportError,
    pickle.UnpicklingError,
)


def torch_module() -> Any:
    """Import torch, or say what to install."""
    return _validation.imported("torch", "models need torch", "torch")


def load_model(
    factory: str,
    weights: str | PathLike[str] | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    folder: str | PathLike[str] = ".",
) -> "nn.Module":
    """Make a model by calling a factory by its name, and give it weights from a file.

    Parameters
    ----------
    factory : str
        "package.module:name" of a function or class that gives a module. It is imported, and so
        runs: name only code that you trust.
    weights : str or path, optional
        A state dict: ``.safetensors``, or ``.pt``, ``.pth``, ``.bin`` or ``.ckpt`` as `torch.save`
        writes it, read with ``weights_only=True``: no code of the file runs. A dict that holds it
        under "state_dict", "model_state_dict" or "model" will do. Left out, the model is as the
        factory made it.
    arguments : mapping, optional
        Keyword arguments of the factory.
    folder : str or path
        Modules are looked for here too, before the installed ones.

    Returns
    -------
    torch.nn.Module
        On the CPU, in the mode that the factory left it in.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    TypeError, ValueError
        For a name that cannot be imported, a factory that gives no module, a file that is no
        state dict, and weights that do not fit: the message lists missing and unexpected ones.
    ImportError
        For .safetensors without safetensors.

    Examples
    --------
    >>> load_model("torch.nn:Linear", arguments={"in_features": 2, "out_features": 1})
    Linear(in_features=2, out_features=1, bias=True)
    """
    torch = torch_module()
    with importable_from(folder):
        model = called(factory, named("factory", factory), dict(arguments or {}))
    if not isinstance(model, torch.nn.Module):
        raise TypeError(
            f"factory must give a torch.nn.Module; {factory!r} gave {type(model).__name__}: return "
            "the model itself"
        )
    if weights is not None:
        fill(model, read_weights(weights), str(weights))
    return model


def called(name: str, factory: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a factory; an error that it raises is noted as its own."""
    try:
        return factory(**arguments)
    except Exception as error:
        error.add_note(f"raised by the factory {name!r}")
        raise


def load_criterion(
    name: str, *, folder: str | PathLike[str] = "."
) -> "Callable[[Any, Any], Tensor]":
    """Give a criterion by its name: a class is called without arguments, a function taken as it is.

    Parameters
    ----------
    name : str
        "package.module:name", such as "torch.nn:MSELoss" or "my_losses:weighted".
    folder : str or path
        Modules are looked for here too, before the installed ones.

    Returns
    -------
    callable
        ``crit(model(x), y)``.

    Raises
    ------
    TypeError, ValueError
        For a name that cannot be imported, or that is nothing to call.

    Examples
    --------
    >>> load_criterion("torch.nn:MSELoss")
    MSELoss()
    """
    with importable_from(folder):
        found = named("crit", name)
        criterion: Callable[[Any, Any], Tensor] = (
            called(name, found, {}) if isinstance(found, type) else found
        )
    return criterion


def load_pickled(
    path: str | PathLike[str], *, trust_pickle: bool = False, folder: str | PathLike[str] = "."
) -> "nn.Module":
    """Unpickle a whole module, which runs whatever code its file names.

    Parameters
    ----------
    path : str or path
        What ``torch.save(model, path)`` wrote.
    trust_pickle : bool
        Must be True: whoever wrote the file can make this computer do anything.
    folder : str or path
        Modules are looked for here too, before the installed ones.

    Returns
    -------
    torch.nn.Module
        On the CPU.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    TypeError, ValueError
        Without ``trust_pickle``, for a file that is broken, or one that holds no module.

    Warns
    -----
    UserWarning
        Always, of what unpickling means.

    Examples
    --------
    >>> import tempfile, torch, warnings
    >>> folder = tempfile.TemporaryDirectory()
    >>> torch.save(torch.nn.Linear(2, 1), f"{folder.name}/whole.pt")
    >>> with warnings.catch_warnings(action="ignore"):  # of what unpickling means
    ...     load_pickled(f"{folder.name}/whole.pt", trust_pickle=True)
    Linear(in_features=2, out_features=1, bias=True)
    >>> folder.cleanup()
    """
    if not _validation.flag("trust_pickle", trust_pickle):
        raise ValueError(
            f"trust_pickle must be True to unpickle {str(path)!r}, which runs whatever code the "
            "file names; got False: save model.state_dict() and give a factory and weights"
        )
    file = existing(path)
    warnings.warn(
        f"{str(path)!r} is unpickled, which runs whatever code the file names: only load files of "
        "people whom you trust with this computer; a factory and a state dict need no trust",
        stacklevel=2,
    )
    with importable_from(folder):
        try:
            model = torch_module().load(file, map_location="cpu", weights_only=False)
        except (
            RuntimeError,
            pickle.UnpicklingError,
            EOFError,
            ImportError,
            AttributeError,
        ) as error:
            raise broken(path, "a pickled module", error) from error
    if not isinstance(model, torch_module().nn.Module):
        raise TypeError(
            f"path must hold a pickled torch.nn.Module; {str(path)!r} holds "
            f"{type(model).__name__}: give weights a factory"
        )
    return model


def model_arguments(text: str | None) -> dict[str, Any]:
    """Read keyword arguments from JSON.

    >>> model_arguments('{"layers": 4}')
    {'layers': 4}
    """
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError(
            f"arguments must be a JSON object, as '{{\"layers\": 4}}'; got {text!r} ({error})"
        ) from error
    if not isinstance(found, dict):
        raise ValueError(f"arguments must be a JSON object, as '{{\"layers\": 4}}'; got {text!r}")
    return found


@contextmanager
def importable_from(folder: str | PathLike[str]) -> Iterator[None]:
    """Look for modules in a folder too."""
    place = str(Path(folder).resolve())
    sys.path.insert(0, place)
    try:
        yield
    except SystemExit as error:
        raise RuntimeError(
            f"the model's own code ended the program by sys.exit({error.code!r}): have it give the "
            "model instead"
        ) from error
    finally:
        if place in sys.path:
            sys.path.remove(place)


def named(argument: str, name: str) -> Callable[..., Any]:
    """Import what "package.module:name" names."""
    if not isinstance(name, str):
        raise TypeError(
            f"{argument} must be a text, 'package.module:name'; got {_validation.shown(name)}"
        )
    module_name, colon, attribute = name.partition(":")
    if not (colon and module_name and attribute):
        raise ValueError(
            f"{argument} must be 'package.module:name'; got {name!r}: put a colon between the "
            "module and the name in it"
        )
    if "/" in module_name or module_name.endswith(".py"):
        dotted = ".".join(Path(module_name.removesuffix(".py")).parts)
        raise ValueError(
            f"{argument} must be 'package.module:name', and no path; got {name!r}: did you mean "
            f"'{dotted}:{attribute}'?"
        )
    module = imported(argument, name, module_name)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            close = get_close_matches(part, dir(found), 1)
            raise ValueError(
                f"{argument} must name what there is; {module_name!r} has no {attribute!r}: "
                + (f"did you mean {close[0]!r}?" if close else "look at its names")
            )
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{argument} must name a function or a class; {name!r} is {found!r}")
    called: Callable[..., Any] = found
    return called


def imported(argument: str, name: str, module: str) -> Any:
    """Import a module, or say which one is missing."""
    try:
        return import_module(module)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{module}.".startswith(f"{missing}."):
            error.add_note(f"raised by the import of {module!r}")
            raise
        raise ValueError(
            f"{argument} must name a module that can be imported; there is no {missing!r} for "
            f"{name!r}: run from the folder that it lies in, or install it"
        ) from error


def existing(path: str | PathLike[str]) -> Path:
    """Give the path of a file that is there."""
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"weights must be a file that is there; got {str(path)!r}")
    if file.is_dir():
        raise IsADirectoryError(f"weights must be a file; {str(path)!r} is a folder: name a file")
    return file


def broken(path: str | PathLike[str], wanted: str, error: Exception | str) -> ValueError:
    """Say that a file is not what was expected, in a line."""
    reason = " ".join(str(error).split())[:160]
    return ValueError(f"weights must be {wanted}; {str(path)!r} is none, or broken ({reason})")


def read_weights(path: str | PathLike[str]) -> "dict[str, Tensor]":
    """Read a state dict, without running code of the file."""
    file = existing(path)
    kind = file.suffix.lower()
    if kind not in WEIGHTS:
        raise ValueError(
            f"weights must end in {', '.join(WEIGHTS)}; got {str(path)!r}: the ending says how a "
            "file is read"
        )
    found = from_safetensors(file) if kind == ".safetensors" else from_torch(file)
    for key in WRAPPED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(
        isinstance(v, torch_module().Tensor) for v in found.values()
    ):
        raise broken(path, "a state dict, names to tensors", f"it holds {type(found).__name__}")
    return without_prefix(dict(found))


def without_prefix(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Take off what DataParallel and torch.compile put before every name."""
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def from_safetensors(path: Path) -> Any:
    """Read a safetensors file."""
    library = _validation.imported(
        "safetensors.torch", ".safetensors files need safetensors", "files"
    )
    try:
        return library.load_file(path)
    except Exception as error:  # safetensors has a kind of errors of its own
        raise broken(path, "a .safetensors file", error) from error


def from_torch(path: Path) -> Any:
    """Read what `torch.save` wrote, tensors and plain containers only."""
    try:
        return torch_module().load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch names the global that a pickle asks for; a file that is no pickle asks for none.
        if "global" not in str(error).lower():
            reason = str(error).partition("WeightsUnpickler error:")[2].partition("Check the")[0]
            raise broken(path, "a state dict", reason) from error
        raise ValueError(
            f"weights must be a state dict, which runs no code; {str(path)!r} holds other objects, "
            "as a pickled module does: save model.state_dict(), or, where you trust its "
            "author with this computer, load the whole model by trust_pickle"
        ) from error
    except UNREADABLE as error:
        raise broken(path, "a state dict", error) from error


def fill(model: "nn.Module", state: "Mapping[str, Tensor]", path: str) -> None:
    """Load weights that must be all of the model's, and no others."""
    own = model.state_dict()
    wrong = {
        "missing": [name for name in own if name not in state],
        "unexpected": [name for name in state if name not in own],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} for {tuple(value.shape)}"
            for name, value in own.items()
            if name in state and state[name].shape != value.shape
        ],
    }
    if any(wrong.values()):
        found = "; ".join(
            f"{what}: {_validation.listing(names, SHOWN)}" for what, names in wrong.items() if names
        )
        raise ValueError(
            f"weights must fit the model; {path!r} does not ({found}): give the factory the "
            "arguments that the model was trained with"
        )
    model.load_state_dict(dict(state))


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
    from gsnn_edges.cli.tables import read_array

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

    if trust_pickle is not None:
        model = load_pickled(trust_pickle, trust_pickle=True)
    else:
        model = load_model(str(factory), weights, arguments=model_arguments(model_args))
    given[0] = in_order("--x", x_files[0], given[0], names_of(model, "input"))
    y = in_order("--y", y_file, y, names_of(model, "output"))
    x = given[0] if len(given) == 1 else tuple(given)
    return Network(on_device(model, device), load_criterion(crit), x, y, how)


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
    from gsnn_edges.cli.tables import column_names

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
    from gsnn_edges.cli.tables import read_edges

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
