"""gsnn-edges compare."""

import warnings
from collections.abc import Mapping
from typing import Any

import click

from gsnn_edges.cli import options
from gsnn_edges.cli.console import Command, Screen

_INPUTS, _OUTPUTS = ("input", "to", "function"), ("function", "to", "output")


@click.command(
    cls=Command,
    epilog="Example: gsnn-edges compare --model my_model:model --weights seed0.pt --more-weights "
    "seed1.pt --x x.csv --y y.csv --edges held_out.csv --permuted 1 --figure compared.pdf",
)
@options.model
@options.file("--more-weights", "As --weights, of another seed; again for more.", multiple=True)
@options.score
@options.passes
@options.backend("torch")
@options.correlation
@options.file("--known", "Edges of the model's graph; by default the model's.")
@options.file("--edges", "Edges that were held out, to be ranked: as --known.", required=True)
@options.by
@options.file("--perturbed", "Names of the nodes that the columns of --x go to; else the model's.")
@options.file("--measured", "Names of the nodes that the columns of --y are of; else the model's.")
@click.option("--untrained", type=options.SEED, default=5, help="Untrained models to rank by.")
@click.option("--permuted", type=options.SEED, default=0, help="Controls with permuted y.")
@options.choice("--permute", ("rows", "columns"), "Whole rows of y, or each column by itself.")
@options.flag("--exclude-self", "Leave out pairs of a node with itself.")
@click.option("--n-resamples", type=options.SEED, default=1000, help="For intervals; 0 for none.")
@click.option("--top", type=options.POSITIVE, default=20, help="Edges in --out.")
@options.file("--out", "Strongest new edges, and the share of models with each: .csv, ...")
@options.file("--metrics", "All rows: .json.")
@options.file("--figure", "Every row with its interval: .png, .pdf or .svg.")
@click.pass_obj
def compare(
    screen: Screen,
    /,
    more_weights: tuple[str, ...],
    known: str | None,
    edges: str,
    by: str | None,
    perturbed: str | None,
    measured: str | None,
    untrained: int,
    n_resamples: int,
    top: int,
    out: str | None,
    metrics: str | None,
    figure: str | None,
    **settings: Any,
) -> None:
    """Rank held-out edges by trained models and by baselines.

    A trained model has no control with permuted y, as it would have to be trained anew.
    """
    import numpy as np

    from gsnn_edges import baselines
    from gsnn_edges.cli.cmd_evaluate import check_files, without_known
    from gsnn_edges.cli.cmd_infer import edge_columns, make_inferer
    from gsnn_edges.cli.models import read_network
    from gsnn_edges.cli.tables import check_outputs, write_json, write_table
    from gsnn_edges.evidence import EdgeEvidence

    check_files(out, metrics, figure)
    weights = {f"--more-weights {place}": path for place, path in enumerate(more_weights)}
    check_outputs(
        {"--out": out, "--metrics": metrics, "--figure": figure},
        {**options.input_files(settings), "--known": known, "--edges": edges, **weights},
    )
    with screen.work():
        more = [settings | {"weights": path} for path in more_weights]
        models = [read_network(each) for each in (settings, *more)]
        network = models[0]
        known_edges = network.known_edges(known, by)
        if known_edges is None:
            raise ValueError("--known must be given, as the model keeps no edges")
        held_out = without_known(network.read_edges("--edges", edges, by), known_edges)
        inferers = [make_inferer(each, known_edges, settings) for each in models]
        y, x = _node_values(network, measured, perturbed)
    names = ("layers", "n_components", "batch_size", "seed", "mode")
    chosen = {name: settings[name] for name in names}
    members: list[Any] = []
    for place, inferer in enumerate(inferers):
        with screen.work(f"inferring by model {place + 1} of {len(inferers)}"):
            score = members[0].settings["score"] if members else settings["score"]
            data = network.x, network.y, settings["method"]
            members.append(inferer.infer(*data, score=score, **chosen))

    def of_data(_: Any, targets: Any) -> Any:
        return baselines.untrained_scores(
            inferers[0], network.x, targets, like=members[0], seeds=untrained, fresh=network.fresh
        )

    source: Any = of_data
    if y is None or y[0] is not network.y:  # other columns than the model's targets
        source = of_data(None, network.y) if untrained else None
    with screen.work("comparing"):
        compared = baselines.compare(
            {"W": members},
            held_out,
            np.concatenate([known_edges, held_out], axis=1),
            known_edges=known_edges,
            measured=y,
            perturbations=x if y is not None else None,
            untrained=source if untrained else None,
            node_names=network.layers.node_names,
            n_resamples=n_resamples or None,
            **{name: settings[name] for name in ("permuted", "permute", "exclude_self", "seed")},
        )
    best = EdgeEvidence.mean(members).top(top)
    frequency = EdgeEvidence.top_frequency(members, top)
    strongest = edge_columns(best)
    strongest["models"] = [float(frequency[edge.source, edge.target]) for edge in best]
    screen.say(str(compared))
    screen.table(strongest, f"{len(best)} strongest new edges, and the share of models with each")
    result = {"models": len(members), **compared.to_dict()}
    if out is not None:
        write_table(out, strongest, name="--out")
    if metrics is not None:
        write_json(metrics, result, name="--metrics")
    if figure is not None:
        from gsnn_edges import plots

        plots.save(plots.comparison(compared, ax=plots.blank_axes()), figure)
    written = screen.files({"edges": out, "metrics": metrics, "figure": figure})
    screen.json({**result, "files": written})


def _node_values(network: Any, measured: str | None, perturbed: str | None) -> tuple[Any, Any]:
    """Pairs of values and nodes: of the outputs, and of the inputs."""
    import numpy as np

    from gsnn_edges.cli.tables import read_nodes

    graphs = (getattr(module, "edge_index_dict", None) for module in network.model.modules())
    graph: Mapping[Any, Any] = next((g for g in graphs if isinstance(g, Mapping)), {})
    pairs: list[Any] = []
    for option, path, values, kind, own in (
        ("--measured", measured, network.y, _OUTPUTS, 1),
        ("--perturbed", perturbed, network.x, _INPUTS, 0),
    ):
        nodes: Any = None
        if path is not None:
            nodes = read_nodes(path, name=option)[0]
        elif kind in graph:
            ends = np.asarray(graph[kind])
            columns, nodes = ends[own], ends[1 - own]
            order = np.argsort(columns)
            one_each = np.array_equal(columns[order], np.arange(len(values[0])))
            nodes = nodes[order] if one_each and len({*nodes}) == len(nodes) else None
        if nodes is None:
            warnings.warn(
                f"baselines of {option.removeprefix('--')} values are left out, as the model keeps "
                f"no node for each column: give their names by {option}",
                stacklevel=2,
            )
        pairs.append(None if nodes is None else (values, nodes))
    return pairs[0], pairs[1]
