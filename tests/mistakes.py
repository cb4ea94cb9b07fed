"""What a scientist does wrong on a Tuesday: one table of calls that must fail with a sentence."""

from tempfile import gettempdir

import numpy as np
import pandas as pd
import torch
from gsnn_models import TinyGSNN, data
from mistakes_on_disk import ON_DISK
from scipy import sparse
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from wrong_calls import Wrong

from gsnn_edges import (
    EdgeEvidence,
    FunctionEdgeInferer,
    backends,
    bootstrap_interval,
    capture,
    capture_channels,
    channel_correlation,
    compare,
    cross_correlation,
    evaluate_edges,
    mrr,
    partial_correlation,
    permutation_test,
    rankdata,
    recover_edges,
    split_edges,
)
from gsnn_edges.baselines import untrained_scores
from gsnn_edges.layer_pairs import layer_parts
from gsnn_edges.significance import (
    adjust_pvalues,
    correlation_pvalue,
    effective_sample_size,
    null_moments,
)
from gsnn_edges.training import BestCheckpoint

# What is right, of which each row spoils one thing


class GivesPair(TinyGSNN):
    """Gives its embedding too, as a model written for a paper's figure does."""

    def forward(self, x):
        return super().forward(x), x


class GivesArray(TinyGSNN):
    def forward(self, x):
        return super().forward(x).detach().numpy()


class Scaled(TinyGSNN):
    """Has a weight of its own, beside those of its modules."""

    def __init__(self):
        super().__init__([[0, 1, 2, 3, 4, 5]] * 3)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.scale * super().forward(x)


MODEL, SCALED = TinyGSNN().eval(), Scaled()
EVEN = TinyGSNN([[0, 1, 2, 3, 4, 5]] * 3).eval()
ONE_BLOCK = TinyGSNN([[0, 1, 2]])
PAIR, ARRAY = GivesPair(), GivesArray()
PERCEPTRON = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
MSE = nn.MSELoss()
X, Y = data(12)  # 4 inputs, 3 outputs
EDGES = np.array([[0, 1, 3], [1, 3, 5]])  # of 6 function nodes
NODES = [f"P{i}" for i in range(6)]
GENES = pd.DataFrame({"patient": list("abcdefghijkl"), "TP53": 1.0})
W = np.random.default_rng(0).standard_normal((6, 6))
HELD_OUT = np.array([[0, 1], [1, 3]])
RNA = np.random.default_rng(1).standard_normal((12, 4))
PROTEIN = np.random.default_rng(2).standard_normal((12, 3))
EVIDENCE, NAMELESS = EdgeEvidence(W, NODES), EdgeEvidence(W)
FOLDER = gettempdir()


def with_nan(x):
    x = torch.as_tensor(x).clone().numpy()
    x[2, 1] = np.nan
    return x


def masked(x):
    return np.ma.masked_array(x, np.abs(x) > 1)


def pairs(*columns):
    return DataLoader(TensorDataset(*columns), batch_size=4)


def made(name, error, phrase, *arguments, **options):
    """A row about making the inferer."""

    def call():
        return FunctionEdgeInferer(*(arguments or (MODEL, MSE, EDGES)), **options)

    return Wrong(name, "FunctionEdgeInferer", call, error, phrase, MODEL)


def fitted(
    name, error, phrase, x=X, y=Y, *, model=MODEL, crit=MSE, edges=EDGES, own=None, **options
):
    """A row about a fit; ``own`` are options of the constructor."""

    def call():
        return FunctionEdgeInferer(model, crit, edges, **(own or {})).fit(x, y, **options)

    return Wrong(name, "FunctionEdgeInferer.fit", call, error, phrase, model)


def made_without_model(name, error, phrase, model):
    def call():
        return FunctionEdgeInferer(model, MSE, EDGES).fit(X, Y)

    return Wrong(name, "FunctionEdgeInferer.fit", call, error, phrase)


def inferred(name, error, phrase, x=X, y=Y, **options):
    def call():
        return FunctionEdgeInferer(MODEL, MSE, EDGES).infer(x, y, **options)

    return Wrong(name, "FunctionEdgeInferer.infer", call, error, phrase, MODEL)


def captured(name, error, phrase, x=X, y=Y, *, model=MODEL, crit=MSE, **options):
    def call():
        return capture(model, crit, x, y, **options)

    return Wrong(name, "capture", call, error, phrase, model)


def kept_apart(name, error, phrase, x=X, y=Y, *, model, crit=MSE, **options):
    def call():
        return capture_channels(model, crit, x, y, **options)

    return Wrong(name, "capture_channels", call, error, phrase, model)


def drawn_anew(name, error, phrase, x=X, y=Y, *, model=MODEL, **options):
    def call():
        given = {"score": "magnitude"} | options
        return untrained_scores(FunctionEdgeInferer(model, MSE, EDGES), x, y, **given)

    return Wrong(name, "untrained_scores", call, error, phrase, model)


def compared(name, error, phrase, scores=None, edges=HELD_OUT, truth=EDGES, **options):
    def call():
        given = {"known_edges": EDGES[:, 2:], "n_resamples": None, "seed": 0} | options
        return compare({"W": W} if scores is None else scores, edges, truth, **given)

    return Wrong(name, "compare", call, error, phrase)


def called(function, label):
    """Make rows about a function without a model: name, error, phrase, then its arguments."""

    def row(name, error, phrase, *arguments, **options):
        return Wrong(name, label, lambda: function(*arguments, **options), error, phrase)

    return row


def by(method):
    """Rows about a method of the evidence with names."""
    return called(getattr(EVIDENCE, method), f"EdgeEvidence.{method}")


def tracked(name, error, phrase, *epoch, **options):
    """A row about `BestCheckpoint`, made and, with an epoch, asked to score."""
    given = {"model": MODEL, "infer": lambda: W, "edge_index": HELD_OUT, "all_true_edges": EDGES}

    def call():
        tracker = BestCheckpoint(**(given | options))
        return tracker.step(*epoch) if epoch else tracker

    return Wrong(name, "BestCheckpoint", call, error, phrase, MODEL)


