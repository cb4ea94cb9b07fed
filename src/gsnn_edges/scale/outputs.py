"""Where a result goes: a file or a folder that is there when it is finished, and not before."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gsnn_edges import _io
from gsnn_edges.scale.above import PairsAbove
from gsnn_edges.scale.journal import as_text, differences
from gsnn_edges.scale.storage import read_arrays
from gsnn_edges.scale.top import TopTargets
from gsnn_edges.store import StoredMatrix, open_matrix
from gsnn_edges.store.matrix import read_attributes

Result = StoredMatrix | TopTargets | PairsAbove
# What results are kept as, and by which endings.
ENDINGS = {"matrix": (".zarr", ".npy"), "top": (".npz",), "threshold": (".npz",)}


@dataclass(frozen=True)
class Output:
    """The place of a result.

    Attributes
    ----------
    path : Path
    kind : {"matrix", "top", "threshold"}
    """

    path: Path
    kind: str

    @property
    def beside(self) -> Path:
        """The folder that holds unfinished work."""
        return self.path.with_name(f"{self.path.name}.unfinished")

    @property
    def sidecar(self) -> Path:
        """The file that says what a .npy, which cannot say it, was made of."""
        return self.path.with_name(f"{self.path.name}.json")

    def facts(self) -> dict[str, Any] | None:
        """Say what a result that is there was made of; None where it does not tell."""
        try:
            if self.path.suffix == ".npz":
                facts: Any = read_arrays(self.path, ())[0]
            elif self.path.suffix == ".npy":
                facts = self.beside_npy()
            else:
                facts = read_attributes(self.path)
            found: dict[str, Any] = facts["made"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found

    def beside_npy(self) -> dict[str, Any]:
        """Read the sidecar; it says nothing of a file that was written after it."""
        facts: dict[str, Any] = json.loads(self.sidecar.read_text(encoding="utf-8"))
        return facts if facts["file"] == file_facts(self.path) else {}

    def finished(self, settings: Mapping[str, Any], *, resume: bool) -> bool:
        """Tell whether this very result is there already.

        Raises
        ------
        FileExistsError
            Where something else is there, which nobody meant to lose.
        """
        self.check_sidecar()
        if not self.path.exists():
            return False
        facts = self.facts()
        if facts is None:
            raise FileExistsError(
                f"out must be new, or a result of correlate_store; {str(self.path)!r} is something "
                "else: remove it, or choose another name"
            )
        found = differences(facts, settings)
        if resume and found:
            raise FileExistsError(
                f"out={str(self.path)!r} holds a result of other settings: {', '.join(found)}; "
                "choose another name, or give resume=False to write over it"
            )
        return resume

    def check_sidecar(self) -> None:
        """Reject a file of somebody else where the sidecar of a .npy goes."""
        if self.path.suffix != ".npy" or not self.sidecar.exists():
            return
        try:
            json.loads(self.sidecar.read_text(encoding="utf-8"))["made"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileExistsError(
                f"out needs {str(self.sidecar)!r} beside it, and that is something else: choose "
                "another name"
            ) from error

    def load(self) -> Result:
        """Open or read the result."""
        if self.kind == "matrix":
            return open_matrix(self.path)
        return TopTargets.load(self.path) if self.kind == "top" else PairsAbove.load(self.path)

    def take(self, made: Path, settings: Mapping[str, Any]) -> None:
        """Put what was made in its place."""
        _io.discard(self.path)
        if self.path.suffix == ".npy":
            facts = {"made": dict(settings), "file": file_facts(made)}
            _io.write_whole(self.sidecar, as_text(facts))
        _io.put_in_place(made, self.path)


def file_facts(path: Path) -> dict[str, int]:
    """Tell a file from one that was written later."""
    found = path.stat()
    return {"bytes": found.st_size, "changed": found.st_mtime_ns}


def checked_output(out: Any, kind: str) -> Output | None:
    """Give the place of a result of this kind; None for one that is given back in memory."""
    endings = ENDINGS[kind]
    if out is None and kind != "matrix":
        return None
    if out is None:
        raise ValueError(
            "out must name a .zarr or a .npy for W, which is never held; got None: name one, or "
            "give top= or threshold="
        )
    if not isinstance(out, str | os.PathLike):
        raise TypeError(f"out must be a text or a path; got {type(out).__name__}")
    path = Path(out).absolute()
    if path.suffix not in endings:
        what = "W" if kind == "matrix" else f"{kind}="
        raise ValueError(
            f"out must end with {' or '.join(endings)} for {what}; got {path.name!r}: rename it"
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"out must lie in a folder that is there; got {str(path)!r}: make "
            f"{str(path.parent)!r} first"
        )
    return Output(path, kind)
