"""The table of a GPU: every row for torch, then for JAX, and JAX over torch.

Each library runs in a process of its own, which is begun anew behind a case that fails, crashes or
hangs: what was measured before it stays. This process keeps off the card.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gsnn_edges import backends
from gsnn_edges.bench.ceilings import learned
from gsnn_edges.bench.device_child import device_cases
from gsnn_edges.bench.paper import H200, Card
from gsnn_edges.bench.report import Row, line
from gsnn_edges.bench.supervision import Limits, Report, supervised

LIBRARIES = ("torch", "jax")
CHILD = "gsnn_edges.bench.device_child"
# All of it takes this many seconds at most, torch no more than a share of them.
SECONDS = 480.0
TORCH_SHARE = 0.6
# A case, and what a Python takes to import and to find its device.
CASE_SECONDS = 80.0
BEGIN_SECONDS = 60.0
JAX_AT_MOST = 1.5
# JAX would take most of a card before it needs it.
SETTINGS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
OURS = ("Spearman", "Pearson", "mrr", "fit", "channel score")


@dataclass
class DeviceTable:
    """The rows so far, and what they say of the card.

    Attributes
    ----------
    each : callable
        Called with all rows so far, whenever there is one more.
    """

    device: str
    scale: float
    verbose: bool
    each: Callable[[list[Row]], object]
    rows: list[Row] = field(default_factory=list)
    card: Card = H200

    def measure(self, library: str, end: float) -> None:
        """Add the rows of one library, as they come; no case runs beyond the end."""
        cases = device_cases(library, self.scale)
        limits = Limits(BEGIN_SECONDS, CASE_SECONDS, end)

        def command(first: int) -> list[str]:
            order = {"library": library, "device": self.device, "scale": self.scale}
            order |= {"card": vars(self.card), "first": first}
            return [sys.executable, "-m", CHILD, json.dumps(order)]

        for report in supervised(command, len(cases), limits, {**os.environ, **SETTINGS}):
            case = cases[report["case"]]
            self.add(row_of(report, case.name, case.size))

    def add(self, row: Row) -> None:
        """Add a row, and for JAX one over the same of torch; show both."""
        self.card = learned(self.card, row)
        for made in (row, over_torch(row, self.rows)):
            if made is None:
                continue
            self.rows.append(made)
            if self.verbose:
                print(line(made), file=sys.stderr, flush=True)
            self.each(self.rows)


def device_table(
    device: str,
    scale: float,
    *,
    verbose: bool,
    each: Callable[[list[Row]], object] = lambda rows: None,
) -> list[Row]:
    """Measure torch, then JAX, each in processes of its own; a row that fails says why."""
    begin = time.monotonic()
    table = DeviceTable(device, scale, verbose, each)
    there = backends.available()
    for library, share in zip(LIBRARIES, (TORCH_SHARE, 1.0), strict=True):
        if library in there:
            table.measure(library, begin + share * SECONDS)
        else:
            table.add(Row(f"all rows, {library}", "", note="not installed"))
    return table.rows


def row_of(report: Report, name: str, size: str) -> Row:
    """Give the row of a report; that of a case without an end says why."""
    return Row(**report["row"]) if "row" in report else Row(name, size, note=report["lost"])


def over_torch(row: Row, others: list[Row]) -> Row | None:
    """Compare a row of JAX with the same of torch, if it is ours and both were measured."""
    other = row.what.replace(", jax", ", torch")
    if other == row.what or not row.what.startswith(OURS) or row.milliseconds is None:
        return None
    found = {(o.what, o.size): o.milliseconds for o in others}
    taken = found.get((other, row.size))
    if not taken:
        return None
    return Row(
        f"{row.what}, over torch",
        row.size,
        row.milliseconds,
        ratio=row.milliseconds / taken,
        reference=other,
        at_most=JAX_AT_MOST,
    )
