"""What of a long job is done, so that a call that was killed goes on where it stopped."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gsnn_edges import _io

FACTS = "job.json"
DONE = "done.txt"


@dataclass(frozen=True)
class Journal:
    """Finished units of work, a line each, in a folder beside what they make.

    Attributes
    ----------
    folder : Path
    run : str
        Tells this job from any other that was ever begun in the folder.
    plan : mapping
        What the first call chose by itself, and later ones keep to.
    """

    folder: Path
    run: str
    plan: Mapping[str, Any]

    @classmethod
    def begin(cls, folder: Path, settings: Mapping[str, Any], plan: Mapping[str, Any]) -> "Journal":
        """Take up the work in a folder, or begin it; settings must be those of the first call."""
        path = folder / FACTS
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            # What an earlier job has left, if it could not all be removed.
            (folder / DONE).unlink(missing_ok=True)
            journal = cls(folder, uuid.uuid4().hex, plan)
            journal.note(f"run {journal.run}")
            facts = {"run": journal.run, "settings": settings, "plan": plan}
            _io.write_whole(path, as_text(facts))
            return journal
        known = known_job(path)
        reject_other_settings(known["settings"], settings, folder)
        _io.cut_off_line(folder / DONE)
        return cls(folder, known["run"], known["plan"])

    def done(self, kind: str) -> set[int]:
        """Numbers of the finished units of a kind."""
        words = [line.split() for line in _io.read_lines(self.folder / DONE)]
        return {int(word[1]) for word in words if word[0] == kind}

    def mark(self, kind: str, *numbers: int) -> None:
        """Note that units are finished; what they made is on the disk already."""
        if numbers:
            self.note("\n".join(f"{kind} {number}" for number in numbers))

    def note(self, line: str) -> None:
        """Add a line."""
        _io.append_line(self.folder / DONE, line)


def known_job(path: Path) -> dict[str, Any]:
    """Read of what job a folder is the work, and that its notes are of this very job."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        first = _io.read_lines(path.with_name(DONE))[:1]
        if first == [f"run {found['run']}"] and found["settings"] and found["plan"] is not None:
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(
        f"resume=True must go on with a whole journal; that in {str(path.parent)!r} is broken: "
        "give resume=False to begin anew"
    )


def as_text(facts: Mapping[str, Any]) -> str:
    """Write facts as JSON."""
    return json.dumps(facts, indent=1, sort_keys=True, allow_nan=False) + "\n"


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
