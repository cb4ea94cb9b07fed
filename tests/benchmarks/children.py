"""What is measured in a process of its own: `in_child` calls these by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.measuring import clocked, counts, peak_resident, reset_peak
from benchmarks.problems import array_of, example, inferer, observations, with_gather

from gsnn_edges import correlate_store, cross_correlation
from gsnn_edges.store import StoreWriter


def measured(call: Callable[[], object]) -> dict[str, float]:
    before, moved = reset_peak(), counts("io")
    seconds, cpu = clocked(call)
    found = {"seconds": seconds, "cpu": cpu, "peak_mb": (peak_resident() - before) / 1e6}
    now = counts("io")
    return found | {f"{name}_mb": (now[name] - moved[name]) / 1e6 for name in ("rchar", "wchar")}


def correlation(library: str, nodes: int, count: int, calls: int) -> dict[str, float]:
    """Measure the last of so many correlations: of one, the first of the process."""
    arrays = (array_of(library, x) for x in observations(count, nodes))
    call = partial(cross_correlation, *arrays)
    return [measured(call) for _ in range(calls)][-1]


def fit(nodes: int, batch: int, rows: int | None) -> dict[str, float]:
    """Measure the fit of a GSNN written as gather, multiply and scatter, as users have them."""
    model, x, y = example(nodes, batch, layers=6, channels=5, norm="layer")
    return measured(partial(inferer(with_gather(model)).fit, x, y, batch_size=rows))


def store(nodes: int, count: int, bound: str, pairs: int = 5) -> dict[str, float]:
    """Measure a correlation out of core, of a store of random observations."""
    rng, rows = np.random.default_rng(0), count // pairs // 10
    with TemporaryDirectory() as folder:
        seen, W = Path(folder, "seen"), Path(folder, "W.zarr")
        shape = {"pairs": pairs, "samples": 10 * rows, "columns": nodes}
        writer = StoreWriter.create(seen, **shape, unit=rows)
        for unit in range(10):
            writer.put(unit, *rng.standard_normal((2, pairs, rows, nodes), np.float32))
        writer.finish()
        return measured(partial(correlate_store, seen, W, max_memory=bound))
