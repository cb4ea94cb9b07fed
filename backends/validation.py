"""Cross-backend validation on the user's own machine: the laws of the primitives, in one call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gsnn_edges.backends.generic_backend import GenericBackend


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


def findings(ops: GenericBackend, seed: int = 0) -> Iterator[Finding]:
    """Hold the primitives of a backend against the generic ones, over NumPy."""
    generic = GenericBackend.load()
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((16, 5000)).astype(np.float32)
    x[:, rng.random(5000) < 0.4] = 0
    x[:, ::7] *= -1
    keys = np.cumsum(rng.random((16, 5000)) < 0.3, axis=1).astype(np.float32)
    primitives: dict[str, Callable[[GenericBackend], Any]] = {
        "sort_rows is the stable argsort": lambda b: b.sort_rows(b.adopt(x))[1],
        "run_bounds gives the start of each run": lambda b: b.run_bounds(b.adopt(keys))[0],
        "run_bounds gives the stop of each run": lambda b: b.run_bounds(b.adopt(keys))[1],
        "scatter_rows undoes the sort": lambda b: b.scatter_rows(
            b.sort_rows(b.adopt(x))[1], b.xp.sort(b.adopt(x), axis=1)
        ),
    }
    for law, primitive in primitives.items():
        found, expected = (b.to_numpy(primitive(b)).astype(np.float64) for b in (ops, generic))
        yield Finding(law, float(np.abs(found - expected).max()), 0.0)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    product = ops.to_numpy(ops.matmul(ops.adopt(unit), ops.adopt(unit[::-1])))
    truth = unit.astype(np.float64) @ unit[::-1].T.astype(np.float64)
    yield Finding("matmul is true float32", float(np.abs(product - truth).max()), 2e-6)