correlated, ranked = called(cross_correlation, "cross_correlation"), called(rankdata, "rankdata")
scored, evaluated = called(mrr, "mrr"), called(evaluate_edges, "evaluate_edges")
kept = called(EdgeEvidence, "EdgeEvidence")
split, recovered = called(split_edges, "split_edges"), called(recover_edges, "recover_edges")
loaded, owned = called(backends.load, "backends.load"), called(backends.of, "backends.of")
checked, moved = called(backends.check, "backends.check"), called(backends.move, "backends.move")
by_channel = called(channel_correlation, "channel_correlation")
adjusted, resampled = (
    called(adjust_pvalues, "adjust_pvalues"),
    called(bootstrap_interval, "bootstrap_interval"),
)
counted, by_z = (
    called(effective_sample_size, "effective_sample_size"),
    called(correlation_pvalue, "correlation_pvalue"),
)
moments, permuted = (
    called(null_moments, "null_moments"),
    called(permutation_test, "permutation_test"),
)
held_fixed = called(partial_correlation, "partial_correlation")
parted = called(layer_parts, "layer_parts")

INFERER = [
    made("edges as pairs", ValueError, r"edge_index .* \(4, 2\): transpose", MODEL, MSE,
         [(0, 1), (1, 2), (2, 3), (3, 4)]),
    made("edges of PyG, all kinds", TypeError, "edge_index .* one kind.* take the entry", MODEL,
         MSE, {("function", "to", "function"): EDGES}),
    made("edges of names", TypeError, "edge_index .*<U4: map node names", MODEL, MSE,
         [["TP53"], ["MDM2"]]),
    made("edges as a zip", TypeError, "edge_index .*zip object.*make a list", MODEL, MSE,
         zip([0, 1], [1, 2], strict=True)),
    made("edges of unequal length", ValueError, r"edge_index .*\[\[0, 1\], \[1\]\]: give each",
         MODEL, MSE, [[0, 1], [1]]),
    made("edges in an object array", TypeError, "edge_index .*dtype object", MODEL, MSE,
         np.array([[0, "b"], [1, "c"]], object)),
    made("edges read as floats", TypeError, "edge_index .*float64: cast to int64", MODEL, MSE,
         EDGES.astype(float)),
    made("an adjacency matrix", ValueError, "edge_index .*adjacency.*nonzero", MODEL, MSE,
         np.eye(7, dtype=int)),
    made("the path of a table", TypeError, "edge_index .*'edges.csv'", MODEL, MSE, "edges.csv"),
    made("edges and loss the wrong way round", TypeError, "crit must be a callable", MODEL, EDGES,
         MSE),
    made("-1 for no node", ValueError, "edge_index .*counted from 0; got -1", MODEL, MSE,
         [[-1], [0]]),
    made("norm in capitals", ValueError, "norm must be one of 'l1', .*'L1'", norm="L1"),
    made("avg", ValueError, "agg must be one of .*'avg'", agg="avg"),
    made("pytorch", ValueError, "backend must be one of .*'pytorch'", backend="pytorch"),
    made("a GPU for NumPy", ValueError, "device .*'cuda'", backend="numpy", backend_device="cuda"),
    made("a device that torch has not", ValueError, "device='gpu:0' must be a device that this",
         backend_device="gpu:0"),
    made("ranks from below", ValueError, "ties must be one of .*'min'", ties="min"),
    made("a dtype for a name", ValueError, "precision must .*torch.float64",
         precision=torch.float64),
]  # fmt: skip

FIT = [
    fitted("edges counted from 1", ValueError, "edge_index must hold targets in 0 .. 5.*got 6",
           edges=EDGES + 1),
    fitted("NaN in x", ValueError, "x must be finite; got 1 NaN.*column 1: drop", with_nan(X)),
    fitted("NaN in y", ValueError, "y must be finite; got 1 NaN", X, with_nan(Y)),
    fitted("y shorter", ValueError, "x and y must have as many rows; got 12 and 11", X, Y[:-1]),
    fitted("x transposed", ValueError, "x and y .*got 4 and 12", X.T),
    fitted("no y", TypeError, "y must be .*NoneType: pass x and y", X, None),
    fitted("inputs and targets in one tuple", ValueError, r"x must .*x\[0\] with 12, x\[1\] with 4",
           (X, X[:4])),
    fitted("a list of rows", TypeError, "x must be a tensor or an array; got list", list(X)),
    fitted("a table with a column of texts", TypeError, "x must be .*DataFrame of dtype object",
           GENES),
    fitted("a sparse matrix", TypeError, r"x must be .*csr_matrix: call its toarray\(\)",
           sparse.csr_matrix(X.numpy())),
    fitted("a sparse tensor", TypeError, r"x must be dense.*sparse_coo: call its to_dense\(\)",
           X.to_sparse()),
    fitted("masked measurements", TypeError, "x must have a value everywhere; got a masked",
           masked(X.numpy())),
    fitted("a spectrum", TypeError, "x must hold real numbers; got torch.complex64", X + 0j),
    fitted("a data set", TypeError, "x must be .*TensorDataset: wrap it in a torch DataLoader",
           TensorDataset(X, Y), None),
    fitted("a generator of rows", TypeError, "x must be .*generator: it can be read once",
           (row for row in X)),
    fitted("a file name", TypeError, "x must be .*got str: read the file", "x.npy"),
    fitted("an empty batch", ValueError, r"x must have a row for each sample; got shape \(0, 4\)",
           X[:0], Y[:0]),
    fitted("a loader, and y", TypeError, "y must be left out where x is a DataLoader", pairs(X, Y)),
    fitted("a loader of x only", TypeError, "x must be a DataLoader whose.*list of 1",
           pairs(X), None),
    fitted("a loader of nothing", ValueError, "x must be a DataLoader with at least one batch",
           pairs(X[:0], Y[:0]), None),
    fitted("counts as x", RuntimeError, r"must have the same dtype[\s\S]*x: \(12, 4\) torch.int64",
           X.long()),
    fitted("too few inputs", RuntimeError, r"raised by model\(x\), with x: \(12, 3\) torch.float32",
           X[:, :3]),
    fitted("x under another name", TypeError, r"'expression'[\s\S]*with x: \{'expression': \(12",
           {"expression": X}),
    fitted("class numbers as values", RuntimeError, r"raised by crit[\s\S]*y: \(12,\) torch.int64",
           X, Y[:, 0].long(), crit=nn.PoissonNLLLoss()),
    fitted("a model that gives a tuple", AttributeError,
           r"prediction: a tuple of \(12, 3\) torch.float32, \(12, 4\)", model=PAIR),
    fitted("a model that gives an array", TypeError, "with prediction: ndarray, y:", model=ARRAY),
    fitted("a loss of each sample", ValueError, r"crit.* one number.*\(12, 3\) .*reduce the loss",
           crit=nn.MSELoss(reduction="none")),
    fitted("a loss as a number", ValueError, r"crit.*got float: .*without .item\(\)",
           crit=lambda p, y: MSE(p, y).item()),
    fitted("a loss in NumPy", ValueError, r"crit.*got float32: .*numpy\(\)",
           crit=lambda p, y: np.square(p.detach().numpy()).mean()),
    fitted("a loss of what was detached", ValueError, "crit.*one without a gradient",
           crit=lambda p, y: MSE(p.detach(), y)),
    fitted("the class of a loss", TypeError, r"crit must be a loss.*make one, MSELoss\(\)",
           crit=nn.MSELoss),
    fitted("the name of a loss", TypeError, "crit must be a callable.*got 'mse'", crit="mse"),
    fitted("a loss and its parts", ValueError, "crit.*got tuple",
           crit=lambda p, y: (MSE(p, y), {})),
    made_without_model("the file of a model", TypeError, "model must be .*got str", "model.pt"),
    made_without_model("the class of a model", TypeError, "model must be .*got type", TinyGSNN),
    fitted("one layer", ValueError, "model must have at least 2 blocks", model=ONE_BLOCK),
    fitted("any network", TypeError, "model must be a GSNN.*got Sequential", model=PERCEPTRON),
    fitted("a device without a driver", ValueError, "device='xpu' must be a torch device",
           own={"device": "xpu", "backend": "numpy"}),
    fitted("a third correlation", ValueError, "method must be one of .*'kendall'",
           method="kendall"),
    fitted("percent", ValueError, "penalty_factor .*got 50.0: give a share", penalty_factor=50),
    fitted("rows of a chunk as a float", TypeError, "row_chunk must be a whole number; got 64.0",
           row_chunk=64.0),
    fitted("a generator for a seed", TypeError, r"seed must be a whole number; got Generator\(",
           seed=np.random.default_rng(0)),
    fitted("no draws", ValueError, "estimate_iters must be at least 1; got 0", estimate=True,
           estimate_iters=0),
    fitted("a share of the samples", TypeError, "estimate_n_samples must .*got 0.8",
           estimate=True, estimate_n_samples=0.8),
    fitted("one sample of one layer", ValueError, "rows.* of x must be at least 3; got 1", X[:1],
           Y[:1], layers=0),
    fitted("names of all nodes", ValueError, "node_names must hold a name for each of 6 nodes",
           own={"node_names": [*NODES, "input"]}),
]  # fmt: skip

