"""Which way arrays of a CPU are ranked, and which device they are asked for on."""

import os
from typing import Any

VARIABLE = "GSNN_EDGES_PATH"


def device_path_forced() -> bool:
    """Whether ``GSNN_EDGES_PATH=device`` asks for the library's own ranks on a CPU as well.

    It is how the code of GPUs and TPUs is run, and compared, on a machine that has neither.
    """
    value = os.environ.get(VARIABLE, "auto")
    if value not in ("auto", "device"):
        raise ValueError(f"{VARIABLE} must be 'auto' or 'device'; got {value!r}")
    return value == "device"


def host_only(device: Any) -> None:
    """Reject any device but the host."""
    if device is not None and str(device) not in ("cpu", "host"):
        raise ValueError(f"device must be None or 'cpu' for this backend; got {device!r}")
