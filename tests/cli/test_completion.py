"""Completion of commands and options in a shell."""

import os
import subprocess
import sys

import pytest

from gsnn_edges.cli.main import LINES

SCRIPT = "import sys; sys.argv[0] = 'gsnn-edges'; from gsnn_edges.cli.main import main; main()"


def asked(instruction, words=""):
    environment = os.environ | {
        "_GSNN_EDGES_COMPLETE": instruction,
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout


@pytest.mark.parametrize("shell", LINES)
def test_the_line_asks_for_a_script_that_is_there(shell, run):
    line = run("completion", shell).stdout
    assert f"_GSNN_EDGES_COMPLETE={shell}_source gsnn-edges" in line
    if shell != "bash":  # that of bash runs bash, to see its version
        assert "_gsnn_edges_completion" in asked(f"{shell}_source")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("gsnn-edges ca", ["plain,capture"]),
        ("gsnn-edges correlate --thr", ["plain,--threshold"]),
        ("gsnn-edges completion f", ["plain,fish"]),
    ],
)
def test_words_are_completed(words, found):
    assert asked("bash_complete", words).split() == found


def test_another_shell_is_refused(refused):
    assert "'tcsh' is not one of" in refused("completion", "tcsh")
