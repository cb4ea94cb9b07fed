import dataclasses

import numpy as np
import pytest
from libraries import require
from numpy.testing import assert_allclose

from gsnn_edges.scale import Calibration, calibrate

GIVEN = {"ranked_values": 1e8, "rank_length": 1 << 10, "flops": 1e11, "copied_bytes": 1e10}


def test_ranking_grows_by_the_logarithm():
    rates = Calibration(**GIVEN)
    assert_allclose(rates.rank_seconds(2e8, 1 << 10), 2)
    assert_allclose(rates.rank_seconds(2e8, 1 << 20), 4)


def test_what_is_saved_is_loaded(tmp_path):
    rates = Calibration(**GIVEN, network_bytes=4e11, source="a data sheet")
    rates.save(tmp_path / "rates.json")
    assert Calibration.load(tmp_path / "rates.json") == rates


@pytest.mark.parametrize("text", ["{}", "[1]", "no", '{"speed": 1}'])
def test_a_file_of_something_else(tmp_path, text):
    (tmp_path / "rates.json").write_text(text)
    with pytest.raises(ValueError, match=r"must be a file that Calibration.save wrote"):
        Calibration.load(tmp_path / "rates.json")


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "fast"])
@pytest.mark.parametrize("name", ["flops", "network_bytes"])
def test_a_rate_must_be_above_0(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a rate above 0"):
        Calibration(**(GIVEN | {name: value}))


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax"])
def test_rates_of_this_machine(backend):
    require(backend)
    rates = dataclasses.asdict(calibrate(backend, observations=500, nodes=20))
    assert rates.pop("rank_length") == 500
    assert rates.pop("source").startswith(f"measured on {backend}")
    assert rates.pop("network_bytes") is None
    # No processor does more than 10**16 of anything in a second, or less than 10**3.
    assert all(1e3 < rate < 1e16 for rate in rates.values()), rates
