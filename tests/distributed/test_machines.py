"""Who is who, and which cards are whose, from what a cluster says."""

import pytest

from gsnn_edges.scale.machines import local_devices, place

EACH_A_CARD = {"SLURM_STEP_TASKS_PER_NODE": "8(x4)", "CUDA_VISIBLE_DEVICES": "0"}
ONE_A_NODE = {"SLURM_STEP_TASKS_PER_NODE": "1(x4)", "CUDA_VISIBLE_DEVICES": "0,1,2,3"}
ALL_SEE_ALL = {"SLURM_STEP_TASKS_PER_NODE": "8(x4)", "CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (EACH_A_CARD, []),
        (ONE_A_NODE, []),
        (ALL_SEE_ALL, None),
        ({"SLURM_STEP_TASKS_PER_NODE": "1"}, []),
        ({"SLURM_STEP_TASKS_PER_NODE": "1,2"}, None),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, []),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, None),
        ({"ROCR_VISIBLE_DEVICES": "3"}, []),
        (ONE_A_NODE | {"JAX_LOCAL_DEVICE_IDS": "2"}, None),
        ({}, None),
    ],
)
def test_devices_of_a_process(environ, expected):
    assert local_devices(environ) == expected


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ((1, None), {}, (0, 1)),
        ((3, 2), {"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (2, 3)),
        ((None, None), {"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, (5, 8)),
        ((None, None), {"SLURM_PROCID": "5"}, None),
        ((None, None), {}, None),
    ],
)
def test_which_process_this_is(given, environ, expected):
    assert place(*given, environ) == expected
