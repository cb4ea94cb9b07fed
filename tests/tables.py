"""Tables of edges, as users have them."""


def write_edges(path, edges, names):
    """Write a csv of edges by the names of their ends."""
    lines = [f"{names[source]},{names[target]}" for source, target in edges.T]
    path.write_text("\n".join(["source,target", *lines]) + "\n")
