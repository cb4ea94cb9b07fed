"""What of a long job is done, so that a call that was killed goes on where it stopped."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FACTS = "job.json"
DONE = "done.txt"


@dataclass(frozen=True)
class Journal:
    """Finished units of work, a line each, in a folder beside what they make.

    Attributes
    ----------
    folder : Path
    plan : mapping
        What the first call chose by itself, and later ones keep to.
    """

    folder: Path
    plan: Mapping[str, Any]

    @classmethod
    def begin(cls, folder: Path, settings: Mapping[str, Any], plan: Mapping[str, Any]) -> "Journal":
        """Take up the work in a folder, or begin it; settings must be those of the first call."""
        path = folder / FACTS
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, {"settings": settings, "plan": plan})
            return cls(folder, plan)
        known = json.loads(path.read_text())
        reject_other_settings(known["settings"], settings, folder)
        journal = cls(folder, known["plan"])
        journal.mend()
        return journal

    def done(self, kind: str) -> set[int]:
        """Numbers of the finished units of a kind."""
        path = self.folder / DONE
        lines = path.read_text().splitlines() if path.exists() else []
        return {int(line.split()[1]) for line in lines if line.split()[0] == kind}

    def mark(self, kind: str, number: int) -> None:
        """Note that a unit is finished; what it made is written already."""
        with (self.folder / DONE).open("a") as file:
            file.write(f"{kind} {number}\n")

    def mend(self) -> None:
        """Cut off a line that was not written to its end."""
        path = self.folder / DONE
        if path.exists():
            text = path.read_bytes()
            os.truncate(path, text.rfind(b"\n") + 1)


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts to a file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps(facts, indent=1, sort_keys=True, allow_nan=False) + "\n")
    os.replace(unfinished, path)


def differences(known: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Say which settings differ, as "method was 'spearman' and is 'pearson'".

    >>> differences({"top": 3, "ties": "average"}, {"top": None, "ties": "average"})
    ['top was 3 and is None']
    """
    names = sorted({*known, *facts})
    return [
        f"{name} was {known.get(name)!r} and is {facts.get(name)!r}"
        for name in names
        if known.get(name) != facts.get(name)
    ]


def reject_other_settings(known: Mapping[str, Any], facts: Mapping[str, Any], place: Path) -> None:
    """Reject work that was begun with other settings."""
    found = differences(known, facts)
    if found:
        raise ValueError(
            f"resume=True must go on with the settings of the first call, kept in {str(place)!r}; "
            f"{', '.join(found)}: call with those, or with resume=False to begin anew"
        )
