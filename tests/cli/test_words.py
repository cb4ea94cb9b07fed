"""Errors speak of options."""

import pytest

from gsnn_edges.cli.main import in_options

GIVEN = {
    "W": "W.npy",
    "--max-memory": "2GB",
    "--out": "seen.zarr",
    "--names": "old.zarr",
    "--x": ("x.npy", "z.npy"),
    "--model": "tiny:model",
    "--block": (),
    "--by": None,
    "--n-resamples": 5,
    "--batch-size": 4,
}


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("max_memory must hold a node", "--max-memory must hold a node"),
        ("factory must give a module", "--model must give a module"),
        ("x[0] must be finite; got 3", "--x must be finite; got 3"),
        ("A[0:14, :] must be finite", "W must be finite"),
        ("batch_size needs a loss", "--batch-size needs a loss"),
        ("path must be new; there is something at 'seen.zarr'", "--out must be new; there is"),
        ("path must be a store; 'old.zarr' is none", "--names must be a store; 'old.zarr'"),
        ("path must be a file; 'z.npy' is none", "--x must be a file"),
        ("path must be a store; 'other.zarr' is none", "path must be a store"),
        ("in it: pass by='name' or by='index'", "in it: pass --by name or --by index"),
        ("needs max_memory=500MB at least", "needs --max-memory 500MB at least"),
        ("got blocks=None: pass blocks= too, or", "got no --block: pass --block too, or"),
        ("skip the intervals by n_resamples=None", "skip the intervals by --n-resamples 0"),
        ("begin anew with resume=False.", "begin anew with --anew."),
        ("write one by capture_to_store", "write one by gsnn-edges capture"),
        ("call it with row_chunk=4", "call it with row_chunk=4"),
        ("nodes must be three", "nodes must be three"),
    ],
)
def test_arguments_become_options(sentence, wanted):
    assert in_options(sentence, GIVEN).startswith(wanted)


def test_a_command_without_the_option_keeps_the_word():
    assert in_options("max_memory must be bytes", {}) == "max_memory must be bytes"
