"""Contestants that are timed side by side, and the rows that come of them."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from gsnn_edges.bench.measure import Contestant, Measurement, Resident, interleaved
from gsnn_edges.bench.report import Row

Name = TypeVar("Name", bound=Hashable)

MISSING = "not installed"


@dataclass(frozen=True)
class Group:
    """What was measured on one size; a contestant that is not there was not installed.

    Attributes
    ----------
    size : str
    found : mapping of name to Measurement
    goals : bool
        Whether goals are shown: they were set for a CPU.
    """

    size: str
    found: Mapping[str, Measurement]
    goals: bool = True

    def row(
        self,
        what: str,
        *,
        over: float | None = None,
        reference: str = "",
        at_most: float | None = None,
        at_least: float | None = None,
        at_most_ms: float | None = None,
        at_most_mb: float | None = None,
    ) -> Row:
        """Give the row of one contestant; ``over`` are the seconds that it is divided by."""
        if what not in self.found:
            return Row(what, self.size, note=MISSING)
        taken = self.found[what]
        return Row(
            what,
            self.size,
            milliseconds=taken.milliseconds,
            ratio=None if over is None else taken.median / over,
            reference=reference,
            at_most=at_most if self.goals else None,
            at_least=at_least if self.goals else None,
            at_most_ms=at_most_ms if self.goals else None,
            at_most_mb=at_most_mb if self.goals else None,
            peak_mb=taken.peak_mb,
        )

    def versus(
        self,
        what: str,
        other: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> Row:
        """Give the row of one contestant, compared with another one."""
        over = self.found[other].median if other in self.found else None
        return self.row(what, over=over, reference=other, at_most=at_most, at_least=at_least)

    def ours(
        self,
        what: str,
        libraries: Iterable[str],
        *,
        over: float | None = None,
        reference: str = "",
        at_most: float | None = None,
    ) -> list[Row]:
        """Give the rows of one call on all libraries; the goal is for the fastest of them."""
        names = [f"{what}, {library}" for library in libraries]
        there = [name for name in names if name in self.found]
        fastest = min(there, key=lambda name: self.found[name].median, default=None)
        return [
            self.row(
                name,
                over=over,
                reference=reference,
                at_most=at_most if name == fastest else None,
            )
            for name in names
        ]


@dataclass(frozen=True)
class Settings:
    """Where to measure, and for how long: see `interleaved`.

    ``goals`` says whether goals are shown, by default where they were set for: on a CPU.
    """

    device: str = "cpu"
    repeats: int = 5
    budget: float = 15.0
    goals: bool | None = None
    least: int = 0
    short: float = 0.0

    def time(self, contestants: Mapping[Name, Contestant]) -> dict[Name, Measurement]:
        """Time contestants; memory of the host tells nothing of another device's."""
        found = interleaved(
            contestants,
            repeats=self.repeats,
            budget=self.budget,
            least=self.least,
            short=self.short,
        )
        blind = {
            name
            for name, contestant in contestants.items()
            if self.device != "cpu" and type(contestant.memory) is Resident
        }
        return {
            name: replace(taken, peak_bytes=None) if name in blind else taken
            for name, taken in found.items()
        }

    def group(self, size: str, contestants: Mapping[str, Contestant]) -> Group:
        """Time contestants, to make rows of."""
        goals = self.device == "cpu" if self.goals is None else self.goals
        return Group(size, self.time(contestants), goals=goals)
