"""What all processes must ask for alike, told to each other once they have joined."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from gsnn_edges import __version__
from gsnn_edges.scale.journal import differences


def versions() -> dict[str, str]:
    """Name the versions that compute."""
    return {"gsnn-edges": __version__, "jax": jax.__version__, "numpy": np.__version__}


def gathered(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the facts of every process, in their order."""
    own = np.frombuffer(json.dumps(dict(facts), sort_keys=True).encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(own))).reshape(-1)
    padded = np.pad(own, (0, int(lengths.max()) - len(own)))
    texts = multihost_utils.process_allgather(padded).reshape(len(lengths), -1)
    return [json.loads(bytes(text[:length])) for text, length in zip(texts, lengths, strict=True)]


def check_alike(all_facts: Sequence[Mapping[str, Any]]) -> None:
    """Reject processes that ask for something else than the first: every one finds the same."""
    for process, facts in enumerate(all_facts):
        found = differences(all_facts[0], facts)
        if found:
            raise ValueError(
                f"all processes must make the same call on the same observations, with the same "
                f"versions; from process 0 to process {process} {', '.join(found)}: give all the "
                "same, and begin anew"
            )
