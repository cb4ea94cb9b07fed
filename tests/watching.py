"""What a call takes: memory, and what JAX compiles for it."""

import importlib
import tracemalloc
from contextlib import contextmanager


def peak_bytes(call, *arguments, **options):
    """The most that a call holds at a time, by Python's account."""
    tracemalloc.start()
    try:
        call(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def compilations():
    """A list that grows by one with each compilation of JAX."""
    jax, found = importlib.import_module("jax"), []

    def listen(event, duration, **options):
        if "backend_compile" in event:
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
