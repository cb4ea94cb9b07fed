"""What every correlation is asked for: its options, two sides that go together, many devices."""

from typing import Any

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array, Device

METHODS = ("spearman", "pearson")
# Of ranks, product and result.
PRECISIONS = ("float32", "float64")


# The libraries that a public function may be told to compute in.
BACKENDS = ("numpy", "torch", "jax")


def load_backend(name: str, device: Device) -> backends.Backend:
    """Backend of a library by name, for one device; see `backends.load`."""
    _validation.choice("backend", name, BACKENDS)
    return backends.load(name, device)


def check_pair(a: Array, g: Array) -> None:
    """Reject shapes that do not go together."""
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


def over_devices(a: Array, g: Array, backend: str | None, device: Device, devices: Any) -> bool:
    """Whether many devices share the work: they are asked for, or hold an array already."""
    for name, x in (("a", a), ("g", g)):
        _validation.array(name, x)
    if devices is None:
        free = backend in (None, "jax") and device is None
        return free and any(backends.of(x).is_sharded(x) for x in (a, g))
    if device is not None:
        raise ValueError(
            f"device={device!r} and devices={_validation.shown(devices)} say where to compute "
            "twice: "
            "give one of them"
        )
    name = backends.of(a).name if backend is None else backend
    if name != "jax":
        raise ValueError(
            f"devices={_validation.shown(devices)} needs backend='jax'; got {name!r}: only JAX "
            "shares "
            "a correlation between devices"
        )
    backends.load("jax")  # says what to install where it is not there
    return True
