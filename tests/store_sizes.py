"""The sizes of the store that the tests of stores write."""

SIZES = {"pairs": 2, "samples": 11, "columns": 70, "unit": 4, "chunk_columns": 64}