INFER = [
    inferred("a score of another paper", ValueError, "score must be one of .*'hsic'", score="hsic"),
    inferred("components of magnitudes", ValueError, "n_components=2 needs score='channels'",
             score="magnitude", n_components=2),
    inferred("a layer that is not there", ValueError, "layers must be .*0 .. 1; got 2",
             score="magnitude", layers=2),
    inferred("all layers", ValueError, "layers must be one of .*'all'", score="magnitude",
             layers="all"),
    inferred("layers from the back", ValueError, "layers must be at least 0; got -1",
             score="magnitude", layers=-1),
    inferred("half a direction", TypeError, "n_components must be a whole number; got 0.5",
             n_components=0.5),
    inferred("two samples of each layer", ValueError, "rows.* of x must be at least 3; got 2",
             X[:2], Y[:2], score="magnitude", layers="mean"),
    inferred("draws of two samples", ValueError, "estimate_n_samples must be at least 3; got 2",
             score="magnitude", layers="last", estimate=True, estimate_n_samples=2),
    inferred("a loader of three", TypeError, "x must be a DataLoader whose.*list of 3",
             pairs(X, X, Y), None, score="magnitude"),
    inferred("a typo in an option", TypeError, "infer has no option estimates", estimates=True),
]  # fmt: skip

CAPTURE = [
    captured("no for a flag", TypeError, "use_prenorm must be True or False; got 'no'",
             use_prenorm="no"),
    captured("arguments in a list", TypeError, r"forward_kwargs must be a mapping.*got \[1, 2\]",
             forward_kwargs=[1, 2]),
    captured("an argument twice", ValueError, "forward_kwargs must not repeat.*got x in both",
             {"x": X}, forward_kwargs={"x": X}),
    captured("an argument that it has not", TypeError, r"'mask'[\s\S]*raised by model\(x\)",
             forward_kwargs={"mask": None}),
    captured("the mode of training", ValueError, "mode must be one of 'eval'; got 'train'",
             mode="train"),
    captured("rows at a time as a text", TypeError, "batch_size must be .*got '32'",
             batch_size="32"),
    captured("parts of a loss of unknown kind", ValueError, "batch_size needs to know.* got None",
             crit=lambda p, y: ((p - y) ** 2).mean(), batch_size=4),
    captured("a third reduction", ValueError, "loss_reduction must be one of .*'none'",
             loss_reduction="none"),
    captured("groups alone", ValueError, "groups must come with blocks", groups=[0, 1]),
    captured("a typo in a block", ValueError, r"blocks\[0\] must .*'ResBlock.0'",
             blocks=["ResBlock.0", "ResBlock.1"]),
    captured("blocks of a copy", ValueError, r"blocks\[0\] must be a module .*from a copy",
             blocks=list(TinyGSNN().ResBlocks)),
    captured("blocks by number", TypeError, r"blocks\[0\] must be .*got int", blocks=[0, 1]),
    captured("blocks backwards", ValueError, r"blocks once each, in the order.*blocks\[1\]",
             blocks=["ResBlocks.1", "ResBlocks.0"]),
    captured("groups of another width", ValueError, r"groups and the output .*\(12, 5\).*\(12, 3\)",
             blocks=["encode", "decode"], groups=range(5)),
    captured("groups by name", TypeError, r"groups\[0\] must give a node index.*<U2.*: number",
             blocks=["encode", "decode"], groups=NODES[:5]),
    captured("names by kind", TypeError, "node_names must be a sequence of 6 names; got dict",
             node_names={"function": NODES}),
]  # fmt: skip

