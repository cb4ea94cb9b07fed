"""What a correlation takes of each device: bytes and operations, before it is begun."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from gsnn_edges import _validation, backends
from gsnn_edges._io import format_bytes, parse_bytes
from gsnn_edges._typing import Device, Precision
from gsnn_edges.chunks import chunk_sizes
from gsnn_edges.options import BACKENDS

_ITEM_BYTES = {"float32": 4, "float64": 8}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `plan` returns; bytes and operations are those of one device.

    Attributes
    ----------
    nodes, observations, channels, layers, devices : int
        The arguments.
    input_bytes, target_bytes, result_bytes, chunk_bytes : int
        Activations and gradients; standardized targets, which stay, and on several devices those
        that pass by; W; a chunk of sources.
    total_bytes : int
        All of them together.
    memory : int or None
        What a device has, None where nobody knows.
    fits : bool or None
        Whether ``total_bytes`` is within it.
    row_chunk : int
        Source nodes at a time.
    ranked_values, flops : int
        Values to rank, and floating-point operations of the product.
    scratch_bytes : int
        Disk that `correlate_store` needs where memory does not hold everything, of one machine.
    devices_needed : int or None
        The fewest devices of this memory on which it fits.

    Examples
    --------
    >>> from gsnn_edges.scale import plan
    >>> planned = plan(1000, 10_000, memory="1GB")
    >>> planned.fits, planned.result_bytes, planned.flops
    (True, 4000000, 20000000000)
    """

    nodes: int
    observations: int
    channels: int
    layers: int
    devices: int
    input_bytes: int
    target_bytes: int
    result_bytes: int
    chunk_bytes: int
    total_bytes: int
    memory: int | None
    fits: bool | None
    row_chunk: int
    ranked_values: int
    flops: int
    scratch_bytes: int
    devices_needed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Write the plan as a table."""
        verdict = ""
        if self.memory is not None:
            verdict = (
                f" of {format_bytes(self.memory)}: it {'fits' if self.fits else 'does not fit'}"
            )
        rows = {
            "inputs": format_bytes(self.input_bytes),
            "standardized targets": format_bytes(self.target_bytes),
            "W": format_bytes(self.result_bytes),
            f"a chunk of {self.row_chunk:,} sources": format_bytes(self.chunk_bytes),
            "together": f"{format_bytes(self.total_bytes)}{verdict}",
            "values to rank": f"{self.ranked_values:.2e}",
            "product": f"{self.flops:.2e} flop",
        }
        width = max(map(len, rows))
        channels = f", {self.channels} channels" if self.channels > 1 else ""
        where = "on one device" if self.devices == 1 else f"on each of {self.devices:,} devices"
        size = f"{self.nodes:,} nodes x {self.observations:,} observations{channels}, {where}:"
        lines = [size, *(f"  {name:{width}}  {value}" for name, value in rows.items())]
        if self.fits is False:
            needed = (
                f"{self.devices_needed:,} devices of that memory hold it"
                if self.devices_needed
                else "no number of devices of that memory holds it"
            )
            lines.append(
                f"{needed}; correlate_store does it on one machine within a bound, with "
                f"{format_bytes(self.scratch_bytes)} of disk"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class _Assumed:
    """A backend on a device of another memory, for the rule that chooses chunks."""

    ops: backends.Backend
    free: int | None

    def free_bytes(self) -> int | None:
        return self.free

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ops, name)


def plan(
    nodes: int,
    observations: int,
    *,
    devices: int = 1,
    memory: int | str | None = None,
    channels: int = 1,
    layers: int = 1,
    backend: str = "numpy",
    device: Device = None,
    precision: Precision = "float32",
) -> Plan:
    """Bytes and operations of a correlation, before it is begun.

    Parameters
    ----------
    nodes : int
        Function nodes N.
    observations : int
        Layer pairs times samples, M.
    devices : int
        How many share it, each with a part of the nodes.
    memory : int or str, optional
        Of each device, in bytes or as "24GB"; by default what is free on this one.
    channels, layers : int
        Columns of a node, for the channel score, and matrices to average, each of M / layers
        observations.
    backend, device, precision
        As of `cross_correlation`.

    Returns
    -------
    Plan
        ``str(plan)`` is a table.

    Raises
    ------
    TypeError, ValueError, ImportError
        For sizes below 1, an unknown unit of memory, or a backend that is not there.

    Notes
    -----
    On D devices each holds 2 M N C / D input values, 3 M N C / D standardized targets of one
    matrix (its own and those that pass by), and N² / D of W. Chunks of sources are those that
    `cross_correlation` chooses for this memory. The product takes 2 (N C)² M operations.

    Examples
    --------
    >>> print(plan(3_000, 20_000, memory="24GB"))
    3,000 nodes x 20,000 observations, on one device:
      inputs                    480 MB
      standardized targets      240 MB
      W                         36 MB
      a chunk of 2,100 sources  244 MB
      together                  1 GB of 24 GB: it fits
      values to rank            1.20e+08
      product                   3.60e+11 flop
    """
    _validation.whole_number("nodes", nodes, least=1)
    _validation.whole_number("observations", observations, least=2)
    _validation.whole_number("devices", devices, least=1)
    _validation.whole_number("channels", channels, least=1)
    _validation.whole_number("layers", layers, least=1)
    _validation.choice("precision", precision, tuple(_ITEM_BYTES))
    _validation.choice("backend", backend, BACKENDS)
    ops, item = backends.load(backend, device), _ITEM_BYTES[precision]
    limit = ops.free_bytes() if memory is None else parse_bytes("memory", memory)

    def on(devices: int) -> Plan:
        share, length = -(-nodes // devices), -(-observations // layers)
        side = share * channels * observations * item
        assumed: Any = _Assumed(ops, None if limit is None else max(0, limit - 2 * side))
        chunks = chunk_sizes(assumed, (length, share, share), item, None, (channels, channels))
        held = {
            "input_bytes": 2 * side,
            "target_bytes": share * channels * length * item * (1 if devices == 1 else 3),
            # Of W's mean, and of the next term where there are several matrices.
            "result_bytes": share * nodes * item * (1 if layers == 1 else 2),
            "chunk_bytes": chunks.sources * chunks.source_bytes,
        }
        total = sum(held.values())
        return Plan(
            nodes=nodes,
            observations=observations,
            channels=channels,
            layers=layers,
            devices=devices,
            **held,
            total_bytes=total,
            memory=limit,
            fits=None if limit is None else total <= limit,
            row_chunk=chunks.sources,
            ranked_values=2 * share * channels * observations,
            flops=2 * share * nodes * channels**2 * observations,
            scratch_bytes=2 * nodes * channels * observations * item,
        )

    planned = on(devices)
    if limit is None:
        return planned
    # The fewest devices on which it fits, by doubling and then by halving.
    low, high = 0, 1
    while not on(high).fits:
        if high >= nodes:
            return planned
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if on(middle).fits else (middle, high)
    return replace(planned, devices_needed=high)
