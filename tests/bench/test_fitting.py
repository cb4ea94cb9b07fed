import pytest

from gsnn_edges import backends
from gsnn_edges.bench import fitting as module
from gsnn_edges.bench.fitting import BARE, CAPTURE, ESTIMATE, NAIVE, fitting
from gsnn_edges.bench.group import MISSING, Settings

SETTINGS = Settings(repeats=1)


def test_fit_is_held_against_the_bare_pass():
    rows = fitting(20, 10, SETTINGS)
    assert [(row.what, row.reference) for row in rows] == [
        (BARE, ""),
        (NAIVE, BARE),
        (CAPTURE, BARE),
        ("fit, numpy", BARE),
        ("fit, torch", BARE),
        ("fit, jax", BARE),
        (f"fit, torch, beyond {BARE}", ""),
        (ESTIMATE, "fit, torch"),
    ]
    assert {row.size for row in rows} == {"N=20, B=10"}


def test_what_a_fit_adds_is_a_difference():
    by_name = {row.what: row.milliseconds for row in fitting(20, 10, SETTINGS)}
    added = by_name["fit, torch"] - by_name[BARE]
    assert by_name[f"fit, torch, beyond {BARE}"] == pytest.approx(added)


def test_missing_library_leaves_its_row(monkeypatch):
    there = {name: backends.load(name) for name in ("numpy", "torch")}
    monkeypatch.setattr(module, "installed", lambda device: there)
    notes = {row.what: row.note for row in fitting(20, 10, SETTINGS)}
    assert {what for what, note in notes.items() if note == MISSING} == {"fit, jax"}
