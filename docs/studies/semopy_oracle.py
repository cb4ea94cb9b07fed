"""Make the oracle of tests/test_structural.py with another package: pip install semopy==2.3.11.

    python docs/studies/semopy_oracle.py

Every node is measured and two are perturbed: the weights of the most likely model, and the fall of
its chi-squared when an edge is added, which the squared score approximates.
"""

import numpy as np
import pandas as pd
import semopy

KNOWN = "b ~ a + x1\nc ~ b + x2\nd ~ c\n"
ADDED = ("c ~ a", "d ~ a", "d ~ b")


def data() -> pd.DataFrame:
    """Draw a chain a -> b -> c -> d that an edge from a to d crosses; standardized columns."""
    rng = np.random.default_rng(7)
    x1, x2, *noise = rng.standard_normal((6, 400))
    a = noise[0]
    b = 0.8 * a + x1 + noise[1]
    c = -0.6 * b + 0.5 * x2 + noise[2]
    d = 0.7 * c + 0.15 * a + noise[3]
    frame = pd.DataFrame({"a": a, "b": b, "c": c, "d": d, "x1": x1, "x2": x2})
    return (frame - frame.mean()) / frame.std(ddof=0)


def fitted(text: str) -> semopy.Model:
    """Fit a model by maximum likelihood."""
    model = semopy.Model(text)
    model.fit(data(), obj="MLW")
    return model


if __name__ == "__main__":
    known = fitted(KNOWN)
    table = known.inspect()
    for _, row in table[table["op"] == "~"].iterrows():
        print(row["rval"], "->", row["lval"], round(row["Estimate"], 5))
    before = semopy.calc_stats(known)["chi2"].iloc[0]
    for edge in ADDED:
        after = semopy.calc_stats(fitted(KNOWN + edge))["chi2"].iloc[0]
        print(edge, round(before - after, 4))
