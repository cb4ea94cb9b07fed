"""Buffers of the host; the lanes themselves need a CUDA device."""

import numpy as np
import pytest
from libraries import require

require("torch")
import torch  # noqa: E402

from gsnn_edges import backends  # noqa: E402
from gsnn_edges.backends import transfers  # noqa: E402
from gsnn_edges.backends.torch_streams import (  # noqa: E402
    CudaLanes,
    host_tensor,
    on_host,
    own_copy,
    read_tensor,
    staged,
)


@pytest.mark.parametrize("x", [np.arange(6.0)[::-1], np.broadcast_to(np.ones(3), (2, 3))])
def test_arrays_that_torch_cannot_view_are_copied(x):
    np.testing.assert_array_equal(host_tensor(x).numpy(), x)


def test_other_arrays_and_tensors_share_their_memory():
    x, t = np.zeros(3), torch.zeros(3, requires_grad=True)
    assert host_tensor(x).data_ptr() == x.ctypes.data
    assert host_tensor(t).data_ptr() == t.data_ptr()
    assert not host_tensor(t).requires_grad


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_only_read_is_shared_though_it_is_locked(turned):
    x = np.random.default_rng(0).standard_normal((3, 5))
    x = x.T if turned else x
    x.flags.writeable = False
    tensor = read_tensor(x)
    assert tensor.data_ptr() == x.ctypes.data
    np.testing.assert_array_equal(tensor, x)
    assert not x.flags.writeable
    y = read_tensor(np.broadcast_to(np.ones(3), (2, 3)))
    np.testing.assert_array_equal(y, np.ones((2, 3)))


def test_memory_that_is_only_read_stays():
    def made():
        x = np.full(1000, 7.0)
        x.flags.writeable = False
        return read_tensor(x)

    tensor, other = made(), [np.zeros(1000) for _ in range(20)]
    assert float(tensor.sum()) == 7000
    assert len(other) == 20


def test_tensors_and_backwards_arrays_are_read_as_they_were():
    t, x = torch.zeros(3), np.arange(6.0)[::-1]
    x.flags.writeable = False
    assert read_tensor(t).data_ptr() == t.data_ptr()
    np.testing.assert_array_equal(read_tensor(x), x)


def test_arrays_of_other_libraries_are_left_to_the_backend():
    require("jax")
    import jax.numpy as jnp

    here = [np.zeros(3), torch.zeros(3), torch.zeros(3, device="meta"), jnp.zeros(3)]
    assert [on_host(x) for x in here] == [True, True, False, False]


def test_a_staged_block_lies_at_the_beginning_of_its_buffer():
    x = torch.arange(12.0).view(3, 4).T
    stage = torch.empty(20)
    part = staged(stage, x)
    np.testing.assert_array_equal(part, x)
    assert part.data_ptr() == stage.data_ptr()


@pytest.mark.gpu
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("pinned", [False, True])
def test_blocks_reach_a_busy_device_whole(order, pinned, monkeypatch):
    monkeypatch.setattr(transfers, "STAGE_BYTES", 1 << 20)
    x = torch.from_numpy(
        np.asarray(np.random.default_rng(0).standard_normal((20_000, 300)), np.float32, order=order)
    )
    x = x.T.contiguous().pin_memory().T if pinned and order == "F" else x
    x = x.pin_memory() if pinned and order == "C" else x
    device = torch.device("cuda", 0)
    busy, sums = torch.ones(4000, 4000, device=device), []
    with transfers.StagedFeed(lambda block: block, CudaLanes(device)) as feed:
        for start in range(0, 300, 20):
            block = feed.take(x[:, start : start + 20].T)
            for _ in range(5):
                busy = busy @ busy / 4000
            sums.append(block.double().sum(1))
            feed.release(block)
    expected = x.double().sum(0)
    np.testing.assert_allclose(torch.cat(sums).cpu(), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.gpu
def test_a_cuda_backend_feeds_by_stages():
    ops = backends.load("torch", "cuda")
    assert isinstance(ops.feed(ops.adopt), transfers.StagedFeed)


def test_an_owned_copy_of_a_jax_array_is_nobody_elses():
    require("jax")
    import jax.numpy as jnp

    x = jnp.arange(12.0).reshape(3, 4)
    copy = own_copy(x)
    assert copy.data_ptr() != x.unsafe_buffer_pointer()
    np.testing.assert_array_equal(copy.numpy(), np.arange(12.0).reshape(3, 4))
