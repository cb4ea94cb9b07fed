"""Observations and W on disk: what was written is read, and nothing that is broken is."""

import errno
import json
import os
import sys

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal
from stores import draw, write_store

from gsnn_edges import correlate_store
from gsnn_edges.store import StoreMetadata, StoreWriter, open_matrix, open_store
from gsnn_edges.store.matrix import create_matrix, write_block
from gsnn_edges.store.observations import usual_unit

SIZES = {"pairs": 2, "samples": 11, "columns": 70, "unit": 4, "chunk_columns": 64}
SHAPE = (2, 11, 70)


@pytest.fixture
def sides():
    """Activations and gradients of shape (P, S, C)."""
    return np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)


def fill(writer, sides, units=None):
    for unit in writer.missing if units is None else units:
        part = slice(*writer.rows_of(unit))
        writer.put(unit, *(side[:, part] for side in sides))
    return writer


@pytest.fixture
def writer(tmp_path):
    return StoreWriter.create(tmp_path / "seen.zarr", **SIZES)


@pytest.fixture
def store(writer, sides):
    return fill(writer, sides).finish()


def unit_file(store, side, unit):
    return store.path / side / "c" / "0" / str(unit) / "0"


def note(store, unit):
    return unit_file(store, "g", unit).with_name("unit.json")


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("columns", "pairs", "samples"),
    [
        (None, None, None),
        ((0, 1), (0, 1), (0, 1)),
        ((63, 65), (0, 2), (3, 5)),
        ((64, 70), (1, 2), (4, 8)),
        (slice(5, 66), slice(None), slice(7, None)),
    ],
)
def test_a_part_is_that_of_the_arrays(store, sides, side, columns, pairs, samples):
    where = [
        part if isinstance(part, slice) else slice(*(part or (None,)))
        for part in (pairs, samples, columns)
    ]
    expected = sides[side][tuple(where)]
    part = store.read("ag"[side], columns, pairs, samples)
    assert_array_equal(part, expected.reshape(-1, expected.shape[-1]))


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


