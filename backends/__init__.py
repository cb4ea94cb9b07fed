"""What the maths needs beyond the Array API standard, a file for each array library.

The maths asks ``ops = backends.of(array)`` and otherwise speaks the standard. `Backend` is the
generic backend, which holds the primitives and their laws; the others inherit and override.
Every law is a test that runs on every backend. torch and JAX are imported when their backend is
loaded, not before.

To add a backend: one file ``<name>_backend.py`` here, one line in `BACKENDS`, one row in
docs/backends.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import array_api_compat as compat
import numpy as np

from gsnn_edges import _validation
from gsnn_edges._typing import Array, Device
from gsnn_edges.backends.generic_backend import GenericBackend as Backend

# The one list of names: backend -> (class, what to install).
BACKENDS = {
    "numpy": ("NumpyBackend", "numpy"),
    "torch": ("TorchBackend", "torch"),
    "jax": ("JaxBackend", "jax"),
    "generic": ("GenericBackend", "array-api-compat"),
}

__all__ = ["BACKENDS", "Backend", "Finding", "available", "check", "load", "move", "of"]


@dataclass(frozen=True)
class Finding:
    """One law, on one backend.

    Attributes
    ----------
    law : str
    error : float
        Largest deviation from the generic backend, or from NumPy in float64 for the product.
    bound : float
        What the deviation may be.
    """

    law: str
    error: float
    bound: float

    @property
    def kept(self) -> bool:
        """Whether the law holds."""
        return self.error <= self.bound


def available() -> tuple[str, ...]:
    """Names of the backends whose library is installed.

    >>> "numpy" in available()
    True
    """
    return tuple(n for n, (_, package) in BACKENDS.items() if find_spec(package.replace("-", "_")))


def load(name: str, device: Device = None) -> Backend:
    """Backend by name, for one device.

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
            f"(no module {error.name!r}): in a clone, pip install '.[{name}]'"
        ) from error
    backend: Backend = getattr(module, class_name).load(device)
    return backend


def of(x: Array) -> Backend:
    """Backend of an array's library, on the array's device.

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
    """``x``, of any library and device, as an array of a backend; no copy where that is safe.

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


def check(name: str | Backend, device: Device = None) -> list[Finding]:
    """Validate a backend on this machine: its primitives against the generic ones.

    Ranks must agree exactly; the product must be true float32 on the device at hand (bfloat16
    and TF32 are not), whatever is set globally.

    Parameters
    ----------
    name : str or Backend
        A name as for `load`, or a backend that is loaded already.
    device
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
    return list(_findings(name if isinstance(name, Backend) else load(name, device)))


def _findings(ops: Backend, seed: int = 0) -> Iterator[Finding]:
    """Hold the primitives of a backend against the generic ones, over NumPy."""
    generic = Backend.load()
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((16, 5000)).astype(np.float32)
    x[:, rng.random(5000) < 0.4] = 0
    x[:, ::7] *= -1
    keys = np.cumsum(rng.random((16, 5000)) < 0.3, axis=1).astype(np.float32)
    primitives: dict[str, Callable[[Backend], Any]] = {
        "sort_rows is the stable argsort": lambda b: b.sort_rows(b.adopt(x))[1],
        "run_bounds gives the start of each run": lambda b: b.run_bounds(b.adopt(keys))[0],
        "run_bounds gives the stop of each run": lambda b: b.run_bounds(b.adopt(keys))[1],
        "scatter_rows undoes the sort": lambda b: b.scatter_rows(
            b.sort_rows(b.adopt(x))[1], b.xp.sort(b.adopt(x), axis=1)
        ),
    }
    for law, primitive in primitives.items():
        ours, expected = (b.to_numpy(primitive(b)).astype(np.float64) for b in (ops, generic))
        yield Finding(law, float(np.abs(ours - expected).max()), 0.0)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    product = ops.to_numpy(ops.matmul(ops.adopt(unit), ops.adopt(unit[::-1])))
    truth = unit.astype(np.float64) @ unit[::-1].T.astype(np.float64)
    yield Finding("matmul is true float32", float(np.abs(product - truth).max()), 2e-6)
