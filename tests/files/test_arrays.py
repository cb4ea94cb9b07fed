"""Arrays come back from every kind of file as they were, and nothing is unpickled."""

import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.testing import assert_array_equal
from safetensors.numpy import save_file

from gsnn_edges.cli.tables import read_array

VALUES = np.random.default_rng(0).standard_normal((7, 3))


def csv_text(head):
    lines = [",".join(map(repr, map(float, row))) for row in VALUES]
    return "\n".join([*head, *lines]) + "\n"


def write_zarr_group(path):
    group = zarr.open_group(path, mode="w")
    group.create_array("x", data=VALUES)
    group.create_array("other", data=np.ones(2))


WRITERS = {
    "x.npy": lambda path: np.save(path, VALUES),
    "x.npz": lambda path: np.savez(path, only=VALUES),
    "two.npz:x": lambda path: np.savez(path, x=VALUES, other=np.ones(2)),
    "x.safetensors": lambda path: save_file({"only": VALUES}, path),
    "two.safetensors:x": lambda path: save_file({"x": VALUES, "other": np.ones(2)}, path),
    "x.zarr": lambda path: zarr.save_array(str(path), VALUES),
    "two.zarr:x": write_zarr_group,
    "bare.csv": lambda path: path.write_text(csv_text([])),
    "named.csv": lambda path: path.write_text(csv_text(['"a,1",b,c'])),
    "windows.csv": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + csv_text(["a,b,c"]).replace("\n", "\r\n").encode()
    ),
    "x.parquet": lambda path: pd.DataFrame(VALUES, columns=list("abc")).to_parquet(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_array_comes_back(name, tmp_path):
    file = tmp_path / name.partition(":")[0]
    WRITERS[name](file)
    assert_array_equal(read_array(tmp_path / name), VALUES)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "bool", "uint8"])
@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 2, 2)])
def test_dtype_and_shape_are_kept(dtype, shape, tmp_path):
    wanted = np.arange(4).reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", wanted)
    found = read_array(tmp_path / "x.npy")
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert_array_equal(found, wanted)


def test_a_column_is_a_matrix_of_one_column(tmp_path):
    (tmp_path / "y.csv").write_text("y\n1\n2\n")
    assert_array_equal(read_array(tmp_path / "y.csv"), [[1.0], [2.0]])


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def pickled(path, mark):
    path.write_bytes(pickle.dumps(Evil(mark)))


def objects(path, mark):
    np.save(path, np.array([Evil(mark)], object), allow_pickle=True)


def objects_in_zip(path, mark):
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array(file, np.array([Evil(mark)], object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        *((f"x{end}", pickled) for end in (".npy", ".npz", ".safetensors", ".csv", ".parquet")),
        ("x.npy", objects),
        ("x.npz", objects_in_zip),
    ],
)
def test_nothing_is_unpickled(name, write, tmp_path):
    mark = tmp_path / "unpickled"
    write(tmp_path / name, mark)
    with pytest.raises(ValueError, match="must be a whole") as caught:
        read_array(tmp_path / name)
    assert "allow_pickle" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("where", "codec"), [("filters", '[{"id": "pickle"}]'), ("compressor", '{"id": "pickle"}')]
)
def test_zarr_that_names_a_pickle_codec_is_refused(where, codec, tmp_path):
    array = zarr.create_array(
        tmp_path / "x.zarr", shape=(2,), dtype="f4", zarr_format=2, compressors=None
    )
    array[...] = 1
    meta, mark = tmp_path / "x.zarr" / ".zarray", tmp_path / "mark"
    meta.write_text(meta.read_text().replace(f'"{where}": null', f'"{where}": {codec}'))
    assert codec in meta.read_text()
    pickled(tmp_path / "x.zarr" / "0", mark)
    with pytest.raises(ValueError, match=r"\('?.*pickle"):
        read_array(tmp_path / "x.zarr")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("x.npy", b"source,target\n1,2\n", r"must be a whole .npy file; .* is broken or"),
        ("x.npz", b"\x93NUMPY\x01\x00", "must be a whole .npz file"),
        ("x.csv", b"PK\x03\x04" + bytes(9), "must be a whole .csv file"),
        ("x.csv", b"a,b\n", "a line of names and no line of numbers"),
        ("x.csv", b"a,b\n1,2\n3\n", "has 1 values in line 3 and 2 in the first: write as many"),
        ("x.csv", b"a,b\n1,2\n3,high\n", "'high' in line 3, column 'b': drop that column"),
        ("x.csv", b"1,2\n3,\n", "'' in line 2, column '2': drop that column"),
        ("x.csv", b"a,b\n0.5,1\n#0.1,0.2\n3,4\n", "'#0.1' in line 3: take the # away, or drop"),
        ("x.csv", b"a,b\n0.5,1\n# the end\n", "'# the end' in line 3: take the # away"),
        ("x.csv", b"0.5,1\n3,4 # last\n", "'4 # last' in line 2, column '2': drop that column"),
        ("x.csv", b"#0.1,0.2\n3,4\n", "'#0.1' in line 1: take the # away, or drop the row"),
        ("x.csv", b"a;b\n1;2\n", "has ';' in line 1: write commas instead"),
        ("x.parquet", b"PAR1" + bytes(20), "must be a whole .parquet file"),
        ("x.safetensors", b"{}", "must be a whole .safetensors file"),
        ("x.txt", b"1", "must end in .npy, .npz, .zarr"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says(name, content, phrase, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=phrase):
        read_array(tmp_path / name, name="--x")


def test_a_broken_chunk_is_refused(tmp_path):
    zarr.save_array(str(tmp_path / "x.zarr"), VALUES)
    chunk = next(one for one in (tmp_path / "x.zarr").rglob("0") if one.is_file())
    chunk.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"must be a whole \.zarr file"):
        read_array(tmp_path / "x.zarr")


def test_a_cut_file_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=VALUES)
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"must be a whole \.npz file"):
        read_array(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("d.npz", "which are 'x', 'y': put the name behind a colon, as d.npz:x"),
        ("d.npz:z", "got 'z': it has 'x', 'y'"),
        ("words.npz", "must hold real numbers; .* holds dtype <U1"),
        ("none.npz", "which are none"),
    ],
)
def test_the_array_that_is_wanted_is_asked_for(name, phrase, tmp_path):
    np.savez(tmp_path / "d.npz", x=VALUES, y=VALUES)
    np.savez(tmp_path / "words.npz", x=np.array(["a"]))
    np.savez(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=phrase):
        read_array(tmp_path / name)


def test_a_colon_may_be_part_of_a_name(tmp_path):
    np.save(tmp_path / "a.npz:b.npy", VALUES)
    assert_array_equal(read_array(tmp_path / "a.npz:b.npy"), VALUES)
