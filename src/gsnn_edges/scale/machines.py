"""Which process this is, and which devices are its own, as far as a cluster's variables tell."""

import re
from collections.abc import Mapping
from typing import NamedTuple

# The cards that a process may see, where the cluster gives each its own.
CARDS = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
# Processes on this machine: of Slurm, for each node of the step, and of Open MPI.
ON_NODES, ON_THIS = "SLURM_STEP_TASKS_PER_NODE", "OMPI_COMM_WORLD_LOCAL_SIZE"


class Place(NamedTuple):
    """A process among others."""

    process: int
    processes: int


def place(processes: int | None, process: int | None, environ: Mapping[str, str]) -> Place | None:
    """Say which process this is, before JAX does; None where only JAX can tell."""
    if processes == 1:
        return Place(0, 1)
    if processes is not None and process is not None:
        return Place(process, processes)
    own, count = environ.get("SLURM_PROCID", ""), environ.get("SLURM_NTASKS", "")
    return Place(int(own), int(count)) if own.isdecimal() and count.isdecimal() else None


def local_devices(environ: Mapping[str, str]) -> list[int] | None:
    """Say which devices of this machine a process takes in a cluster.

    An empty list are all that it sees: where it is alone on its machine, or was given cards that no
    other sees, which it numbers from 0. None leaves the choice to JAX, which takes the one of the
    process's number on its machine.
    """
    if "JAX_LOCAL_DEVICE_IDS" in environ:
        return None
    cards = next((environ[name] for name in CARDS if environ.get(name)), "")
    alone = re.fullmatch(r"1(\(x\d+\))?", environ.get(ON_NODES, ""))
    if alone or environ.get(ON_THIS) == "1" or (cards and "," not in cards):
        return []
    return None
