"""Imports go down the layers or stay inside one, and files form no circle."""

import ast
from graphlib import TopologicalSorter
from inspect import ismodule
from pathlib import Path

import pytest

import gsnn_edges

ROOT = Path(__file__).parents[1]
FOLDERS = {"": ROOT / "src/gsnn_edges", "backends.": ROOT / "backends"}

# A file or folder directly below `gsnn_edges`, by layer, the lowest first.
LAYERS = (
    ("_typing", "_validation", "_io", "_progress", "_tables"),
    ("backends", "options"),
    ("ranks", "chunks"),
    ("sharded", "correlation"),
    ("channels", "partial", "resampling", "layer_pairs"),
    ("store",),
    ("activations", "evaluation", "scale"),
    ("scoring", "significance", "evidence", "splits"),
    ("baselines", "training", "masking", "plots"),
    ("inferer",),
    ("demo", "cli"),
    ("__init__",),
)
LAYER = {name: number for number, names in enumerate(LAYERS, 1) for name in names}


def modules():
    """Each module of the package by its name below `gsnn_edges`, as "demo.gsnn"."""
    for prefix, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            name = prefix + ".".join(path.relative_to(folder).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


FILES = dict(modules())


def imported(path):
    """Modules of the package that a file imports, inside its functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if not name.startswith("gsnn_edges.") or name == "gsnn_edges.__version__":
                continue
            module = name.removeprefix("gsnn_edges.")
            while module not in FILES and "." in module:
                module = module.rpartition(".")[0]
            yield module if module in FILES else "__init__"


GRAPH = {name: set(imported(path)) - {name} for name, path in FILES.items()}


@pytest.mark.parametrize("name", GRAPH)
def test_imports_go_down(name):
    layer = LAYER[name.split(".")[0]]
    assert [other for other in GRAPH[name] if LAYER[other.split(".")[0]] > layer] == []


def test_files_form_no_circle():
    assert len(list(TopologicalSorter(GRAPH).static_order())) == len(GRAPH)


def test_no_module_hides_a_public_function():
    public = {name for name in gsnn_edges.__all__ if not ismodule(getattr(gsnn_edges, name))}
    assert public & {part for name in FILES for part in name.split(".")} == set()
