"""Correlate a store of observations under a bound on the memory."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gsnn_edges import _io
from gsnn_edges._typing import Device, Method, Precision, Ties
from gsnn_edges.layer_pairs import LayerChoice
from gsnn_edges.scale.out_of_core import RANKED, TILED, Work, scratch_of
from gsnn_edges.scale.outputs import Result
from gsnn_edges.scale.request import Request, checked_request


def correlate_store(
    store: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    method: Method = "spearman",
    ties: Ties = "average",
    layers: LayerChoice = None,
    n_components: int | None = None,
    max_memory: int | str = "2GB",
    top: int | None = None,
    threshold: float | None = None,
    precision: Precision = "float32",
    backend: str = "numpy",
    device: Device = None,
    scratch: str | os.PathLike[str] | None = None,
    resume: bool = True,
    verbose: bool = False,
) -> Result:
    """Correlate observations that need not fit in memory, into a W that need not either.

    W is that of `cross_correlation` for a store of magnitudes, and of `channel_correlation` for
    one of channels, within twice their accuracy.

    Parameters
    ----------
    store : ObservationStore, or its path
        P layer pairs of S samples; C columns of N nodes.
    out : path, optional
        Where the result goes: W to a folder ``.zarr`` or a file ``.npy``, what ``top`` or
        ``threshold`` leave of it to a file ``.npz``, or back in memory where ``out`` is None.
    method, ties, precision, backend, device
        As of `cross_correlation`.
    layers : {"pooled", "mean", "last"} or int, optional
        All layer pairs ranked together, the mean of a matrix for each, or one of them. By default
        "pooled" for magnitudes and "mean" for channels.
    n_components : int, optional
        As of `channel_correlation`; for channels only.
    max_memory : int or str
        Bytes, or a text such as "2GB", "500 MB" or "1.5 GiB": what the call may hold at a time,
        beyond what the process holds after its imports.
    top : int, optional
        Keep the so many largest W of each source, and their targets.
    threshold : float, optional
        Keep every pair with ``|W| >= threshold``.
    scratch : path, optional
        A folder for the ranked columns, on a fast disk; by default beside ``out``, or where the
        system keeps temporary files.
    resume : bool
        Go on where a call with the same arguments was stopped, and take a result that is there
        already; else begin anew.
    verbose : bool
        Show progress, with the time left.

    Returns
    -------
    StoredMatrix, TopTargets or PairsAbove
        W on disk; or what ``top`` or ``threshold`` left of it.

    Raises
    ------
    TypeError, ValueError, ImportError
        For arguments that break the rules above, ``max_memory`` below what one node takes (the
        message says how much), NaN or infinity in the store, or work begun with other settings.
    FileExistsError
        When ``out`` is there already, and not the result of this call.
    OSError
        When a disk is full. What is done is kept, and the same call goes on from there.

    Notes
    -----
    Two passes. The first ranks each column once, as many at a time as fit, and writes it,
    standardized, to ``scratch``: 4 bytes for each value of the store, both sides, all layer pairs
    that count (8 in float64). The second makes W by square tiles, as large as fit; their products
    are added up over stretches of 2,048 observations. A tile of edge T reads 2 T rows, so that
    the scratch is read N / T times. Where all rows fit beside a tile, there is no scratch.

    Time: one ranking of all columns and one product, and reading the store once, writing the
    scratch once and reading it N / T times. With b bytes, T is about the square root of b / 28,
    over the columns of a node: 6,000 nodes for 1 GB. Products of 2 T flops for each value read
    outrun any disk from a few hundred nodes on.

    Memory: a column of M observations takes up to 72 M bytes while it is ranked, and the columns
    of a chunk of one unit are read together, so that ``max_memory`` must hold that; JAX compiles in
    150 MB. What a GPU's driver takes on the host does not count. With ``top`` the result counts
    twice, 12 bytes for each score (16 in float64); with ``threshold`` 72 bytes for each pair that
    is kept, beside 8 MB and an eighth of the bound.

    Everything unfinished lies in ``out`` + ".unfinished": ``out`` is there when it is whole, and
    not before. A journal in that folder notes the blocks of columns and the tiles that are done;
    what a process that was killed leaves unnoted is made again, and the bytes of the result are
    those of a run that nobody stopped. What is noted is on the disk itself, so that a loss of
    power takes no more than a kill does. Two processes must not work on one ``out``.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gsnn_edges.store import StoreWriter
    >>> folder = tempfile.TemporaryDirectory()
    >>> writer = StoreWriter.create(f"{folder.name}/seen", pairs=1, samples=3, columns=2)
    >>> a = np.array([[[1.0, 5.0], [2.0, 7.0], [3.0, 6.0]]], dtype="float32")
    >>> writer.put(0, a, a)
    >>> W = correlate_store(f"{folder.name}/seen", f"{folder.name}/W.zarr", max_memory="100 MB")
    >>> W.to_numpy().round(4)
    array([[1. , 0.5],
           [0.5, 1. ]], dtype=float32)
    >>> correlate_store(f"{folder.name}/seen", top=1).targets
    array([[0],
           [1]])
    >>> folder.cleanup()
    """
    request = checked_request(
        store,
        out,
        method=method,
        ties=ties,
        layers=layers,
        n_components=n_components,
        max_memory=max_memory,
        top=top,
        threshold=threshold,
        precision=precision,
        backend=backend,
        device=device,
        scratch=scratch,
        resume=resume,
        verbose=verbose,
    )
    output = request.output
    if output is None:
        with TemporaryDirectory(dir=request.scratch, prefix="correlate-") as folder:
            return done(request, Path(folder) / "work")
    if output.finished(request.settings, resume=request.resume):
        forget(request, output.beside)
        return output.load()
    if not request.resume:
        forget(request, output.beside)
    return done(request, output.beside)


def done(request: Request, folder: Path) -> Result:
    """Do the work in a folder."""
    work = Work.begin(request, folder)
    with explained(work):
        work.run()
        return work.finish()


def forget(request: Request, folder: Path) -> None:
    """Remove unfinished work."""
    for place in (scratch_of(request, folder), folder):
        _io.discard(place)


@contextmanager
def explained(work: Work) -> Iterator[None]:
    """Say what a full disk has left."""
    try:
        yield
    except OSError as error:
        if not _io.is_full(error):
            raise
        ranked, tiled = (len(work.journal.done(kind)) for kind in (RANKED, TILED))
        kept = (
            f"{ranked} blocks of ranked columns and {tiled} tiles are kept in "
            f"{str(work.folder)!r}: make room, and call again with the same arguments"
            if work.request.output is not None
            else "nothing was kept: make room, or name a larger disk by scratch="
        )
        raise OSError(errno.ENOSPC, f"the disk is full ({error.strerror}); {kept}") from error
