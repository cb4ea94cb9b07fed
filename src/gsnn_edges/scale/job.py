"""What all processes of a run are asked to do, in a form that goes from one to another."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Job:
    """One run: from where to where, and how.

    Attributes
    ----------
    settings : dict
        What W follows from, of `checked_settings`; the same in all processes, and in a second run.
    coordinator, processes, process
        None where the cluster tells them.
    """

    store: str
    out: str
    nodes: int
    settings: dict[str, Any]
    row_chunk: int | None
    resume: bool
    coordinator: str | None
    processes: int | None
    process: int | None
    start_timeout: float

    def to_json(self) -> str:
        """Give a line that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has written."""
        return cls(**json.loads(text))

    @property
    def pooled(self) -> bool:
        """Whether all layer pairs are ranked together."""
        return bool(self.settings["layers"] == "pooled")

    def pair_range(self, pairs: int) -> tuple[int, int]:
        """Give the layer pairs that are read."""
        layers = self.settings["layers"]
        if layers in ("pooled", "mean"):
            return 0, pairs
        number = pairs - 1 if layers == "last" else int(layers)
        return number, number + 1
