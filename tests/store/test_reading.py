import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from store_sizes import SIZES

from gsnn_edges.store import StoreWriter, open_store
from gsnn_edges.store.folders import unit_file

PARTS = [
    (None, None, None),
    ((0, 1), (0, 1), (0, 1)),
    ((63, 65), (0, 2), (3, 5)),
    ((64, 70), (1, 2), (4, 8)),
    (slice(5, 66), slice(None), slice(7, None)),
]


@pytest.mark.parametrize("side", ["a", "g"])
@pytest.mark.parametrize(("columns", "pairs", "samples"), PARTS)
def test_a_part_is_that_of_the_arrays(store, sides, side, columns, pairs, samples):
    where = [
        part if isinstance(part, slice) else slice(*(part or (None,)))
        for part in (pairs, samples, columns)
    ]
    expected = sides["ag".index(side)][tuple(where)]
    found = store.read(side, columns, pairs, samples)
    assert_array_equal(found, expected.reshape(-1, expected.shape[-1]))


def test_facts_come_back(tmp_path):
    facts = {
        "score": "channels",
        "nodes": 3,
        "column_nodes": [0, 0, 2, 1],
        "node_names": ["p53", "TNF", "Å"],
        "edge_index": [[0, 2], [1, 1]],
        "dtype": "float64",
        "provenance": {"seed": 4},
    }
    path = tmp_path / "seen.zarr"
    writer = StoreWriter.create(path, pairs=1, samples=2, columns=4, **facts)
    writer.put(0, np.ones((1, 2, 4)), np.zeros((1, 2, 4)))
    store = open_store(str(path))
    assert (store.score, store.nodes, store.unit) == ("channels", 3, 2)
    assert_array_equal(store.column_nodes, facts["column_nodes"])
    assert store.node_names == ("p53", "TNF", "Å")
    assert_array_equal(store.edge_index, facts["edge_index"])
    assert store.dtype == np.float64
    assert store.nbytes == 2 * 2 * 4 * 8
    assert store.provenance == {"seed": 4}
    assert_array_equal(store.read("g"), np.zeros((2, 4)))


def test_indices_lie_beside_the_observations(store):
    import zarr

    group = zarr.open_group(str(store.path), mode="r")
    for name, length in (("layer_pair", 2), ("sample", 11), ("column_node", 70)):
        assert_array_equal(group[name][:], np.arange(length))


def test_a_store_is_read_without_torch_and_jax(store):
    script = (
        "import sys; from gsnn_edges.store import open_store\n"
        f"store = open_store({str(store.path)!r})\n"
        "assert not {'torch', 'jax'} & set(sys.modules)\n"
        "print(float(store.read('a', (0, 1), (0, 1), (0, 1))[0, 0]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(run.stdout) == store.read("a", (0, 1), (0, 1), (0, 1)).item()


def cut_short(path):
    file = unit_file(path, "g", 1)
    file.write_bytes(file.read_bytes()[:-100])


def without_a_unit(path):
    unit_file(path, "a", 2).unlink()


def with_changed_facts(**changes):
    def change(path):
        file = path / "zarr.json"
        content = json.loads(file.read_text())
        content["attributes"] |= changes
        file.write_text(json.dumps(content))

    return change


BROKEN = [
    (cut_short, r"must be a whole store; .*g/c/0/1/0' has 4,080 bytes and must have .*make unit 1"),
    (without_a_unit, "has 2 of 3 units: call capture_to_store again"),
    (with_changed_facts(format="other"), "is a zarr of something else"),
    (with_changed_facts(format_version=3), "has version 3: install a newer gsnn-edges"),
    (with_changed_facts(format_version=1), "has version 1: capture it again"),
    (with_changed_facts(format_version=True), "has version True: capture it again"),
    (with_changed_facts(format_version=-1), "has version -1: capture it again"),
    (with_changed_facts(facts={}), "says of itself what cannot be"),
    (lambda path: (path / "zarr.json").write_text("{"), "is no zarr group of version 3"),
    (lambda path: (path / "zarr.json").unlink(), "is no zarr group of version 3"),
]


@pytest.mark.parametrize(("spoil", "phrase"), BROKEN)
def test_a_broken_store_is_an_error(store, spoil, phrase):
    spoil(store.path)
    with pytest.raises(ValueError, match=phrase):
        open_store(store.path)


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is none at .*nothing.zarr"):
        open_store(tmp_path / "nothing.zarr")
    with pytest.raises(TypeError, match="path must be a text or a path; got int"):
        open_store(3)


def test_spoilt_bytes_are_an_error_when_they_are_read(store):
    file = unit_file(store.path, "a", 1)
    whole = file.read_bytes()
    # All of it, or zeros where numbers were, as a disk may leave them.
    for spoilt in (b"\xff" * len(whole), bytes(len(whole) // 2) + whole[len(whole) // 2 :]):
        file.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r"samples from 4 in .* cannot be read"):
            open_store(store.path).read("a")


def rewritten(path, sides, **facts):
    writer = StoreWriter.create(path, **(SIZES | facts))
    for unit in writer.missing:
        part = slice(*writer.facts.rows_of(unit))
        writer.put(unit, *(side[:, part] for side in sides))
    return writer.finish().fingerprint()


def test_fingerprints_tell_every_value_and_the_making(tmp_path, store, sides):
    changed = sides[0].copy(), sides[1]
    changed[0][1, 5, 33] += 1
    found = [
        rewritten(tmp_path / "again", sides),
        rewritten(tmp_path / "value", changed),
        rewritten(tmp_path / "sides", sides[::-1]),
        rewritten(tmp_path / "making", sides, provenance={"seed": 1}),
    ]
    assert found[0] == store.fingerprint()
    assert len(set(found)) == 4


def test_nan_is_an_error_when_it_is_read(writer, sides):
    spoilt = sides[0].copy()
    spoilt[1, 5, 3] = np.nan
    for unit in writer.missing:
        part = slice(*writer.facts.rows_of(unit))
        writer.put(unit, spoilt[:, part], sides[1][:, part])
    store = writer.finish()
    assert_array_equal(store.read("a", (4, 9)), spoilt[:, :, 4:9].reshape(-1, 5))
    with pytest.raises(ValueError, match="NaN or infinity in the samples from 4"):
        store.read("a", (3, 4))


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("W",), "side must be 'a' or 'g'; got 'W'"),
        (("a", (0, 71)), r"columns must be a part of 0 .. 70; got 0 .. 71"),
        (("a", None, (1, 1)), r"pairs must be a part of 0 .. 2; got 1 .. 1"),
        (("a", None, None, slice(0, 9, 2)), "samples must be a slice without a step"),
    ],
)
def test_a_part_that_is_not_there(store, arguments, phrase):
    with pytest.raises(ValueError, match=phrase):
        store.read(*arguments)
