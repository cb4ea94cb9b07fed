"""Settings of the documentation site: `make docs` builds it into build/site."""

import re
from importlib import metadata
from typing import Any

import gsnn_edges

project = "gsnn-edges"
author = "gsnn-edges contributors"
project_copyright = "gsnn-edges contributors"
release = version = metadata.version("gsnn-edges")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
# Scripts and their output lie beside the pages.
include_patterns = ["*.md"]

# Links between pages are GitHub's: page.md#heading.
myst_heading_anchors = 4
smartquotes = False  # options begin with two dashes
# The gallery is run at each build, and an error in it ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "py:obj"

html_theme = "furo"
html_title = f"gsnn-edges {release}"
html_show_sourcelink = False

# A word in backticks may be an attribute of several classes: it is then no link.
suppress_warnings = ["ref.python"]


def print_references(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Print the references of a docstring as they are numbered there, for each one begins at 1."""
    text = re.sub(r"\[(\d+)\]_", r"[\1]", "\n".join(lines))
    lines[:] = re.sub(r"^(\s*)\.\. (\[\d+\] )", r"\1*  \2", text, flags=re.M).split("\n")


def skip_second_home(
    app: Any, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave a name of the top level out of the module that it comes from."""
    listed = app.env.current_document.autodoc_module == "gsnn_edges" or what != "module"
    return None if listed or name not in gsnn_edges.__all__ else True


def setup(app: Any) -> None:
    """Register what is done to docstrings and members."""
    app.connect("autodoc-process-docstring", print_references)
    app.connect("autodoc-skip-member", skip_second_home)