CORRELATION = [
    correlated("rows in lists", TypeError, "a must be an array.*got list: convert", RNA.tolist(),
               PROTEIN),
    correlated("a frame", TypeError, "g must be an array.*got DataFrame", RNA,
               pd.DataFrame(PROTEIN)),
    correlated("genes in rows", ValueError, r"a and g .*observations \(rows\); got 4 and 12",
               RNA.T, PROTEIN),
    correlated("one column", ValueError, r"a must have 2 dimensions.*\(12,\)", RNA[:, 0], PROTEIN),
    correlated("one sample", ValueError, "a and g must have at least 2 observations", RNA[:1],
               PROTEIN[:1]),
    correlated("missing values", ValueError, "a must be finite; got 1 NaN", with_nan(RNA), PROTEIN),
    correlated("missing values behind a mask", TypeError, "a must have a value.*masked",
               masked(RNA), PROTEIN),
    correlated("two libraries", TypeError, "a and g must be of one library; got numpy and torch",
               RNA, torch.from_numpy(PROTEIN)),
    correlated("a sparse side", TypeError, "g must be dense; got torch.sparse_coo", RNA,
               torch.from_numpy(PROTEIN).to_sparse()),
    correlated("a SciPy matrix", TypeError, "a must be an array.*csr_array: call its toarray",
               sparse.csr_array(RNA), PROTEIN),
    correlated("complex", TypeError, "a must hold real .*complex128", RNA * 1j, PROTEIN),
    correlated("a device alone", ValueError, "device='cuda' needs backend=", RNA, PROTEIN,
               device="cuda"),
    correlated("float64 on JAX", ValueError, "a of dtype float64 .*jax_enable_x64", RNA, PROTEIN,
               backend="jax"),
    correlated("a module as backend", ValueError, "backend must be .*<module 'numpy'", RNA, PROTEIN,
               backend=np),
    correlated("chunks by themselves", TypeError, "row_chunk must .*'auto'", RNA, PROTEIN,
               row_chunk="auto"),
]  # fmt: skip

RANKS = [
    ranked("a list", TypeError, "x must be an array.*got list", [3.0, 1.0]),
    ranked("a series", TypeError, "x must be an array.*got Series", pd.Series([3.0, 1.0])),
    ranked("a missing value", ValueError, "x must be finite.*column 0", np.array([1.0, np.nan])),
    ranked("dense ranks, as SciPy", ValueError, "ties must be one of .*'dense'", RNA, ties="dense"),
    ranked("all axes, as SciPy", TypeError, "axis must be a whole number; got None", RNA,
           axis=None),
    ranked("a third axis", ValueError, "axis must lie in -2 .. 1 .*got 2", RNA, axis=2),
    ranked("texts", TypeError, "x must hold real numbers; got dtype <U4",
           np.array(["high", "low"])),
    ranked("one number", TypeError, "x must be an array.*got float", 3.0),
]  # fmt: skip

MRR = [
    scored("W as lists", TypeError, "A must be an array.*got list", W.tolist(), HELD_OUT, EDGES),
    scored("evidence for W", TypeError, "A must be .*EdgeEvidence: pass the W that", EVIDENCE,
           HELD_OUT, EDGES),
    scored("a masked W", TypeError, "A must have a value everywhere", masked(W), HELD_OUT, EDGES),
    scored("W with NaN", ValueError, "A must be finite", with_nan(W), HELD_OUT, EDGES),
    scored("pairs", ValueError, "edge_index .*transpose", W, [(0, 1), (1, 2), (2, 3)], EDGES),
    scored("pairs of truth", ValueError, "all_true_edges .*transpose", W, HELD_OUT,
           [(0, 1), (1, 2), (2, 3)]),
    scored("edges of a larger graph", ValueError, "edge_index .*0 .. 5.*got 7", W, HELD_OUT + 4,
           EDGES),
    scored("no truth", TypeError, "all_true_edges must be an array.*got None", W, HELD_OUT, None),
    scored("W and edges the wrong way round", ValueError, r"edge_index must have shape .*\(6, 6\)",
           EDGES, W, EDGES),
    scored("half a chunk", TypeError, "query_chunk_size .*got 1000.0", W, HELD_OUT, EDGES, 1e3),
]  # fmt: skip

EVALUATION = [
    evaluated("heads", ValueError, "direction must be .*'heads'", W, HELD_OUT, direction="heads"),
    evaluated("one k", TypeError, "ks must be a list of whole numbers; got 10", W, HELD_OUT, ks=10),
    evaluated("k as a share", TypeError, "ks must be a whole number; got 0.1", W, HELD_OUT,
              ks=[0.1]),
    evaluated("k beyond all", ValueError, "ks must not exceed 6.*got 100", W, HELD_OUT, ks=[100]),
    evaluated("a rule without names", ValueError, r"candidates='P\* -> P\*' .*give node_names", W,
              HELD_OUT, candidates="P* -> P*"),
    evaluated("a rule that no node fits", ValueError, r"candidates .*'p\*' .*matches none", W,
              HELD_OUT, candidates="p* -> P*", node_names=NODES),
    evaluated("a rule without an arrow", ValueError, r"candidates must be rules.*'P\*'", W,
              HELD_OUT, candidates="P*", node_names=NODES),
    evaluated("a mask of numbers", TypeError, "candidates must be a mask .*float64: compare", W,
              HELD_OUT, candidates=np.ones((6, 6))),
    evaluated("a mask of a part", ValueError, r"candidates must have the shape of A.*\(3, 3\)", W,
              HELD_OUT, candidates=np.ones((3, 3), bool)),
    evaluated("a function for a mask", TypeError, "candidates must be a mask .*<function", W,
              HELD_OUT, candidates=mrr),
    evaluated("queries outside", ValueError, "edge_index must hold candidates; 2 of its 2", W,
              HELD_OUT, candidates=np.eye(6, dtype=bool)),
    evaluated("no queries", ValueError, "edge_index must hold at least one edge", W, [[], []]),
    evaluated("names of the inputs too", ValueError, "node_names must name each of the 6 .*got 12",
              W, HELD_OUT, node_names=NODES * 2),
    evaluated("names by kind", TypeError, "node_names must be a sequence of strings; got {", W,
              HELD_OUT, node_names={"function": NODES}),
    evaluated("95", ValueError, "confidence .*got 95.0: give a share", W, HELD_OUT, confidence=95),
    evaluated("ten resamples", ValueError, "n_resamples must be at least 100; got 10", W, HELD_OUT,
              n_resamples=10),
    evaluated("a seed of text", TypeError, "seed must be a whole number; got 'paper'", W, HELD_OUT,
              seed="paper"),
    evaluated("a metric by name", TypeError, "pool_metrics must be True or False; got 'auroc'", W,
              HELD_OUT, pool_metrics="auroc"),
    evaluated("no as a flag", TypeError, "exclude_self must be True or False; got 'no'", W,
              HELD_OUT, exclude_self="no"),
    evaluated("W of rows only", ValueError, r"A must be square.*\(6, 3\)", W[:, :3], HELD_OUT),
]  # fmt: skip

