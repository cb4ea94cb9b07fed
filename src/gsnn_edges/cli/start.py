"""The way in from the shell; it loads nothing, so that it can answer an interrupt at once."""

import sys


def start() -> None:
    """Run the command that the shell was given."""
    try:
        from gsnn_edges.cli.main import main
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: no result is written\n")
        raise SystemExit(130) from None
    main()