def test_metadata_come_back(tmp_path):
    metadata = {
        "score": "channels",
        "nodes": 3,
        "column_nodes": [0, 0, 2, 1],
        "node_names": ["p53", "TNF", "Å"],
        "edge_index": [[0, 2], [1, 1]],
        "dtype": "float64",
        "provenance": {"seed": 4},
    }
    writer = StoreWriter.create(tmp_path / "s", pairs=1, samples=2, columns=4, **metadata)
    writer.put(0, np.ones((1, 2, 4)), np.zeros((1, 2, 4)))
    store = open_store(str(tmp_path / "s"))
    assert (store.score, store.nodes, store.unit) == ("channels", 3, 2)
    assert_array_equal(store.column_nodes, metadata["column_nodes"])
    assert store.node_names == ("p53", "TNF", "Å")
    assert_array_equal(store.edge_index, metadata["edge_index"])
    assert (store.dtype, store.nbytes) == (np.float64, 2 * 2 * 4 * 8)
    assert store.provenance == {"seed": 4}
    assert_array_equal(store.read("g"), np.zeros((2, 4)))
    group = zarr.open_group(str(store.path), mode="r")
    for name, values in (("layer_pair", [0]), ("sample", [0, 1]), ("column_node", [0, 0, 2, 1])):
        assert_array_equal(group[name][:], values)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"score": "sum"}, "score must be"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"score": "channels"}, "column_nodes must say the node of each column"),
        ({"column_nodes": [0, 1]}, "column_nodes must"),
        ({"nodes": 0}, "nodes must be at least 1"),
        ({"nodes": 2}, "nodes must be more than all of column_nodes; got 2, and a column"),
        ({"node_names": ["x"]}, "node_names must name each of the 70 nodes, in their order; got 1"),
        ({"edge_index": [[0], [70]]}, "edge_index"),
    ],
)
def test_metadata_that_break_a_rule(tmp_path, change, phrase):
    with pytest.raises(ValueError, match=phrase):
        StoreWriter.create(tmp_path / "s", **(SIZES | change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [100, 5_000, 20_000, 100_000])
def test_usual_chunks_are_large_enough_to_read_fast(columns):
    usual = StoreMetadata(pairs=10, samples=10**6, columns=columns)
    assert usual.unit * usual.chunk_columns * 4 >= 1 << 16
    assert usual.unit >= 1000 or usual.unit * columns * 10 * 4 > 1 << 27
    assert usual.unit * columns * 10 * 4 <= 1 << 28


def test_a_unit_is_never_empty():
    assert usual_unit(10, 1 << 28, "float64") == 1


def test_units_come_in_any_order_and_zeros_are_written_too(writer, sides):
    sides[:, :, 4:8] = 0
    assert writer.missing == [0, 1, 2]
    fill(writer, sides, [1])
    assert StoreWriter.resume(writer.path, **SIZES).missing == [0, 2]
    fill(writer, sides, [2, 0])
    assert writer.missing == []
    for side, values in zip("ag", sides, strict=True):
        assert_array_equal(writer.finish().read(side), values.reshape(-1, 70))


@pytest.mark.parametrize(
    "name", ["a/0.123.partial", "a/c/0/1/0.9.partial", "g/.unit.json.unfinished"]
)
def test_leftovers_of_a_killed_process_go(writer, name):
    leftover = writer.path / name
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.write_bytes(b"half")
    StoreWriter.resume(writer.path, **SIZES)
    assert not leftover.exists()


def test_parts_that_do_not_fit_are_errors(writer, sides):
    with pytest.raises(ValueError, match=r"unit must be in 0 .. 2; got 3"):
        writer.put(3, *sides)
    with pytest.raises(ValueError, match=r"a of unit 0 must be of shape \(2, 4, 70\); got \(2, 11"):
        writer.put(0, *sides)


@pytest.fixture
def flushed(monkeypatch):
    """Files that were forced to the disk, in order."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("names of open files are read from /proc")
    paths, force = [], os.fsync

    def recording(handle):
        number = handle if isinstance(handle, int) else handle.fileno()
        paths.append(os.readlink(f"/proc/self/fd/{number}"))
        force(handle)

    monkeypatch.setattr(os, "fsync", recording)
    return paths


def test_units_reach_the_disk_and_a_matrix_does_before_it_has_its_name(flushed, store, tmp_path):
    assert {str(unit_file(store, side, unit)) for side in "ag" for unit in range(3)} <= {*flushed}
    flushed.clear()
    correlate_store(store, tmp_path / "W.zarr")
    (chunk,) = (path for path in (tmp_path / "W.zarr" / "c").rglob("*") if path.is_file())
    ends = [path for path in flushed if path.endswith("/c/0/0")]
    assert ends
    assert str(chunk) not in ends


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_whole_units(writer, sides, monkeypatch, number):
    import zarr.storage._local as local

    fill(writer, sides, [0])
    put = local._put

    def full(path, value, exclusive=False):
        if "/g/" in str(path):
            raise OSError(number, "No space left on device")
        return put(path, value, exclusive)

    with monkeypatch.context() as patch:
        patch.setattr(local, "_put", full)
        with pytest.raises(OSError, match="unit 1 was not written; 1 of 3 units are kept"):
            fill(writer, sides, [1])
    with pytest.raises(ValueError, match="has 1 of 3 units"):
        open_store(writer.path)
    assert_array_equal(fill(writer, sides).finish().read("g"), sides[1].reshape(-1, 70))


def test_nothing_is_left_of_a_store_that_could_not_be_made(tmp_path, monkeypatch):
    def full(group, name, **_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr.Group, "create_array", full)
    with pytest.raises(OSError, match="No space left"):
        StoreWriter.create(tmp_path / "seen.zarr", **SIZES)
    assert list(tmp_path.iterdir()) == []


def cut_short(store):
    file = unit_file(store, "g", 1)
    file.write_bytes(file.read_bytes()[:-100])


def edit(path, change):
    """Change the metadata of a zarr group or array."""
    content = json.loads((path / "zarr.json").read_text())
    change(content)
    (path / "zarr.json").write_text(json.dumps(content))


def with_attributes(**changes):
    return lambda store: edit(store.path, lambda group: group["attributes"].update(changes))


def with_sizes(**changes):
    return lambda store: edit(
        store.path, lambda group: group["attributes"]["facts"].update(changes)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "phrase"),
    [
        (cut_short, r"must be a whole store; .*g/c/0/1/0' has 4,080 bytes and must have .*unit 1"),
        (lambda store: unit_file(store, "a", 2).unlink(), "has 2 of 3 units: call capture_to"),
        (lambda store: note(store, 1).unlink(), "has 2 of 3 units: call capture_to_store again"),
        (with_attributes(format="other"), "is a zarr of something else"),
        (with_attributes(format_version=3), "has version 3: install a newer gsnn-edges"),
        (with_attributes(format_version=1), "has version 1: capture it again"),
        (with_attributes(format_version=True), "has version True: capture it again"),
        (with_attributes(facts={}), "says of itself what cannot be"),
        (with_sizes(samples=2**60), "cannot be .shape of 'a' must be .* got .2, 11, 70"),
        (with_sizes(pairs=1), "shape of 'a' must be"),
        (with_sizes(dtype="float64"), "dtype of 'a' must be float64; got float32"),
        (with_sizes(unit=3), r"chunks of 'a' must be \(1, 3, 64\); got \(1, 4, 64\)"),
        (lambda store: edit(store.path / "g", lambda g: g.update(data_type="int32", fill_value=0)),
         "dtype of 'g' must be float32; got int32"),
        (lambda store: (store.path / "a" / "zarr.json").unlink(), "says of itself what cannot be"),
        (lambda store: (store.path / "zarr.json").write_text("{"), "is no zarr group of version 3"),
        (lambda store: (store.path / "zarr.json").unlink(), "is no zarr group of version 3"),
    ],
)  # fmt: skip
def test_a_broken_store_is_an_error(store, spoil, phrase):
    spoil(store)
    with pytest.raises(ValueError, match=phrase):
        open_store(store.path)


@pytest.mark.parametrize("text", ["", "[]", '{"a": "0"}'])
def test_a_broken_note_is_an_error(store, text):
    note(store, 1).write_text(text)
    with pytest.raises(ValueError, match=r"unit.json' is broken: remove that file, .* unit 1 anew"):
        store.fingerprint()


def test_a_store_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is none at .*nothing.zarr"):
        open_store(tmp_path / "nothing.zarr")
    with pytest.raises(TypeError, match="path must be a text or a path; got int"):
        open_store(3)


def test_spoilt_bytes_are_an_error_when_they_are_read(store):
    file = unit_file(store, "a", 1)
    whole = file.read_bytes()
    # All of it, or zeros where numbers were, as a disk may leave them.
    for spoilt in (b"\xff" * len(whole), bytes(len(whole) // 2) + whole[len(whole) // 2 :]):
        file.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r"samples from 4 in .* cannot be read"):
            open_store(store.path).read("a")


def test_nan_is_an_error_when_it_is_read(writer, sides):
    sides[0, 1, 5, 3] = np.nan
    store = fill(writer, sides).finish()
    assert_array_equal(store.read("a", (4, 9)), sides[0][:, :, 4:9].reshape(-1, 5))
    with pytest.raises(ValueError, match="NaN or infinity in the samples from 4"):
        store.read("a", (3, 4))


def test_fingerprints_tell_every_value_and_the_making(tmp_path, store, sides):
    def written(name, sides, **metadata):
        return fill(StoreWriter.create(tmp_path / name, **SIZES, **metadata), sides).finish()

    changed = sides.copy()
    changed[0, 1, 5, 33] += 1
    prints = [
        written("again", sides).fingerprint(),
        written("value", changed).fingerprint(),
        written("sides", sides[::-1]).fingerprint(),
        written("making", sides, provenance={"seed": 1}).fingerprint(),
    ]
    assert prints[0] == store.fingerprint()
    assert len(set(prints)) == 4


W = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)


def as_npy(folder):
    np.save(folder / "W.npy", W)
    return folder / "W.npy"


def as_array(folder):
    zarr.create_array(str(folder / "W.zarr"), data=W, chunks=(4, 3))
    return folder / "W.zarr"


def as_group(folder):
    zarr.create_group(str(folder / "all.zarr")).create_array("W", data=W, chunks=(4, 3))
    return folder / "all.zarr"


@pytest.mark.parametrize("make", [as_npy, as_array, as_group])
def test_a_stored_matrix_is_read_as_an_array(tmp_path, make):
    stored = open_matrix(make(tmp_path))
    assert (stored.shape, stored.ndim, stored.dtype) == ((9, 7), 2, np.float32)
    assert_array_equal(stored.to_numpy(), W)
    for indices in ([], [3], [2, 3, 4], [5, 0, 5], [6, 4, 1]):
        assert_array_equal(stored.rows(indices), W[np.array(indices, int)])
        assert_array_equal(stored.columns(indices), W[:, np.array(indices, int)])


def pickled(path):
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("make", "phrase"),
    [
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "is broken or of another kind"),
        (pickled, "is broken or of another kind"),
        (lambda path: np.save(path, np.zeros(3)), "must be a matrix of floating-point numbers"),
        (lambda path: np.save(path, np.eye(2, dtype=int)), "must be a matrix of floating-point"),
        (lambda path: path.mkdir(), "is broken or of another kind"),
    ],
)
def test_what_is_no_matrix_is_an_error(tmp_path, make, phrase):
    make(tmp_path / "W.npy")
    with pytest.raises(ValueError, match=phrase):
        open_matrix(tmp_path / "W.npy")


def test_a_matrix_that_is_not_there_or_a_library_that_is_not_installed(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is none at"):
        open_matrix(tmp_path / "W.npy")
    (tmp_path / "W.zarr").mkdir()
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"zarr.*pip install '\.\[store\]'"):
        open_matrix(tmp_path / "W.zarr")


@pytest.fixture
def blocks(tmp_path):
    """W of 9 nodes in chunks of 4 x 6, nothing of which is written."""
    create_matrix(tmp_path / "W.zarr", 9, "float32", (4, 6), {})
    return tmp_path / "W.zarr"


def test_blocks_of_any_place_and_of_zeros_are_kept(blocks):
    zeros = np.zeros((9, 9), np.float32)
    write_block(blocks, 0, 0, zeros[:3])
    with pytest.raises(ValueError, match="lacks 4 of its chunks, as c/1/0"):
        open_matrix(blocks)
    write_block(blocks, 3, 0, zeros[3:, :5])
    write_block(blocks, 3, 5, zeros[3:, 5:])
    assert_array_equal(open_matrix(blocks).to_numpy(), zeros)


def test_a_lost_chunk_is_not_a_number_and_is_missed_in_a_group_too(blocks, tmp_path):
    write_block(blocks, 0, 0, np.zeros((9, 9), np.float32))
    zarr.create_group(str(tmp_path / "g.zarr"))
    os.rename(blocks, tmp_path / "g.zarr" / "W")
    assert open_matrix(tmp_path / "g.zarr").shape == (9, 9)
    (tmp_path / "g.zarr" / "W" / "c" / "1" / "0").unlink()
    values = zarr.open_array(str(tmp_path / "g.zarr" / "W"))[:]
    assert_array_equal(np.isnan(values), np.outer(np.arange(9) // 4 == 1, np.arange(9) < 6))
    with pytest.raises(ValueError, match="lacks 1 of its chunks, as c/1/0"):
        open_matrix(tmp_path / "g.zarr")


def whole_matrix(path):
    return create_matrix(path, 4, "float32", (2, 2), {}) or write_block(
        path, 0, 0, np.ones((4, 4), np.float32)
    )


@pytest.mark.parametrize("shape", [[10**9, 10**9], [2, 2], [4, 6]])
def test_a_shape_that_the_chunks_of_w_do_not_fill_is_refused_at_once(tmp_path, shape):
    whole_matrix(tmp_path / "W.zarr")
    assert open_matrix(tmp_path / "W.zarr").shape == (4, 4)
    about = tmp_path / "W.zarr" / "zarr.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"shape": shape}))
    with pytest.raises(ValueError, match="path must be a whole W"):
        open_matrix(tmp_path / "W.zarr")


def test_stages_in_the_wrong_order_are_told_apart(tmp_path):
    write_store(tmp_path / "seen.zarr", *draw())
    whole_matrix(tmp_path / "W.zarr")
    with pytest.raises(ValueError, match="holds observations: make W of them first, by correlate_"):
        open_matrix(tmp_path / "seen.zarr")
    with pytest.raises(ValueError, match="as W is, which correlate makes of them and evaluate tak"):
        open_store(tmp_path / "W.zarr")
    with pytest.raises(ValueError, match="path must lie outside of other stores; got"):
        StoreWriter.create(tmp_path / "seen.zarr" / "more", pairs=1, samples=3, columns=2)
