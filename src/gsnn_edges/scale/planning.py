"""What a correlation takes of each device: bytes, operations, traffic, seconds."""

from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from gsnn_edges import _validation, backends
from gsnn_edges._io import format_bytes, parse_bytes
from gsnn_edges._typing import Device, Precision
from gsnn_edges.chunks import ROUNDS, chunk_sizes
from gsnn_edges.options import BACKENDS
from gsnn_edges.scale.calibration import Calibration, calibrate
from gsnn_edges.scale.sharing import Shared

ITEMS = {"float32": 4, "float64": 8}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `plan` finds; bytes, operations and seconds are those of one device.

    Attributes
    ----------
    nodes, observations, channels, layers, devices : int
        What was asked for.
    rounds : int
        How often the targets go round many devices: once for a W that stays on them, more often
        for one that leaves block by block, as it does where it would not fit otherwise.
    input_bytes, target_bytes, result_bytes, chunk_bytes : int
        Activations and gradients; standardized targets, which stay; W; a chunk of sources. On many
        devices: observations that are there at a time, standardized rows with those that pass, W or
        a block of it, and what ranking and products take.
    total_bytes : int
        All of them together.
    memory : int or None
        What a device has, None where nobody knows.
    fits : bool or None
        Whether ``total_bytes`` is within it.
    row_chunk : int
        Source nodes at a time; over all devices where W leaves by blocks.
    ranked_values, flops : int
        Values to rank, and floating-point operations of the product.
    all_to_all_bytes, ring_bytes : int
        Sent by a device: observations to columns, and targets around the ring.
    scratch_bytes : int
        Disk that `correlate_store` needs where memory does not hold everything, of one machine.
    seconds : float
        Ranking, product and, where its rate is known, traffic, one after another.
    devices_needed : int or None
        The fewest devices of this memory on which it fits.
    calibration : Calibration
        The rates behind ``seconds``.

    Examples
    --------
    >>> from gsnn_edges.scale import plan
    >>> from gsnn_edges.scale import Calibration
    >>> rates = Calibration(ranked_values=1e8, rank_length=10_000, flops=1e11, copied_bytes=1e10)
    >>> found = plan(1000, 10_000, memory="1GB", calibration=rates)
    >>> found.fits, found.result_bytes, round(found.seconds, 1)
    (True, 4000000, 0.4)
    """

    nodes: int
    observations: int
    channels: int
    layers: int
    devices: int
    rounds: int
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
    all_to_all_bytes: int
    ring_bytes: int
    scratch_bytes: int
    seconds: float
    devices_needed: int | None
    calibration: Calibration

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain numbers and texts, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Write the plan as a table."""
        size = f"{self.nodes:,} nodes x {self.observations:,} observations"
        if self.channels > 1:
            size += f", {self.channels} channels"
        rows = [
            ("inputs", format_bytes(self.input_bytes)),
            ("standardized targets", format_bytes(self.target_bytes)),
            ("W", format_bytes(self.result_bytes)),
            (f"a chunk of {self.row_chunk:,} sources", format_bytes(self.chunk_bytes)),
            ("together", f"{format_bytes(self.total_bytes)}{self.verdict()}"),
            ("values to rank", f"{self.ranked_values:.2e}"),
            ("product", f"{self.flops:.2e} flop"),
        ]
        if self.devices > 1:
            sent = format_bytes(self.all_to_all_bytes + self.ring_bytes)
            slow = self.calibration.network_bytes is None
            rows.append(("sent", f"{sent}{', not in the time: give network=' if slow else ''}"))
            leaves = "W stays" if self.rounds == 1 else f"W leaves in {self.rounds} blocks"
            rows.append(("rounds", f"{self.rounds}: {leaves}"))
        rows.append(("time", f"{in_time(self.seconds)} ({self.calibration.source})"))
        width = max(len(name) for name, _ in rows)
        where = "on one device" if self.devices == 1 else f"on each of {self.devices:,} devices"
        lines = [f"{size}, {where}:", *(f"  {name:{width}}  {value}" for name, value in rows)]
        return "\n".join([*lines, *self.advice()])

    def verdict(self) -> str:
        """Say whether it fits."""
        if self.memory is None:
            return ""
        return f" of {format_bytes(self.memory)}: {'it fits' if self.fits else 'it does not fit'}"

    def advice(self) -> list[str]:
        """Say what to do where it does not fit."""
        if self.fits is not False:
            return []
        needed = (
            f"{self.devices_needed:,} devices of that memory hold it"
            if self.devices_needed
            else "no number of devices of that memory holds it"
        )
        return [
            f"{needed}; correlate_store does it on one machine within a bound, with "
            f"{format_bytes(self.scratch_bytes)} of disk"
        ]


