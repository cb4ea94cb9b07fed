"""Outputs of some two hundred small calls, kept in stored.npz: ``python -m acceptance.stored``.

Run in ``tests/`` it compares; with ``--write`` it writes stored.npz anew, which is only for calls
that are added: what stands there came from the first version.
"""

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gsnn_edges as ge
from gsnn_edges import significance
from gsnn_edges.demo import GSNN, tutorial
from gsnn_edges.store import StoreWriter, open_matrix

from .arrays import WAYS, Way, as_numpy
from .columns import columns, pair
from .networks import ALIKE, EDGES, Network
from .program import Command

FILE = Path(__file__).with_name("stored.npz")
WAY = {str(way): way for way in WAYS}
# Law 3: continuous columns, columns of few distinct values, and float64.
CONTINUOUS, FEW_VALUES, DOUBLE = 1e-6, 4e-6, 1e-9
# Metrics are averages of ranks, which are the same to the last bit.
METRICS = 1e-12


@dataclass(frozen=True)
class Case:
    """A call in a folder, which gives arrays and what JSON can hold, and how near they must be."""

    call: Callable[[Path], dict[str, Any]]
    bound: float = 0.0


CASES: dict[str, Case] = {}


def add(name, call, bound=0.0):
    """Name a call once."""
    assert name not in CASES, name
    CASES[name] = Case(call, bound)


@contextmanager
def on_path(way):
    """The device path where a way says so."""
    before = os.environ.get("GSNN_EDGES_PATH", "auto")
    os.environ["GSNN_EDGES_PATH"] = "device" if way.device_path else before
    try:
        yield
    finally:
        os.environ["GSNN_EDGES_PATH"] = before


# Ranks.


def ranked(way, x, folder, **options):
    with on_path(way):
        return {"ranks": way.call(ge.rankdata, x, **options)}


def whole_numbers(dtype):
    return np.random.default_rng(5).integers(0, 9, (96, 4)).astype(dtype)


for name in WAY:
    add(f"rank {name}", partial(ranked, WAY[name], columns(0)))
for name in ("numpy", "torch", "torch-device", "strict", "jax-device"):
    add(f"rank {name} ordinal", partial(ranked, WAY[name], columns(0), ties="ordinal"))
for name in ("numpy", "torch", "torch-device"):
    for dtype in ("float64", "int64", "uint8"):
        add(f"rank {name} {dtype}", partial(ranked, WAY[name], whole_numbers(dtype)))
add("rank axis", partial(ranked, Way("numpy"), columns(2)[:40], axis=1))


# Correlations.


def correlated(way, a, g, folder, **options):
    with on_path(way):
        return {"W": way.call(ge.cross_correlation, a, g, **options)}


@cache
def smooth(dtype="float32", rows=300):
    """Columns without ties, of which some go together."""
    rng = np.random.default_rng(7)
    a, g = rng.standard_normal((2, rows, 8))
    g[:, :4] += a[:, 4:]
    return a.astype(dtype), g[:, :7].astype(dtype)


@cache
def by_layer():
    """Layers one after another, at different levels."""
    rng = np.random.default_rng(8)
    level = np.repeat([0.0, 4.0, -3.0, 9.0], 250)[:, None]
    a, g = rng.standard_normal((2, 1000, 5)) + level
    return a.astype(np.float32), g.astype(np.float32)


for name in WAY:
    add(f"correlate {name}", partial(correlated, WAY[name], *pair()), FEW_VALUES)
for name in ("numpy", "strict", "torch", "torch-device", "jax"):
    for options in ({"ties": "ordinal"}, {"method": "pearson"}, {"row_chunk": 5}):
        call = partial(correlated, WAY[name], *pair(), **options)
        add(f"correlate {name} {options}", call, FEW_VALUES)
