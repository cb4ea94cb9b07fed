"""What the documentation shows runs, and prints what it says. `make docs` runs these tests."""

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import gsnn_edges
from gsnn_edges import backends
from gsnn_edges.cli.main import main

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# A block of Python or shell, the comment that excuses it, and the ```text block that it prints.
BLOCK = re.compile(
    r"(?P<excuse>^<!-- not run: [^\n]+ -->\n)?"
    r"^```(?P<kind>python|sh)\n(?P<code>.*?)^```$"
    r"(?:\n+```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder to work in; modules that a page writes there are forgotten."""
    monkeypatch.chdir(tmp_path)
    yield
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def run_python(code, namespace, place):
    """What a block prints; errors carry the lines of the page."""
    page, line = place
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * line + code, page, "exec"), namespace)
    return printed.getvalue()


def run_shell(code, expects_output):
    """What the calls of gsnn-edges print; a block without one, as `make demo`, is not run."""
    lines = code.replace("\\\n", " ").splitlines()
    if not any(line.startswith("gsnn-edges") for line in lines):
        return None
    printed = ""
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "gsnn-edges", f"only gsnn-edges is run, got {line}"
        shown = CliRunner().invoke(main, arguments)
        assert expects_output or shown.exit_code == 0, shown.output
        printed += shown.output
    return printed


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs(page):
    text, namespace = page.read_text(), {"__name__": "__main__"}
    blocks = [*BLOCK.finditer(text)]
    opened = re.findall(r"^\s*(?:```|~~~) *(?:py|sh)", text, re.MULTILINE)
    assert len(blocks) == len(opened), "write ```python and ```sh at the beginning of a line"
    for block in blocks:
        if block["excuse"]:
            continue
        place = page.name, text.count("\n", 0, block.start("code"))
        if block["kind"] == "python":
            printed = run_python(block["code"], namespace, place)
        else:
            printed = run_shell(block["code"], block["output"] is not None)
        if printed is not None and block["output"] is not None:
            same = doctest.OutputChecker().check_output(block["output"], printed, FLAGS)
            assert same, f"{place} prints\n{printed}\nand the page says\n{block['output']}"


def anchors(page):
    """Names that GitHub gives to the headings of a page."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(target)
    assert broken == []


PUBLIC = [name for name in gsnn_edges.__all__ if callable(getattr(gsnn_edges, name))]


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_has_an_example(name):
    assert ">>> " in inspect.getdoc(getattr(gsnn_edges, name))


def modules():
    """Dotted names of all modules of the package, whose folders lie in two places."""
    for package in (gsnn_edges, backends):
        yield package.__name__
        walk = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        yield from (module.name for module in walk if not module.name.endswith("__main__"))


@pytest.mark.parametrize("module", sorted(set(modules())))
def test_docstring_examples_run(module):
    assert doctest.testmod(importlib.import_module(module), optionflags=FLAGS).failed == 0
