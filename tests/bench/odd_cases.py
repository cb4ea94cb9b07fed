"""A child of a benchmark with cases that fail in all ways: ``python odd_cases.py FIRST NAMES``."""

import os
import signal
import sys
import time

from gsnn_edges.bench.report import Row
from gsnn_edges.bench.reporting import Case, own_channel, run_cases


def good(given):
    print("noise of a library")
    yield Row("good", "N=1", given)
    yield Row("good again", "N=1", given + 1)


def raising(given):
    yield Row("before an error", "", 1.0)
    raise ValueError("too\nbad")


def killing(given):
    yield Row("before a crash", "", 1.0)
    print("a last word", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def hanging(given):
    yield Row("before a hang", "", 1.0)
    time.sleep(60)


def clean():
    if "leaving" in NAMES:
        sys.exit("no way on")


NAMES = sys.argv[2].split(",")
RUNS = {"good": good, "raising": raising, "killing": killing, "hanging": hanging, "leaving": good}

if __name__ == "__main__":
    if NAMES[0] == "broken":
        sys.exit("cannot begin")
    channel = own_channel()
    cases = [Case(name, "", RUNS[name]) for name in NAMES]
    done = run_cases(
        cases, int(sys.argv[1]), 1.0, channel, learn=lambda given, row: given + 1, clean=clean
    )
    sys.exit(not done)