for name in ("numpy", "torch", "torch-device"):
    way = WAY[name]
    add(f"correlate {name} smooth", partial(correlated, way, *smooth()), CONTINUOUS)
    add(f"correlate {name} by layer", partial(correlated, way, *by_layer()), CONTINUOUS)
    add(f"correlate {name} from float64", partial(correlated, way, *smooth("float64")), CONTINUOUS)
    for method in ("spearman", "pearson"):
        options = {"precision": "float64", "method": method}
        call = partial(correlated, way, *smooth("float64"), **options)
        add(f"correlate {name} float64 {method}", call, DOUBLE)
    numbers = [whole_numbers("int64"), whole_numbers("int64")[::-1]]
    add(f"correlate {name} int64", partial(correlated, way, *numbers), FEW_VALUES)


def moved(backend, folder, **options):
    return {"W": as_numpy(ge.cross_correlation(*pair(), backend=backend, **options))}


for backend in ("torch", "jax"):
    for options in ({}, {"row_chunk": 4}):
        call = partial(moved, backend, **options)
        add(f"correlate numpy on {backend} {options}", call, FEW_VALUES)


# The channel score, and partial correlations.

A_NODES = [2, 0, 0, 3, 3, 3, 2, 5, 5, 0, 2, 3]
G_NODES = [0, 2, 2, 5, 3, 0, 2, 3, 5, 5, 6]


def of_channels(way, folder, **options):
    with on_path(way):
        return {
            "W": way.call(
                lambda a, g: ge.channel_correlation(a, g, A_NODES, G_NODES, **options), *pair()
            )
        }


for name in ("numpy", "strict", "torch", "torch-device", "jax"):
    for options in ({}, {"n_components": 2}):
        call = partial(of_channels, WAY[name], **options)
        add(f"channels {name} {options}", call, 4 * FEW_VALUES)
for options in (
    {"nodes": 9},
    {"method": "pearson"},
    {"ties": "ordinal"},
    {"row_chunk": 1},
    {"method": "pearson", "n_components": 1},
):
    add(f"channels numpy {options}", partial(of_channels, Way("numpy"), **options), 4 * FEW_VALUES)
add("channels numpy float64", partial(of_channels, Way("numpy"), precision="float64"), 4 * DOUBLE)


@cache
def dependent():
    a, g = (x.astype(np.float64) for x in smooth())
    a[:, 1] += a[:, 0]
    g[:, 5] = 1
    return a, g, a[:, [0, 2]] + g[:, [1, 0]]


PARENTS = np.array([[0, 1, 0, 4, 3, 4, 7, 0], [0, 0, 1, 1, 3, 3, 3, 0]])


def partially(way, folder, *, conditions=False, dtype="float32", **options):
    a, g, held = (x.astype(dtype) for x in dependent())
    if conditions:
        return {"W": way.call(partial(ge.partial_correlation, **options), a, g, held)}
    return {
        "W": way.call(lambda a, g: ge.partial_correlation(a, g, parents=PARENTS, **options), a, g)
    }


for name in ("numpy", "strict", "torch"):
    for conditions in (True, False):
        kind = "conditions" if conditions else "parents"
        add(f"partial {name} {kind}", partial(partially, WAY[name], conditions=conditions), 1e-5)
    add(f"partial {name} pearson", partial(partially, WAY[name], method="pearson"), 1e-5)
add("partial jax conditions", partial(partially, WAY["jax"], conditions=True), 1e-5)
for conditions in (True, False):
    options = {"conditions": conditions, "dtype": "float64", "precision": "float64"}
    add(f"partial float64 {conditions}", partial(partially, Way("numpy"), **options), 1e-8)


# Rankings.

NODES = 14
NAMES = [f"{'gene' if k < 6 else 'rna'} {k}" for k in range(NODES)]
QUERIES = np.array([[0, 0, 3, 7, 7, 7, 11, 3, 12], [1, 2, 4, 0, 8, 9, 10, 4, 6]])
KNOWN = np.array([[0, 1, 3, 7, 9], [3, 2, 6, 1, 0]])
TRUTHS = np.concatenate([QUERIES, KNOWN], axis=1)


@cache
def scores(kind="tied"):
    rng = np.random.default_rng(11)
    if kind == "tied":
        return rng.integers(-3, 4, (NODES, NODES)).astype(np.float32) / 2
    return rng.standard_normal((NODES, NODES)).astype(kind)


