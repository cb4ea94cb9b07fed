"""Capture, fit and infer of a reference GSNN; what takes a process of its own; a store."""

import itertools
from functools import partial

import pytest
from benchmarks import children
from benchmarks.measuring import in_child
from benchmarks.problems import array_of, bare_pass, bare_product, example, inferer, observations

from gsnn_edges import cross_correlation

SIZE = {"N": 1000, "B": 500}
LAYERS, CHANNELS, DRAWS = 5, 4, 10


@pytest.fixture
def problem(size):
    return example(*size.values(), layers=LAYERS, channels=CHANNELS)


@pytest.mark.sizes(SIZE)
def bench_fit(problem, library, timed):
    model, x, y = problem
    call = partial(inferer(model, backend=library).fit, x, y)
    timed(f"fit, {library}", call, "bare pass", partial(bare_pass, *problem))


@pytest.mark.sizes(SIZE)
def bench_draws(size, problem, timed):
    model, x, y = problem
    product = bare_product((LAYERS - 1) * size["B"], size["N"])
    options = {"estimate_iters": DRAWS, "estimate_n_samples": size["B"], "seed": 0}
    call = partial(inferer(model).fit, x, y, estimate=True, **options)

    def other():
        return [bare_pass(*problem), *(product() for _ in range(DRAWS))]

    timed("fit by 10 draws", call, "bare pass and 10 bare products", other)


@pytest.mark.sizes(SIZE)
def bench_infer_auto(problem, timed):
    model, x, y = problem
    auto, channels = (
        partial(inferer(model).infer, x, y, score=score) for score in ("auto", "channels")
    )
    timed("infer, auto", auto, "infer, channels", channels)


@pytest.fixture
def run(pytestconfig):
    """Call a function of `children` in a process of its own; a quick run calls it here."""

    def run(name, *arguments, **variables):
        if pytestconfig.getoption("quick"):
            return getattr(children, name)(*arguments)
        return in_child(f"children.{name}", *arguments, **variables)

    return run


@pytest.mark.sizes(SIZE)
@pytest.mark.parametrize("share", [None, 1, 5])
def bench_capture_by_parts(size, share, run, record):
    rows = share and size["B"] // share
    record(f"fit of a gather GSNN, batch_size={rows}", **run("fit", *size.values(), rows))


@pytest.mark.sizes({"N": 300, "M": 2000})
def bench_first_call(size, library, run, record):
    found = run("correlation", library, *size.values(), 1)
    record(f"first cross_correlation of a process, {library}", **found)


@pytest.mark.sizes({"N": 300, "M": 2000})
def bench_new_shape(size, timed):
    both, lengths = observations(size["M"], size["N"]), itertools.count(size["M"] - 1, -1)

    def call():
        length = next(lengths)  # cut by NumPy: JAX would compile that too
        return cross_correlation(*(array_of("jax", x[:length]) for x in both))

    timed("JAX, a new shape", call)


@pytest.mark.sizes({"N": 1000, "M": 10**4})
@pytest.mark.parametrize("threads", ["1", "2"])
def bench_second_thread(size, threads, run, record):
    found = run("correlation", "numpy", *size.values(), 4, OMP_NUM_THREADS=threads)
    record(f"spearman, numpy, threads: {threads}", **found)


@pytest.mark.sizes({"N": 5000, "M": 100_000})
def bench_store(size, run, record):
    record("correlate_store below 1 GB", **run("store", *size.values(), "1GB"))
