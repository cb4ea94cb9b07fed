"""The array libraries that can be measured on a device."""

from gsnn_edges import backends
from gsnn_edges.backends import Backend

ON_DEVICE = {"cpu": ("numpy", "torch", "jax"), "cuda": ("torch", "jax")}


def libraries(device: str) -> dict[str, Backend | None]:
    """Give the backend of each library that knows a device.

    Parameters
    ----------
    device : {"cpu", "cuda"}

    Returns
    -------
    dict of name to Backend or None
        None where the library is not installed, or not for that device.

    Examples
    --------
    >>> list(libraries("cpu"))
    ['numpy', 'torch', 'jax']
    """
    return {name: _load(name, device) for name in ON_DEVICE[device]}


def _load(name: str, device: str) -> Backend | None:
    try:
        return backends.load(name, device)
    except (ImportError, ValueError):
        return None
