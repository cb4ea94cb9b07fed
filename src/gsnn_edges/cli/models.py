"""The model, its loss and its data, as the options of a command name them."""

import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gsnn_edges import _validation
from gsnn_edges._io import ending
from gsnn_edges._tables import Table, match_columns
from gsnn_edges.cli.tables import (
    TABLES,
    read_array,
    read_edges,
    read_nodes,
    read_table,
    readable,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
# Where training libraries put the weights in what they save.
_WRAPPED = ("state_dict", "model_state_dict", "model")
# What DistributedDataParallel, torch.compile and Lightning put before the name of every weight.
_PREFIXES = ("module.", "_orig_mod.", "model.")


def load_model(
    model: str,
    weights: str | PathLike[str] | None = None,
    *,
    model_args: Mapping[str, Any] | None = None,
    folder: str | PathLike[str] = ".",
) -> "nn.Module":
    """Make a model by calling a function or class by its name, and give it weights from a file.

    Parameters
    ----------
    model : str
        "package.module:name" of a function or class that gives a module. It is imported, and so
        runs: name only code that you trust.
    weights : str or path, optional
        A state dict: ``.safetensors``, or ``.pt``, ``.pth``, ``.bin`` or ``.ckpt`` as `torch.save`
        writes it, read with ``weights_only=True``: no code of the file runs. A dict that holds it
        under "state_dict", "model_state_dict" or "model" will do, and so will names that all
        begin with "module.", "model." or "_orig_mod.". Left out, the model is as it was made.
    model_args : mapping, optional
        Keyword arguments of the call.
    folder : str or path
        Modules are looked for here too, before the installed ones.

    Returns
    -------
    torch.nn.Module
        On the CPU, in the mode in which it was made.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    TypeError, ValueError
        For a name that cannot be imported, a call that gives no module, a file that is no
        state dict, and weights that do not fit: the message lists missing and unexpected ones.
    ImportError
        Without torch; for .safetensors without safetensors.

    Warns
    -----
    UserWarning
        Where names of weights are read without what they all begin with.

    Examples
    --------
    >>> load_model("torch.nn:Linear", model_args={"in_features": 2, "out_features": 1})
    Linear(in_features=2, out_features=1, bias=True)
    """
    torch = _torch()
    with _importable_from(folder):
        module = _called(model, _named("model", model), **(model_args or {}))
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"model must give a torch.nn.Module; {model!r} gave {type(module).__name__}: return "
            "the model itself"
        )
    if weights is not None:
        _fill(module, _read_weights(weights), str(weights))
    return module  # type: ignore[no-any-return]


