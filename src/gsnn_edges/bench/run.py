"""The whole benchmark: one table, one run."""

from collections.abc import Callable
from functools import partial

from gsnn_edges import _validation, backends
from gsnn_edges._progress import track
from gsnn_edges.bench.cases import correlation, growth, peer, ranking
from gsnn_edges.bench.environment import environment
from gsnn_edges.bench.evidence import channels, evaluation, permutations
from gsnn_edges.bench.group import MISSING, Settings
from gsnn_edges.bench.libraries import ON_DEVICE, installed
from gsnn_edges.bench.report import Row, render

Case = Callable[[Settings], list[Row]]

QUICK_BUDGET = 4.0
FULL_BUDGET = 15.0
NODES, BATCH = 1000, 500  # of the reference GSNN


def run_bench(
    quick: bool = False,
    device: str = "cpu",
    verbose: bool = True,
    *,
    full: bool = False,
    scale: float = 1.0,
    each: Callable[[dict[str, str], list[Row]], object] = lambda made, rows: None,
) -> list[Row]:
    """Measure this package beside the limits of the processor, naive code and its peers.

    Parameters
    ----------
    quick : bool
        The smallest size of each kind: about a minute on 2 cores, where all takes twelve.
    device : {"cpu", "cuda"}
        Where torch and JAX arrays lie. Away from the CPU, the limits are the product and torch's
        sort there, goals are not shown, and memory is not measured.
    verbose : bool
        Show progress, then print the table.
    full : bool
        Make the table of a GPU instead: ceilings of the card, all sizes of torch, then of JAX, with
        rates and what the paper model expects of an H200. It takes a card of 80 GB or more and
        eight minutes at most; not with ``quick``. A case that fails, crashes or hangs is a row that
        says so, and one that is not reached another.
    scale : float
        In (0, 1]: what all sizes of ``full`` are multiplied by, so that it runs on a small card, or
        on a CPU.
    each : callable
        ``each(environment, rows)``, called with all rows: at the end, with ``full`` after each row
        with those so far.

    Returns
    -------
    list of Row

    Raises
    ------
    ValueError
        For an unknown device, or one that is not there.
    ImportError
        For "cuda" where torch is not installed. On a CPU, rows say what is not installed.

    Notes
    -----
    Times are medians of calls that take turns, after a warm-up; a call that is long beside the
    time for its group is made once. Peak memory: about 5 GB, for N = 1000 and M = 100,000; quick,
    1 GB.
    """
    _validation.choice("device", device, ON_DEVICE)
    check_full(quick, full, scale)
    if device != "cpu":
        check_card(device, full)
    made = environment(device)
    if full:
        rows = whole_table(device, scale, verbose, partial(each, made))
    else:
        settings = Settings(device, budget=QUICK_BUDGET if quick else FULL_BUDGET)
        cases = quick_cases(device) if quick else full_cases(device)
        tracked = track(cases, len(cases), "benchmark", verbose=verbose)
        rows = [row for case in tracked for row in case(settings)]
        each(made, rows)
    if verbose:
        print(render(made, rows), end="")
    return rows


def check_full(quick: bool, full: bool, scale: float) -> None:
    """Reject options that do not go together."""
    if quick and full:
        raise ValueError(
            "quick and full are two tables; got both: leave one out, or give full a scale below 1"
        )
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1; got {scale}: 1 is the whole size")
    if scale != 1 and not full:
        raise ValueError(f"scale is for full=True alone; got {scale}: leave it out")


def check_card(device: str, full: bool) -> None:
    """Reject a device that is not there; for the whole table without a use of the card."""
    if not full:
        backends.load("torch", device)
        return
    need_torch()
    import torch

    if not torch.cuda.is_available():
        raise ValueError(f"device={device!r}: this torch finds no CUDA device; use 'cpu'")


def need_torch() -> None:
    """Reject the whole table where torch is not installed."""
    if "torch" not in backends.available():
        raise ImportError("full=True needs torch, which is not installed: pip install torch")


def whole_table(
    device: str, scale: float, verbose: bool, each: Callable[[list[Row]], object]
) -> list[Row]:
    """Make the table of a GPU, which takes torch."""
    need_torch()
    from gsnn_edges.bench.device_table import device_table

    return device_table(device, scale, verbose=verbose, each=each)


def quick_cases(device: str) -> list[Case]:
    """List the cases of the smallest size."""
    return [
        partial(correlation, 1000, 10**4),
        *peers(device),
        partial(ranking, 2000, 20_000),
        fit_of_gsnn,
        partial(channels, 200, 4, 2000),
        partial(permutations, 500, 5000, 20),
        partial(evaluation, 2000, 20_000),
    ]


def full_cases(device: str) -> list[Case]:
    """List all cases."""
    return [
        *(
            partial(correlation, *size)
            for size in ((1000, 10**4), (2000, 10**4), (5000, 10**4), (1000, 10**5))
        ),
        *peers(device),
        partial(ranking, 5000, 50_000),
        partial(ranking, 10_000, 200_000),
        fit_of_gsnn,
        partial(channels, 1000, 4, 10**4),
        partial(permutations, 1000, 10**4, 200),
        partial(evaluation, 5000, 50_000),
        partial(growth, (1000, 2000, 4000), (10**4, 2 * 10**4, 4 * 10**4)),
    ]


def peers(device: str) -> list[Case]:
    """List the peers, which know a CPU only."""
    if device != "cpu":
        return []
    return [partial(peer, "scipy", 1000, 10**4), partial(peer, "pandas", 500, 5000)]


def fit_of_gsnn(settings: Settings) -> list[Row]:
    """Time the fit of a reference GSNN, which takes torch."""
    if "torch" not in installed(settings.device):
        return [Row("fit of a GSNN", f"N={NODES}, B={BATCH}", note=MISSING)]
    from gsnn_edges.bench.fitting import fitting

    return fitting(NODES, BATCH, settings)
