"""The laws of the house: who imports whom, what is listed where, and how long things get."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gsnn_edges
from gsnn_edges.backends import BACKENDS

ROOT = Path(__file__).parents[1]
FOLDERS = {"gsnn_edges": ROOT / "src/gsnn_edges", "gsnn_edges.backends": ROOT / "backends"}

# A file imports only from floors below its own. The files of a folder share its floor.
FLOORS = {
    "_typing": 1,
    "progress": 1,
    "draws": 1,
    "running": 2,
    "_checks": 2,
    "disk": 2,
    "backends": 3,
    "files": 3,
    "memory": 3,
    "models": 3,
    "store": 3,
    "ranks": 4,
    "link_ranking": 4,
    "holdout": 4,
    "observations": 4,
    "arguments": 5,
    "choosing": 5,
    "recovery": 5,
    "standardization": 5,
    "chunks": 5,
    "sharded": 6,
    "correlation": 7,
    "bootstrap": 8,
    "channels": 8,
    "layers": 8,
    "evidence": 8,
    "partial": 8,
    "baselines": 9,
    "significance": 9,
    "scoring": 9,
    "inference": 10,
    "plots": 10,
    "streaming": 10,
    "inferer": 11,
    "planning": 11,
    "distributed": 11,
    "demo": 12,
    "training": 12,
    "bench": 13,
    "cli": 14,
    "__init__": 15,  # the table of contents names everything, so nothing may import from it
}

# The only files and folders that import a heavy library.
IMPORTERS = {
    "torch": {
        "observations",
        "backends.torch_backend",
        "backends.torch_products",
        "backends.torch_streams",
        "demo",
        "bench",
        "models",
        "training",
    },
    "jax": {
        "backends.jax_arrays",
        "backends.jax_backend",
        "backends.jax_products",
        "bench",
        "distributed",
        "sharded",
    },
}

LONGEST_BODY = 60
LONGEST_BACKEND = 120  # lines of code, without docstrings, comments and blank ones


def named_files() -> dict[str, Path]:
    """Each module of the package by its name below `gsnn_edges`, as "demo.gsnn"."""
    return {
        ".".join((*package.split(".")[1:], *path.relative_to(folder).with_suffix("").parts)): path
        for package, folder in FOLDERS.items()
        for path in sorted(folder.rglob("*.py"))
    }


FILES = named_files()
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}


def imported(tree: ast.Module) -> Iterator[str]:
    """Full dotted names that a file imports, inside its functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_imports(name: str) -> set[str]:
    """Modules of the package that a module imports, named as in `FILES`."""
    inside = [full for full in imported(TREES[name]) if full.split(".")[0] == "gsnn_edges"]
    inside = [full for full in inside if full != "gsnn_edges.__version__"]  # a fact, not code
    return {owner(full.split(".")[1:]) for full in inside}


def owner(parts: list[str]) -> str:
    """Find the module that `gsnn_edges.<parts>` is, or is defined in."""
    for end in range(len(parts), -1, -1):
        prefix = ".".join(parts[:end])
        for name in (prefix, f"{prefix}.__init__".lstrip(".")):
            if name in FILES:
                return name
    raise AssertionError("gsnn_edges has no __init__.py")


def unit(name: str) -> str:
    """The file or folder that stands on a floor."""
    return name.split(".")[0]


def loaded_by(statement: str) -> set[str]:
    """Names of all modules that a statement loads in a fresh Python."""
    script = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}.{node.name}", node


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement to the last, without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_every_file_has_a_floor():
    assert sorted({unit(name) for name in FILES}) == sorted(FLOORS)


def test_imports_are_absolute():
    relative = {n: [i for i in imported(t) if i.startswith(".")] for n, t in TREES.items()}
    assert {name: found for name, found in relative.items() if found} == {}


def test_files_import_only_from_floors_below():
    upward = [
        f"{name} (floor {FLOORS[unit(name)]}) imports {other} (floor {FLOORS[unit(other)]})"
        for name in FILES
        for other in sorted(own_imports(name))
        if unit(name) != unit(other) and FLOORS[unit(name)] <= FLOORS[unit(other)]
    ]
    assert upward == []


