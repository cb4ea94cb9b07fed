"""The names and signatures that users write; ``python tests/test_public.py`` prints them anew."""

import inspect
from pathlib import Path

import pytest

import gsnn_edges
from gsnn_edges import EdgeEvidence, FunctionEdgeInferer, mrr

SNAPSHOT = Path(__file__).with_name("public.txt")
METHODS = {
    FunctionEdgeInferer: ("fit", "infer"),
    EdgeEvidence: (
        "edges", "evaluate", "fuse", "interval", "load", "mean", "overlap", "rank_mean", "save",
        "standard_error", "to", "to_anndata", "to_edge_index", "to_frame", "to_networkx", "top",
        "top_frequency", "write_graph",
    ),
}  # fmt: skip
# Arguments, order and defaults of the original.
ORIGINAL = {
    FunctionEdgeInferer.__init__: (
        "self, model, crit, edge_index, use_prenorm=True, device='cpu', norm='l1', agg='sum'"
    ),
    # There y had no default; here a DataLoader as x holds both.
    FunctionEdgeInferer.fit: (
        "self, x, y=None, method='spearman', penalty_factor=0.0, scale_by_act_mean=False, "
        "estimate=False, estimate_iters=10, estimate_n_samples=2500, row_chunk=None, verbose=False"
    ),
    mrr: "A, edge_index, all_true_edges, query_chunk_size=2048",
}


def parameters(function):
    """Parameters without annotations."""
    found = inspect.signature(function).parameters.values()
    return [parameter.replace(annotation=parameter.empty) for parameter in found]


def described():
    """All public names, a line each, with their arguments where they are called."""
    for name in sorted(gsnn_edges.__all__):
        thing = getattr(gsnn_edges, name)
        yield line(name, thing)
        for method in METHODS.get(thing, ()) if inspect.isclass(thing) else ():
            yield line(f"{name}.{method}", getattr(thing, method))


def line(name, thing):
    return name + str(inspect.Signature(parameters(thing))) if callable(thing) else name


def test_names_and_signatures_are_those_of_the_snapshot():
    assert list(described()) == SNAPSHOT.read_text().splitlines()


@pytest.mark.parametrize("function", ORIGINAL, ids=lambda function: function.__qualname__)
def test_arguments_of_the_original_are_kept_to_the_letter(function):
    kept = ORIGINAL[function].count(",") + 1
    own = parameters(function)
    assert ", ".join(map(str, own[:kept])) == ORIGINAL[function]
    for parameter in own[kept:]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty


if __name__ == "__main__":
    print(*described(), sep="\n")
