"""Errors in the words of the command line: its options, where the package names arguments."""

import re
from collections.abc import Mapping
from typing import Any

# Arguments that an option has another name for, or that a file is read to.
ARGUMENTS = {
    "A": "W",
    "arguments": "--model-args",
    "backend_device": "--device",
    "blocks": "--block",
    "crit": "--crit",
    "edge_index": "--known",
    "factory": "--model",
    "ks": "--k",
    "node_names": "--names",
    "store": "observations",
    "use_prenorm": "--prenorm",
}
# What Python writes, and what the command line does.
PHRASES = {
    r"\bresume=True\b": "--resume",
    r"\bresume=False\b": "--anew",
    r"\bresume\b(?=[:,.]|$)": "--resume",
    r"\bn_resamples=None\b": "--n-resamples 0",
    r"\bNone skips\b": "0 skips",
    r"\buse_prenorm=True\b": "--prenorm",
    r"\buse_prenorm=False\b": "--postnorm",
    r"\bblocks=None\b": "no --block",
    r"\bby trust_pickle\b": "by --trust-pickle",
    r"\bcapture_to_store\b": "gsnn-edges capture",
    r"\bcorrelate_store\b": "gsnn-edges correlate",
    r"\bEdgeEvidence\.save\b": "gsnn-edges infer --evidence",
}
# "x[0] must", "max_memory needs": what a sentence begins with.
SUBJECT = re.compile(r"^(\w+)(?:\[[^\]]*\])* (?=must |needs |has |lies )")
# "by='name'", "blocks=", "row_chunk=4".
ASSIGNED = re.compile(r"\b(\w+)=(?:'([^']*)'|(\d[\w.]*)|(?=[ ,;:.)]|$))")
QUOTED = re.compile(r"'([^']+)'")


def in_options(text: str, given: Mapping[str, Any]) -> str:
    """Write a sentence of the package in the options of the command that was called.

    Parameters
    ----------
    text : str
    given : mapping of options to what they were given

    Examples
    --------
    >>> in_options("max_memory must be bytes; got 'much'", {"--max-memory": "much"})
    "--max-memory must be bytes; got 'much'"
    >>> in_options("path must be a store; there is none at 'a.zarr'", {"--names": "a.zarr"})
    "--names must be a store; there is none at 'a.zarr'"
    >>> in_options("pass by='name'", {"--by": None})
    'pass --by name'
    """
    options = {option.lstrip("-").replace("-", "_"): option for option in given}
    options |= {name: option for name, option in ARGUMENTS.items() if option in given}
    for pattern, phrase in PHRASES.items():
        text = re.sub(pattern, phrase, text)
    text = ASSIGNED.sub(lambda found: assigned(found, options), text)
    found = SUBJECT.match(text)
    if found is None:
        return text
    of_path = option_of(text, given) if found[1] == "path" else None
    option = of_path or options.get(found[1])
    return text if option is None else f"{option} {text[found.end() :]}"


def assigned(found: re.Match[str], options: Mapping[str, str]) -> str:
    """Write an assignment as an option, where it is one."""
    option = options.get(found[1])
    if option is None:
        return found[0]
    value = found[2] or found[3]
    return option if value is None else f"{option} {value}"


def option_of(text: str, given: Mapping[str, Any]) -> str | None:
    """Find the option whose path a sentence quotes."""
    quoted = set(QUOTED.findall(text))
    paths = {option: value for option, value in given.items() if isinstance(value, str | tuple)}
    return next((option for option, value in paths.items() if texts_of(value) & quoted), None)


def texts_of(value: str | tuple[Any, ...]) -> set[str]:
    """Give the texts of an option, of several where it may be repeated."""
    return {one for one in ([value] if isinstance(value, str) else value) if isinstance(one, str)}
