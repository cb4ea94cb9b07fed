"""The command gsnn-edges: one file for each of its commands, loaded when it is called."""

import sys
import warnings


def start() -> None:
    """Run the command of the shell; an interrupt is answered while libraries still load."""
    try:
        from gsnn_edges.cli.main import main
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: no result is written\n")
        raise SystemExit(130) from None
    try:
        main()
    finally:
        # A call that was ended leaves coroutines of zarr that never began, and each would warn.
        warnings.simplefilter("ignore")