EVIDENCE_MADE = [
    kept("a part of W", ValueError, r"W must be square.*\(4, 6\)", W[:4]),
    kept("a frame of W", TypeError, "W must be an array.*DataFrame", pd.DataFrame(W)),
    kept("names of the wrong matrix", ValueError, "node_names must name each.*got 4", W,
         NODES[:4]),
    kept("the same name again", ValueError, "node_names must be different; got 'P0'", W,
         ["P0", *NODES[:5]]),
    kept("numbers for names", TypeError, "node_names must be strings; got 0", W, range(6)),
    kept("known edges by name", TypeError, "known_edges .*<U2: map node names", W, NODES,
         known_edges=[["P0"], ["P1"]]),
    kept("known edges from 1", ValueError, "known_edges .*0 .. 5.*got 6", W, known_edges=EDGES + 1),
    kept("a count alone", TypeError, "counts must be a mapping .*got 500", W, counts=500),
    kept("a tensor among settings", TypeError, "settings must be a mapping .*tensor", W,
         settings={"mask": torch.ones(2)}),
    kept("one spread", TypeError, "std must be an array.*float", W, std=0.1),
]  # fmt: skip

top, to_frame, to_edge_index = by("top"), by("to_frame"), by("to_edge_index")
to_networkx, evaluate = by("to_networkx"), by("evaluate")
save, load, to = by("save"), by("load"), by("to")
nameless_top = called(NAMELESS.top, "EdgeEvidence.top")
mean, rank_mean = by("mean"), by("rank_mean")

EVIDENCE_ASKED = [
    top("none", ValueError, "k must be at least 1; got 0", 0),
    top("one tenth", TypeError, "k must be a whole number; got 0.1", 0.1),
    top("a number as a text", TypeError, "k must be a whole number; got '10'", "10"),
    top("known edges out, without any", ValueError, "exclude_known=True needs known edges", 3,
        exclude_known=True),
    nameless_top("a rule about nameless nodes", ValueError, r"candidates='\* -> P1' .*give node",
                 3, candidates="* -> P1"),
    to_frame("minus five", ValueError, "k must be at least 1; got -5", -5),
    to_frame("scores as candidates", TypeError, "candidates must be a mask .*float32",
             candidates=W.astype(np.float32)),
    to_frame("indices as candidates", TypeError, "candidates must be a mask .*int64",
             candidates=[1, 2]),
    to_frame("a flag as a number", TypeError, "exclude_self must be True or False; got 0",
             exclude_self=0),
    to_frame("a typo in a rule", ValueError, r"candidates must match nodes; 'RNA\*'",
             candidates="P* -> RNA*"),
    to_edge_index("all", TypeError, "k must be a whole number; got None", None),
    to_edge_index("a threshold", TypeError, "k must be a whole number; got 0.5", 0.5),
    to_edge_index("three patterns", ValueError, r"candidates must be rules.*P0 -> P1 -> P2", 3,
                  candidates="P0 -> P1 -> P2"),
    to_edge_index("yes", TypeError, "exclude_known must be True or False; got 'yes'", 3,
                  exclude_known="yes"),
    to_edge_index("no rule", ValueError, "candidates must hold at least one rule", 3,
                  candidates=[]),
    to_networkx("neither", ValueError, "k or threshold must .*k=None, threshold=None"),
    to_networkx("both", ValueError, "k or threshold must .*k=3, threshold=0.5", 3, threshold=0.5),
    to_networkx("a word", TypeError, "threshold must be a number; got 'high'", threshold="high"),
    to_networkx("nan", ValueError, "threshold must be a number; got nan", threshold=np.nan),
    to_networkx("a tenth", TypeError, "k must be a whole number; got 0.2", 0.2),
    evaluate("names", TypeError, "edge_index .*<U2: map node names", [["P0"], ["P1"]]),
    evaluate("pairs", ValueError, r"edge_index .*\(5, 2\): transpose", [(0, 1)] * 5),
    evaluate("another graph", ValueError, "edge_index .*0 .. 5.*got 20, 21", HELD_OUT + 20),
    evaluate("one resample", ValueError, "n_resamples must be at least 100; got 1", HELD_OUT,
             n_resamples=1),
    evaluate("a typo in a cluster", ValueError, "cluster must be one of .*'target'", HELD_OUT,
             cluster="target"),
    evaluate("a k of nothing", ValueError, "ks must be at least 1; got 0", HELD_OUT, ks=[0, 1]),
    save("a folder", IsADirectoryError, "path must be a file.* is a folder: add a name", FOLDER),
    save("a folder to be made", FileNotFoundError, "path must lie in a folder that is there.*make",
         f"{FOLDER}/not/there.npz"),
    save("nothing", TypeError, "path must be a text or a path; got NoneType", None),
    save("an empty name", IsADirectoryError, r"path must be a file; '\.' is a folder", ""),
    save("a list", TypeError, "path must be a text or a path; got list", ["e.npz"]),
    load("what is not there", FileNotFoundError, "path must be .*there is none at .*gone.npz",
         f"{FOLDER}/gone.npz"),
    load("a folder", IsADirectoryError, "path must be a file; '/' is a folder", "/"),
    load("a table", ValueError, "path must be a whole file .*mistakes.py.* of another kind",
         __file__),
    load("evidence", TypeError, "path must be a text or a path; got EdgeEvidence", EVIDENCE),
    load("the bytes of a file", TypeError, "path must be a text or a path; got bytes", b"PK"),
    to("a device for a backend", ValueError, "backend must be one of .*'cuda'", "cuda"),
    to("a module", ValueError, "backend must be one of .*<module 'torch'", torch),
    to("a device that nobody has", ValueError, "device='graphics' must be a device", "torch",
       "graphics"),
    to("a GPU of NumPy", ValueError, "device must be None or 'cpu' .*'gpu'", "numpy", "gpu"),
    to("a TPU", ValueError, "device='tpu': JAX finds", "jax", "tpu"),
    mean("no member", ValueError, "members must hold at least one", []),
    mean("matrices", TypeError, "members must be EdgeEvidence; got ndarray: make", [W, W]),
    mean("nothing", TypeError, "members must be a sequence .*NoneType", None),
    mean("with and without names", ValueError, "members must .*differ in node_names",
         [EVIDENCE, NAMELESS]),
    mean("two methods", ValueError, "members must .*differ in method: 'spearman', 'pearson'",
         [EVIDENCE, EdgeEvidence(W, NODES, method="pearson")]),
    rank_mean("files", TypeError, "members must be EdgeEvidence; got str", ["a.npz", "b.npz"]),
    rank_mean("another order", ValueError, r"members must .*\['P5', ",
              [EVIDENCE, EdgeEvidence(W, NODES[::-1])]),
    rank_mean("another size", ValueError, r"members must .*shape: \(6, 6\), \(3, 3\)",
              [NAMELESS, EdgeEvidence(W[:3, :3])]),
    rank_mean("how many", TypeError, "members must be a sequence .*got int", 3),
    rank_mean("tensors", TypeError, "members must be EdgeEvidence; got Tensor",
              [torch.from_numpy(W)]),
]  # fmt: skip