def evaluated(way, kind, folder, edges=QUERIES, **options):
    with on_path(way):
        found = ge.evaluate_edges(way.array(scores(kind)), edges, TRUTHS, seed=3, **options)
    ranks = found.queries.ranks
    return {
        "optimistic": ranks.optimistic,
        "realistic": ranks.realistic,
        "pessimistic": ranks.pessimistic,
        "metrics": found.to_dict(),
        "mrr": ge.mrr(way.array(scores(kind)), edges, TRUTHS),
    }


for name in ("numpy", "numpy-read-only", "strict", "torch", "torch-device", "jax", "jax-device"):
    add(f"evaluate {name}", partial(evaluated, WAY[name], "tied", n_resamples=200), METRICS)
for name in ("numpy", "torch-device"):
    for kind in ("float32", "float64"):
        add(f"evaluate {name} {kind}", partial(evaluated, WAY[name], kind), METRICS)
for options in (
    {"direction": "head"},
    {"direction": "both"},
    {"direction": "both", "cluster": "source"},
    {"cluster": "source", "confidence": 0.5},
    {"exclude_self": True, "edges": QUERIES[:, :-2]},
    {"ks": [2, 5], "n_resamples": 100},
    {"pool_metrics": False, "n_resamples": None},
    {"query_chunk_size": 3, "n_resamples": None},
    {
        "candidates": ["gene* -> *", "rna* -> gene*", "rna* -> rna*"],
        "node_names": NAMES,
        "n_resamples": None,
    },
    {"candidates": np.tri(NODES, k=12, dtype=bool), "edges": QUERIES[:, 2:], "n_resamples": None},
):
    label = {k: v if np.size(v) < 4 else "..." for k, v in options.items()}
    add(f"evaluate {label}", partial(evaluated, Way("numpy"), "tied", **options), METRICS)


# Baselines that own code computes; those that a library may take over stand in no file.
KEPT_ROWS = (
    "W",
    "other",
    "random",
    "in_degree",
    "out_degree",
    "preferential_attachment",
    "common_neighbours",
    "adamic_adar",
    "two_step_paths",
    "activation_correlation",
    "plain_correlation",
    "perturbation_correlation",
)


def compared(folder, *, measured=False, **options):
    rng = np.random.default_rng(13)
    before = [rng.random((NODES, NODES)) for _ in range(3)]
    given = {"W": scores(), "other": before[0]}
    if measured:
        a = rng.standard_normal((50, NODES))
        options |= {"observations": a, "measured": (a[:, :5] + 1, [0, 1, 2, 4, 9])}
        options |= {"perturbations": (a[:, [7, 0]], [7, 0])}
    found = ge.compare(
        given, QUERIES, TRUTHS, known_edges=KNOWN, seed=3, untrained={"W": before}, **options
    ).to_dict()
    return {"rows": {row["name"]: row for row in found["rows"] if row["name"] in KEPT_ROWS}}


for options in ({}, {"measured": True}, {"direction": "head", "n_resamples": None}):
    add(f"compare {options}", partial(compared, **options), METRICS)


def parted(folder, **options):
    rng = np.random.default_rng(17)
    circle = np.stack([np.arange(20), (np.arange(20) + 1) % 20])
    edges = np.concatenate([circle, rng.integers(0, 20, (2, 30))], axis=1)
    if options.pop("by_label", False):
        options["stratify"] = edges[0] % 3 + edges[1] % 2
    parts = ge.split_edges(edges, (0.7, 0.2, 0.1), seed=4, **options)
    return {f"part {k}": part for k, part in enumerate(parts)}


for options in ({}, {"keep_connected": True}, {"by_label": True}):
    add(f"split {options}", partial(parted, **options))


def recovered(folder):
    def infer(keep):
        W = scores("float32").copy()
        W[tuple(TRUTHS[:, keep])] += 0.5
        return W

    found = ge.recover_edges(infer, TRUTHS, fraction=0.3, repeats=3, seed=5)
    return {"hidden": found.hidden, "shown": found.shown, "edges": np.stack(found.edges)}


add("recover", recovered, METRICS)


# Networks.

RAGGED = ([3, 0, 0, 1, 5, 3, 1], [5, 3, 0, 1, 4, 0], [0, 1, 3, 5, 5])
PAIRED = ([k for k in range(12) for _ in range(2)],) * 3
LINKS = np.array(
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0], [1, 2, 0, 5, 3, 4, 7, 8, 6, 10, 11, 9, 2]]
)


def network(groups, dtype=torch.float64, **options):
    """A network whose weights come from NumPy."""
    model = Network(groups, dtype=dtype, **options)
    rng = np.random.default_rng(19)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(rng.uniform(-0.6, 0.6, tuple(parameter.shape))))
    return model


def inputs(dtype=torch.float64):
    rng = np.random.default_rng(23)
    return [torch.from_numpy(rng.standard_normal((60, size))).to(dtype) for size in (4, 3)]


def inferred(folder, backend, *, groups=RAGGED, edges=EDGES, train=False, setup=(), **options):
    way = WAY[backend]
    dtype = torch.float32 if way.name == "jax" else torch.float64
    model = network(groups, dtype, dropout=0.3 if train else 0.0).train(train)
    inferer = ge.FunctionEdgeInferer(model, nn.MSELoss(), edges, backend=way.name, **dict(setup))
    with on_path(way):
        found = inferer.infer(*inputs(dtype), **options)
    kept = {"W": found.W, "counts": found.counts, "score": found.settings["score"]}
    return kept if found.std is None else kept | {"std": found.std}


RESAMPLED = {"estimate": True, "estimate_iters": 4, "seed": 2}
MAGNITUDES = {
    "mean": {"layers": "mean"},
    "last": {"layers": "last"},
    "first": {"layers": 0},
    "pearson": {"method": "pearson"},
    "penalty": {"penalty_factor": 0.3},
    "scale": {"scale_by_act_mean": True},
    "chunks": {"row_chunk": 2, "batch_size": 7},
    "resampled": {**RESAMPLED, "estimate_n_samples": 60},
    "few": {**RESAMPLED, "estimate_n_samples": 20},
    "ordinal resampled": {
        **RESAMPLED,
        "estimate_n_samples": 40,
        "setup": (("ties", "ordinal"),),
    },
    "penalty resampled": {
        **RESAMPLED,
        "estimate_n_samples": 60,
        "penalty_factor": 0.2,
        "scale_by_act_mean": True,
        "layers": "mean",
    },
    "dropout": {"train": True, "seed": 5},
    "dropout resampled": {"train": True, **RESAMPLED, "estimate_n_samples": 30},
    "squares": {"setup": (("norm", "l2"), ("agg", "mean"), ("use_prenorm", False))},
    "signs": {"setup": (("norm", "none"), ("agg", "max"))},
    "signed sums": {"setup": (("norm", "none"), ("use_prenorm", False), ("ties", "ordinal"))},
}
CHANNELS = {
    "channels": {},
    "channels pooled": {"layers": "pooled"},
    "channels last": {"layers": "last", "method": "pearson"},
    "components": {"n_components": 1},
    "channels penalty": {"penalty_factor": 0.3, "scale_by_act_mean": True},
    "channels resampled": {**RESAMPLED, "estimate_n_samples": 60},
}
for backend in ("numpy", "torch", "torch-device", "jax", "jax-device"):
    add(f"infer {backend}", partial(inferred, backend=backend, score="magnitude"), FEW_VALUES)
for backend in ("numpy", "torch"):
    for name, options in MAGNITUDES.items():
        call = partial(inferred, backend=backend, score="magnitude", **options)
        add(f"infer {backend} {name}", call, 3 * FEW_VALUES)
    for name, options in CHANNELS.items():
        call = partial(inferred, backend=backend, groups=ALIKE, score="channels", **options)
        add(f"infer {backend} {name}", call, 4 * FEW_VALUES)
    call = partial(inferred, backend=backend, score="magnitude", setup=(("precision", "float64"),))
    add(f"infer {backend} float64", call, DOUBLE)
    call = partial(inferred, backend=backend, groups=PAIRED, edges=LINKS, score="auto")
    add(f"infer {backend} auto", call, 4 * FEW_VALUES)
