"""What the maths needs beyond the Array API standard, a file for each array library.

The maths asks ``ops = backends.of(array)`` and otherwise speaks the standard. `Backend` is the
generic backend, which holds the primitives and their laws; the others inherit and override.
Every law is a test that runs on every backend. torch and JAX are imported when their backend is
loaded, not before.

To add a backend: one file ``<name>_backend.py`` here, one line in `BACKENDS`, one row in
docs/backends.md.
"""

from importlib import import_module
from importlib.util import find_spec

import array_api_compat as compat

from gsnn_edges import _validation
from gsnn_edges._typing import Array, Device
from gsnn_edges.backends.generic_backend import GenericBackend as Backend
from gsnn_edges.backends.validation import Finding, findings

# The one list of names: backend -> (class, what to install).
BACKENDS = {
    "numpy": ("NumpyBackend", "numpy"),
    "torch": ("TorchBackend", "torch"),
    "jax": ("JaxBackend", "jax"),
    "generic": ("GenericBackend", "array-api-compat"),
}

__all__ = ["BACKENDS", "Backend", "Finding", "available", "check", "load", "move", "of"]


def available() -> tuple[str, ...]:
    """Names of the backends whose library is installed.

    >>> "numpy" in available()
    True
    """
    return tuple(n for n, (_, package) in BACKENDS.items() if find_spec(package.replace("-", "_")))


def load(name: str, device: Device = None) -> Backend:
    """Load a backend by name, for one device.

    Parameters
    ----------
    name : {"numpy", "torch", "jax", "generic"}
        "generic" is pure Array API standard, here over NumPy arrays.
    device
        ``None`` for the library's default, a device of the library, or its name ("cpu",
        "cuda:0", "gpu").

    Raises
    ------
    ValueError
        For an unknown name or a device that is not there.
    ImportError
        When the library is not installed; the message says what to install.

    Examples
    --------
    >>> load("numpy").name
    'numpy'
    """
    _validation.choice("backend", name, BACKENDS)
    class_name, package = BACKENDS[name]
    try:
        module = import_module(f"gsnn_edges.backends.{name}_backend")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"backend={name!r} needs {package}, which is not installed "
            f"(no module {error.name!r}): pip install 'gsnn-edges[{name}]'"
        ) from error
    backend: Backend = getattr(module, class_name).load(device)
    return backend


def of(x: Array) -> Backend:
    """Give the backend of an array's library, on the array's device.

    Examples
    --------
    >>> import numpy as np
    >>> of(np.zeros(3)).name
    'numpy'
    """
    _validation.array("x", x)
    for name in BACKENDS:
        # compat tells whose an array is without importing its library: is_numpy_array, ...
        if name != "generic" and getattr(compat, f"is_{name}_array")(x):
            module = import_module(f"gsnn_edges.backends.{name}_backend")
            backend: Backend = getattr(module, BACKENDS[name][0]).of(x)
            return backend
    return Backend.of(x)


def move(x: Array, ops: Backend) -> Array:
    """Give ``x``, of any library and device, to a backend; without a copy where that is safe.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros(3)
    >>> move(x, load("numpy")) is x
    True
    """
    if not isinstance(ops, Backend):
        raise TypeError(
            f"ops must be a backend; got {_validation.shown(ops)}: load it first, as "
            "backends.load('torch', 'cpu')"
        )
    owner = of(x)
    same = owner.name in (ops.name, "numpy")
    return ops.adopt(x) if same else ops.adopt_from(owner, x)


def check(name: str, device: Device = None) -> list[Finding]:
    """Validate a backend on this machine: its primitives against the generic ones.

    Ranks must agree exactly; the product must be true float32 on the device at hand (bfloat16
    and TF32 are not), whatever is set globally.

    Parameters
    ----------
    name, device
        As for `load`.

    Returns
    -------
    list of Finding
        Each with ``law``, ``error``, ``bound`` and ``kept``.

    Raises
    ------
    ValueError, ImportError
        As for `load`.

    Examples
    --------
    >>> all(finding.kept for finding in check("numpy"))
    True
    """
    return list(findings(load(name, device)))
