"""The array libraries that can be measured on a device."""

from gsnn_edges import backends
from gsnn_edges.backends import Backend

ON_DEVICE = {"cpu": ("numpy", "torch", "jax"), "cuda": ("torch", "jax")}


def installed(device: str) -> dict[str, Backend]:
    """Give the backend of each library that is installed for a device.

    Parameters
    ----------
    device : {"cpu", "cuda"}

    Examples
    --------
    >>> installed("cpu")["numpy"].name
    'numpy'
    """
    found = {}
    for name in ON_DEVICE[device]:
        try:
            found[name] = backends.load(name, device)
        except (ImportError, ValueError):
            continue
    return found
