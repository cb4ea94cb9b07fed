"""A process that captures to the path it is given, slowly: the tests kill it."""

import sys
import time

import torch
from gsnn_models import TinyGSNN, data

from gsnn_edges.observations import capture_to_store, to_disk

OPTIONS = {"batch_size": 3, "seed": 5}


def capture(path, **options):
    """Capture 40 samples in units of six, with dropout at work."""
    to_disk.usual_unit = lambda *sizes: 6
    model = TinyGSNN([[0, 1, 1]] * 3, dropout=0.5)
    return capture_to_store(path, model, torch.nn.MSELoss(), *data(40), **OPTIONS, **options)


if __name__ == "__main__":
    put = to_disk.StoreWriter.put

    def slowly(*arguments):
        put(*arguments)
        time.sleep(0.5)

    to_disk.StoreWriter.put = slowly
    capture(sys.argv[1])
