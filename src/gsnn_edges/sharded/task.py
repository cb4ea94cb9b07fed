"""One correlation over a mesh: both sides, and W whole or block by block."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gsnn_edges._io import format_bytes
from gsnn_edges.sharded.placement import Observations
from gsnn_edges.sharded.program import ROWS, Score, add_targets, correlate, correlate_chunk

# Bytes of a W that each device may hold whole, where no even shards are left.
GATHERED = 1 << 28


@dataclass(frozen=True)
class Task:
    """Sources ``a`` and targets ``g``, the devices, and what is computed."""

    a: Observations
    g: Observations
    mesh: Mesh
    score: Score

    @property
    def sources(self) -> int:
        """Number of source nodes."""
        return len(self.a.members)

    @property
    def targets(self) -> int:
        """Number of target nodes."""
        return len(self.g.members)

    def each(self, nodes: int) -> int:
        """Nodes of a device, when so many are spread over all."""
        return -(-nodes // int(self.mesh.size))

    def whole(self) -> jax.Array:
        """W (sources, targets), by rows."""
        if 0 in (self.sources, self.targets):
            return jnp.zeros((self.sources, self.targets), self.score.dtype)
        check_evenness(self.sources, self.targets, self.score.dtype, int(self.mesh.size))
        a, g = (
            side.placed(0, self.each(nodes) * self.mesh.size, self.mesh)
            for side, nodes in ((self.a, self.sources), (self.g, self.targets))
        )
        filled = correlate(a, g, mesh=self.mesh, score=self.score, targets=self.targets)
        return first_rows(filled, self.sources, self.mesh)

    def resident(self, batch: int) -> "Resident":
        """Standardize the targets, so many at a time on each device, which keeps them."""
        batch = min(batch, self.each(self.targets))
        batches = -(-self.targets // (batch * self.mesh.size))
        length = self.g.samples * (self.g.pairs if self.score.pooled else 1)
        parts = 1 if self.score.pooled else self.g.pairs
        rows = batch * self.score.targets.kept
        shape = (parts, batches * rows * self.mesh.size, length)
        make = partial(jnp.zeros, shape, self.score.dtype)
        kept = jax.jit(make, out_shardings=NamedSharding(self.mesh, ROWS))()
        for number in range(batches):
            low = number * batch * self.mesh.size
            part = self.g.placed(low, low + batch * self.mesh.size, self.mesh)
            kept = add_targets(kept, part, number * rows, mesh=self.mesh, score=self.score)
        return Resident(self, kept, batches)


@dataclass(frozen=True)
class Resident:
    """A task whose targets lie on the devices."""

    task: Task
    rows: jax.Array
    batches: int

    def block(self, top: int, bottom: int) -> jax.Array:
        """Rows ``top`` to ``bottom`` of W, a multiple of the devices; 0 beyond the last."""
        task = self.task
        return correlate_chunk(
            task.a.placed(top, bottom, task.mesh),
            self.rows,
            mesh=task.mesh,
            score=task.score,
            targets=task.targets,
            batches=self.batches,
        )


def check_evenness(sources: int, targets: int, dtype: str, devices: int) -> None:
    """Reject a W that would have to be gathered, where it is large."""
    size = sources * targets * np.dtype(dtype).itemsize
    if sources % devices and size > GATHERED:
        even = next(count for count in range(devices, 0, -1) if sources % count == 0)
        padded = -(-sources // devices) * devices
        raise ValueError(
            f"devices={devices} must divide the {sources} sources where W is as large as "
            f"{format_bytes(size)}: JAX shards evenly or not at all, and each device would hold "
            f"all of it; take {even} devices, add columns of zeros up to {padded}, or take W by "
            "gsnn_edges.sharded.sharded_blocks"
        )


def first_rows(matrix: jax.Array, count: int, mesh: Mesh) -> jax.Array:
    """Cut off what fills up the last device: no even shards are left, so each device has all."""
    if matrix.shape[0] == count:
        return matrix
    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.jit(lambda x: x[:count], out_shardings=everywhere)(matrix)


def local_rows(block: jax.Array) -> Iterable[tuple[int, np.ndarray]]:
    """Give the rows that this process holds, with the number of the first."""
    for shard in block.addressable_shards:
        yield shard.index[0].start or 0, np.asarray(shard.data)
