"""Which devices share the work: one axis, whatever the caller has."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Array

AXIS = "shards"


def device_mesh(devices: Any = None, arrays: Sequence[Array] = ()) -> Mesh:
    """Give a mesh of one axis over the devices that are asked for.

    Parameters
    ----------
    devices : int, sequence of jax devices, or jax.sharding.Mesh, optional
        So many of ``jax.devices()``, or these, in this order, or all of a mesh, whatever its axes.
    arrays : sequence of arrays
        Without ``devices``: the devices of the first JAX array that lies on several, else all
        that JAX has.

    Raises
    ------
    TypeError
        For what is neither a number, nor devices, nor a mesh of JAX.
    ValueError
        For devices that are named twice, or for more than there are.

    Examples
    --------
    >>> device_mesh(1).size
    1
    """
    return Mesh(np.array(chosen(devices, arrays)), (AXIS,))


def chosen(wanted: Any, arrays: Sequence[Array]) -> list[Any]:
    """Give the devices in the order of their shards."""
    if wanted is None:
        spread = [x for x in arrays if is_sharded(x)]
        return devices_of(spread[0]) if spread else jax.devices()
    if isinstance(wanted, Mesh):
        return list(wanted.devices.flat)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return listed(wanted)
    count = _validation.whole_number(
        "devices", wanted, least=1, hint=": give a number, a list of jax devices, or a mesh"
    )
    there = jax.devices()
    if count > len(there):
        raise ValueError(
            f"devices must be at most the {len(there)} that JAX finds ({there[0].platform}); got "
            f"{count}: ask for fewer, or, to split a CPU, set XLA_FLAGS="
            f"--xla_force_host_platform_device_count={count} before JAX starts"
        )
    return list(there[:count])


def listed(devices: Sequence[Any]) -> list[Any]:
    """Reject a list that does not name each of some devices once."""
    strange = [device for device in devices if not isinstance(device, jax.Device)]
    if strange:
        raise TypeError(
            f"devices must be devices of JAX; got {_validation.shown(strange[0])} "
            f"({type(strange[0]).__name__}): take them from jax.devices()"
        )
    if not devices or len(set(devices)) < len(devices):
        raise ValueError(
            "devices must name at least one device, and each once; got "
            f"{_validation.shown(devices)}: "
            "take them from jax.devices()"
        )
    return list(devices)


def is_sharded(x: Any) -> bool:
    """Whether this is a JAX array that lies on several devices.

    Examples
    --------
    >>> import numpy as np
    >>> is_sharded(np.zeros(3))
    False
    """
    return isinstance(x, jax.Array) and backends.of(x).is_sharded(x)


def devices_of(x: jax.Array) -> list[Any]:
    """Devices of an array, in the order of its mesh where it has one."""
    if isinstance(x.sharding, NamedSharding):
        return list(x.sharding.mesh.devices.flat)
    return sorted(x.sharding.device_set, key=lambda device: device.id)
