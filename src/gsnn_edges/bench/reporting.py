"""Cases of a benchmark, and what a child process says of them, line by line."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TextIO, TypeVar

from gsnn_edges.bench.report import Row

Given = TypeVar("Given")

LONGEST_REASON = 150


@dataclass(frozen=True)
class Case(Generic[Given]):
    """Some rows that are measured together: ``run`` gives them, of what it is given."""

    name: str
    size: str
    run: Callable[[Given], Iterable[Row]]


def run_cases(
    cases: Sequence[Case[Given]],
    first: int,
    given: Given,
    channel: TextIO,
    *,
    learn: Callable[[Given, Row], Given] = lambda given, row: given,
    clean: Callable[[], None] = lambda: None,
) -> bool:
    """Run the cases from ``first`` on, and write what is made of them to a channel at once.

    A case that fails is the last one: what it has left, on a device above all, may spoil others.

    Parameters
    ----------
    learn
        ``learn(given, row)``: what the cases after a row are given.
    clean
        Called behind each case.

    Returns
    -------
    bool
        Whether all cases came to their end.
    """

    def say(number: int, **what: Any) -> None:
        print(json.dumps({"case": number, **what}), file=channel, flush=True)

    for number in range(first, len(cases)):
        say(number, begin=True)
        try:
            for row in cases[number].run(given):
                say(number, row=asdict(row))
                given = learn(given, row)
        except Exception as error:
            say(number, failed=reason_of(error))
            return False
        say(number, done=True)
        clean()
    return True


def reason_of(error: Exception) -> str:
    """Write an error in a line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."


def own_channel() -> TextIO:
    """Take the standard output for reports; what else is printed goes to standard error."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel
