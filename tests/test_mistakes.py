"""What a scientist does wrong on a Tuesday: each call fails in words that name the argument.

A row spoils one argument or two of a call that is right. One row or two stand for each rule;
acceptance/test_wrong_calls.py has the commonest.
"""

import re
from contextlib import nullcontext

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import torch
from gsnn_models import TinyGSNN, data
from model_state import assert_unchanged
from scipy import sparse
from torch import nn
from torch.utils.data import TensorDataset

import gsnn_edges as ge
from gsnn_edges import backends, capture
from gsnn_edges.baselines import untrained_scores
from gsnn_edges.significance import adjust_pvalues, correlation_pvalue
from gsnn_edges.training import BestCheckpoint


class GivesPair(TinyGSNN):
    """Gives its embedding too, as a model written for a paper's figure does."""

    def forward(self, x):
        return super().forward(x), x


class Scaled(TinyGSNN):
    """Has a weight of its own, beside those of its modules."""

    def __init__(self):
        super().__init__([[0, 1, 2, 3, 4, 5]] * 3)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.scale * super().forward(x)


MODEL, MSE = TinyGSNN().eval(), nn.MSELoss()
EVEN = TinyGSNN([[0, 1, 2, 3, 4, 5]] * 3).eval()
NETWORK = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
X, Y = data(12)  # 4 inputs, 3 outputs
EDGES = np.array([[0, 1, 3], [1, 3, 5]])  # of 6 function nodes
NODES = [f"P{i}" for i in range(6)]
W = np.random.default_rng(0).standard_normal((6, 6))
HELD_OUT = EDGES[:, :2]
RNA, PROTEIN = np.split(np.random.default_rng(1).standard_normal((12, 7)), [4], axis=1)
EVIDENCE, NAMELESS = ge.EdgeEvidence(W, NODES), ge.EdgeEvidence(W)
P = np.random.default_rng(3).random((4, 3))


def fit(model, crit, edge_index, x, y, device=None, node_names=None, **options):
    made = {"device": device, "node_names": node_names}
    return ge.FunctionEdgeInferer(model, crit, edge_index, **made).fit(x, y, **options)


def untrained(model, x, y, **options):
    inferer = ge.FunctionEdgeInferer(model, MSE, EDGES)
    return untrained_scores(inferer, x, y, score="magnitude", **options)


def interval(confidence=0.9, **settings):
    drawn = {"estimate": True, "estimate_iters": 5, "estimate_n_samples": 50} | settings
    made = ge.EdgeEvidence(np.tanh(W), std=abs(W), counts={"samples": 12}, settings=drawn)
    return made.interval(confidence)


def track(epoch=None, **options):
    tracker = BestCheckpoint(**options)
    return tracker if epoch is None else tracker.step(epoch)


def recover(infer, **options):
    return ge.recover_edges(infer, EDGES, seed=0, **options)


OBSERVED = {"a": RNA, "g": PROTEIN}
SAMPLES = {"samples": 4, "seed": 0}
FIT = {"model": MODEL, "crit": MSE, "edge_index": EDGES, "x": X, "y": Y}
SEEN = {name: FIT[name] for name in ("model", "crit", "x", "y")}
RANKED = {"A": W, "edge_index": HELD_OUT, "all_true_edges": EDGES}
TRACKED = {"model": MODEL, "infer": lambda: W, "edge_index": HELD_OUT, "all_true_edges": EDGES}
CHANNELS = OBSERVED | {"a_nodes": [0, 0, 1, 1], "g_nodes": [0, 1, 1]}
COMPARED = {"scores": {"W": W}, "edge_index": HELD_OUT, "all_true_edges": EDGES, "seed": 0}
SPLIT = {"edge_index": EDGES, "fractions": (0.5, 0.5), "seed": 0}

# A function, the arguments of a right call, and for each what makes it a wrong one.
ROWS = [
    (fit, FIT, {
        "edges of PyG": (TypeError, "one kind.* take the entry", {"edge_index": {"to": EDGES}}),
        "a zip": (TypeError, "zip object.*make a list", {"edge_index": zip([0], [1], strict=True)}),
        "unequal rows": (ValueError, r"\[1\]\]: give each", {"edge_index": [[0, 1], [1]]}),
        "no node": (ValueError, "counted from 0; got -1", {"edge_index": [[-1], [0]]}),
        "no y": (TypeError, "y must be .*NoneType: pass x and y", {"y": None}),
        "SciPy": (TypeError, r"csr_matrix: call its toarray\(\)", {"x": sparse.csr_matrix(X)}),
        "sparse": (TypeError, r"sparse_coo: call its to_dense\(\)", {"x": X.to_sparse()}),
        "masked": (TypeError, "x must have a value everyw", {"x": np.ma.masked_array(X, X > 1)}),
        "complex": (TypeError, "x must hold real numbers; got torch.complex64", {"x": X + 0j}),
        "a data set": (TypeError, "x .*wrap it in a torch DataLoader", {"x": TensorDataset(X, Y)}),
        "a generator": (TypeError, "x must be .*: it can be read once", {"x": (r for r in X)}),
        "a file": (TypeError, "x must be .*got str: read the file", {"x": "x.npy"}),
        "a pair": (AttributeError, r"prediction: a tuple of \(12, 3\)", {"model": GivesPair()}),
        "counts": (RuntimeError, r"the same dtype[\s\S]*x: \(12, 4\) torch.int64", {"x": X.long()}),
        "item": (ValueError, r"crit.*without .item\(\)", {"crit": lambda p, y: MSE(p, y).item()}),
        "cut off": (ValueError, "crit.* a gradient", {"crit": lambda p, y: MSE(p.detach(), y)}),
        "a class": (TypeError, r"crit must be a loss.*make one, MSELoss\(\)", {"crit": nn.MSELoss}),
        "a model's file": (TypeError, "model must be .*got str", {"model": "model.pt"}),
        "a generator for a seed": (TypeError, r"seed must be a whole number; got Gen", {
            "seed": np.random.default_rng(0)}),
    }),
    (capture, SEEN, {
        "no for a flag": (TypeError, "True or False; got 'no'", {"use_prenorm": "no"}),
        "training": (ValueError, "mode must be one of 'eval'; got 'train'", {"mode": "train"}),
        "unknown reduction": (ValueError, "batch_size needs to know.* got None", {
            "crit": lambda p, y: ((p - y) ** 2).mean(), "batch_size": 4}),
        "no such block": (ValueError, r"blocks\[0\] must .*'Block.0'", {"blocks": ["Block.0"]}),
        "a copy": (ValueError, r"blocks\[0\] .*copy", {"blocks": [*TinyGSNN().ResBlocks]}),
        "by number": (TypeError, r"blocks\[0\] must be .*got int", {"blocks": [0, 1]}),
    }),
    (ge.cross_correlation, OBSERVED, {
        "masked": (TypeError, "a must have a value", {"a": np.ma.masked_array(RNA, RNA > 1)}),
        "sparse": (TypeError, "must be dense", {"a": X, "g": X.to_sparse()}),
        "device alone": (ValueError, "device='cuda' needs backend=", {"device": "cuda"}),
        "no GPU": (ValueError, "device .*'cuda'", {"backend": "numpy", "device": "cuda"}),
        "many devices": (ValueError, "devices=2 needs backend='jax'; got 'numpy'", {"devices": 2}),
        "both": (ValueError, "device='cpu' and devices=2 .* give one of them", {
            "backend": "jax", "device": "cpu", "devices": 2}),
    }),
    (ge.rankdata, {"x": RNA}, {
        "bfloat16": (TypeError, "x .*bfloat16: cast", {"x": np.zeros(3, ml_dtypes.bfloat16)}),
        "many columns": (ValueError, r"column 0, 1, .*8, 9, \.\.\. \(30 in all\)", {
            "x": np.full((2, 30), np.inf)}),
    }),
    (backends.move, {"x": RNA, "ops": backends.load("numpy")}, {
        "a name": (TypeError, "ops must be a backend; got 'torch': load it", {"ops": "torch"}),
    }),
    (ge.channel_correlation, CHANNELS, {
        "from -1": (ValueError, "g_nodes must hold node .*got -1", {"g_nodes": [-1, 0, 1]}),
    }),
    (ge.partial_correlation, OBSERVED, {
        "other rows": (ValueError, "conditions .*8 and 12", {"conditions": RNA[:8]}),
        "too many": (ValueError, "at least 13 obs", {"conditions": np.tile(RNA, (1, 3))[:, :10]}),
    }),
    (ge.evaluate_edges, RANKED, {
        "evidence": (TypeError, "A must be .*EdgeEvidence: pass the W that", {"A": EVIDENCE}),
        "heads": (ValueError, "direction must be .*'heads'", {"direction": "heads"}),
        "cluster": (ValueError, "cluster must be one of .*'target'", {"cluster": "target"}),
        "one k": (TypeError, "ks must be a list of whole numbers; got 10", {"ks": 10}),
        "no names": (ValueError, "'P. -> P.' .*give node_names", {"candidates": "P* -> P*"}),
        "no arrow": (ValueError, r"candidates must be rules.*'P\*'", {
            "candidates": "P*", "node_names": NODES}),
        "no rule": (ValueError, "candidates must hold at least one", {
            "candidates": [], "node_names": NODES}),
        "numbers": (TypeError, "float64: compare", {"candidates": np.ones((6, 6))}),
        "a part": (ValueError, "the shape of A", {"candidates": np.ones((3, 3), bool)}),
        "outside": (ValueError, "edge_index must hold candidates; 2 of its 2", {
            "edge_index": HELD_OUT, "candidates": np.eye(6, dtype=bool)}),
        "by kind": (TypeError, "node_names must be a sequence", {"node_names": {"f": NODES}}),
    }),
    (ge.EdgeEvidence, {"W": W}, {
        "numbers": (TypeError, "node_names must be strings; got 0", {"node_names": range(6)}),
        "a count alone": (TypeError, "counts must be a mapping .*got 500", {"counts": 500}),
        "a tensor": (TypeError, "settings .*tensor", {"settings": {"mask": torch.ones(2)}}),
    }),
    (EVIDENCE.top, {"k": 3}, {
        "known": (ValueError, "exclude_known=True needs known edges", {"exclude_known": True}),
    }),
    (EVIDENCE.to_networkx, {}, {
        "both": (ValueError, "k=3, threshold=0.5", {"k": 3, "threshold": 0.5}),
        "a word": (TypeError, "threshold must be a number; got 'high'", {"threshold": "high"}),
        "nan": (ValueError, "threshold must be a number; got nan", {"threshold": np.nan}),
    }),
    (interval, {}, {
        "0": (ValueError, "confidence must be above 0; got 0", {"confidence": 0}),
        "a text": (TypeError, "confidence must be a number .*'95%'", {"confidence": "95%"}),
        "norms": (ValueError, "W of correlations.*score='channels'", {"score": "channels"}),
        "no draws": (ValueError, "needs .*estimate=True", {"estimate": False}),
    }),
    (ge.EdgeEvidence.mean, {"members": [EVIDENCE]}, {
        "none": (ValueError, "members must hold at least one", {"members": []}),
        "matrices": (TypeError, "members must be EdgeEvidence; .*make", {"members": [W]}),
        "names": (ValueError, "differ in node_names", {"members": [EVIDENCE, NAMELESS]}),
    }),
    (ge.split_edges, SPLIT, {
        "by name": (TypeError, "fractions .*'train'", {"fractions": {"train": 0.8, "test": 0.2}}),
        "connected": (ValueError, "fractions must leave .*3 of 3", {"keep_connected": True}),
        "some": (TypeError, "stratify must hold labels", {"stratify": ["PPI", None, "TF"]}),
    }),
    (recover, {"infer": lambda keep: W, "fraction": 0.3}, {
        "W": (TypeError, "infer must be a callable.*ndarray", {"infer": W}),
    }),
    (track, TRACKED, {
        "weights": (TypeError, "model must be .*OrderedDict", {"model": MODEL.state_dict()}),
        "W": (TypeError, "infer must be a callable; got ndarray", {"infer": W}),
        "no edges": (ValueError, "edge_index must hold an edge", {"edge_index": [[], []]}),
        "no return": (TypeError, r"infer\(\) .*NoneType", {"infer": lambda: None, "epoch": 0}),
        "all": (TypeError, "metric must give a", {"metric": lambda *given: given, "epoch": 0}),
    }),
    (ge.compare, COMPARED | {"known_edges": EDGES[:, 2:], "n_resamples": None}, {
        "no name": (TypeError, "scores must map names to matrices.*ndarray", {"scores": W}),
        "two sizes": (ValueError, "scores .*same nodes", {"scores": {"W": W, "V": W[:3, :3]}}),
        "taken": (ValueError, "scores must not be named as .*random", {"scores": {"random": W}}),
        "inputs": (ValueError, "perturbations must come with", {"perturbations": (RNA, range(4))}),
        "one": (TypeError, "untrained must be a callable.*ndarray", {"untrained": W}),
        "another": (ValueError, "untrained must be for scores", {"untrained": {"V": [W]}}),
    }),
    (untrained, {"model": MODEL, "x": X, "y": Y}, {
        "like W": (TypeError, "like must be the EdgeEvidence of infer", {"like": W}),
        "by name": (TypeError, "reset must be a callable.*str", {"reset": "xavier"}),
        "own weight": (ValueError, "model must have reset_param.*Scaled", {"model": Scaled()}),
    }),
    (adjust_pvalues, {"p": P}, {
        "z for p": (ValueError, r"p must hold p-values in \[0, 1\].*12 v", {"p": P + 2}),
        "numbers": (TypeError, "candidates must hold bools.*float64", {"candidates": P}),
        "transposed": (ValueError, r"candidates .*got \(3, 4\)", {"candidates": P.T < 1}),
    }),
    (correlation_pvalue, {"W": np.tanh(W), "n": 100}, {
        "penalised": (ValueError, r"W must hold correlations in \[-1, 1\]", {"W": 3 * W}),
        "a text": (TypeError, "n must be a number or an array.*'many'", {"n": "many"}),
        "another": (ValueError, "n must be .*or have .*2, 2", {"n": np.full((2, 2), 9)}),
    }),
    (ge.permutation_test, OBSERVED | SAMPLES, {
        "one side": (ValueError, "a_nodes and .*g_nodes=None", {"a_nodes": [0, 0, 1, 1]}),
        "signs": (ValueError, "alternative must be .greater.",
            CHANNELS | {"alternative": "two-sided"}),
        "columns": (ValueError, "n_components=2 needs a_nodes", {"n_components": 2}),
    }),
]  # fmt: skip
CALLS = [
    pytest.param(call, right | wrong, wrong, error, phrase, id=f"{call.__name__}: {name}")
    for call, right, rows in ROWS
    for name, (error, phrase, wrong) in rows.items()
]


def refused(call, error, phrase):
    """The message of an error, with the notes added to errors of the user's own code."""
    with pytest.raises(error, match=phrase) as caught:
        call()
    assert error in type(caught.value).mro()[:2]
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@pytest.mark.parametrize(("call", "arguments", "wrong", "error", "phrase"), CALLS)
def test_a_wrong_call_is_refused_and_changes_no_model(call, arguments, wrong, error, phrase):
    model = arguments.get("model")
    with assert_unchanged(model) if isinstance(model, nn.Module) else nullcontext():
        message = refused(lambda: call(**arguments), error, phrase)
    assert set(re.findall(r"\w+", message)) & {*arguments, "prediction"}
    assert len(message) <= 400


# What is right, and was once taken otherwise than it was meant, or refused for no good reason.


def test_a_frame_is_its_rows_and_not_its_columns():
    frames = pd.DataFrame(X[:4].numpy()), pd.DataFrame(Y[:4].numpy())
    expected = capture(MODEL, MSE, X[:4], Y[:4])
    for frame, tensor in zip(capture(MODEL, MSE, *frames), expected, strict=True):
        np.testing.assert_array_equal(frame, tensor)


def test_a_masked_array_without_a_masked_value_is_an_array():
    x = np.array([[3.0], [1.0], [2.0]])
    np.testing.assert_array_equal(ge.rankdata(np.ma.masked_array(x)), x)


def test_finite_arrays_pass_however_large_their_sum(library):
    largest = np.full((300, 2), np.finfo(np.float32).max)
    ranks = library.numpy(library.call(ge.rankdata, library.array(largest)))
    np.testing.assert_array_equal(ranks, np.full((300, 2), 150.5))


def test_an_error_of_the_model_says_what_it_was_given():
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes") as caught:
        capture(NETWORK, MSE, (X[:, :3],), Y, blocks=["0", "2"], groups=[range(5), range(3)])
    assert caught.value.__notes__ == [
        "raised by model(x), with x: a tuple of (12, 3) torch.float32"
    ]


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_a_device_of_torch_may_be_named_to_every_backend(device):
    assert [backends.load(name, device).name for name in backends.available()] == [
        *backends.BACKENDS
    ]
