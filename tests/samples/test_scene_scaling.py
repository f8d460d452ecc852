"""Scaling of scenes: the published constants, logarithm of backscatter, what is missing, where a scene is."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.samples import scene_scaling
from polynya.sensors.glaciers import REGIONS, TABLE

from .scene_pieces import scaling_of


def one(sensor: str, band: int, value: float) -> float:
    """Return a scaled value of one band."""
    scaling = scaling_of((sensor,))
    return float(scaling.apply(np.full((scaling.bands, 1, 1), value, np.float32))[band, 0, 0])


@pytest.mark.parametrize(
    ("sensor", "band", "value", "expected"),
    [
        ("optical", 0, 0.5, 0.5 / 2.05),
        ("optical", 3, 1.34, 0.5),
        ("optical", 5, 2.16, 1.0),
        ("dem", 0, 8349.4, 1.0),
        ("dem", 0, -103.3, 0.0),
        ("dem", 1, 44.49, 0.5),
        ("co_pol_sar", 0, 1e-2, (np.log10(1e-2 + 1e-6) + 6.0) / 7.758),
        ("co_pol_sar", 1, 0.0, 0.0),
        ("cross_pol_sar", 1, -0.3, 0.0),
        ("cross_pol_sar", 0, 10.0**1.758 - 1e-6, 1.0),
        ("in_sar", 1, 0.25, 0.25),
        ("thermal", 0, 161.04, 0.5),
        ("grey", 0, 0.3, 0.3),
        ("optical", 1, 99.0, 2.0),
        ("optical", 1, -99.0, -2.0),
        ("thermal", 0, np.inf, 2.0),
    ],
)
def test_values_are_scaled_by_the_published_constants(sensor, band, value, expected):
    assert one(sensor, band, value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("sensor", [*TABLE.names, "grey"])
def test_missing_stays_missing_and_the_input_is_left_alone(sensor):
    scaling = scaling_of((sensor,))
    values = np.full((scaling.bands, 2, 3), 0.5, np.float32)
    values[0, 1, 2] = np.nan
    before = values.copy()
    out = scaling.apply(values)
    assert (
        np.array_equal(np.isnan(out), np.isnan(before))
        and np.array_equal(values, before, equal_nan=True)
        and out.dtype == np.float32
    )
    assert scaling.bands == (len(TABLE[sensor].bands) if sensor in TABLE else 1)


def test_sensors_keep_their_order_and_each_its_own_limits():
    scaling = scaling_of(("dem", "co_pol_sar", "thermal"))
    assert list(scaling.sensors) == ["dem", "co_pol_sar", "thermal"] and scaling.bands == 5
    out = scaling.apply(np.array([8349.4, 88.98, 1e-3, 1e-3, 322.08], np.float32)[:, None, None])
    log = (np.log10(1e-3 + 1e-6) + 6.0) / 7.758
    np.testing.assert_allclose(out[:, 0, 0], [1.0, 1.0, log, log, 1.0], atol=1e-6)
    assert scaling.is_log == (False, False, True, True, False)


def test_a_presence_plane_says_where_any_band_of_a_sensor_was_seen():
    scaling = scaling_of(("optical", "dem"))
    scaled = np.full((8, 2, 2), 0.5, np.float32)
    scaled[4:6] = np.nan  # no shortwave infrared anywhere
    scaled[:6, 0, 1] = np.nan  # no optical at all
    scaled[6:, 1, 0] = np.nan  # no heights
    out = scaling.inputs(scaled)
    assert out.shape == (10, 2, 2) and np.isfinite(out).all()
    assert out[8].tolist() == [[1, 0], [1, 1]] and out[9].tolist() == [[1, 1], [0, 1]]
    assert np.array_equal(out[:8], np.where(np.isnan(scaled), 0, scaled))


def test_an_unknown_sensor_is_refused():
    with pytest.raises(UsageError, match=r"sensors \['sonar'\]: unknown; expected some of optical, dem, "):
        scaling_of(("optical", "sonar"))


def test_regions_are_one_of_twelve_the_last_unknown():
    seen = np.array([scene_scaling.region_vector(r) for r in REGIONS])
    assert np.array_equal(seen, np.eye(11, 12))
    for unknown in (None, "MARS"):
        assert scene_scaling.region_vector(unknown).tolist() == [0] * 11 + [1]


def test_coordinates_are_sines_and_cosines_of_degrees():
    r3 = np.sqrt(3) / 2
    np.testing.assert_allclose(scene_scaling.coordinate_vector(30.0, 120.0), [0.5, r3, r3, -0.5], atol=1e-6)
    np.testing.assert_allclose(scene_scaling.coordinate_vector(-90.0, 180.0), [-1, 0, 0, -1], atol=1e-6)
    assert scene_scaling.coordinate_vector(float("nan"), float("nan")).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", list(scene_scaling.LOCATIONS))
def test_a_location_has_as_many_values_as_is_said(kind):
    assert scene_scaling.location_vector(kind, region="ALP", latitude=46.0, longitude=10.0).shape == (
        scene_scaling.LOCATIONS[kind],
    )
