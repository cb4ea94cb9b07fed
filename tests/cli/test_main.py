"""What all commands share: help, version, errors and warnings as lines, exit codes, completion."""

import errno
import json
import os
import subprocess
import sys
import warnings

import click
import pytest

import gsnn_edges
from gsnn_edges import backends
from gsnn_edges.cli.console import Screen
from gsnn_edges.cli.main import COMMANDS, main
from gsnn_edges.scale import plan

HEAVY = {"numpy", "rich", "torch", "jax", "pandas", "pyarrow", "scipy", "zarr", "array_api_compat"}


def python(script, *arguments, **environment):
    """A script in a process of its own."""
    call = [sys.executable, "-c", script, *arguments]
    return subprocess.run(call, env=os.environ | environment, capture_output=True, text=True)


def test_version_is_the_packages(run):
    assert run("--version").output == f"gsnn-edges, version {gsnn_edges.__version__}\n"
    as_module = [sys.executable, "-m", "gsnn_edges.cli", "--version"]
    assert subprocess.check_output(as_module, text=True) == run("--version").output


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_option(name, run):
    shown = run(name, "--help")
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"Usage: gsnn-edges {name} ")
    assert "\\b" not in shown.stdout
    command = main.get_command(click.Context(main), name)
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [param.name for param in options if not param.help] == []


def test_help_lists_the_commands_and_the_exit_codes(run):
    shown = run()
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == run("--help").stdout
    listed = shown.stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()[: len(COMMANDS)]] == list(COMMANDS)
    assert "130  interrupted by Ctrl-C" in shown.stdout
    assert "..." not in listed


def test_an_unknown_command_is_named(refused):
    assert "No such command 'frobnicate': there are capture, " in refused("frobnicate")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["correlate", "--help"]])
def test_help_loads_no_heavy_library(arguments):
    shown = python(
        "import sys; from gsnn_edges.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: print('\\nmodules', *sys.modules)"
    )
    loaded = shown.stdout.rpartition("modules")[2].split()
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert "gsnn_edges.cli.console" in loaded


ERRORS = [
    (ValueError("top must be 1\nor more"), 2, "Error: top must be 1 or more"),
    (TypeError("x must be an array"), 2, "Error: x must be an array"),
    (FileNotFoundError("x must be a file"), 2, "Error: x must be a file"),
    (PermissionError("choose another folder"), 2, "Error: choose another folder"),
    (click.UsageError("No such option: --x"), 2, "Error: No such option: --x"),
    (ImportError("jax: pip install '.[jax]'"), 1, "Error: jax: pip install"),
    (OSError(errno.ENOSPC, "No space left on device", "W.npy"), 1, "Error: [Errno 28] No space"),
    (MemoryError(), 1, "Error: out of memory: MemoryError: give a smaller --batch-size or"),
    (RuntimeError("CUDA out of memory."), 1, "Error: out of memory: CUDA out of memory.: give"),
    (RuntimeError("mat1 and\nmat2"), 1, "Error: RuntimeError: mat1 and mat2 (--traceback shows"),
    (ValueError(), 2, "Error: ValueError: (--traceback shows where)"),
    (KeyError("a"), 1, "Error: KeyError: 'a' (--traceback shows where)"),
    (click.exceptions.Abort(), 130, "Interrupted: no result is written\n"),
    (KeyboardInterrupt(), 130, "Interrupted: no result is written\n"),
]


@pytest.fixture
def failing(monkeypatch, run):
    """A call whose work raises an error."""

    def call(error, *options):
        def work(*_, **__):
            warnings.warn("few\nsamples", UserWarning, stacklevel=1)
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            raise error

        monkeypatch.setattr("gsnn_edges.scale.plan", work)
        return run("plan", "--nodes", 3, "--observations", 3, *options)

    return call


@pytest.mark.parametrize(("error", "code", "line"), ERRORS)
def test_an_error_is_a_line_and_a_code(error, code, line, failing):
    shown = failing(error, "-q")
    assert (shown.exit_code, shown.stdout) == (code, "")
    warning, *said = shown.stderr.splitlines(keepends=True)
    assert warning == "Warning: few samples\n"
    assert len(said) == 1
    assert said[0].startswith(line)


def test_verbose_shows_all_warnings_and_traceback_where_an_error_arose(failing):
    shown = failing(ValueError("wrong"), "-v", "--traceback").stderr
    assert shown.startswith("Warning: few samples\nWarning: old\nTraceback ")
    assert shown.endswith("ValueError: wrong\nError: wrong\n")


EARLY = """
import sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from gsnn_edges.cli import start
start()
"""


def test_an_interrupt_while_libraries_are_loaded_is_one_line():
    shown = python(EARLY, "--help")
    assert (shown.returncode, shown.stdout) == (130, "")
    assert shown.stderr == "Interrupted: no result is written\n"


