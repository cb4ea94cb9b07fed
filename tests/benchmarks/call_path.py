"""How far a call goes through the package before it computes.

    python tests/benchmarks/call_path.py

For `fit` on torch, `cross_correlation` of NumPy arrays and `correlate_store` it prints the files
and functions of the package that the call enters, the frames of the package from the call to the
matrix product, and how many of the signatures that it enters name the same option. Functions are
counted by `sys.setprofile` in a second, equal call, as the first one imports. Lambdas,
comprehensions and the model are not counted. ``--list`` names the functions.
"""

import argparse
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import torch

import gsnn_edges
from gsnn_edges import FunctionEdgeInferer, capture_to_store, correlate_store, cross_correlation
from gsnn_edges.demo import GSNN, tutorial

OPTIONS = ("method", "ties", "precision", "backend", "device", "row_chunk", "layers")
PACKAGE = Path(gsnn_edges.__file__).parent
FOLDERS = {"backends": Path(gsnn_edges.backends.__file__).parent, "": PACKAGE}


def place(filename):
    """A file of the package below `gsnn_edges`, or None; the demo is the user's model."""
    for prefix, folder in FOLDERS.items():
        if filename.startswith(f"{folder}/"):
            name = str(Path(prefix) / Path(filename).relative_to(folder))
            return None if name.startswith("demo/") else name
    return None


class CallPath:
    """Functions and signatures that a call enters; frames to the first product of matrices."""

    def __init__(self):
        self.functions = set()
        self.signatures = {}
        self.frames = None

    def __call__(self, frame, event, argument):
        if event != "call":
            return
        code = frame.f_code
        name = place(code.co_filename)
        if name is not None and not code.co_name.startswith("<"):
            self.functions.add((name, code.co_qualname))
            self.signatures[code] = arguments(code)
            if code.co_name == "matmul" and self.frames is None:
                self.frames = depth(frame)
        elif code.co_filename == "<string>" and code.co_name in ("__init__", "__new__"):
            # What dataclasses and named tuples write for a class of the package.
            owner = next(iter(frame.f_locals.values()))
            kind = owner if isinstance(owner, type) else type(owner)
            if kind.__module__.startswith("gsnn_edges."):
                self.signatures[code] = arguments(code)

    def named(self):
        """For each option, the signatures that name it."""
        return {
            option: sum(option in names for names in self.signatures.values()) for option in OPTIONS
        }


def arguments(code):
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def depth(frame):
    count = 0
    while frame is not None:
        name = frame.f_code.co_name
        count += place(frame.f_code.co_filename) is not None and not name.startswith("<")
        frame = frame.f_back
    return count


def profiled(call):
    """Profile the second of two equal calls, in threads too."""
    call()
    found = CallPath()
    threading.setprofile(found)
    sys.setprofile(found)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return found


def calls(folder):
    """Each call that is profiled, by its name."""
    rng = np.random.default_rng(0)
    a, g = rng.standard_normal((2, 200, 30), dtype=np.float32)
    problem = tutorial(seed=0)
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, seed=0).eval()
    x, y = problem.x_test, problem.y_test
    inferer = FunctionEdgeInferer(model, torch.nn.MSELoss(), problem.known_edges)
    store = f"{folder}/observations"
    capture_to_store(store, model, torch.nn.MSELoss(), x, y)
    return {
        "fit on torch": lambda: inferer.fit(x, y),
        "cross_correlation of NumPy arrays": lambda: cross_correlation(a, g),
        "correlate_store": lambda: correlate_store(store, f"{folder}/W.zarr", resume=False),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="name the functions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: profiled(call) for name, call in calls(folder).items()}
    print("call | files | functions | frames to the product | signatures that name an option")
    for name, path in paths.items():
        files = Counter(file for file, _ in path.functions)
        named = ", ".join(f"{option} {count}" for option, count in path.named().items())
        print(f"{name} | {len(files)} | {len(path.functions)} | {path.frames} | {named}")
        if options.list:
            for file in sorted(files):
                print(f"  {file}: {', '.join(sorted(n for f, n in path.functions if f == file))}")


if __name__ == "__main__":
    main()
