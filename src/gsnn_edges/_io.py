"""Files and folders that a kill or a loss of power leaves whole: written, flushed, removed."""

import errno
import os
import shutil
import uuid
from pathlib import Path

# A quota is a disk that is full for one user.
FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether there was no room, on the disk or in one's quota."""
    return error.errno in FULL


def flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Write a text to a file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    put_in_place(unfinished, path)


def put_in_place(made: Path, path: Path) -> None:
    """Rename what is whole, its bytes before its name."""
    flush(made)
    os.replace(made, path)
    flush(path.parent)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, which it may make."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def whole_lines(path: Path) -> list[str]:
    """Give the lines of a file; the last one may have been cut off, and does not count."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def mend(path: Path) -> None:
    """Cut off a line that was not written to its end."""
    if path.exists():
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)


def discard(path: Path) -> None:
    """Remove a file or a folder; none that is half removed keeps the name."""
    for left in path.parent.glob(f".{path.name}.*.discarded"):
        remove(left)
    if path.exists():
        going = path.with_name(f".{path.name}.{uuid.uuid4().hex}.discarded")
        os.rename(path, going)
        remove(going)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as it goes."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