def load_criterion(
    crit: str, *, folder: str | PathLike[str] = "."
) -> "Callable[[Any, Any], Tensor]":
    """Import a loss by its name; a class is called without arguments.

    Parameters
    ----------
    crit : str
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
    with _importable_from(folder):
        loss = _named("crit", crit)
        return _called(crit, loss) if isinstance(loss, type) else loss


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
    torch, file = _torch(), readable("trust_pickle", path)
    warnings.warn(
        f"{str(path)!r} is unpickled, which runs whatever code the file names: only load files of "
        "people whom you trust with this computer; a factory and a state dict need no trust",
        stacklevel=2,
    )
    with _importable_from(folder):
        try:
            module = torch.load(file, map_location="cpu", weights_only=False)
        except Exception as error:  # torch has many kinds of errors for a broken file
            raise _broken("a pickled module", path, error) from error
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"trust_pickle must hold a torch.nn.Module; {str(path)!r} holds "
            f"{type(module).__name__}: give weights a factory"
        )
    return module  # type: ignore[no-any-return]


def _torch() -> Any:
    return _validation.imported("torch", "models need torch", "torch")


@contextmanager
def _importable_from(folder: str | PathLike[str]) -> Iterator[None]:
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


def _called(name: str, factory: Callable[..., Any], **arguments: Any) -> Any:
    try:
        return factory(**arguments)
    except Exception as error:
        error.add_note(f"raised by {name}")
        raise


def _named(argument: str, name: str) -> Callable[..., Any]:
    """Import what "package.module:name" names."""
    module_name, _, attribute = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (module_name and attribute) or "/" in module_name or module_name.endswith(".py"):
        raise ValueError(
            f"{argument} must be 'package.module:name', as in an import, and no path; got "
            f"{_validation.shown(name)}"
        )
    try:
        module = import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{module_name}.".startswith(f"{missing}."):
            error.add_note(f"raised by the import of {module_name!r}")
            raise
        raise ValueError(
            f"{argument} must name a module that can be imported; there is no {missing!r} for "
            f"{name!r}: run from the folder that it lies in, or install it"
        ) from error
    try:
        value: Any = attrgetter(attribute)(module)
    except AttributeError as error:
        close = get_close_matches(attribute, dir(module), 1)
        way = f"did you mean {close[0]!r}?" if close else "look at its names"
        raise ValueError(
            f"{argument} must name what there is; {module_name!r} has no {attribute!r}: {way}"
        ) from error
    if not callable(value):
        raise TypeError(f"{argument} must name a function or a class; {name!r} is {value!r}")
    return value  # type: ignore[no-any-return]


def _broken(wanted: str, path: str | PathLike[str], error: Any) -> ValueError:
    # What torch advises, to unpickle a file that nobody trusts, is left out.
    reason = " ".join(str(error).partition("Check the")[0].split())[:200]
    return ValueError(f"weights must be {wanted}; {str(path)!r} is none, or broken ({reason})")


def _read_weights(path: str | PathLike[str]) -> "dict[str, Tensor]":
    """Read a state dict, without running code of the file."""
    torch, file = _torch(), readable("weights", path, _WEIGHTS)
    try:
        if file.suffix.lower() == ".safetensors":
            need = ".safetensors files need safetensors"
            state = _validation.imported("safetensors.torch", need, "files").load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # both libraries have many kinds of errors for a broken file
        # torch names the global that a pickle asks for; a file that is no pickle asks for none.
        if isinstance(error, pickle.UnpicklingError) and "global" in str(error).lower():
            raise ValueError(
                f"weights must be a state dict, which runs no code; {str(path)!r} holds other "
                "objects, as a pickled module does: save model.state_dict(), or, where you trust "
                "its author with this computer, load the whole model by trust_pickle"
            ) from error
        raise _broken(f"a {file.suffix} file of a state dict", path, error) from error
    for key in _WRAPPED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    tensors = isinstance(state, Mapping) and all(
        isinstance(value, torch.Tensor) for value in state.values()
    )
    if not tensors:
        raise _broken("a state dict, names to tensors", path, f"it holds {type(state).__name__}")
    return dict(state)


def _without_prefixes(
    state: "Mapping[str, Tensor]", wanted: Iterable[str], path: str
) -> "Mapping[str, Tensor]":
    """Weights by their names in the model, without what wrappers put before all of them."""
    stripped = ""
    while state:
        prefix = next((one for one in _PREFIXES if all(n.startswith(one) for n in state)), None)
        if prefix is None or all(name.startswith(prefix) for name in wanted):
            break
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        stripped += prefix
    if stripped:
        warnings.warn(
            f"all names in weights {path!r} begin with {stripped!r}, as a wrapper of the model "
            "writes them: they are read without it",
            stacklevel=4,
        )
    return state


def _fill(model: "nn.Module", state: "Mapping[str, Tensor]", path: str) -> None:
    """Load weights that must be all of the model's, and no others."""
    wanted = model.state_dict()
    state = _without_prefixes(state, wanted, path)
    wrong = {
        "missing": [name for name in wanted if name not in state],
        "unexpected": [name for name in state if name not in wanted],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} for {tuple(value.shape)}"
            for name, value in wanted.items()
            if name in state and state[name].shape != value.shape
        ],
    }
    if any(wrong.values()):
        raise ValueError(
            f"weights must fit the model; {path!r} does not ({_validation.listings(wrong)}): give "
            "the factory the arguments that the model was trained with"
        )
    model.load_state_dict(dict(state))


@dataclass(frozen=True)
class Network:
    """A model with its loss and its data, which capture and infer run.

    Attributes
    ----------
    model : torch.nn.Module
    crit : callable
    x, y : arrays with a row for each sample
        x is a tuple of them for a model of several arguments.
    layout : dict
        ``blocks``, ``groups`` and ``node_names``, as `capture` takes them.
    layers : ModelLayout
        The blocks of the model, and the nodes of their channels.
    graph : KnownGraph
        What the model keeps of the graph that it was built on.
    fresh : callable, optional
        Makes the model with weights drawn anew.
    """

    model: Any
    crit: Any
    x: Any
    y: Any
    layout: dict[str, Any]
    layers: Any
    graph: Any
    fresh: Callable[[], Any] | None

    def sizes(self, score: str) -> dict[str, int]:
        """Numbers of what capture gives, without running the model."""
        layers = self.layers
        columns = layers.nodes if score == "magnitude" else len(layers.groups[0])
        pairs = len(layers.blocks) - 1
        samples = len(self.x[0] if isinstance(self.x, tuple) else self.x)
        return {
            "nodes": layers.nodes,
            "columns": columns,
            "layer_pairs": pairs,
            "samples": samples,
            "observations": pairs * samples,
            "bytes": 8 * pairs * samples * columns,
        }

    def read_edges(self, name: str, path: str, by: str | None) -> Any:
        """Edges of a file between nodes of the model."""
        layers = self.layers
        edges = read_edges(path, layers.node_names, name=name, by=by)
        return _validation.edge_index(name, edges, (layers.nodes, layers.nodes))

    def known_edges(self, path: str | None, by: str | None = None) -> Any:
        """Known edges of a file, or those of the graph that the model keeps; None without any."""
        if path is not None:
            return self.read_edges("--known", path, by)
        nodes, edges = self.layers.nodes, self.graph.edges
        return None if edges is None else _validation.edge_index("model", edges, (nodes, nodes))


