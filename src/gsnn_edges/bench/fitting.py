"""What is measured on a model: capture, the whole fit, and the reference GSNN itself."""

from collections.abc import Callable, Sequence
from functools import partial

from gsnn_edges.activations import capture
from gsnn_edges.bench.group import Group, Settings
from gsnn_edges.bench.gsnn import Example, bare_pass, example, naive_pass, sparse_pairs
from gsnn_edges.bench.libraries import ON_DEVICE, installed
from gsnn_edges.bench.measure import Contestant
from gsnn_edges.bench.report import Row
from gsnn_edges.inferer import FunctionEdgeInferer

# Goals over the bare pass, and for an estimate over one fit.
CAPTURE_AT_MOST = 1.15
FIT_AT_MOST = 1.3
ESTIMATE_AT_MOST = 3.0
# Goal for the naive pass over ours.
NAIVE_AT_LEAST = 2.0

DRAWS = 10
BARE = "forward and backward"
CAPTURE = "capture"
NAIVE = "naive forward and backward"
ESTIMATE = f"fit by {DRAWS} draws, torch"


def fitting(nodes: int, batch: int, settings: Settings) -> list[Row]:
    """Time capture and fit beside a bare pass, for a GSNN of 5 layers and 4 channels."""
    given = example(nodes, batch=batch, device=settings.device)
    x, y, device = given.x, given.y, settings.device
    fits = {name: inferer(given, name, device).fit for name in installed(device)}
    drawn = partial(
        fits["torch"], estimate=True, estimate_iters=DRAWS, estimate_n_samples=batch, seed=0
    )
    calls: dict[str, Callable[[], object]] = {
        BARE: partial(bare_pass, given),
        NAIVE: partial(naive_pass, given, sparse_pairs(given.model)),
        CAPTURE: partial(capture, given.model, given.crit, x, y, device=device),
        **{f"fit, {name}": partial(fit, x, y) for name, fit in fits.items()},
        ESTIMATE: partial(drawn, x, y),
    }
    contestants = {name: Contestant(call) for name, call in calls.items()}
    group = settings.group(f"N={nodes}, B={batch}", contestants)
    return fitting_rows(group, ON_DEVICE[device])


def inferer(given: Example, backend: str, device: str) -> FunctionEdgeInferer:
    """Make the inferer of a model, for one backend."""
    return FunctionEdgeInferer(
        given.model,
        given.crit,
        given.edges,
        device=device,
        backend=backend,
        backend_device=device,
    )


def fitting_rows(group: Group, libraries: Sequence[str]) -> list[Row]:
    """Compare everything with the bare pass, and draws with a fit."""
    bare = group.found[BARE].median
    return [
        group.row(BARE),
        group.versus(NAIVE, BARE, at_least=NAIVE_AT_LEAST),
        group.versus(CAPTURE, BARE, at_most=CAPTURE_AT_MOST),
        *group.ours("fit", libraries, over=bare, reference=BARE, at_most=FIT_AT_MOST),
        added(group, "fit, torch"),
        group.versus(ESTIMATE, "fit, torch", at_most=ESTIMATE_AT_MOST),
    ]


def added(group: Group, fit: str) -> Row:
    """Give what a fit takes beyond the bare pass; a difference has no memory of its own."""
    beyond = group.found[fit].milliseconds - group.found[BARE].milliseconds
    return Row(f"{fit}, beyond {BARE}", group.size, milliseconds=beyond)
