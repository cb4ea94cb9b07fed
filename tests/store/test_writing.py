import errno

import pytest
from numpy.testing import assert_array_equal
from store_sizes import SIZES

from gsnn_edges.store import StoreWriter, folders, open_store


def fill(writer, sides, units):
    for unit in units:
        part = slice(*writer.facts.rows_of(unit))
        writer.put(unit, *(side[:, part] for side in sides))


def test_units_come_in_any_order_and_what_is_missing_is_known(writer, sides):
    assert writer.missing == [0, 1, 2]
    fill(writer, sides, [1])
    assert StoreWriter.resume(writer.path, **SIZES).missing == [0, 2]
    fill(writer, sides, [2, 0])
    assert writer.missing == []
    assert_array_equal(writer.finish().read("a"), sides[0].reshape(-1, SIZES["columns"]))


def test_zeros_are_written_too(writer, sides):
    fill(writer, [side * 0 for side in sides], range(3))
    assert_array_equal(writer.finish().read("g"), 0)


def test_leftovers_of_a_killed_process_go(writer):
    leftover = writer.path / "a" / "0.123.partial"
    leftover.write_bytes(b"half")
    StoreWriter.resume(writer.path, **SIZES)
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"samples": 12}, "differs in samples: remove it"),
        ({"provenance": {"seed": 1, "torch": "2"}}, "provenance of seed, provenance of torch"),
    ],
)
def test_resuming_with_other_facts_is_an_error(writer, change, phrase):
    with pytest.raises(ValueError, match=phrase):
        StoreWriter.resume(writer.path, **(SIZES | change))


def test_a_path_that_cannot_be_made(writer, tmp_path):
    with pytest.raises(FileExistsError, match="path must be new"):
        StoreWriter.create(writer.path, **SIZES)
    with pytest.raises(FileNotFoundError, match=r"make '.*no' first"):
        StoreWriter.create(tmp_path / "no" / "seen.zarr", **SIZES)


def test_nothing_is_left_of_a_store_that_could_not_be_made(tmp_path, monkeypatch):
    def fail(path, facts):
        path.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders, "fill", fail)
    with pytest.raises(OSError, match="No space left"):
        StoreWriter.create(tmp_path / "seen.zarr", **SIZES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_whole_units(writer, sides, monkeypatch, number):
    import zarr.storage._local as local

    fill(writer, sides, [0])
    put = local._put

    def full(path, value, exclusive=False):
        if "/g/" in str(path):
            raise OSError(number, "No space left on device")
        return put(path, value, exclusive)

    monkeypatch.setattr(local, "_put", full)
    with pytest.raises(OSError, match="unit 1 was not written; 1 of 3 units are kept"):
        fill(writer, sides, [1])
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has 1 of 3 units"):
        open_store(writer.path)
    fill(writer, sides, writer.missing)
    assert_array_equal(writer.finish().read("g"), sides[1].reshape(-1, SIZES["columns"]))


def test_what_units_were_made_of_is_kept(writer, sides):
    fill(writer, sides, [0])
    part = slice(*writer.facts.rows_of(1))
    writer.put(1, *(side[:, part] for side in sides), inputs="of these")
    assert [writer.inputs(unit) for unit in (0, 1)] == [None, "of these"]


def test_parts_that_do_not_fit_are_errors(writer, sides):
    with pytest.raises(ValueError, match=r"unit must be in 0 .. 2; got 3"):
        writer.put(3, *sides)
    with pytest.raises(ValueError, match=r"a of unit 0 must be of shape \(2, 4, 70\); got \(2, 11"):
        writer.put(0, *sides)
