"""What a run must take at least, on paper: bytes and operations over what a card can do.

Nothing here is measured. Kernels that wait for each other, and all that a library does besides,
come on top.
"""

from dataclasses import dataclass

# Bytes moved for each key: a radix sort of 4 passes reads and writes keys of 4 bytes with places of
# 4, and reads the keys once to count them; the sort of values alone moves no places.
SORT_BYTES = 4 * (8 + 8) + 4
VALUE_SORT_BYTES = 4 * (4 + 4) + 4
# Ties are found, and ranks written to their places, in one pass each.
RANK_BYTES = 12
# Values are read twice, for their mean and their length, and written.
STANDARDIZE_BYTES = 12
# The naive pattern: a sort with places of 8 bytes, both turned before and after; a scatter; mean,
# difference, length and quotient, each a pass of its own.
NAIVE_BYTES = 4 * (12 + 12) + 4 + 2 * 24 + 16 + 4 + 8 + 4 + 8
# A score for each query and candidate: gathered, compared twice, masked twice, counted twice.
GATHER_BYTES = 8 + 2 + 2 * (5 + 3 + 1)
# Scores of a row: taken, masked, and searched once they are sorted.
ROW_BYTES = 8 + 1 + 8
# Products of channels: read, squared, summed by node.
REDUCE_BYTES = 12
# Passes over the activations of a layer, forward and backward together.
LAYER_PASSES = 10

# Products that take the place of one, and the operations a second that they run at.
GRADES = {
    "float32": (1, "float32"),
    "tf32x3": (3, "tf32"),
    "bf16x3": (3, "bf16"),
    "tf32": (1, "tf32"),
}


@dataclass(frozen=True)
class Card:
    """What a card can do.

    Attributes
    ----------
    copy : float
        Bytes a second, read and written, in its memory.
    bus : float
        Bytes a second from the host.
    float32, tf32, bf16 : float
        Operations a second of matrix products, two for each product that is added.
    """

    copy: float
    bus: float
    float32: float
    tf32: float
    bf16: float

    def product(self, sources: int, targets: int, count: int, grade: str = "float32") -> float:
        """Seconds of a matrix product.

        Examples
        --------
        >>> round(H200.product(10_000, 10_000, 300_000), 2)
        0.9
        """
        number, kind = GRADES[grade]
        return number * flop(sources, targets, count) / float(getattr(self, kind))

    def moved(self, values: float, bytes_each: float) -> float:
        """Seconds to move so many bytes for each value."""
        return values * bytes_each / self.copy

    def spearman(
        self, sources: int, targets: int, count: int, grade: str = "float32", *, bus: bool = False
    ) -> float:
        """Seconds of a rank correlation; from the host, those of the bus if they are more."""
        values = (sources + targets) * count
        ranks = self.moved(values, SORT_BYTES + RANK_BYTES)
        seconds = ranks + self.product(sources, targets, count, grade)
        return max(seconds, self.transfer(values)) if bus else seconds

    def pearson(self, sources: int, targets: int, count: int) -> float:
        """Seconds of a correlation of values."""
        values = (sources + targets) * count
        return self.moved(values, STANDARDIZE_BYTES) + self.product(sources, targets, count)

    def naive(self, sources: int, targets: int, count: int) -> float:
        """Seconds of the naive pattern."""
        values = (sources + targets) * count
        return self.moved(values, NAIVE_BYTES) + self.product(sources, targets, count)

    def transfer(self, values: float) -> float:
        """Seconds to bring so many float32 values from the host."""
        return 4 * values / self.bus

    def mrr(self, nodes: int) -> float:
        """Seconds to sort and search every row of scores."""
        return self.moved(nodes**2, VALUE_SORT_BYTES + ROW_BYTES)

    def gather(self, nodes: int, edges: int) -> float:
        """Seconds to gather a row of scores for each query."""
        return self.moved(nodes * edges, GATHER_BYTES)

    def passes(self, nodes: int, edges: int, channels: int, layers: int, batch: int) -> float:
        """Seconds of one forward and one backward pass of a GSNN."""
        return self.moved(layers * batch * (edges + nodes * channels), 4 * LAYER_PASSES)

    def channels(self, nodes: int, width: int, count: int) -> float:
        """Seconds of the channel score of one layer pair."""
        columns = nodes * width
        return self.spearman(columns, columns, count) + self.moved(columns**2, REDUCE_BYTES)


# By its maker's data sheet: dense products, PCIe 5 with 16 lanes less a tenth.
H200 = Card(copy=4.8e12, bus=5.7e10, float32=6.7e13, tf32=4.94e14, bf16=9.89e14)


def flop(sources: int, targets: int, count: int) -> float:
    """Operations of a matrix product."""
    return 2.0 * sources * targets * count