ESTIMATED = {"estimate": True, "estimate_iters": 5, "estimate_n_samples": 50}


def bounded(name, error, phrase, *arguments, **settings):
    """A row about the interval of evidence with draws."""

    def call():
        made = {"counts": {"samples": 12}, "settings": ESTIMATED | settings}
        return EdgeEvidence(np.tanh(W), NODES, std=abs(W), **made).interval(*arguments)

    return Wrong(name, "EdgeEvidence.interval", call, error, phrase)


INTERVALS = [
    bounded("percent", ValueError, "confidence must lie .*got 99.0: give a share", 99),
    bounded("no confidence", ValueError, "confidence must be above 0; got 0", 0),
    bounded("a level as a text", TypeError, "confidence must be a number .*'95%'", "95%"),
    bounded("norms of channels", ValueError, "W of correlations.*score='channels'",
            score="channels"),
    bounded("softened scores", ValueError, "W of correlations.*penalty_factor=0.2",
            penalty_factor=0.2),
    bounded("no draws", ValueError, "needs a W with a standard error.*estimate=True",
            estimate=False),
]  # fmt: skip

SPLIT = [
    split("a share is missing", ValueError, "fractions .*add up to 0.9", EDGES, (0.8, 0.1), seed=0),
    split("percent", ValueError, "fractions .*add up to 100", EDGES, (80, 10, 10), seed=0),
    split("one share", TypeError, "fractions must be a sequence of numbers; got 0.8", EDGES, 0.8,
          seed=0),
    split("shares by name", TypeError, "fractions .*'train'", EDGES, {"train": 0.8, "test": 0.2},
          seed=0),
    split("no seed", TypeError, "seed must be a whole number; got None", EDGES, seed=None),
    split("pairs", ValueError, r"edge_index .*\(7, 2\): transpose", [(0, 1)] * 7, seed=0),
    split("too few to stay connected", ValueError, "fractions must leave .*3 of 3", EDGES,
          (0.5, 0.5), seed=0, keep_connected=True),
    split("no as a flag", TypeError, "keep_connected must be True or False; got 'no'", EDGES,
          seed=0, keep_connected="no"),
    split("a kind for some", TypeError, "stratify must hold labels of one type", EDGES, seed=0,
          stratify=["PPI", None, "TF"]),
    split("a column name", TypeError, "stratify must be an array.*'kind'", EDGES, seed=0,
          stratify="kind"),
    split("names for a number of nodes", TypeError, r"nodes must .*\['P0', 'P1'", EDGES, seed=0,
          nodes=NODES),
]  # fmt: skip

RECOVERY = [
    recovered("W itself", TypeError, "infer must be a callable.*ndarray", W, EDGES, fraction=0.3,
              seed=0),
    recovered("all edges", ValueError, "fraction must lie in .*got 1.0", lambda keep: W, EDGES,
              fraction=1, seed=0),
    recovered("percent", ValueError, "fraction must lie .*got 20.0: give a share", lambda keep: W,
              EDGES, fraction=20, seed=0),
    recovered("too small a share", ValueError, "fraction must hide at least one.*0.01 of 3",
              lambda keep: W, EDGES, fraction=0.01, seed=0),
    recovered("no repeats", ValueError, "repeats must be at least 1; got 0", lambda keep: W, EDGES,
              fraction=0.3, repeats=0, seed=0),
    recovered("forgets to return", TypeError, r"infer\(keep\) returns must be an array.*NoneType",
              lambda keep: None, EDGES, fraction=0.3, seed=0),
    recovered("gives evidence", TypeError, r"infer\(keep\) returns .*EdgeEvidence: pass the W",
              lambda keep: EVIDENCE, EDGES, fraction=0.3, seed=0),
    recovered("edges of another matrix", ValueError, "edge_index .*0 .. 2", lambda keep: W[:3, :3],
              EDGES, fraction=0.3, seed=0),
]  # fmt: skip

WEIGHTS = [
    tracked("weights for a model", TypeError, "model must be .*OrderedDict",
            model=MODEL.state_dict()),
    tracked("W itself", TypeError, "infer must be a callable; got ndarray", infer=W),
    tracked("a metric by name", TypeError, "metric must be a callable; got str", metric="mrr"),
    tracked("every half epoch", TypeError, "every must be a whole number; got 0.5", every=0.5),
    tracked("no edges to find", ValueError, "edge_index must hold an edge to validate by",
            edge_index=[[], []]),
    tracked("no truth", TypeError, "all_true_edges must be an array.*'all'", all_true_edges="all"),
    tracked("the loss for the epoch", TypeError, "epoch must be a whole number; got 0.25", 0.25),
    tracked("forgets to return", TypeError, r"infer\(\) gives must be an array.*NoneType", 0,
            infer=lambda: None),
    tracked("all metrics", TypeError, "metric must give a number; got LinkRanking", 0,
            metric=lambda *given: evaluate_edges(*given, n_resamples=None)),
    tracked("edges of another matrix", ValueError, "edge_index .*0 .. 1", 0,
            infer=lambda: W[:2, :2]),
]  # fmt: skip

