"""gsnn-edges backends."""

import json

import pytest

from gsnn_edges import backends
from gsnn_edges.backends import Finding


def test_backends_lists_what_is_installed(run):
    shown = run("backends")
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in backends.BACKENDS)


def test_what_is_missing_comes_with_its_command(run, monkeypatch):
    monkeypatch.setattr("gsnn_edges.backends.available", lambda: ("numpy",))
    found = {
        row["backend"]: row for row in json.loads(run("backends", "--json").stdout)["backends"]
    }
    assert found["numpy"]["devices"] == ["cpu"]
    assert found["numpy"]["precisions"] == ["float32", "float64"]
    assert found["jax"] == {
        "backend": "jax",
        "version": None,
        "devices": [],
        "precisions": [],
        "install": "pip install 'gsnn-edges[jax]'",
    }


def test_check_shows_every_law(run):
    laws = json.loads(run("backends", "--check", "--json").stdout)["laws"]
    assert {law["backend"] for law in laws} == set(backends.available())
    assert all(law["kept"] and law["error"] <= law["bound"] for law in laws)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_broken_law_is_a_failure(form, run, monkeypatch):
    broken = Finding("ranks", 2.0, 0.0)
    monkeypatch.setattr("gsnn_edges.backends.check", lambda _: [broken])
    shown = run("backends", "--check", *form)
    assert shown.exit_code == 1
    assert "a backend breaks a law" in shown.stderr
    assert "ranks" in shown.stdout
