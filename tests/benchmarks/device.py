"""What a GPU takes, one table in five minutes: `python -m benchmarks.device gpu.json` in tests/.

Each case runs in a process of its own, which may fail, crash or hang: its row then says so, and the
file holds all rows so far at any time. Peak memory is the library's own count, beside the inputs.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from benchmarks.measuring import clocked, in_child
from benchmarks.problems import (
    ZEROS,
    array_of,
    bare_pass,
    example,
    gather_mrr,
    inferer,
    naive_spearman,
    product_of,
    scored_edges,
)

from gsnn_edges import channel_correlation, cross_correlation, mrr

SECONDS, CASE_SECONDS = 290, 60
ROUNDS, BUDGET = 3, 5.0  # after a warm-up; a call that takes long is made once


def drawn(library: str, device: str, count: int, nodes: int) -> list[Any]:
    """Draw activations and gradients on a device, some exactly 0."""
    if library == "torch":
        torch.manual_seed(0)
        return [torch.dropout(torch.randn(count, nodes, device=device), p, True) for p in ZEROS]
    import jax

    @partial(jax.jit, static_argnums=1)
    def draw(key: Any, p: float) -> Any:
        x = jax.random.normal(key, (count, nodes))
        return x * jax.random.bernoulli(jax.random.fold_in(key, 1), 1 - p, x.shape)

    return [draw(jax.random.key(number), p) for number, p in enumerate(ZEROS)]


def ceilings(library: str, device: str, V: int, S: int) -> dict:
    """What the card can do, by torch: the first case, for torch alone."""
    source, *sides = (torch.randn(n, device=device) for n in (V, (S, S), (S, S)))
    host, target = torch.zeros(V, pin_memory=device == "cuda"), torch.empty_like(source)
    calls = {"copy": lambda: target.copy_(source), "copy from pinned": lambda: target.copy_(host)}
    halves = [x.bfloat16() for x in sides]
    return {**calls, "product": lambda: sides[0] @ sides[1], "bf16": lambda: halves[0] @ halves[1]}


def correlation(library: str, device: str, N: int, M: int) -> dict:
    a, g = drawn(library, device, M, N)
    calls = {
        "bare product": product_of(library, a.T, g.T),
        "spearman": partial(cross_correlation, a, g),
        "pearson": partial(cross_correlation, a, g, method="pearson"),
    }
    # Beyond that its places take more memory than a card has.
    if library == "torch" and M <= 100_000:
        calls["naive torch pattern"] = partial(naive_spearman, a, g)
    return calls


def from_host(library: str, device: str, N: int, M: int) -> dict:
    a, g = np.random.default_rng(0).random((2, M, N), np.float32)
    return {"spearman": partial(cross_correlation, a, g, backend=library, device=device)}


def ranking(library: str, device: str, N: int, E: int) -> dict:
    scores, queries = scored_edges(N, min(E, N * N // 4))
    table = array_of(library, scores, device)
    calls = {"mrr": partial(mrr, table, queries, queries)}
    gather = partial(gather_mrr, table, torch.from_numpy(queries).to(device))
    return {**calls, "per-query gather": gather} if library == "torch" else calls


def fit(library: str, device: str, N: int, B: int) -> dict:
    model, x, y = example(N, B, device, layers=5, channels=4)
    places = {"device": device, "backend": library, "backend_device": device}
    ours = partial(inferer(model, **places).fit, x, y)
    return {"bare pass": partial(bare_pass, model, x, y), "fit": ours}


def channels(library: str, device: str, N: int, M: int) -> dict:
    a, g = drawn(library, device, M, 4 * N)
    nodes = np.arange(N).repeat(4)
    score = partial(channel_correlation, a, g, nodes, nodes)
    return {"bare product": product_of(library, a.T, g.T), "channel score": score}


CASES: list[tuple[Callable[..., dict], dict[str, int]]] = [
    (ceilings, {"V": 1 << 28, "S": 16_384}),
    (correlation, {"N": 10_000, "M": 300_000}),
    (correlation, {"N": 10_000, "M": 100_000}),
    (fit, {"N": 5000, "B": 1000}),
    (ranking, {"N": 10_000, "E": 200_000}),
    (channels, {"N": 5000, "M": 8000}),
    (correlation, {"N": 5000, "M": 50_000}),
    (correlation, {"N": 10_000, "M": 10_000}),
    (from_host, {"N": 10_000, "M": 300_000}),
]


def rows_of(library: str, device: str, number: int, scale: float) -> list[dict[str, Any]]:
    """Measure one case: medians, and over the first of its calls."""
    case, sizes = CASES[number]
    calls = case(library, device, **{k: max(20, int(scale * n)) for k, n in sizes.items()})
    rows: list[dict[str, Any]] = []
    for name, call in calls.items():
        before = memory(library, device)[0]
        rounds = min(ROUNDS, max(1, int(BUDGET / clocked(call)[0])))
        taken = 1e3 * statistics.median(clocked(call)[0] for _ in range(rounds))
        row = {"what": f"{name}, {library}", "size": sizes, "milliseconds": taken}
        row["ratio"] = taken / rows[0]["milliseconds"] if rows else 1.0
        row["peak_mb"] = (memory(library, device)[1] - before) / 1e6
        rows.append(row)
    return rows


def memory(library: str, device: str) -> tuple[int, int]:
    """Bytes that a library has given out on a GPU now, and at most since torch was asked last."""
    if device == "cpu":
        return 0, 0
    if library == "torch":
        found = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return found
    import jax

    stats = jax.devices()[0].memory_stats()
    return stats["bytes_in_use"], stats["peak_bytes_in_use"]


@click.command(help=__doc__)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--device", default="cuda", show_default=True)
@click.option("--scale", default=1.0, show_default=True, help="Of all sizes.")
def main(file: Path, device: str, scale: float) -> None:
    end, rows = time.monotonic() + SECONDS, []
    for library in ("torch", "jax"):
        for number in range(library != "torch", len(CASES)):
            limit = max(0.1, min(CASE_SECONDS, end - time.monotonic()))
            try:
                found = in_child("device.rows_of", library, device, number, scale, timeout=limit)
            except subprocess.SubprocessError as error:
                said = (error.stderr or b"").decode().strip() or f"no end in {limit:.0f} s"
                found = [{"what": f"case {number}, {library}", "error": said.splitlines()[-1]}]
            rows += found
            file.write_text(json.dumps({"device": device, "scale": scale, "rows": rows}, indent=1))
            print(*found, sep="\n", flush=True)


if __name__ == "__main__":
    main()
