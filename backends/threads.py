"""Blocks of work over all the threads that this process may use."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def spread(work: Callable[[int], None], tasks: range) -> None:
    """Run ``work`` on every task; the first error comes back."""
    threads = min(len(tasks), allowed_threads())
    if threads <= 1:
        for task in tasks:
            work(task)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, tasks):
            pass


def fair_share(count: int, limit: int) -> int:
    """Size of equal tasks, ``limit`` at most, of which every thread gets as many."""
    rounds = -(-count // (limit * allowed_threads()))
    return max(1, -(-count // (max(1, rounds) * allowed_threads())))


def allowed_threads() -> int:
    """Count the processors this process may run on, or fewer where OMP_NUM_THREADS says so."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(limit)) if limit.isdigit() and int(limit) > 0 else processors
