"""What the maths needs beyond the Array API standard, a file for each array library.

The maths asks ``ops = backends.of(array)`` and otherwise speaks the standard. `Backend` holds
the primitives and their laws; every law is a test that runs on every backend. A library is
imported when its backend is loaded, so this package costs nothing to import.

To add a backend: one file ``<name>_backend.py`` here, one line in `MODULES`, one row in
docs/backends.md.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import array_api_compat as compat

from gsnn_edges import _checks
from gsnn_edges._typing import Array, Device

# The one list of names: backend -> (class, what to install).
BACKENDS = {
    "numpy": ("NumpyBackend", "numpy"),
    "torch": ("TorchBackend", "torch"),
    "jax": ("JaxBackend", "jax"),
    "generic": ("GenericBackend", "array-api-compat"),
}

__all__ = ["BACKENDS", "Backend", "available", "check", "load", "move", "of"]


class Backend(Protocol):
    """The primitives over arrays of one library on one device.

    All matrices are (rows, length), ranked and sorted along ``length``.
    """

    xp: Any
    device: Device
    name: str

    def ranker(self) -> "Backend":
        """Give the backend whose ``map_rows`` ranks fastest: NumPy's for arrays on a CPU."""

    def concrete(self, x: Array) -> bool:
        """Whether values can be looked at: false under ``jax.jit`` alone."""

    def sort_rows(self, x: Array) -> tuple[Array, Array]:
        """Sort each row: ``(keys, order)``.

        ``keys`` rise, and two are equal exactly where the values are (-0.0 equals 0.0);
        ``order`` is the stable argsort.
        """

    def run_bounds(self, first: Array) -> tuple[Array, Array]:
        """Half-open bounds ``(start, stop)`` of the run that each element of a row is in.

        ``first`` is true where a run begins; ``first[:, 0]`` is true.
        """

    def scatter_rows(self, order: Array, values: Array) -> Array:
        """``out[r, order[r, k]] = values[r, k]`` for a permutation ``order[r]``."""

    def matmul(self, a: Array, b: Array) -> Array:
        """``a @ b.T`` at the full precision of the dtype, whatever the user has set globally."""

    def map_rows(self, fn: Callable[..., Array], rows: Array, dtype: str, **options: Any) -> Array:
        """``fn(rows, ops=..., dtype=dtype, **options)``, of the shape of ``rows``, in blocks of rows."""

    def call(self, fn: Callable[..., Array], *arrays: Array, **options: Any) -> Array:
        """``fn(*arrays, ops=self, **options)``, compiled where the library compiles."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Room for `write`."""

    def write(self, out: Array, block: Array, row: int, column: int) -> Array:
        """``out`` with ``block`` at (row, column), in the same memory; ``out`` is used up."""

    def adopt(self, x: Array) -> Array:
        """``x``, a NumPy array or one of this library, on this device.

        A later write to ``x`` must not change a result that is still being computed.
        """

    def take_over(self, x: Any) -> Array:
        """Make a NumPy array that nobody else will write to one of this backend, shared if it can be."""

    def to_numpy(self, x: Array) -> Any:
        """``x`` as a NumPy array, without a copy where it lies on the host."""

    def free_bytes(self) -> int | None:
        """Memory to be had on the device, or None where the library does not tell."""


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
    _checks.choice("backend", name, BACKENDS)
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
    _checks.array("x", x)
    for name, is_one in (
        ("numpy", compat.is_numpy_array),
        ("torch", compat.is_torch_array),
        ("jax", compat.is_jax_array),
    ):
        if is_one(x):
            module = import_module(f"gsnn_edges.backends.{name}_backend")
            backend: Backend = getattr(module, BACKENDS[name][0]).of(x)
            return backend
    from gsnn_edges.backends.generic_backend import GenericBackend

    return GenericBackend.of(x)


def move(x: Array, ops: Backend) -> Array:
    """Give ``x``, of any library and device, to a backend; without a copy where that is safe.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.zeros(3)
    >>> move(x, load("numpy")) is x
    True
    """
    owner = of(x)
    if ops.name == "numpy":
        return owner.to_numpy(x)
    if owner.name == ops.name or owner.name == "numpy":
        return ops.adopt(x)
    if owner.name == "torch" and ops.name == "jax":
        return ops.from_torch(x)
    return ops.adopt(owner.to_numpy(x))