for name in ("resampled", "penalty"):
    call = partial(inferred, backend="jax", score="magnitude", **MAGNITUDES[name])
    add(f"infer jax {name}", call, 3 * FEW_VALUES)
call = partial(inferred, backend="jax", groups=ALIKE, score="channels")
add("infer jax channels", call, 4 * FEW_VALUES)


def captured(folder, *, channels=False, on_disk=False, **options):
    model = network(ALIKE if channels else RAGGED)
    if on_disk:
        store = ge.capture_to_store(
            folder / "captured.zarr", model, nn.MSELoss(), *inputs(), batch_size=16, **options
        )
        return {"a": store.read("a"), "g": store.read("g"), "nodes": store.column_nodes}
    capture = ge.capture_channels if channels else ge.capture
    a, g = capture(model, nn.MSELoss(), *inputs(), **options)[:2]
    return {"a": a.numpy(), "g": g.numpy()}


for options in (
    {},
    {"batch_size": 7, "norm": "l2", "agg": "mean"},
    {"use_prenorm": False, "norm": "none", "agg": "max"},
    {"channels": True},
    {"channels": True, "use_prenorm": False, "batch_size": 7},
    {"on_disk": True},
):
    add(f"capture {options}", partial(captured, **options), 1e-12)


# Stores.

FACTS = {"pairs": 3, "samples": 40, "columns": 17, "unit": 16}
NODES_OF = np.random.default_rng(1).permutation(np.arange(17) % 7)


def written(path, dtype="float32", **options):
    """A store of tied activations, and of gradients that go with some of them."""
    rng = np.random.default_rng(29)
    a, noise = rng.standard_normal((2, 3, 40, 17))
    g = noise + a[..., ::-1]
    a = np.maximum(a, 0)
    a[..., 5], g[..., 1] = 0, 2
    writer = StoreWriter.create(path, dtype=dtype, **FACTS, **options)
    for unit in writer.missing:
        part = slice(16 * unit, 16 * unit + 16)
        writer.put(unit, a[:, part].astype(dtype), g[:, part].astype(dtype))
    return writer.finish()


def streamed(folder, *, channels=False, kind="zarr", dtype="float32", **options):
    facts = {"score": "channels", "column_nodes": NODES_OF} if channels else {}
    store = written(folder / "seen.zarr", dtype, **facts)
    if "top" in options or "threshold" in options:
        found = ge.correlate_store(store, folder / "kept.npz", **options)
        return vars(found)
    found = ge.correlate_store(store, folder / f"W.{kind}", **options)
    return {"W": found.to_numpy(), "again": open_matrix(folder / f"W.{kind}").to_numpy()}


for backend in ("numpy", "torch", "jax"):
    add(f"store {backend}", partial(streamed, backend=backend), FEW_VALUES)
for options in (
    {"kind": "npy"},
    {"layers": "mean"},
    {"layers": "last", "method": "pearson"},
    {"layers": 1, "ties": "ordinal"},
    {"top": 4},
    {"threshold": 0.2},
    {"backend": "torch", "top": 3, "layers": "mean"},
):
    add(f"store {options}", partial(streamed, **options), FEW_VALUES)
for options in ({}, {"layers": "pooled"}, {"n_components": 2}, {"backend": "torch"}, {"top": 2}):
    add(f"store channels {options}", partial(streamed, channels=True, **options), 4 * FEW_VALUES)
add("store float64", partial(streamed, dtype="float64", precision="float64"), DOUBLE)


# p-values and intervals.


@cache
def layered(samples=30):
    rng = np.random.default_rng(31)
    a, g = rng.standard_normal((2, 3, samples, 5)) + np.arange(3)[:, None, None]
    g[..., 1] += a[..., 0]
    g[..., 2] = np.round(g[..., 2])
    g[..., 4] = 1
    return [x.reshape(-1, 5).astype(np.float32) for x in (a, g)]


OF_NODES = {"a_nodes": [0, 0, 1, 2, 1], "g_nodes": [0, 1, 1, 2, 2]}


