"""What the documentation shows runs, and prints what it says."""

import contextlib
import doctest
import functools
import importlib
import inspect
import io
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gsnn_edges
from gsnn_edges import backends

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
INDEX, API = ROOT / "docs/index.md", ROOT / "docs/api.md"

# A ```python block, with the comment that excuses it and the ```text block that it prints.
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<excuse>[^\n]+?) -->\n+)?"
    r"^```python\n(?P<code>.*?)^```$"
    r"(?:\n+```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A piece of Python on a page."""

    page: Path
    line: int  # lines of the page above its code
    code: str
    output: str | None
    excuse: str | None

    def run(self, namespace: dict[str, Any]) -> None:
        """Run the code and compare what it prints; errors carry the lines of the page."""
        printed = io.StringIO()
        program = compile("\n" * self.line + self.code, str(self.page), "exec")
        with contextlib.redirect_stdout(printed):
            exec(program, namespace)
        if self.output is not None:
            wanted, got = stripped(self.output), stripped(printed.getvalue())
            same = doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS)
            assert same, f"{self.place} prints\n{got}\nand the page says\n{wanted}"

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def stripped(text: str) -> str:
    """Without white space at the ends of lines and of the whole."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(page, line_of(text, found), *found.group("code", "output", "excuse"))
        for found in BLOCK.finditer(text)
    ]


def line_of(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start("code"))


def modules() -> list[str]:
    """Dotted names of all modules of the package, whose folders lie in two places."""
    found: set[str] = set()
    for package in (gsnn_edges, backends):
        walk = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        found |= {package.__name__, *(module.name for module in walk)}
    return sorted(found)


def anchors(page: Path) -> set[str]:
    """Names that GitHub gives to the headings of a page."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def links(page: Path) -> list[str]:
    """Targets of the links of a page that lead into this repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [target for target in found if not re.match(r"https?:|mailto:", target)]


def in_contents() -> set[str]:
    """Pages that the contents of the site list."""
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", INDEX.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for tree in trees for line in tree.splitlines()]
    return {line for line in lines if line and not line.startswith(":")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if not block.excuse:
            block.run(namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_is_overlooked(page):
    opened = re.findall(r"^\s*(?:```|~~~)\s*py.*", page.read_text(), re.MULTILINE)
    assert len(blocks(page)) == len(opened), "write ```python at the beginning of a line"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(target)
    assert broken == []


def test_anchors_are_githubs(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One, two\n\n```sh\n# no heading\n```\n\n## Under `jax.jit`: so_so\n")
    assert anchors(page) == {"one-two", "under-jaxjit-so_so"}


def test_every_page_is_in_the_contents():
    folder = INDEX.parent
    pages = {str(p.relative_to(folder).with_suffix("")) for p in PAGES if folder in p.parents}
    assert sorted(in_contents() ^ pages - {"index"}) == []


@pytest.mark.parametrize("output", ["6.5\n", "6...\n"])
def test_block_that_prints_what_the_page_says(output):
    Block(Path("page.md"), 3, "print(6.5)\n", output, None).run({})


def test_block_that_prints_something_else_is_caught():
    with pytest.raises(AssertionError, match=r"page.md:3 prints\s+6.5"):
        Block(Path("page.md"), 3, "print(6.5)\n", "6.4\n", None).run({})


PUBLIC = [name for name in gsnn_edges.__all__ if callable(getattr(gsnn_edges, name))]
# Beside them, what the reference lists and users call.
LISTED = (
    "demo.GSNN", "demo.Problem", "demo.Topology", "demo.graph", "demo.simulate", "demo.train",
    "demo.tutorial", "scale.correlate_distributed", "scale.plan",
    "sharded.sharded_correlation",
    "store.StoreWriter", *(f"plots.{name}" for name in gsnn_edges.plots.__all__),
    "EdgeEvidence.evaluate", "EdgeEvidence.load", "EdgeEvidence.save", "EdgeEvidence.top",
    "FunctionEdgeInferer.fit", "FunctionEdgeInferer.infer",
)  # fmt: skip


@pytest.mark.parametrize("name", [*PUBLIC, *LISTED])
def test_what_is_public_has_an_example(name):
    home, _, inner = name.rpartition(".")
    if home and home[0].islower():
        importlib.import_module(f"gsnn_edges.{home}")
    found = functools.reduce(getattr, filter(None, [*home.split("."), inner]), gsnn_edges)
    assert ">>> " in inspect.getdoc(found)


@pytest.mark.parametrize("module", modules())
def test_docstring_examples_run(module):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(importlib.import_module(module), optionflags=flags)
    assert results.failed == 0, "see the captured output"
