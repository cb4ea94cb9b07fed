"""What W follows from is the same whoever makes it."""

import pytest
from stores import draw, write_store

from gsnn_edges.scale.settings import check_length, checked_settings

GIVEN = {"method": "pearson", "ties": "ordinal", "layers": None, "n_components": None}


def test_settings_tell_the_observations(magnitudes, tmp_path):
    found = checked_settings(magnitudes, **GIVEN)
    assert found["layers"] == "pooled"
    assert found["observations"] == magnitudes.fingerprint()
    other = write_store(tmp_path / "other", *draw(1))
    assert checked_settings(other, **GIVEN) == found | {"observations": other.fingerprint()}


def test_directions_are_of_channels(magnitudes, channels):
    assert checked_settings(channels, **GIVEN | {"n_components": 2})["n_components"] == 2
    with pytest.raises(ValueError, match="n_components=2 needs a store of score='channels'"):
        checked_settings(magnitudes, **GIVEN | {"n_components": 2})


def test_one_observation_is_too_few(tmp_path):
    store = write_store(tmp_path / "one", *draw(pairs=2, samples=1))
    check_length(store, "pooled")
    with pytest.raises(ValueError, match="at least 2 observations for each matrix; got 1"):
        check_length(store, "mean")