@pytest.mark.parametrize(
    ("how", "options"),
    [(">&-", ""), ("2>&-", "--verbose"), ("| head -c 1", ""), ("", "")],
)
def test_no_way_of_calling_leaves_a_traceback(how, options, folder):
    call = f'"{sys.executable}" -OO -m gsnn_edges.cli {options} evaluate W.npy --edges held_out.csv'
    call += f" --names names.txt --known known.csv {how}"
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = subprocess.run(call, shell=True, env=os.environ | plain, capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert ("adjusted_mrr" in shown.stdout) == (how in ("", "2>&-"))


COMPLETE = "import sys; sys.argv[0] = 'gsnn-edges'; from gsnn_edges.cli import start; start()"


def test_words_are_completed():
    words = {"COMP_WORDS": "gsnn-edges evaluate --direction h", "COMP_CWORD": "3"}
    shown = python(COMPLETE, _GSNN_EDGES_COMPLETE="bash_complete", **words)
    assert shown.stdout.split() == ["plain,head"]


COLUMNS = {"name": ["a[b]", "c" * 150], "score": [0.5, 2], "none": ["", None]}


def test_a_table_has_its_numbers_to_the_right_and_no_empty_column(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    Screen().table(COLUMNS, "title")
    title, head, _, first, second, _ = capsys.readouterr().out.split("\n")[:6]
    assert (title, head.split()) == ("title", ["name", "score"])
    assert (first.split(), second.split()) == (["a[b]", "0.5000"], ["c" * 150, "2"])
    assert len(first) == len(second)


@pytest.mark.parametrize(
    ("level", "terminal", "shown"),
    [(0, True, True), (0, False, False), (1, False, True), (-1, True, False)],
)
def test_progress_is_for_a_terminal_or_on_request(level, terminal, shown, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert Screen(level=level).progress is shown


def test_backends_lists_what_is_installed(run, monkeypatch):
    rows = {row["backend"]: row for row in json.loads(run("backends", "--json").stdout)["backends"]}
    assert list(rows) == list(backends.BACKENDS)
    assert rows["numpy"]["precisions"] == ["float32", "float64"]
    monkeypatch.setattr("gsnn_edges.backends.available", lambda: ("numpy",))
    shown = json.loads(run("backends", "--json").stdout)
    (jax,) = [row for row in shown["backends"] if row["backend"] == "jax"]
    assert jax.pop("install") == "pip install '.[jax]'"
    assert [*jax.values()] == ["jax", None, [], []]
    torch = shown["extras"][0]
    assert (torch["name"], torch["missing"]) == ("torch", [])
    assert torch["there"][0].startswith("torch 2.")
    assert "not installed" in run("backends").stdout


def test_backends_check_shows_every_law(run):
    laws = json.loads(run("backends", "--check", "--json").stdout)["laws"]
    assert {law["backend"] for law in laws} == set(backends.available())
    assert all(law["kept"] and law["error"] <= law["bound"] for law in laws)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_broken_law_is_a_failure(form, run, monkeypatch):
    broken = backends.Finding("ranks", 2.0, 0.0)
    monkeypatch.setattr("gsnn_edges.backends.check", lambda _: [broken])
    shown = run("backends", "--check", *form)
    assert shown.exit_code == 1
    assert "a backend breaks a law" in shown.stderr
    assert "ranks" in shown.stdout


def test_the_plan_is_that_of_plan(run):
    call = ("plan", "--nodes", 3000, "--observations", 20_000, "--memory", "1GB", "--devices", 8)
    shown = json.loads(run(*call, "--channels", 4, "--layers", 5, "--json").stdout)
    wanted = plan(3000, 20_000, memory="1GB", devices=8, channels=4, layers=5)
    measured = {"seconds", "calibration"}
    assert {name: shown[name] for name in shown.keys() - measured} == {
        name: value for name, value in wanted.to_dict().items() if name not in measured
    }
    assert run(*call).stdout.startswith("3,000 nodes x 20,000 observations, on each of 8 devices:")


def test_demo_writes_its_results_and_is_quiet_on_request(run, tmp_path):
    call = ("demo", "--backend", "numpy", "--epochs", 0, "--out", tmp_path)
    shown = json.loads(run(*call, "--json").stdout)
    assert shown.items() >= json.loads((tmp_path / "metrics.json").read_text()).items()
    assert "untrained" in run(*call).stdout
    quiet = run("-q", *call)
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("demo", "--graph", "nowhere.csv"), "nowhere.csv"),
        (("demo", "--backend", "tensorflow"), "is not one of"),
        (("demo", "--epochs", "-1"), "--epochs"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(arguments, phrase, refused):
    assert phrase in refused(*arguments)
