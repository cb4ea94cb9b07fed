"""Whose an error is: that of this package, or of a model, factory or loss of the user's."""

import re
from collections.abc import Mapping
from traceback import walk_tb
from typing import Any

# What `observations` and `models` note on an error that passes them, and who it was.
NOTED = {
    r"raised by model\(": "the model",
    r"raised by crit\(": "the criterion",
    r"raised by the factory ('.*')": "the factory",
    r"raised by the import of ('.*')": "the module",
}
SHAPES = re.compile(r"prediction: (\([\d, ]*\)) [\w.]+, y: (\([\d, ]*\)) ")
# torch's warning of a loss that would spread one of both over the other, made an error here.
SIZE = r"size \(torch.Size\((.*?)\)\)"
SPREAD = re.compile(f"Using a target {SIZE}.*input {SIZE}")


def by_package(error: BaseException) -> bool:
    """Whether the package itself raised an error, and not what it called."""
    names = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    last = f"{names[-1]}." if names else ""
    # The demo's network is a model like others.
    return last.startswith("gsnn_edges.") and not last.startswith("gsnn_edges.demo.")


def user_of(error: BaseException) -> str | None:
    """Say which code of the user's raised an error; None where it was none of it."""
    if by_package(error):
        return None
    for note in getattr(error, "__notes__", ()):
        for pattern, who in NOTED.items():
            found = re.match(pattern, note)
            if found:
                return " ".join([who, *found.groups()])
    return None


def wrong_targets(error: BaseException, given: Mapping[str, Any]) -> str | None:
    """Say that --y does not fit what the model gives, where a loss failed for that."""
    if "--y" not in given:
        return None
    spread = SPREAD.search(" ".join(str(error).split())) if isinstance(error, Warning) else None
    notes = " ".join(getattr(error, "__notes__", ()))
    shapes = SHAPES.search(notes) if user_of(error) == "the criterion" else None
    if spread:
        y, prediction = (as_shape(text) for text in spread.groups())
    elif shapes:
        prediction, y = (as_shape(text) for text in shapes.groups())
    else:
        return None
    # Other losses, such as cross entropy, take targets of another shape.
    if y == prediction or not (spread or "must match" in str(error)):
        return None
    if len(y) == len(prediction) == 2:
        found = f"--y has {y[1]} columns, the model gives {prediction[1]}"
    else:
        found = f"--y has the shape {y}, the model gives {prediction}"
    return f"{found}: give a target for each output"


def as_shape(text: str) -> tuple[int, ...]:
    """Read a shape.

    >>> as_shape("[40, 4]"), as_shape("(40,)")
    ((40, 4), (40,))
    """
    return tuple(int(size) for size in re.findall(r"\d+", text))