def permuted(folder, **options):
    found = ge.permutation_test(*layered(), 30, n_resamples=99, seed=6, **options)
    kept = {name: getattr(found, name) for name in ("statistic", "null_mean", "maxima")}
    return {
        **{name: as_numpy(value) for name, value in kept.items() if value is not None},
        "exceedances": as_numpy(found.exceedances),
        # Whole numbers, so that these are the same to the last bit.
        "p": np.rint(100 * as_numpy(found.p)).astype(int),
        "p_familywise": np.rint(100 * np.nan_to_num(as_numpy(found.p_familywise))).astype(int),
    }


for options in (
    {},
    {"backend": "torch"},
    {"backend": "jax"},
    {"layers": "mean"},
    {"layers": "last", "alternative": "greater"},
    {"method": "pearson"},
    {"precision": "float64"},
    {"candidates": np.tri(5, dtype=bool)},
):
    label = {k: v if np.size(v) < 4 else "..." for k, v in options.items()}
    add(f"permute {label}", partial(permuted, **options), FEW_VALUES)
for options in ({}, {"layers": "pooled"}, {"n_components": 1}, {"backend": "torch"}):
    call = partial(permuted, alternative="greater", **OF_NODES, **options)
    add(f"permute channels {options}", call, 4 * FEW_VALUES)


def bootstrapped(folder, **options):
    found = ge.bootstrap_interval(*layered(), 30, n_resamples=40, seed=7, **options)
    names = ("statistic", "standard_error", "low", "high")
    return {name: as_numpy(getattr(found, name)) for name in names}


for options in (
    {},
    {"backend": "torch"},
    {"layers": "mean", "confidence": 0.5},
    {"layers": 0},
    {"method": "pearson"},
    {"precision": "float64"},
):
    add(f"bootstrap {options}", partial(bootstrapped, **options), 2e-5)
for options in ({}, {"layers": "pooled", "n_components": 1}):
    add(f"bootstrap channels {options}", partial(bootstrapped, **OF_NODES, **options), 4e-5)


def by_moments(folder, **options):
    found = significance.null_moments(*layered(), 30, **options)
    return {"mean": found.mean, "variance": found.variance}


def sized(folder, **options):
    return {"n": 1 / significance.effective_sample_size(*layered(), 30, **options)}


for options in ({}, {"layers": "mean"}, {"method": "pearson"}):
    add(f"moments {options}", partial(by_moments, **options), FEW_VALUES)
    add(f"effective size {options}", partial(sized, **options), FEW_VALUES)


def p_values(folder):
    W = np.linspace(-1, 1, 41)
    alternatives = ("two-sided", "greater", "less")
    p = {a: significance.correlation_pvalue(W, 50, alternative=a) for a in alternatives}
    moved = significance.correlation_pvalue(W[1:-1], 50, null_mean=0.2)
    return {**p, "moved": moved, "by": significance.adjust_pvalues(p["greater"], method="by")}


add("p-values", p_values, METRICS)


# Evidence.


def members():
    rng = np.random.default_rng(37)
    settings = {"score": "magnitude", "estimate_n_samples": 25}
    for _ in range(3):
        yield ge.EdgeEvidence(
            rng.integers(-5, 6, (9, 9)) / 8,
            [f"node {k}" for k in range(9)],
            counts={"samples": 100},
            settings=settings | {"estimate": True, "estimate_iters": 4, "penalty_factor": 0.0},
            std=rng.random((9, 9)) / 4,
            known_edges=[[0, 1, 8], [1, 2, 3]],
        )


def combined(folder):
    whole = list(members())
    mean, ranks = ge.EdgeEvidence.mean(whole), ge.EdgeEvidence.rank_mean(whole)
    mean.save(folder / "mean.npz")
    low, high = whole[0].interval(0.9)
    return {
        "mean": ge.EdgeEvidence.load(folder / "mean.npz").W,
        "std": mean.std,
        "rank mean": ranks.W,
        "low": low,
        "high": high,
        "error": whole[0].standard_error,
    }


