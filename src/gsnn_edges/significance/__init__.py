"""How far chance alone would take a correlation: p-values, intervals, and many tests at once."""

from gsnn_edges.significance.adjustment import adjust
from gsnn_edges.significance.fisher import fisher_z
from gsnn_edges.significance.intervals import BootstrapInterval, bootstrap_interval
from gsnn_edges.significance.moments import NullMoments, effective_count, null_moments
from gsnn_edges.significance.permutation import PermutationTest, permutation_test

__all__ = [
    "BootstrapInterval",
    "NullMoments",
    "PermutationTest",
    "adjust",
    "bootstrap_interval",
    "effective_count",
    "fisher_z",
    "null_moments",
    "permutation_test",
]
