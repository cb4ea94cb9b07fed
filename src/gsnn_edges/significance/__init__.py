"""How far chance alone would take a correlation: p-values, intervals, and many tests at once."""

from gsnn_edges.significance.analytic import (
    NullMoments,
    adjust_pvalues,
    correlation_pvalue,
    effective_sample_size,
    null_moments,
)
from gsnn_edges.significance.bootstrap import BootstrapInterval, bootstrap_interval
from gsnn_edges.significance.permutation import PermutationTest, permutation_test

__all__ = [
    "BootstrapInterval",
    "NullMoments",
    "PermutationTest",
    "adjust_pvalues",
    "bootstrap_interval",
    "correlation_pvalue",
    "effective_sample_size",
    "null_moments",
    "permutation_test",
]
