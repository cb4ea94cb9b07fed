"""How fast a machine ranks, multiplies and copies: measured in about two seconds, or given."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gsnn_edges import _validation, backends
from gsnn_edges._typing import Device, Precision
from gsnn_edges.correlation import Operand, operands
from gsnn_edges.options import CorrelationOptions

# Values of a trial. Fewer would fit in caches that real inputs do not fit in.
TRIAL_VALUES = 1 << 22
# Observations of a trial of products: longer ones are sums of such stretches.
PRODUCT_LENGTH = 1 << 13
PRODUCT_ROWS = 1 << 10
COPIED_BYTES = 1 << 27
REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Rates of one device.

    Attributes
    ----------
    ranked_values : float
        Values that are ranked and standardized in a second, in columns of ``rank_length``.
    rank_length : int
        Observations of these columns; the rate at another length follows by the logarithm.
    flops : float
        Floating-point operations of the product in a second, as the kernel makes it.
    copied_bytes : float
        Bytes that are copied in memory in a second.
    network_bytes : float, optional
        Bytes that a device sends to another in a second; None where there is no other.
    source : str
        Where the rates are from.

    Examples
    --------
    >>> import tempfile
    >>> rates = Calibration(ranked_values=1e8, rank_length=10_000, flops=1e11, copied_bytes=1e10)
    >>> folder = tempfile.TemporaryDirectory()
    >>> rates.save(f"{folder.name}/rates.json")
    >>> Calibration.load(f"{folder.name}/rates.json") == rates
    True
    >>> folder.cleanup()
    """

    ranked_values: float
    rank_length: int
    flops: float
    copied_bytes: float
    network_bytes: float | None = None
    source: str = "given"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name == "source" or (name == "network_bytes" and value is None):
                continue
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a rate above 0; got {_validation.shown(value)}")

    def rank_seconds(self, values: float, length: int) -> float:
        """Time to rank so many values in columns of a length: a sort grows by its logarithm."""
        slower = math.log2(max(2, length)) / math.log2(max(2, self.rank_length))
        return values * slower / self.ranked_values

    def save(self, path: Any) -> None:
        """Write the rates as JSON, whole or not at all."""
        file = Path(path)
        unfinished = file.with_name(f".{file.name}.unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        os.replace(unfinished, file)

    @classmethod
    def load(cls, path: Any) -> "Calibration":
        """Read what `save` wrote."""
        try:
            return cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except (TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"calibration must be a file that Calibration.save wrote; got {str(path)!r}: "
                f"{error}"
            ) from error


def calibrate(
    backend: str = "numpy",
    device: Device = None,
    *,
    observations: int = 10_000,
    nodes: int = 1_000,
    precision: Precision = "float32",
    seed: int = 0,
) -> Calibration:
    """Measure how fast this machine ranks, multiplies and copies, in about two seconds.

    Parameters
    ----------
    backend, device, precision
        As of `cross_correlation`.
    observations, nodes : int
        The size that is to be predicted: rates depend on it.
    seed : int
        Of the values that are ranked.

    Returns
    -------
    Calibration
        Without the network, which one device cannot measure.

    Raises
    ------
    TypeError, ValueError, ImportError
        As `cross_correlation`.

    Examples
    --------
    >>> calibrate("numpy", observations=100, nodes=10).flops > 0
    True
    """
    ops = backends.load(backend, device)
    length = min(_validation.whole_number("observations", observations, least=2), TRIAL_VALUES)
    rows = max(
        2, min(TRIAL_VALUES // length, 4 * _validation.whole_number("nodes", nodes, least=1))
    )
    x = np.random.default_rng(seed).standard_normal((length, rows), dtype=np.float32)
    sources, targets = operands(x, x, ops, precision, CorrelationOptions())

    def rank() -> None:
        for side in (sources, targets):
            finish(side.rows(0, rows))

    ranking = best(rank)
    return Calibration(
        ranked_values=2 * rows * length / ranking,
        rank_length=length,
        flops=product_rate(targets, min(length, PRODUCT_LENGTH), min(nodes, PRODUCT_ROWS)),
        copied_bytes=copy_rate(),
        source=f"measured on {ops.name} {ops.device or 'cpu'}",
    )


def product_rate(columns: Operand, length: int, rows: int) -> float:
    """Measure products of rows as the kernel makes them, flop/s."""
    ops = columns.ops
    dtype = getattr(ops.xp, columns.dtype)
    one = ops.xp.asarray(1.0, dtype=dtype, device=ops.device)
    operand = ops.empty((rows, length), dtype) * 0 + one

    def multiply() -> None:
        finish(ops.xp.clip(ops.matmul(operand, operand), -1, 1))

    return 2.0 * rows * rows * length / best(multiply)


def copy_rate() -> float:
    """Measure a copy in memory, bytes/s."""
    source = np.ones(COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    return COPIED_BYTES / best(lambda: np.copyto(target, source))


def finish(x: Any) -> None:
    """Wait for an array: some libraries compute later."""
    backends.of(x).to_numpy(x[:1, :1])


def best(call: Callable[[], Any]) -> float:
    """Give the least time of a few calls, after one to warm up, in seconds."""
    call()
    found = math.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - start)
    return max(found, 1e-9)
