"""Files come back bit for bit, are whole or not there, and broken ones are named."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gsnn_edges.evidence import EdgeEvidence
from gsnn_edges.evidence import FORMAT, VERSION, read_file, write_file

FACTS = {"names": ["β-catenin", "b\0", 'quote"', ""], "method": "spearman", "none": None}
DTYPES = ["float16", "float32", "float64", "int8", "uint16", "int64", ">f4"]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 8), st.sampled_from(DTYPES), st.sampled_from("CF"))
def test_round_trip_bit_for_bit(tmp_path_factory, seed, nodes, dtype, order):
    path = tmp_path_factory.getbasetemp() / "evidence.npz"
    bits = np.random.default_rng(seed).integers(0, 256, nodes * nodes * 8, dtype=np.uint8)
    matrix = bits.view(dtype)[: nodes * nodes].reshape(nodes, nodes).copy(order=order)
    write_file(path, FACTS, {"W": matrix})
    facts, arrays = read_file(path)
    assert facts == {"format": FORMAT, "format_version": VERSION, **FACTS}
    assert list(arrays) == ["W"]
    assert arrays["W"].dtype == matrix.dtype
    assert_array_equal(
        np.ascontiguousarray(arrays["W"]).view(np.uint8),
        np.ascontiguousarray(matrix).view(np.uint8),
    )


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "evidence.npz"
    write_file(path, FACTS, {"W": np.eye(3)})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="pickle"):
        write_file(path, FACTS, {"W": np.array([object()])})
    with pytest.raises(ValueError, match="JSON"):
        write_file(path, {"bad": float("nan")}, {"W": np.eye(4)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["evidence.npz"]


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "evidence.npz", FACTS, {"W": np.eye(3)})
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "nowhere" / "evidence.npz", FACTS, {"W": np.eye(3)})
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "nowhere.npz")


def saved(tmp_path):
    path = tmp_path / "evidence.npz"
    EdgeEvidence(np.arange(900.0).reshape(30, 30)).save(path)
    return path


@pytest.mark.parametrize("length", [0, 1, 4, 100, 4000])
def test_a_cut_file_is_named(tmp_path, length):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"evidence.npz' is broken or of another kind"):
        EdgeEvidence.load(path)


def test_a_changed_byte_is_found(tmp_path):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(500).tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is broken or of another kind .*CRC"):
        EdgeEvidence.load(path)


def write_npy(path):
    with path.open("wb") as file:
        np.save(file, np.eye(3))


def write_pickled(path):
    np.savez(path, W=np.array([{}], object))


def write_header(**header):
    def write(path):
        np.savez(path, header=np.array(json.dumps(header)), W=np.eye(2))

    return write


OURS = {"format": FORMAT, "format_version": VERSION}


@pytest.mark.parametrize(
    ("write", "phrase"),
    [
        (lambda path: path.write_text("source,target\n"), "broken or of another kind"),
        (write_npy, "broken or of another kind .*one array"),
        (write_pickled, r"broken or of another kind \(ValueError: Object arrays"),
        (lambda path: np.savez(path, W=np.eye(3)), "is an npz of other arrays"),
        (lambda path: np.savez(path, header=np.eye(3)), "is an npz of other arrays"),
        (write_header(format="other"), "is an npz of other arrays"),
        (write_header(**{**OURS, "format_version": VERSION + 1}), "install a newer gsnn-edges"),
        (write_header(format=FORMAT), "has version None"),
        (write_header(**OURS), r"contents of .* do not fit each other \('node_names'\)"),
        (
            write_header(
                **OURS, node_names=["a"], method="", counts={}, settings={}, versions={"a": "1"}
            ),
            "do not fit each other .*node_names must be as many as W has nodes, 2; got 1",
        ),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, write, phrase):
    path = tmp_path / "evidence.npz"
    write(path)
    with pytest.raises(ValueError, match=phrase):
        EdgeEvidence.load(path)