BACKENDS = [
    loaded("a name in capitals", ValueError, "backend must be one of .*'NumPy'", "NumPy"),
    loaded("a backend to come", ValueError, "backend must be one of .*'cupy'", "cupy"),
    loaded("a device of CUDA's name", ValueError, "device='gpu' must .*torch says", "torch", "gpu"),
    loaded("a device that JAX has not", ValueError, "device='rocm:3': JAX finds", "jax", "rocm:3"),
    loaded("a number for a device of JAX", ValueError, "device='1': JAX finds", "jax", 1),
    loaded("a device of the generic one", ValueError, "device must be None or 'cpu'.*'mps'",
           "generic", "mps"),
    owned("a tuple", TypeError, "x must be an array.*got tuple", (1, 2)),
    owned("a name", TypeError, "x must be an array.*got str", "numpy"),
    owned("a frame", TypeError, "x must be an array.*got DataFrame", pd.DataFrame(RNA)),
    owned("nothing", TypeError, "x must be an array.*got NoneType", None),
    owned("an object array", TypeError, "x must hold real .*dtype object", np.array([None])),
    owned("a mask", TypeError, "x must hold real .*dtype bool", RNA > 0),
    checked("another library", ValueError, "backend must be one of .*'tensorflow'", "tensorflow"),
    checked("an array", ValueError, "backend must be one of .*array", RNA),
    checked("several", ValueError, r"backend must be one of .*\['numpy', 'torch'\]",
            ["numpy", "torch"]),
    checked("a GPU by its maker", ValueError, "device='nvidia' must be a device", "torch",
            "nvidia"),
    checked("a second CPU of NumPy", ValueError, "device must be None or 'cpu'.*'cpu:1'", "numpy",
            "cpu:1"),
    moved("a name", TypeError, "ops must be a backend; got 'torch': load it", RNA, "torch"),
    moved("nothing", TypeError, "ops must be a backend; got None", RNA, None),
    moved("a device", TypeError, r"ops must be a backend; got device\(", RNA, torch.device("cpu")),
    moved("a class", TypeError, "ops must be a backend; got <class", RNA, backends.Backend),
    moved("a range", TypeError, "x must be an array.*got range", range(3), backends.load("numpy")),
    moved("complex", TypeError, "x must hold real .*complex128", RNA * 1j, backends.load("numpy")),
]  # fmt: skip

CHANNELS = [
    by_channel("too few nodes", ValueError, "a_nodes must give .*each of the 4 columns", RNA,
               PROTEIN, [0, 0, 1], [0, 1, 1]),
    by_channel("names", ValueError, "g_nodes must give a whole number .*<U2", RNA, PROTEIN,
               [0, 0, 1, 1], ["P0", "P0", "P1"]),
    by_channel("unequal lists", ValueError, "a_nodes must be an array, or lists of equal", RNA,
               PROTEIN, [[0], [0, 1]], [0, 1, 1]),
    by_channel("nodes from -1", ValueError, "g_nodes must hold node indices.*got -1", RNA, PROTEIN,
               [0, 0, 1, 1], [-1, 0, 1]),
    by_channel("fewer nodes than there are", ValueError, "nodes must be at least 2; got 1", RNA,
               PROTEIN, [0, 0, 1, 1], [0, 1, 1], nodes=1),
    by_channel("a share of a component", TypeError, "n_components must .*got 0.9", RNA, PROTEIN,
               [0, 0, 1, 1], [0, 1, 1], n_components=0.9),
    by_channel("two samples", ValueError, "of a and g must be at least 3; got 2", RNA[:2],
               PROTEIN[:2], [0, 0, 1, 1], [0, 1, 1]),
]  # fmt: skip

LAYERS = [
    parted("a wrong number of samples", ValueError, "samples must divide .*12.*got 5", RNA, PROTEIN,
           5),
    parted("no samples", ValueError, "samples must be at least 3; got 0", RNA, PROTEIN, 0),
    parted("samples as a float", TypeError, "samples must be a whole number; got 4.0", RNA, PROTEIN,
           12 / 3),
    parted("lists", TypeError, "g must be an array.*got list", RNA, PROTEIN.tolist(), 4),
    parted("layers apart", ValueError, r"a must have 2 dimensions.*\(3, 4, 4\)",
           RNA.reshape(3, 4, 4), PROTEIN, 4),
    parted("nothing", TypeError, "a must be an array.*got NoneType", None, PROTEIN, 4),
]  # fmt: skip

CAPTURE_CHANNELS = [
    kept_apart("blocks of several widths", ValueError, "model must have the same channels",
               model=MODEL),
    kept_apart("a norm, which takes signs", TypeError, "unexpected keyword argument 'norm'",
               model=EVEN, norm="l1"),
    kept_apart("labels in x", TypeError, "x must be .*of dtype <U1: cast it",
               np.array([list("abcd")] * 12), model=EVEN),
    kept_apart("y beside x of another batch", ValueError, "x and y .*got 12 and 7", X, Y[:7],
               model=EVEN),
    kept_apart("a missing loss", TypeError, "crit must be a callable.*None", model=EVEN, crit=None),
    kept_apart("too small a seed", ValueError, "seed must be at least 0; got -1", model=EVEN,
               seed=-1),
    kept_apart("arguments as a text", TypeError, "forward_kwargs must be .*'edge_mask'", model=EVEN,
               forward_kwargs="edge_mask"),
]  # fmt: skip

BASELINES = [
    compared("W without a name", TypeError, "scores must map names to matrices.*ndarray", W),
    compared("two sizes", ValueError, "scores must be matrices of the same nodes",
             {"W": W, "V": W[:3, :3]}),
    compared("the name of a baseline", ValueError, "scores must not be named as .*random",
             {"random": W}),
    compared("held-out edges among the known", ValueError, "known_edges must not hold queries; 2",
             known_edges=EDGES),
    compared("inputs without outputs", ValueError, "perturbations must come with measured",
             perturbations=(X.numpy(), [0, 1, 2, 3])),
    compared("one untrained matrix", TypeError, "untrained must be a callable.*ndarray",
             untrained=W),
    compared("an untrained model of another score", ValueError, "untrained must be for scores",
             untrained={"V": [W]}),
    drawn_anew("a matrix to be like", TypeError, "like must be the EdgeEvidence of infer", like=W),
    drawn_anew("no seeds", ValueError, "seeds must be at least 1; got 0", seeds=0),
    drawn_anew("seeds in a list", TypeError, r"seeds must be a whole number; got \[0, 1\]",
               seeds=[0, 1]),
    drawn_anew("a reset by name", TypeError, "reset must be a callable.*str", reset="xavier"),
    drawn_anew("weights that nothing resets", ValueError, "model must have reset_param.*Scaled has",
               model=SCALED),
    drawn_anew("a penalty in words", TypeError, "penalty_factor must be a number .*'none'",
               penalty_factor="none"),
    drawn_anew("x too short", ValueError, "x and y .*got 11 and 12", X[:-1]),
]  # fmt: skip