def read_network(settings: Mapping[str, Any]) -> Network:
    """Model, loss and data that the options of a command name, by `options.model`.

    The data are read first, so that a wrong path is an error before torch is loaded.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, ImportError
        As `load_model`, `load_pickled`, `load_criterion`, `read_array` and `read_table`; for
        options that do not go together, and for data of other columns or samples.
    """
    _check_origin(settings)
    files = [("--x", path) for path in settings["x"]] + [("--y", settings["y"])]
    header = settings["header"]
    data = [
        read_table(path, name=option, header=header)
        if ending(path) in TABLES
        else read_array(path, name=option)
        for option, path in files
    ]
    groups, names = settings["groups"], settings["names"]
    layout = {
        "blocks": list(settings["blocks"]) or None,
        "groups": None if groups is None else read_array(groups, name="--groups", header=header),
        "node_names": None if names is None else read_nodes(names)[0],
    }
    counts = [len(one.values[0]) if isinstance(one, Table) else _rows(one) for one in data]
    if len(set(counts)) > 1:
        found = ", ".join(
            f"{count} in {path!r}" for count, (_, path) in zip(counts, files, strict=True)
        )
        raise ValueError(f"--x and --y must have a row for each sample; got {found}")
    if settings["trust_pickle"] is not None:
        module, fresh = load_pickled(settings["trust_pickle"], trust_pickle=True), None
    else:
        arguments = model_arguments(settings["model_args"])
        module = load_model(settings["model"], settings["weights"], model_args=arguments)
        fresh = partial(load_model, settings["model"], model_args=arguments)
    from gsnn_edges.activations.model_layout import find_layout, known_graph

    layers = find_layout(module, *layout.values())
    graph = known_graph(module, layers.blocks[0], layers.nodes)
    middle = [None] * (len(data) - 2)
    nodes = [graph.node_names.get("input"), *middle, graph.node_names.get("output")]
    *inputs, targets = match_columns(data, nodes, settings["index"])
    x = inputs[0] if len(inputs) == 1 else tuple(inputs)
    module = _on_device(module, settings["device"])
    crit = load_criterion(settings["crit"])
    return Network(module, crit, x, targets, layout, layers, graph, fresh)


def _check_origin(settings: Mapping[str, Any]) -> None:
    weights, pickled = settings["weights"], settings["trust_pickle"]
    untrained = settings["untrained_model"]
    if (settings["model"] is None) == (pickled is None):
        raise ValueError(
            "--model must be given, as package.module:name, or else --trust-pickle, and not both"
        )
    if pickled is not None and (weights is not None or settings["model_args"] is not None):
        raise ValueError("--weights and --model-args need --model; a pickled model has its own")
    if untrained == (weights is not None or pickled is not None):
        raise ValueError(
            "--weights or --untrained-model must be given, and not both: without weights the model "
            "is what its factory makes, untrained as a rule"
        )
    if untrained:
        warnings.warn(
            "the model has no --weights: W is that of what its factory makes, untrained as a rule",
            stacklevel=3,
        )
    else:
        readable("--weights" if weights else "--trust-pickle", weights or pickled)


def model_arguments(text: str | None) -> dict[str, Any]:
    """Keyword arguments of a model, read from JSON.

    >>> model_arguments('{"layers": 4}')
    {'layers': 4}
    """
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ValueError(f"model_args must be a JSON object, as '{{\"layers\": 4}}'; got {text!r}")
    return arguments


def _rows(array: Any) -> int:
    return len(array) if array.ndim else 0


def _on_device(model: Any, device: str) -> Any:
    try:
        return model.to(device)
    except (AssertionError, RuntimeError) as error:  # torch without CUDA asserts that it has it
        if "memory" in str(error):
            raise
        raise ValueError(
            f"device must be one of torch that is there; got {device!r} ({error})"
        ) from error
