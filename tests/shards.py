"""Runs on eight virtual devices: as a script, which has them from the start of JAX.

``python shards.py FOLDER`` writes what each case gives, for tests/sharded/ to look at.
"""

import json
import re
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import columns
import numpy as np

FLAGS = "--xla_force_host_platform_device_count=8"
OBSERVATIONS = 301  # divided by 1 and by 7 only
COLLECTIVES = (
    "all-to-all|all-gather|all-reduce|collective-permute|collective-broadcast|reduce-scatter"
)


def inputs():
    """Columns of every kind: 16 sources, and 13 targets."""
    kinds = [columns.matrix(*columns.kinds(OBSERVATIONS, seed)) for seed in (0, 1)]
    return kinds[0], kinds[1][:, 3:]


def nodes():
    """Nodes of the columns: some with one, some with several, one with none, not in order."""
    rng = np.random.default_rng(3)
    return rng.choice([0, 1, 1, 2, 4, 4, 4, 5], 16), rng.choice([0, 0, 1, 2, 3, 6], 13)


# Name -> devices, options.
PLAIN = {
    **{f"{count} devices": (count, {}) for count in (1, 2, 3, 4, 8)},
    "pearson": (3, {"method": "pearson", "row_chunk": 2}),
    "ordinal": (2, {"ties": "ordinal"}),
}
BLOCKS = {"blocks of 5": (3, {"row_chunk": 5}), "a whole block": (5, {})}
CHANNELS = {"channels": (8, {"row_chunk": 1}), "n_components": (3, {"n_components": 2})}


def main(folder):
    """Run every case."""
    import jax

    found = {**plain(), **blocks(), **channels(), **placed(), **layered(), **standardized()}
    found.update(asked())
    np.savez(folder / "found.npz", **found)
    facts = {"devices": len(jax.devices()), **programs(), "errors": errors()}
    looked_at = ("4 devices", "3 devices", "asked, mesh", "asked, sharded")
    facts["shards"] = {name: shards_of(found[name]) for name in looked_at}
    (folder / "facts.json").write_text(json.dumps(facts))


def plain():
    from gsnn_edges.sharded import sharded_correlation

    a, g = inputs()
    return {
        name: sharded_correlation(a, g, devices=count, **options)
        for name, (count, options) in PLAIN.items()
    }


def blocks():
    """W from its blocks; what no block gives stays NaN."""
    from gsnn_edges.sharded import sharded_blocks

    a, g = inputs()
    found = {}
    for name, (count, options) in BLOCKS.items():
        found[name] = np.full((a.shape[1], g.shape[1]), np.nan, np.float32)
        for top, block in sharded_blocks(a, g, devices=count, **options):
            found[name][top : top + len(block)] = block
    return found


def channels():
    from gsnn_edges import channel_correlation

    a, g = inputs()
    return {
        name: channel_correlation(a, g, *nodes(), backend="jax", devices=count, **options)
        for name, (count, options) in CHANNELS.items()
    }


def placed():
    """Inputs that lie on several devices already, evenly by rows and by columns, or on one."""
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from gsnn_edges.sharded import sharded_correlation

    a, g = inputs()
    mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("hosts", "own"))
    rows = NamedSharding(mesh, PartitionSpec(("hosts", "own")))
    across = NamedSharding(mesh, PartitionSpec(None, "own"))
    return {
        "sharded by rows": sharded_correlation(
            jax.device_put(a[:296], rows), jax.device_put(g[:296], rows)
        ),
        "sharded by columns": sharded_correlation(
            jax.device_put(a, across), jax.device_put(g, jax.devices()[0]), devices=mesh
        ),
    }


def asked():
    """By the public functions, which find out that many devices share the work."""
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from gsnn_edges import channel_correlation, cross_correlation

    a, g = inputs()
    mesh = Mesh(np.array(jax.devices()[:2]), ("rows",))
    there = jax.device_put(a[:300], NamedSharding(mesh, PartitionSpec("rows")))
    return {
        "asked, number": cross_correlation(a, g, backend="jax", devices=3, method="pearson"),
        "asked, mesh": cross_correlation(a, g, backend="jax", devices=mesh, row_chunk=5),
        "asked, sharded": cross_correlation(there, jax.numpy.asarray(g[:300])),
        "asked, channels": channel_correlation(
            a, g, *nodes(), nodes=9, backend="jax", devices=4, n_components=2
        ),
    }


