"""What of the optional libraries is installed."""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

# Those for users, and not for work on the package.
SHOWN = ("torch", "jax", "frames", "stats", "store", "files", "plots")
REQUIREMENT = re.compile(r"""^([\w.-]+).*;.*extra == ["']([\w-]+)["']""")


class Extra(NamedTuple):
    """An extra of the package, and which of its libraries are there.

    Attributes
    ----------
    name : str
    there : list of str
        Libraries with their versions.
    missing : list of str
    install : str
        The command that installs what is missing.
    """

    name: str
    there: list[str]
    missing: list[str]
    install: str


def extras() -> list[Extra]:
    """List the extras for users, by what the installed package says of itself."""
    found = {name: Extra(name, [], [], f"pip install 'gsnn-edges[{name}]'") for name in SHOWN}
    for line in requires("gsnn-edges") or ():
        parts = REQUIREMENT.match(line)
        if parts is None or parts[2] not in found:
            continue
        try:
            found[parts[2]].there.append(f"{parts[1]} {version(parts[1])}")
        except PackageNotFoundError:
            found[parts[2]].missing.append(parts[1])
    return [extra for extra in found.values() if extra.there or extra.missing]