P = np.random.default_rng(3).random((4, 3))
R = cross_correlation(RNA, PROTEIN)

SIGNIFICANCE = [
    adjusted("p in a list", TypeError, "p must be an array.*got list", P.tolist()),
    adjusted("Bonferroni", ValueError, "method must be one of .*'bonferroni'", P,
             method="bonferroni"),
    adjusted("z for p", ValueError, r"p must hold p-values in \[0, 1\].*12 values", P + 2),
    adjusted("missing p", ValueError, r"p must hold p-values .*1 values outside or NaN",
             with_nan(P)),
    adjusted("a mask of numbers", TypeError, "candidates must hold bools.*float64", P,
             candidates=P),
    adjusted("a mask of the transpose", ValueError, r"candidates must .*\(4, 3\); got \(3, 4\)", P,
             candidates=P.T < 1),
    resampled("one draw", ValueError, "n_resamples must be at least 2; got 1", RNA, PROTEIN, 4,
              n_resamples=1),
    resampled("90 %", ValueError, "confidence .*got 90.0: give a share", RNA, PROTEIN, 4,
              confidence=90),
    resampled("another sample size", ValueError, "samples must divide .*12.*got 7", RNA, PROTEIN,
              7),
    resampled("a seed as a text", TypeError, "seed must be a whole number; got '0'", RNA, PROTEIN,
              4, seed="0"),
    resampled("Kendall", ValueError, "method must be .*'tau'", RNA, PROTEIN, 4, method="tau"),
    counted("one sample", ValueError, "samples must be at least 3; got 1", RNA, PROTEIN, 1),
    counted("half a sample", TypeError, "samples must be a whole number; got 1.5", RNA, PROTEIN,
            1.5),
    counted("a list", TypeError, "a must be an array.*got tuple", tuple(RNA), PROTEIN, 4),
    counted("g of other rows", ValueError, "a and g .*got 12 and 8", RNA, PROTEIN[:8], 4),
    counted("NaN in g", ValueError, "g must be finite; got 1 NaN", RNA, with_nan(PROTEIN), 4),
    by_z("no W", TypeError, "W must be an array.*float", 0.3, 100),
    by_z("a penalised W", ValueError, r"W must hold correlations in \[-1, 1\]", 5 * R, 100),
    by_z("two samples", ValueError, "n must be finite and above.*got 2", R, 2),
    by_z("n of another matrix", ValueError, r"n must be a number or have .*got \(3, 4\)", R,
         np.ones((3, 4))),
    by_z("n as a text", TypeError, "n must be a number or an array.*'many'", R, "many"),
    by_z("one side", ValueError, "alternative must be one of .*'one'", R, 100, alternative="one"),
    moments("another sample size", ValueError, "samples must divide .*12.*got 9", RNA, PROTEIN, 9),
    moments("samples missing", TypeError, "samples must be a whole number; got None", RNA, PROTEIN,
            None),
    moments("one axis", ValueError, r"g must have 2 dimensions.*\(12,\)", RNA, PROTEIN[:, 0], 4),
    moments("half precision", ValueError, "precision must be one of .*'float16'", RNA, PROTEIN, 4,
            precision="float16"),
    moments("a device alone", ValueError, "device='cuda:1' needs backend=", RNA, PROTEIN, 4,
            device="cuda:1"),
    permuted("no permutation", ValueError, "n_resamples must be at least 1; got 0", RNA, PROTEIN,
             4, n_resamples=0),
    permuted("the nodes of one side", ValueError, "a_nodes and g_nodes must .*g_nodes=None", RNA,
             PROTEIN, 4, a_nodes=[0, 0, 1, 1]),
    permuted("a sign of a norm", ValueError, "alternative must be 'greater'", RNA, PROTEIN, 4,
             a_nodes=[0, 0, 1, 1], g_nodes=[0, 1, 1]),
    permuted("two samples", ValueError, "samples must be at least 3; got 2", RNA, PROTEIN, 2),
    permuted("a fourth layer pair of three", ValueError, "layers must be .*0 .. 2; got 3", RNA,
             PROTEIN, 4, layers=3),
    permuted("components of columns", ValueError, "n_components=2 needs a_nodes and g_nodes", RNA,
             PROTEIN, 4, n_components=2),
    permuted("smaller", ValueError, "alternative must be one of .*'smaller'", RNA, PROTEIN, 4,
             alternative="smaller"),
    permuted("layers for samples", ValueError, "samples must divide .*12.*got 8", RNA, PROTEIN, 8),
    permuted("permutations in science", TypeError, "n_resamples must be .*got 1000.0", RNA,
             PROTEIN, 4, n_resamples=1e3),
    held_fixed("nothing to hold", ValueError, "conditions or parents; got neither", RNA, PROTEIN),
    held_fixed("both", ValueError, "conditions or parents; got both", RNA, PROTEIN, RNA,
               parents=[[0], [0]]),
    held_fixed("conditions of other rows", ValueError, "conditions must have the obs.*8 and 12",
               RNA, PROTEIN, RNA[:8]),
    held_fixed("parents that are no columns", ValueError, "parents .*sources in 0 .. 3.*got 4", RNA,
               PROTEIN, parents=[[4], [0]]),
    held_fixed("more held than measured", ValueError, "a and g must have at least 13 obs.*got 12",
               RNA, PROTEIN, np.tile(RNA, (1, 3))[:, :10]),
    held_fixed("conditions in a frame", TypeError, "conditions must be an array.*DataFrame", RNA,
               PROTEIN, pd.DataFrame(RNA)),
]  # fmt: skip

WRONG_CALLS = [
    *SIGNIFICANCE,
    *CAPTURE_CHANNELS, *BASELINES,
    *INFERER, *FIT, *INFER, *CAPTURE, *CORRELATION, *RANKS, *MRR, *EVALUATION, *EVIDENCE_MADE,
    *EVIDENCE_ASKED, *INTERVALS, *SPLIT, *RECOVERY, *WEIGHTS, *BACKENDS, *CHANNELS, *LAYERS,
    *ON_DISK,
]  # fmt: skip
