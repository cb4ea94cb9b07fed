"""One process of a distributed run, as a script: ``python joining.py '{"store": ...}'``.

It prints the error, if there is one, in a line, and then ends with status 3.
"""

import json
import sys

from gsnn_edges.scale import correlate_distributed

if __name__ == "__main__":
    try:
        correlate_distributed(**json.loads(sys.argv[1]))
    except (RuntimeError, ValueError, OSError) as error:
        print(error)
        sys.exit(3)
