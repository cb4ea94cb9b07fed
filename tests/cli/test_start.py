"""The way in from the shell."""

import subprocess
import sys

EARLY = """
import sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from gsnn_edges.cli.start import start
start()
"""


def called(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_runs():
    run = called("from gsnn_edges.cli.start import start; start()", "--version")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("gsnn-edges, version ")


def test_an_interrupt_while_libraries_are_loaded_is_one_line():
    run = called(EARLY, "--help")
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr == "Interrupted: no result is written\n"
