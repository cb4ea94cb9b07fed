from libraries import require

from gsnn_edges.bench.libraries import ON_DEVICE, installed


def test_all_of_a_full_installation_are_there():
    for name in ("torch", "jax"):
        require(name)
    assert tuple(installed("cpu")) == ON_DEVICE["cpu"]


def test_what_cannot_be_loaded_is_left_out(monkeypatch):
    def load(name, device):
        if name == "torch":
            raise ImportError
        if name == "jax":
            raise ValueError
        return name

    monkeypatch.setattr("gsnn_edges.backends.load", load)
    assert installed("cpu") == {"numpy": "numpy"}
