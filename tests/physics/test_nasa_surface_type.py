"""NASA's tree: every branch, every boundary, weak beams, the gain, missing values."""

import h5py
import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import nasa_surface_type
from polynya.physics.nasa_surface_type import Thresholds, surface_type
from tests.real_files import real

NIGHT, DAY = -20.0, 30.0


def one(rate, width, *, sun=NIGHT, background=1e6, spot=1, **more):
    n = np.array([rate], dtype=float)
    return int(
        surface_type(
            n,
            np.array([width], np.float32),
            background_norm=np.array([background]),
            solar_elevation=np.array([sun]),
            spot=spot,
            **more,
        )[0]
    )


@pytest.mark.parametrize(
    ("rate", "width", "night", "day"),
    [
        (0.49, 0.05, 0, 0),
        (0.5, 0.05, 7, 6),
        (1.0, 0.13, 7, 6),
        (1.0, 0.131, 9, 8),
        (1.0, 0.17, 9, 8),
        (1.0, 0.171, 1, 1),
        (2.5, 0.05, 1, 1),
        (10.9, 0.05, 1, 1),
        (11.0, 0.13, 3, 2),
        (14.0, 0.13, 3, 2),
        (12.0, 0.14, 1, 1),
        (14.1, 0.50, 5, 4),
    ],
)
def test_every_branch_by_night_and_by_day(rate, width, night, day):
    assert one(rate, width) == night
    assert one(rate, width, sun=DAY) == day


@pytest.mark.parametrize(("rate", "width"), [(1.0, 0.1), (1.0, 0.15), (12.0, 0.1), (20.0, 0.1)])
def test_a_bright_background_makes_no_lead_by_day_only(rate, width):
    assert one(rate, width, sun=DAY, background=4.0e6) == 1
    assert one(rate, width, sun=DAY, background=3.99e6) in (2, 4, 6, 8)
    assert one(rate, width, sun=15.0, background=9e6) in (3, 5, 7, 9), "day begins above 15 degrees"


def test_weak_beams_have_a_quarter_of_the_thresholds():
    rates = np.array([0.1, 0.3, 1.0, 3.0, 4.0])
    arguments = dict(background_norm=np.zeros(5), solar_elevation=np.full(5, NIGHT))
    weak = surface_type(rates, np.full(5, 0.1, np.float32), spot=4, **arguments)
    strong = surface_type(4 * rates, np.full(5, 0.1, np.float32), spot=1, **arguments)
    np.testing.assert_array_equal(weak, strong)
    assert weak.tolist() == [0, 7, 1, 3, 5]


def test_the_gain_belongs_to_spot_three():
    assert one(0.45, 0.05, spot=3) == 7  # 0.45 / 0.82 = 0.549
    assert one(0.45, 0.05, spot=1) == 0
    assert one(2.2, 0.05, spot=3) == 1  # 2.683
    assert one(2.2, 0.05, spot=5) == 7


def test_unknown_spot_needs_the_strength():
    assert one(20.0, 0.1, spot=0, is_strong=True) == 5
    assert one(5.0, 0.1, spot=0, is_strong=False) == 5
    with pytest.raises(UsageError, match="spot 0: no such ATLAS spot"):
        one(20.0, 0.1, spot=0)
    with pytest.raises(UsageError, match="spot 7"):
        one(20.0, 0.1, spot=7)


def test_missing_rate_or_sun_is_not_typed():
    assert one(np.nan, 0.1) == -1
    assert one(1.0, 0.1, sun=np.nan) == -1


@pytest.mark.real
def test_thresholds_are_those_stored_in_a_real_granule():
    with h5py.File(real("processed_ATL07-01_20190226002919_09100201_003_02.h5"), "r") as f:
        stored = {k: v[()].ravel() for k, v in f["ancillary_data/surface_classification"].items()}
    t = Thresholds()
    pairs = {
        "p1": t.rate_cloud,
        "p2": t.rate_dark,
        "p3": t.rate_specular_low,
        "p4": t.rate_specular_high,
        "w1": t.width_smooth_m,
        "w2": t.width_rough_m,
        "b1": t.background_hz / 1e6,
        "theta_cntl": t.solar_elevation_deg,
    }
    for name, value in pairs.items():
        assert stored[name][0] == pytest.approx(value, rel=1e-6), name
    np.testing.assert_allclose(stored["beam_gain"], t.gain, rtol=1e-6)


def test_types_and_thresholds_are_those_of_the_atbd():
    """ATL07/ATL10 ATBD (doi:10.5067/KPMXUOH7TNIY), ``height_segment_type`` and
    ``ancillary_data/surface_classification``: p1 to p4, w1, w2, b1, theta_cntl, beam_gain, n_spec_scale."""
    assert (nasa_surface_type.SPECULAR_TYPES, nasa_surface_type.DARK_TYPES) == ((2, 3, 4, 5), (6, 7, 8, 9))
    assert (nasa_surface_type.CLOUD, nasa_surface_type.OTHER, nasa_surface_type.UNTYPED) == (0, 1, -1)
    assert sorted(nasa_surface_type.TYPE_NAMES) == list(range(-1, 10))
    for k, words in ((2, "specular"), (5, "specular"), (6, "smooth dark"), (7, "smooth dark"), (9, "rough dark")):
        assert words in nasa_surface_type.TYPE_NAMES[k]
    for k in range(2, 10):
        assert nasa_surface_type.TYPE_NAMES[k].endswith("day" if k % 2 == 0 else "night")
    t = Thresholds()
    assert (t.rate_cloud, t.rate_dark, t.rate_specular_low, t.rate_specular_high) == (0.5, 2.5, 11.0, 14.0)
    assert (t.width_smooth_m, t.width_rough_m, t.background_hz, t.solar_elevation_deg) == (0.13, 0.17, 4e6, 15.0)
    assert t.gain == (1.0, 1.0, 0.82, 1.0, 1.0, 1.0) and t.weak_ratio == 4.0