def listed(folder):
    one = next(members())
    return {
        "top": [list(edge) for edge in one.top(12)],
        "others": one.to_edge_index(9, exclude_self=False, exclude_known=False),
        "some": one.to_edge_index(9, candidates=["node 1 -> *", "* -> node 3"]),
    }


add("evidence combined", combined, METRICS)
add("evidence listed", listed, METRICS)


# The command line.


MODEL = """
from gsnn_edges.demo import GSNN, tutorial

def model():
    problem = tutorial(seed=0)
    return GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3)
"""


def prepare(folder):
    """Files that the commands below read."""
    rng = np.random.default_rng(41)
    np.save(folder / "W.npy", rng.integers(-9, 9, (NODES, NODES)) / 8)
    np.save(folder / "flat.npy", rng.random((3, 4)))
    rows = ["source,target", *(f"{NAMES[s]},{NAMES[t]}" for s, t in QUERIES.T)]
    (folder / "queries.csv").write_text("\n".join(rows))
    np.save(folder / "known.npy", KNOWN)
    (folder / "names.txt").write_text("\n".join(NAMES))
    (folder / "far.csv").write_text("source,target\n0,77\n")
    written(folder / "nodes.zarr")
    written(folder / "channels.zarr", score="channels", column_nodes=NODES_OF)
    (folder / "tiny.py").write_text(MODEL)
    problem = tutorial(seed=0)
    model = GSNN(problem.edge_index_dict, problem.node_names_dict, channels=2, layers=3)
    torch.save(model.state_dict(), folder / "state.pt")
    np.save(folder / "x.npy", problem.x_test[:50])
    np.save(folder / "y.npy", problem.y_test[:50])


def add_command(*arguments, files=(), bound=0.0):
    """Name a command by its arguments."""
    call = partial(of_command, arguments=arguments, files=files)
    add(f"command {' '.join(map(str, arguments))}", call, bound)


def of_command(folder, arguments, files):
    """The exit code, the JSON without sizes and paths, and the matrix that was written."""
    prepare(folder)
    shown = Command(folder)(*arguments)
    found = {"code": shown.code}
    if "--json" in arguments and shown.code == 0:
        sizes_and_paths = ("bytes", "files", "written", "memory", "out")
        found["json"] = {k: value for k, value in shown.json.items() if k not in sizes_and_paths}
    for name in files:
        found[name] = open_matrix(folder / name).to_numpy()
    return found


EVALUATE = ("evaluate", "W.npy", "--edges", "queries.csv", "--names", "names.txt")
for options in (
    ("--json",),
    ("--known", "known.npy", "--json"),
    ("--known", "known.npy", "--direction", "both", "--cluster", "source", "--json"),
    ("--exclude-self", "--k", 2, "--k", 4, "--n-resamples", 0, "--json"),
    ("--candidates", "gene* -> *", "--candidates", "rna* -> *", "--confidence", 0.8, "--json"),
    ("--seed", 5, "--n-resamples", 100, "--json"),
    ("--dry-run", "--json"),
    ("--k", 99),
    ("--direction", "up"),
    ("--candidates", "nobody -> *"),
    ("--metrics", "m.csv"),
    ("--out", "nowhere/r.csv"),
    ("--confidence", 95),
):
    add_command(*EVALUATE, *options, bound=METRICS)
for arguments in (("W.npy",), ("flat.npy", "--edges", "far.csv"), ("V.npy", "--edges", "far.csv")):
    add_command("evaluate", *arguments)
for store, options, files in (
    ("nodes.zarr", ("--out", "V.npy", "--json"), ["V.npy"]),
    ("nodes.zarr", ("--out", "V.zarr", "--layers", "mean", "--json"), ["V.zarr"]),
    ("nodes.zarr", ("--out", "V.npy", "--method", "pearson", "--json"), ["V.npy"]),
    ("channels.zarr", ("--out", "V.npy", "--n-components", 1, "--json"), ["V.npy"]),
    ("nodes.zarr", ("--out", "top.csv", "--top", 3, "--json"), []),
    ("nodes.zarr", ("--out", "far.csv", "--threshold", 0.3, "--json"), []),
    ("nodes.zarr", ("--out", "V.npy", "--dry-run", "--json"), []),
    ("nodes.zarr", ("--out", "V.csv"), []),
    ("nodes.zarr", ("--out", "V.npy", "--layers", 9), []),
    ("nodes.zarr", ("--out", "V.npy", "--n-components", 1), []),
    ("nodes.zarr", ("--out", "V.npy", "--max-memory", "much"), []),
    ("nodes.zarr", ("--out", "top.csv", "--top", 1, "--threshold", 1), []),
    ("none.zarr", ("--out", "V.npy"), []),
):
    add_command("correlate", store, *options, files=files, bound=4 * FEW_VALUES)
