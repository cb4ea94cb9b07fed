"""Outputs that would take the place of an input, or of each other, found out before any work."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Named = Mapping[str, Any]


def check_apart(outputs: Named, inputs: Named) -> None:
    """Reject an output that is an input or another output, whatever paths lead there.

    Parameters
    ----------
    outputs, inputs : mapping of options to a path, several, or None
        Inputs may name an array behind a colon, as ``data.npz:x``.

    Raises
    ------
    ValueError
        Naming both options.
    """
    taken = list(places(inputs))
    for option, text, place in places(outputs):
        for other, theirs, at in taken:
            if place == at or at in place.parents or same_file(place, at):
                raise ValueError(
                    f"{option} must be a file of its own; {text!r} is also {other} {theirs!r}, "
                    "which would be overwritten: choose another name"
                )
        taken.append((option, text, place))


def places(named: Named) -> Iterator[tuple[str, str, Path]]:
    """Give each path with its option, and where it leads in the end."""
    from gsnn_edges.cli.arrays import split_key

    for option, paths in named.items():
        for path in [paths] if isinstance(paths, str) else paths or ():
            yield option, path, Path(split_key(path)[0]).resolve()


def same_file(one: Path, other: Path) -> bool:
    """Whether two names are of one file, by a hard link or on a disk that minds no capitals."""
    return one.exists() and other.exists() and one.samefile(other)


def inputs_of(asked: Named) -> dict[str, Any]:
    """Give the files that the options of a model name."""
    names = {
        "--x": "x_files",
        "--y": "y_file",
        "--weights": "weights",
        "--trust-pickle": "trust_pickle",
        "--groups": "groups",
        "--names": "names",
    }
    return {option: asked[name] for option, name in names.items()}
