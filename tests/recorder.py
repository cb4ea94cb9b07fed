"""A process that captures to the path it is given, slowly: the tests kill it.

``python recorder.py PATH [loader]``: of arrays, or of the batches of a DataLoader.
"""

import sys
import time

import torch
from gsnn_models import TinyGSNN, data
from torch.utils.data import DataLoader, TensorDataset

from gsnn_edges.activations import capture_to_store
from gsnn_edges.activations import to_store as to_disk


def capture(path, kind="arrays"):
    """Capture 40 samples in units of six, with dropout at work."""
    to_disk.usual_unit = lambda *sizes: 6
    model = TinyGSNN([[0, 1, 1]] * 3, dropout=0.5)
    given, options = data(40), {"batch_size": 3}
    if kind == "loader":
        given, options = (DataLoader(TensorDataset(*given), **options),), {}
    return capture_to_store(path, model, torch.nn.MSELoss(), *given, seed=5, **options)


if __name__ == "__main__":
    put = to_disk.StoreWriter.put

    def slowly(*arguments):
        put(*arguments)
        time.sleep(0.5)

    to_disk.StoreWriter.put = slowly
    capture(*sys.argv[1:])
