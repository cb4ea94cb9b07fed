"""What docs/command-line.md shows runs, and prints what it says."""

import doctest
import re
import shlex
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/command-line.md"
# A block to run, with the comment that excuses it and the text that it prints.
BLOCK = re.compile(
    r"(?:^<!-- not run: [^\n]+ -->\n(?P<excused>))?"
    r"^```(?P<kind>python|sh)\n(?P<code>.*?)^```$"
    r"(?:\n+```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


def lines_of(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_model", None)


def printed(run, code):
    """Give what the commands of a block print, one after another."""
    calls = [shlex.split(line) for line in code.splitlines()]
    assert {program for program, *_ in calls} == {"gsnn-edges"}
    return "".join(run(*arguments).output for _, *arguments in calls)


@pytest.mark.usefixtures("empty")
def test_page_runs(run):
    blocks = [found for found in BLOCK.finditer(PAGE.read_text()) if found["excused"] is None]
    assert [found["kind"] for found in blocks].count("sh") >= 6
    for found in blocks:
        if found["kind"] == "python":
            exec(compile(found["code"], str(PAGE), "exec"), {"__name__": "__main__"})
            continue
        got = lines_of(printed(run, found["code"]))
        wanted = lines_of(found["output"])
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        same = doctest.OutputChecker().check_output(wanted, got, flags)
        assert same, f"{found['code']}prints\n{got}\nand the page says\n{wanted}"
