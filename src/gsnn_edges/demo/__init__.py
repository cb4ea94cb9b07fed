"""A graph, data simulated along it, a reference GSNN trained on them, and the run of all three."""
