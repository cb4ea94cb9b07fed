"""The switch between host and device path."""

import pytest

from gsnn_edges.backends.paths import VARIABLE, device_path_forced


@pytest.mark.parametrize(("value", "forced"), [(None, False), ("auto", False), ("device", True)])
def test_the_variable_forces_the_device_path(value, forced, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    assert device_path_forced() is forced


def test_another_value_is_an_error(monkeypatch):
    monkeypatch.setenv(VARIABLE, "gpu")
    with pytest.raises(ValueError, match="GSNN_EDGES_PATH must be 'auto' or 'device'; got 'gpu'"):
        device_path_forced()
