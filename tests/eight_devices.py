"""The sharded correlation on eight virtual devices; `test_sharded` runs this file in a child."""

import re
from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from columns import kinds, matrix
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.testing import assert_allclose, assert_array_equal
from oracles import correlation

from gsnn_edges import channel_correlation, cross_correlation, sharded
from gsnn_edges.options import CorrelationOptions
from gsnn_edges.sharded import sharded_blocks, sharded_correlation

OBSERVATIONS = 301  # divided by 1 and by 7 only
# Columns of every kind: 16 sources, and 13 targets.
A, G = (matrix(*kinds(OBSERVATIONS, seed)) for seed in (0, 1))
G = G[:, 3:]
# Nodes of the columns: some with one, some with several, one with none, not in order.
RNG = np.random.default_rng(3)
NODES = RNG.choice([0, 1, 1, 2, 4, 4, 4, 5], 16), RNG.choice([0, 0, 1, 2, 3, 6], 13)
# Of 13 targets, filled up to 16, over 4 devices.
TARGET_SHARD = 4 * OBSERVATIONS
COLLECTIVES = (
    "all-to-all|all-gather|all-reduce|collective-permute|collective-broadcast|reduce-scatter"
)
# Twice the bound of law 3 for columns of few distinct values, which are among these.
close = partial(assert_allclose, atol=8e-6, rtol=0)


def shard_shapes(W):
    return [shard.data.shape for shard in W.addressable_shards]


@pytest.mark.parametrize("devices", [1, 3, 8])
def test_any_number_of_devices_gives_the_oracle(devices):
    W = sharded_correlation(A, G, devices=devices)
    close(W, correlation(A, G))
    # By rows where the devices divide them, else whole on each.
    shape = (16, 13) if devices == 3 else (16 // devices, 13)
    assert shard_shapes(W) == [shape] * devices


@pytest.mark.parametrize(("devices", "row_chunk"), [(3, 5), (5, None), (8, 100)])
def test_blocks_cover_the_matrix(devices, row_chunk):
    W = np.full((16, 13), np.nan, np.float32)
    for top, block in sharded_blocks(A, G, devices=devices, row_chunk=row_chunk):
        W[top : top + len(block)] = block
    close(W, correlation(A, G))


def test_fewer_sources_than_devices_are_one_block():
    ((top, block),) = sharded_blocks(A[:, :5], G, devices=8)
    assert top == 0
    close(block, correlation(A[:, :5], G))


@pytest.mark.parametrize(
    ("devices", "options"),
    [(8, {"row_chunk": 1}), (3, {"nodes": 9, "n_components": 2})],
    ids=str,
)
def test_channels_are_those_of_one_device(devices, options):
    W = channel_correlation(A, G, *NODES, backend="jax", devices=devices, **options)
    expected = {k: v for k, v in options.items() if k != "row_chunk"}
    close(W, channel_correlation(A, G, *NODES, **expected))


def test_public_functions_share_the_work():
    mesh = Mesh(np.array(jax.devices()[:2]), ("rows",))
    W = cross_correlation(A, G, backend="jax", devices=mesh, row_chunk=5, ties="ordinal")
    close(W, correlation(A, G, ties="ordinal"))
    assert shard_shapes(W) == [(8, 13)] * 2
    # Without a word, over the devices that an input is sharded over already.
    there = jax.device_put(A[:300], NamedSharding(mesh, PartitionSpec("rows")))
    W = cross_correlation(there, jnp.asarray(G[:300]))
    close(W, correlation(A[:300], G[:300]))
    assert shard_shapes(W) == [(8, 13)] * 2


def test_sharded_arrays_are_used_as_they_lie():
    mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("hosts", "cards"))
    rows = NamedSharding(mesh, PartitionSpec(("hosts", "cards")))
    a, g = (jax.device_put(x[:296], rows) for x in (A, G))
    close(sharded_correlation(a, g), correlation(A[:296], G[:296]))
    across = jax.device_put(A, NamedSharding(mesh, PartitionSpec(None, "cards")))
    on_one = jax.device_put(G, jax.devices()[0])
    close(sharded_correlation(across, on_one, devices=mesh), correlation(A, G))


@pytest.mark.parametrize("pooled", [True, False])
def test_layer_pairs_are_pooled_or_averaged(pooled):
    sides = [x[:129].reshape(3, 43, -1) for x in (A, G)]
    pair = [
        sharded.HostObservations(
            partial(cut, x), sharded.one_column_each(x.shape[2]), 3, 43, x.dtype
        )
        for x in sides
    ]
    # Ordinal ranks depend on the order of observations.
    options, mesh = CorrelationOptions(ties="ordinal"), sharded.device_mesh(4)
    W = sharded.sharded_task(*pair, mesh, options, "float32", pooled=pooled).whole()
    parts = [(A[:129], G[:129])] if pooled else zip(*sides, strict=True)
    close(W, np.mean([correlation(a, g, ties="ordinal") for a, g in parts], axis=0))


