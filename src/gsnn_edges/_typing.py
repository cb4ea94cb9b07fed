"""Names for the types that cross module borders."""

from typing import Any, Literal, TypeAlias

# Arrays of every library meet here, and no library is imported to name their types.
Array: TypeAlias = Any
Device: TypeAlias = Any

Method: TypeAlias = Literal["spearman", "pearson"]
Score: TypeAlias = Literal["magnitude", "channels"]
Ties: TypeAlias = Literal["average", "ordinal"]
Norm: TypeAlias = Literal["l1", "l2", "none"]
Agg: TypeAlias = Literal["sum", "mean", "max"]
Precision: TypeAlias = Literal["float32", "float64"]
