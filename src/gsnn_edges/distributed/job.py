"""What all processes of a run are asked to do, in a form that goes from one to another."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from gsnn_edges._typing import Method, Ties


@dataclass(frozen=True)
class Job:
    """One run: from where to where, and how.

    ``coordinator``, ``processes`` and ``process`` are None where the cluster tells them.
    """

    store: str
    out: str
    method: Method
    ties: Ties
    layers: str | int
    directions: int | None
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

    def facts(self, store: Any) -> dict[str, Any]:
        """Give what W depends on; the same in all processes, and in a second run."""
        return {
            "score": store.score,
            "nodes": int(store.nodes),
            "pairs": int(store.pairs),
            "samples": int(store.samples),
            "columns": int(store.columns),
            "method": self.method,
            "ties": self.ties,
            "layers": self.layers,
            "directions": self.directions,
            "provenance": json.loads(json.dumps(store.provenance)),
        }

    def pair_range(self, pairs: int) -> tuple[int, int]:
        """Give the layer pairs that are read."""
        if self.layers in ("pooled", "mean"):
            return 0, pairs
        number = pairs - 1 if self.layers == "last" else int(self.layers)
        return number, number + 1