def in_time(seconds: float) -> str:
    """Write a time in seconds, minutes, hours or days.

    >>> in_time(2.5), in_time(90), in_time(5400), in_time(4e5)
    ('2.5 s', '1.5 min', '1.5 h', '4.63 days')
    """
    for most, unit, length in ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if seconds < most:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / 86_400:,.3g} days"


@dataclass(frozen=True)
class Assumed:
    """A backend on a device of another memory, for the rule that chooses chunks."""

    ops: backends.Backend
    free: int | None

    def free_bytes(self) -> int | None:
        """Give the memory that is assumed."""
        return self.free

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ops, name)


class Layout(NamedTuple):
    """Rounds, sources at a time, and bytes on a device."""

    rounds: int
    row_chunk: int
    inputs: int
    targets: int
    result: int
    chunk: int

    @property
    def total(self) -> int:
        """Bytes of all together."""
        return self.inputs + self.targets + self.result + self.chunk


@dataclass(frozen=True)
class Load:
    """Bytes of a correlation on each of some devices, which share its nodes."""

    nodes: int
    observations: int
    channels: int
    layers: int
    item: int
    devices: int

    @property
    def columns(self) -> int:
        """Columns of a side on a device."""
        return -(-self.nodes // self.devices) * self.channels

    @property
    def length(self) -> int:
        """Observations of one matrix."""
        return -(-self.observations // self.layers)

    @property
    def side(self) -> int:
        """Bytes of one side's observations."""
        return self.columns * self.observations * self.item

    @property
    def targets(self) -> int:
        """Bytes of the standardized targets of one matrix."""
        return self.columns * self.length * self.item

    @property
    def result(self) -> int:
        """Bytes of W; of its mean and of the next term where there are several matrices."""
        copies = 1 if self.layers == 1 else 2
        return copies * -(-self.nodes // self.devices) * self.nodes * self.item

    def chunk(self, ops: backends.Backend, memory: int | None) -> tuple[int, int]:
        """Source nodes at a time, and their bytes, by the kernel's own rule."""
        left = None if memory is None else max(0, memory - 2 * self.side)
        assumed: Any = Assumed(ops, left)
        widths, shape = (self.channels,) * 2, (self.length, self.nodes, self.nodes)
        chunks = chunk_sizes(assumed, shape, self.item, None, (widths[0], widths[1]))
        return chunks.sources, chunks.sources * chunks.source_bytes

    def layout(self, ops: backends.Backend, memory: int | None) -> Layout:
        """Say what lies on a device."""
        if self.devices == 1:
            row_chunk, chunk = self.chunk(ops, memory)
            return Layout(1, row_chunk, 2 * self.side, self.targets, self.result, chunk)
        own = -(-self.nodes // self.devices)
        shared = Shared(own, self.nodes, self.channels, self.observations, self.length, self.item)
        whole = Layout(1, shared.row_chunk, *shared.whole())
        if memory is None or whole.total <= memory:
            return whole
        rows = -(-own // ROUNDS)
        return Layout(-(-own // rows), rows * self.devices, *shared.blocks())


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
    network: int | str | None = None,
    calibration: Calibration | str | None = None,
    seed: int = 0,
) -> Plan:
    """Say what a correlation takes, before it is begun.

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
    network : int or str, optional
        What a device sends to others in a second, in bytes or as "50GB"; by default that of the
        calibration. One device cannot measure it, and without it traffic is not in the time.
    calibration : Calibration or path of one, optional
        Rates of the device; by default they are measured here, in about two seconds.
    seed : int
        Of the values that are ranked to measure.

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
    Ranking takes time by M log M for each column, the product 2 (N C)^2 M operations. A device
    sends (D - 1) / D of its observations once, and passes on the targets of D - 1 others in each
    round. Bytes on many devices are those that XLA names for its programs on a CPU, within a tenth;
    a GPU's may differ. docs/scaling.md has the formulas, and holds them against measured times.

    Examples
    --------
    >>> rates = Calibration(ranked_values=1e8, rank_length=10_000, flops=1e11, copied_bytes=1e10)
    >>> print(plan(3_000, 20_000, memory="24GB", calibration=rates))
    3,000 nodes x 20,000 observations, on one device:
      inputs                    480 MB
      standardized targets      240 MB
      W                         36 MB
      a chunk of 2,100 sources  244 MB
      together                  1 GB of 24 GB: it fits
      values to rank            1.20e+08
      product                   3.60e+11 flop
      time                      4.9 s (given)
    """
    whole = {"nodes": nodes, "observations": observations, "devices": devices}
    whole |= {"channels": channels, "layers": layers}
    least = {"observations": 2}
    sizes = {k: _validation.whole_number(k, v, least=least.get(k, 1)) for k, v in whole.items()}
    _validation.choice("precision", precision, tuple(ITEMS))
    _validation.choice("backend", backend, BACKENDS)
    ops = backends.load(backend, device)
    limit = ops.free_bytes() if memory is None else parse_bytes("memory", memory)
    load = Load(item=ITEMS[precision], **sizes)
    if calibration is None:
        calibration = calibrate(
            backend,
            device,
            observations=load.length,
            nodes=nodes,
            precision=precision,
            seed=_validation.whole_number("seed", seed, least=0),
        )
    elif not isinstance(calibration, Calibration):
        calibration = Calibration.load(calibration)
    if network is not None:
        calibration = replace(calibration, network_bytes=float(parse_bytes("network", network)))
    return planned(load, ops, limit, calibration)


def planned(load: Load, ops: backends.Backend, memory: int | None, rates: Calibration) -> Plan:
    """Put the parts together."""
    found = load.layout(ops, memory)
    ranked = 2 * load.columns * load.observations
    flops = 2 * load.columns * load.nodes * load.channels * load.observations
    others = load.devices - 1
    all_to_all = 2 * load.side * others // load.devices
    ring = load.side * others * found.rounds
    seconds = rates.rank_seconds(ranked, load.length) + flops / rates.flops
    seconds += 2 * load.result * load.layers / rates.copied_bytes
    if rates.network_bytes is not None:
        seconds += (all_to_all + ring) / rates.network_bytes
    return Plan(
        nodes=load.nodes,
        observations=load.observations,
        channels=load.channels,
        layers=load.layers,
        devices=load.devices,
        rounds=found.rounds,
        input_bytes=found.inputs,
        target_bytes=found.targets,
        result_bytes=found.result,
        chunk_bytes=found.chunk,
        total_bytes=found.total,
        memory=memory,
        fits=None if memory is None else found.total <= memory,
        row_chunk=found.row_chunk,
        ranked_values=ranked,
        flops=flops,
        all_to_all_bytes=all_to_all,
        ring_bytes=ring,
        scratch_bytes=2 * load.nodes * load.channels * load.observations * load.item,
        seconds=seconds,
        devices_needed=fewest(load, ops, memory),
        calibration=rates,
    )


def fewest(load: Load, ops: backends.Backend, memory: int | None) -> int | None:
    """Find the fewest devices on which it fits, by doubling and then by halving."""
    if memory is None:
        return None

    def fits(devices: int) -> bool:
        return replace(load, devices=devices).layout(ops, memory).total <= memory

    high = 1
    while not fits(high):
        if high >= load.nodes:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
