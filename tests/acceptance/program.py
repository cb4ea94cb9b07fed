"""The command gsnn-edges as a process of its own."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def program():
    """The call of Python that starts the command which pyproject.toml names."""
    entry = tomllib.loads(PROJECT.read_text())["project"]["scripts"]["gsnn-edges"]
    module, function = entry.split(":")
    start = f"import sys; from {module} import {function}; sys.argv[0] = 'gsnn-edges'; {function}()"
    return [sys.executable, "-c", start]


@dataclass(frozen=True)
class Shown:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """The command as a user types it in a folder."""

    folder: Path

    def begin(self, *arguments, env=None):
        """Start it."""
        return subprocess.Popen(
            [*program(), *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments, env=None):
        """Run it to its end."""
        return ended(self.begin(*arguments, env=env))

    def well(self, *arguments, env=None):
        """Run what must go well."""
        shown = self(*arguments, env=env)
        assert shown.code == 0, shown.err
        return shown


def ended(process, timeout=300):
    """Wait for what was begun."""
    out, err = process.communicate(timeout=timeout)
    return Shown(process.returncode, out, err)