def test_files_of_a_folder_import_each_other_without_a_circle():
    graph = {
        name: {other for other in own_imports(name) if unit(other) == unit(name)} for name in FILES
    }
    # A circle raises CycleError, which names it.
    assert set(TopologicalSorter(graph).static_order()) == set(FILES)


@pytest.mark.parametrize("library", IMPORTERS)
def test_heavy_libraries_are_imported_in_few_places(library):
    importers = {
        name for name, tree in TREES.items() if library in {i.split(".")[0] for i in imported(tree)}
    }
    allowed = IMPORTERS[library]
    assert {name for name in importers if not {name, unit(name)} & allowed} == set()


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("gsnn_edges", {"numpy", "torch", "jax", "scipy", "pandas"}),
        ("gsnn_edges.backends", {"torch", "jax", "scipy", "pandas"}),
    ],
)
def test_import_loads_no_heavy_library(module, unwanted):
    assert loaded_by(f"import {module}") & unwanted == set()


def test_table_of_contents_is_lazy():
    loaded = loaded_by("import gsnn_edges")
    assert {name for name in loaded if name.startswith("gsnn_edges.")} == set()


def test_public_names_resolve_and_are_documented():
    assert [name for name in gsnn_edges.__all__ if not getattr(gsnn_edges, name).__doc__] == []


def test_public_names_are_shown_once():
    names = list(gsnn_edges.__all__)
    assert sorted(set(names)) == sorted(names)
    assert set(names) - set(dir(gsnn_edges)) == set()


def test_backend_files_are_in_the_one_list():
    stems = {path.stem for path in FOLDERS["gsnn_edges.backends"].glob("*_backend.py")}
    assert stems == {f"{name}_backend" for name in BACKENDS}


@pytest.mark.parametrize("name", BACKENDS)
def test_backend_file_defines_the_listed_class(name):
    tree = TREES[f"backends.{name}_backend"]
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert BACKENDS[name][0] in classes


def test_every_folder_is_packaged():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {f"gsnn_edges.{name}".rpartition(".")[0] for name in FILES}
    assert sorted(setuptools["packages"]) == sorted(folders)


def test_every_data_file_is_packaged():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = [
        f"{package.replace('.', '/')}/{pattern}"
        for package, globs in setuptools["package-data"].items()
        for pattern in globs
    ]
    data = [
        f"{package.replace('.', '/')}/{path.relative_to(folder)}"
        for package, folder in FOLDERS.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert data, "the package has data files, and none was found"
    assert [d for d in data if not any(fnmatch(d, pattern) for pattern in patterns)] == []


def test_function_bodies_are_short():
    lengths = {name: body_length(node) for name, node in functions()}
    assert {n: length for n, length in lengths.items() if length > LONGEST_BODY} == {}


def code_length(path: Path) -> int:
    """Count the lines that hold code: what is left when `ast` has forgotten all comments."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body[0] = ast.Pass()
    return sum(bool(line) for line in ast.unparse(tree).splitlines())


def test_backend_files_are_short():
    paths = FOLDERS["gsnn_edges.backends"].glob("*_backend.py")
    lengths = {path.name: code_length(path) for path in paths}
    assert {n: length for n, length in lengths.items() if length > LONGEST_BACKEND} == {}


def test_public_functions_and_classes_have_docstrings():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    bare = [
        f"{name}.{node.name}"
        for name, tree in TREES.items()
        for node in tree.body
        if isinstance(node, kinds) and node.name[0] != "_" and not ast.get_docstring(node)
    ]
    assert bare == []


def test_every_source_file_has_a_test_file():
    tested = [n.split(".") for n in FILES if not n.endswith(("__init__", "_typing"))]
    wanted = {"/".join((*folder, f"test_{stem.lstrip('_')}.py")) for *folder, stem in tested}
    there = {str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(wanted - there) == [], "source files without a test file of the same name"