PASSES = ("--model", "tiny:model", "--weights", "state.pt", "--x", "x.npy", "--y", "y.npy")
add_command("capture", *PASSES, "--out", "seen.npz", "--json")
add_command("infer", *PASSES, "--score", "channels", "--json", bound=4 * FEW_VALUES)
add_command("evaluat")
add_command("--speed")


# Keeping and comparing.


def run(name, folder):
    """What a call gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return CASES[name].call(folder)


def flat(name, outputs):
    """Arrays by name; what is none as JSON."""
    for key, value in outputs.items():
        if not isinstance(value, np.ndarray):
            value = np.array(json.dumps(value))
        yield f"{name} | {key}", value


def differences(name, outputs, kept):
    """Say what is not as it was kept."""
    bound = CASES[name].bound
    fresh = dict(flat(name, outputs))
    wanted = {key: value for key, value in kept.items() if key.rpartition(" | ")[0] == name}
    if not wanted:
        yield f"{name}: nothing is kept of it"
    if fresh.keys() != wanted.keys():
        yield f"{name}: {sorted(fresh)} and not {sorted(wanted)}"
    for key in fresh.keys() & wanted.keys():
        if wanted[key].dtype.kind == "U":
            pair = (json.loads(str(x[key])) for x in (fresh, wanted))
            yield from unlike(key, *pair, bound)
        elif (fresh[key].dtype, fresh[key].shape) != (wanted[key].dtype, wanted[key].shape):
            yield f"{key}: {fresh[key].dtype} {fresh[key].shape}"
        elif wanted[key].size and not (gap := distance(fresh[key], wanted[key])) <= bound:
            yield f"{key}: {gap:.3g} away, {bound:.3g} may be"


def distance(fresh, wanted):
    """The largest difference; whole numbers and truth values must not differ at all."""
    if wanted.dtype.kind in "iub":
        return 0.0 if np.array_equal(fresh, wanted) else np.inf
    gap = np.abs(fresh.astype(np.float64) - wanted)
    return gap[~(np.isnan(fresh) & np.isnan(wanted))].max(initial=0.0)


def unlike(where, fresh, wanted, bound):
    """Compare JSON; entries that are new do not matter."""
    if isinstance(wanted, dict) and isinstance(fresh, dict):
        for key, value in wanted.items():
            if key in fresh:
                yield from unlike(f"{where}.{key}", fresh[key], value, bound)
            else:
                yield f"{where}.{key} is missing"
    elif isinstance(wanted, list) and isinstance(fresh, list) and len(fresh) == len(wanted):
        for k, both in enumerate(zip(fresh, wanted, strict=True)):
            yield from unlike(f"{where}[{k}]", *both, bound)
    elif isinstance(wanted, float) and isinstance(fresh, float):
        if not (abs(fresh - wanted) <= bound or (np.isnan(fresh) and np.isnan(wanted))):
            yield f"{where}: {fresh!r} and not {wanted!r}"
    elif fresh != wanted:
        yield f"{where}: {fresh!r} and not {wanted!r}"


def main():
    """Compare all, or write all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write stored.npz anew")
    write = parser.parse_args().write
    fresh, found = {}, []
    kept = {} if write else dict(np.load(FILE))
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            outputs = run(name, Path(folder))
        fresh.update(flat(name, outputs))
        if not write:
            found += differences(name, outputs, kept)
    if write:
        np.savez_compressed(FILE, **fresh)
    print(*found, f"{len(CASES)} calls, {len(found)} differences", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
