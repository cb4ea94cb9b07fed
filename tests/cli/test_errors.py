"""Every error is a line and an exit code."""

import warnings

import click
import pytest

from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.main import Terminated, answered, lines_for_warnings


def exit_code(error, screen=None):
    def work():
        with answered(screen or Screen()):
            raise error

    with pytest.raises(SystemExit) as left:
        work()
    return left.value.code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("top must be 1\nor more"), 2, "Error: top must be 1 or more"),
        (TypeError("x must be an array"), 2, "Error: x must be an array"),
        (FileNotFoundError("x must be a file"), 2, "Error: x must be a file"),
        (PermissionError("choose another folder"), 2, "Error: choose another folder"),
        (click.UsageError("No such option: --x"), 2, "Error: No such option: --x"),
        (ImportError("jax: pip install 'gsnn-edges[jax]'"), 1, "Error: jax: pip install"),
        (ModuleNotFoundError("no", name="zarr"), 1, "Error: this needs zarr, which is not inst"),
        (ModuleNotFoundError("No module 'mine'", name="mine"), 1, "Error: No module 'mine'"),
        (OSError(28, "No space left on device"), 1, "Error: No space left on device"),
        (MemoryError(), 1, "Error: out of memory: give a smaller batch"),
        (RuntimeError("CUDA out of memory."), 1, "Error: out of memory: CUDA out of memory."),
        (RuntimeError("mat1 and\nmat2"), 1, "Error: RuntimeError: mat1 and mat2 (--traceback"),
        (ValueError(), 2, "Error: ValueError (--traceback shows it)"),
        (KeyError("a"), 1, "Error: KeyError: 'a' (--traceback shows where)"),
        (click.exceptions.Abort(), 130, "Interrupted: "),
        (Terminated(), 143, "Terminated: no result is written"),
    ],
)
def test_an_error_is_a_line_and_a_code(error, code, line, capsys):
    assert exit_code(error) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(line)
    assert shown.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_named_with_its_option(capsys):
    given = {"--out": "big.zarr", "--metrics": "m.json"}
    full = OSError(28, "No space left on device")
    assert exit_code(full, Screen(given=given)) == 1
    assert capsys.readouterr().err == "Error: --out 'big.zarr': No space left on device\n"
    named = OSError(28, "'m.json' cannot be written (No space left on device)")
    assert exit_code(named, Screen(given=given)) == 1
    assert capsys.readouterr().err.startswith("Error: --metrics 'm.json' cannot be written")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.exceptions.Abort()])
def test_only_what_goes_on_is_said_to_go_on(error, capsys):
    for resumes, way in ((False, ""), (True, "; the same call goes on where it was")):
        assert exit_code(error, Screen(resumes=resumes)) == 130
        assert capsys.readouterr().err == f"Interrupted: no result is written{way}\n"


def test_a_traceback_is_shown_where_it_is_asked_for(capsys):
    assert exit_code(ValueError("wrong"), Screen(traceback=True)) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith("Error: wrong\n")


@pytest.mark.parametrize(
    ("level", "category", "shown"),
    [
        (0, UserWarning, "Warning: few samples\n"),
        (-1, UserWarning, "Warning: few samples\n"),
        (0, DeprecationWarning, ""),
    ],
)
def test_warnings_are_lines(level, category, shown, capsys):
    before = warnings.showwarning
    with lines_for_warnings(Screen(level=level)):
        warnings.warn("few\nsamples", category, stacklevel=1)
    assert capsys.readouterr().err == shown
    assert warnings.showwarning is before