def cut(x, samples, columns):
    return x[:, slice(*samples), slice(*columns)]


def task(devices):
    return sharded._pair_task(A, G, CorrelationOptions(devices=devices, row_chunk=2))


@pytest.mark.parametrize("block", [None, 2 * OBSERVATIONS + 1], ids=["at once", "in blocks"])
def test_ranks_are_exact(block, monkeypatch):
    if block:
        monkeypatch.setattr(sharded, "BLOCK_ELEMENTS", block)
    chosen = task(2 if block else 4)
    columns = chosen.g.placed(0, 16, chosen.mesh)
    room = np.zeros((1, 16, OBSERVATIONS), np.float32)
    rows = sharded._add_targets(room, columns, 0, mesh=chosen.mesh, program=chosen.program)
    rows = np.asarray(rows[0, : G.shape[1]])
    # A standardized row orders and ties its values as the column does, or its ranks were wrong.
    varying = rows.any(axis=1)
    assert_array_equal(varying, G.max(axis=0) > G.min(axis=0))
    ranks = scipy.stats.rankdata(rows[varying], axis=1)
    assert_array_equal(ranks, scipy.stats.rankdata(G.T[varying], axis=1))


def test_one_all_to_all_for_each_input_and_one_ring():
    # What is sent between devices, counted in the compiled programs, and what they hold.
    chosen = task(4)
    settings = {"mesh": chosen.mesh, "program": chosen.program}
    rows = jax.ShapeDtypeStruct((1, 16, OBSERVATIONS), jnp.float32)
    some, chunk = (side.placed(0, 8, chosen.mesh) for side in (chosen.g, chosen.a))
    targets = compiled(sharded._add_targets, rows, some, 0, **settings)
    sources = compiled(sharded._correlate_chunk, chunk, rows, targets=13, batches=2, **settings)
    assert collectives(targets) == {"all-to-all": 1}
    assert collectives(sources) == {"all-to-all": 1, "collective-permute": 1}
    assert max(map(max, map(sizes, (targets, sources)))) <= TARGET_SHARD


def test_ranking_sends_nothing_and_the_ring_the_targets_of_a_device():
    chosen = task(4)
    program, rows, matrix = chosen.program, sharded._ROWS, sharded._MATRIX
    x = jax.ShapeDtypeStruct((1, 16, OBSERVATIONS), jnp.float32)

    def rank_only(columns):
        return sharded._ranked(columns, program, program.targets)

    def ring_only(sources, targets):
        return sharded._ring(sources, targets, program)

    ranking = sharded._on_each_device(rank_only, chosen.mesh, rows, rows)
    ring = compiled(
        jax.jit(sharded._on_each_device(ring_only, chosen.mesh, (rows, rows), matrix)), x, x
    )
    assert collectives(compiled(jax.jit(ranking), x)) == {}
    assert collectives(ring) == {"collective-permute": 1}
    passes = re.findall(r"= (\S+) collective-permute(?:-start)?\(", ring)
    assert [size for line in passes for size in sizes(line)] == [TARGET_SHARD]
    assert max(sizes(ring)) == TARGET_SHARD


def compiled(function, *arrays, **settings):
    return function.lower(*arrays, **settings).compile().as_text()


def collectives(text):
    return Counter(re.findall(rf" ({COLLECTIVES})(?:-start)?\(", text))


def sizes(text):
    """Numbers in each float32 array that a text names."""
    shapes = re.findall(r"f32\[([\d,]+)\]", text)
    return [int(np.prod([int(length) for length in shape.split(",")])) for shape in shapes]


def test_devices_that_are_not_there_or_named_twice():
    with pytest.raises(ValueError, match=r"at most the 8 that JAX finds \(cpu\); got 9: ask for"):
        sharded_correlation(A, G, devices=9)
    with pytest.raises(ValueError, match="each once"):
        sharded_correlation(A, G, devices=[jax.devices()[0]] * 2)


def test_a_large_w_is_not_gathered(monkeypatch):
    monkeypatch.setattr(sharded, "_GATHERED", 16 * 13 * 4 - 1)
    with pytest.raises(
        ValueError, match=r"devices=3 must divide the 16 sources .* as large"
    ) as said:
        sharded_correlation(A, G, devices=3)
    assert "take 2 devices, add columns of zeros up to 18, or take W by" in str(said.value)
    sharded_correlation(A, G, devices=4)