def layered():
    """Three layer pairs of 43 samples: pooled, and averaged."""
    from gsnn_edges.options import CorrelationOptions
    from gsnn_edges.sharded import HostObservations, device_mesh, one_column_each, sharded_task

    found = {}
    sides = [x[:129].reshape(3, 43, -1) for x in inputs()]
    pair = [
        HostObservations(partial(part, x), one_column_each(x.shape[2]), 3, 43, x.dtype)
        for x in sides
    ]
    options = CorrelationOptions(ties="ordinal")
    for name, pooled in {"pooled": True, "mean": False}.items():
        task = sharded_task(*pair, device_mesh(4), options, "float32", pooled=pooled)
        found[name] = task.whole()
    return found


def part(x, samples, columns):
    return x[:, slice(*samples), slice(*columns)]


def task(count, **options):
    from gsnn_edges import sharded
    from gsnn_edges.options import CorrelationOptions

    return sharded._pair_task(*inputs(), CorrelationOptions(devices=count, row_chunk=2, **options))


def standardized():
    """Rows of targets as the devices keep them, in blocks of a few rows where a sort is large."""
    from gsnn_edges import sharded

    found = {"rows": kept_rows(task(4))}
    usual = sharded.BLOCK_ELEMENTS
    sharded.BLOCK_ELEMENTS = 2 * OBSERVATIONS + 1
    found["rows in blocks"] = kept_rows(task(2))
    sharded.BLOCK_ELEMENTS = usual
    return found


def kept_rows(chosen):
    from gsnn_edges import sharded

    nodes = chosen.each(chosen.targets) * chosen.mesh.size
    columns = chosen.g.placed(0, nodes, chosen.mesh)
    room = np.zeros((1, nodes, OBSERVATIONS), np.float32)
    return sharded._add_targets(room, columns, 0, mesh=chosen.mesh, program=chosen.program)[0]


def shards_of(matrix):
    return [list(shard.data.shape) for shard in matrix.addressable_shards]


def programs():
    """Collectives of the compiled programs, and the sizes of their buffers."""
    import jax
    import jax.numpy as jnp

    from gsnn_edges import sharded

    chosen = task(4)
    mesh, program = chosen.mesh, chosen.program
    rows = jax.ShapeDtypeStruct((1, 16, OBSERVATIONS), jnp.float32)

    def rank_only(columns):
        return sharded._ranked(columns, program, program.targets)

    def ring_only(sources, targets):
        return sharded._ring(sources, targets, program)

    specs = {"ranking": (rank_only, sharded._ROWS, sharded._ROWS)}
    specs["ring"] = (ring_only, (sharded._ROWS, sharded._ROWS), sharded._MATRIX)
    ranking, ring = (
        jax.jit(sharded._on_each_device(fn, mesh, inputs, outputs))
        for fn, inputs, outputs in specs.values()
    )
    settings = {"mesh": mesh, "program": program}
    chunk, some = (side.placed(0, 8, mesh) for side in (chosen.a, chosen.g))
    texts = {
        "chunk": sharded._correlate_chunk.lower(chunk, rows, targets=13, batches=2, **settings),
        "targets": sharded._add_targets.lower(rows, some, 0, **settings),
        "ranking": ranking.lower(rows),
        "ring": ring.lower(rows, rows),
    }
    texts = {name: lowered.compile().as_text() for name, lowered in texts.items()}
    return {
        "largest of": {name: max(sizes(text)) for name, text in texts.items()},
        "collectives": {name: collectives(text) for name, text in texts.items()},
        "passed": [size for line in passes(texts["ring"]) for size in sizes(line)],
        "largest": max(sizes(texts["ring"])),
    }


def collectives(text):
    return Counter(re.findall(rf" ({COLLECTIVES})(?:-start)?\(", text))


def passes(text):
    return re.findall(r"= (\S+) collective-permute(?:-start)?\(", text)


def sizes(text):
    """Numbers in each float32 array that a text names."""
    shapes = re.findall(r"f32\[([\d,]+)\]", text)
    return [int(np.prod([int(length) for length in shape.split(",")])) for shape in shapes]


def errors():
    """What is said to wrong calls that need several devices."""
    import jax

    from gsnn_edges.sharded import check_evenness, device_mesh

    calls = {
        "uneven": lambda: check_evenness(50_001, 50_001, "float32", 8),
        "too many": lambda: device_mesh(9),
        "twice": lambda: device_mesh([jax.devices()[0]] * 2),
    }
    return {name: sentence(call) for name, call in calls.items()}


def sentence(call):
    try:
        call()
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
