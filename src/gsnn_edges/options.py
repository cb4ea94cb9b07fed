"""How to correlate: each option has one name, one check and one place."""

from dataclasses import dataclass
from typing import Any

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Device, Method, Precision, Ties
from gsnn_edges.backends import Backend

METHODS = ("spearman", "pearson")
TIES = ("average", "ordinal")
PRECISIONS = ("float32", "float64")
BACKENDS = ("numpy", "torch", "jax")


@dataclass(frozen=True, kw_only=True)
class CorrelationOptions:
    """Options of a correlation, checked when the object is made.

    Functions of the public interface name the options that they offer and make one object of
    them; all code below passes the object on. `dataclasses.replace` changes an option.

    Parameters
    ----------
    method : {"spearman", "pearson"}
        Correlation of the ranks or of the values.
    ties : {"average", "ordinal"}
        How Spearman ranks equal values: see `rankdata`.
    precision : {"float32", "float64"}
        Of the ranks, the product and the result.
    backend : {"numpy", "torch", "jax"}, optional
        Where to compute. By default in the library of the first array, where it lies.
    device : optional
        A device of that backend, or its name; only together with ``backend``.
    devices : int, sequence of jax devices, or jax.sharding.Mesh, optional
        Several devices that share the work, by JAX; in place of ``device``.
    row_chunk : int, optional
        Source nodes at a time. By default chosen from the memory that is free.

    Raises
    ------
    TypeError, ValueError
        For an unknown value, or ``backend``, ``device`` and ``devices`` that contradict each
        other. Devices themselves are looked up by the function that computes.

    Examples
    --------
    >>> CorrelationOptions(method="pearson", row_chunk=100).ties
    'average'
    """

    method: Method = "spearman"
    ties: Ties = "average"
    precision: Precision = "float32"
    backend: str | None = None
    device: Device = None
    devices: Any = None
    row_chunk: int | None = None

    def __post_init__(self) -> None:
        row_chunk = _validation.whole_number_or_none("row_chunk", self.row_chunk, least=1)
        object.__setattr__(self, "row_chunk", row_chunk)
        _validation.choice("method", self.method, METHODS)
        _validation.choice("ties", self.ties, TIES)
        _validation.choice("precision", self.precision, PRECISIONS)
        if self.backend is not None:
            _validation.choice("backend", self.backend, BACKENDS)
        if self.device is not None and self.devices is not None:
            raise ValueError(
                f"device={self.device!r} and devices={_validation.shown(self.devices)} say where "
                "to compute twice: give one of them"
            )
        if self.device is not None and self.backend is None:
            raise ValueError(
                f"device={self.device!r} needs backend= beside it: name the library to use"
            )
        if self.devices is not None and self.backend not in (None, "jax"):
            self._refuse_devices(self.backend)

    def shared(self, a: Array, g: Array) -> bool:
        """Whether several devices share the work: named by ``devices``, or those of an array."""
        if self.devices is None:
            free = self.backend in (None, "jax") and self.device is None
            return free and any(backends.of(x).is_sharded(x) for x in (a, g))
        name = backends.of(a).name if self.backend is None else self.backend
        if name != "jax":
            self._refuse_devices(name)
        backends.load("jax")  # says what to install where it is not there
        return True

    def _refuse_devices(self, name: str | None) -> None:
        raise ValueError(
            f"devices={_validation.shown(self.devices)} needs backend='jax'; got {name!r}: only "
            "JAX shares a correlation between devices"
        )


def check_pair(a: Array, g: Array) -> None:
    """Reject arrays whose shapes do not go together."""
    for name, x in (("a", a), ("g", g)):
        _validation.array(name, x)
        _validation.ndim(name, x, 2, "(observations, nodes)")
    if a.shape[0] != g.shape[0]:
        raise ValueError(
            f"a and g must have the same number of observations (rows); got {a.shape[0]} and "
            f"{g.shape[0]}"
        )
    if a.shape[0] < 2:
        raise ValueError(
            f"a and g must have at least 2 observations (rows); got {a.shape[0]}: a correlation "
            "of fewer does not exist"
        )


def check_values(name: str, x: Array, ops: Backend, *, ranked_as: str = "") -> None:
    """Reject values that have no rank, or would lose digits on the way to the backend.

    A kernel that ranks all of them as a dtype, ``ranked_as``, will reject NaN by itself.
    """
    if _validation.dtype_name(x) in ("float64", "int64", "uint64"):
        _validation.float64_there(ops.xp, f"{name} of dtype {x.dtype}")
    if ranked_as and ops.ranker().has_kernel(x, ranked_as):
        return
    owner = backends.of(x)
    if owner.concrete(x):
        # By NumPy on a CPU: JAX would compile a sum for each shape.
        engine = owner if owner.is_sharded(x) else owner.ranker()
        _validation.finite(name, backends.move(x, engine))
