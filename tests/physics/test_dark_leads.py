"""The lead detector on images drawn by hand: dark threads are leads; broad, faint, small and bright things are none."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import dark_leads
from polynya.physics.dark_leads import ICE, LEAD, UNKNOWN

PIXEL_M, SHAPE = 80.0, (300, 320)
ICE_HH, ICE_HV = 10.0 ** (-14 / 10), 10.0 ** (-24 / 10)


def scene(*, looks: float = 40.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Level ice under speckle whose backscatter falls by 4 dB across the image."""
    rng = np.random.default_rng(seed)
    slope = 10.0 ** (-np.linspace(0.0, 0.4, SHAPE[1]))
    return tuple(
        (level * slope * rng.gamma(looks, 1.0 / looks, SHAPE)).astype(np.float32) for level in (ICE_HH, ICE_HV)
    )


def drawn(where: tuple[slice, slice], *, hh_db: float, hv_db: float = 0.0) -> dark_leads.Found:
    hh, hv = scene()
    hh[where] *= 10.0 ** (hh_db / 10.0)
    hv[where] *= 10.0 ** (hv_db / 10.0)
    return dark_leads.find(hh, hv, pixel_m=PIXEL_M)


THREAD = (slice(150, 153), slice(20, 300))


def test_ice_alone_has_no_lead():
    assert (dark_leads.find(*scene(), pixel_m=PIXEL_M).states == ICE).all()


def test_a_dark_thread_is_a_lead_and_nothing_else_is():
    found = drawn(THREAD, hh_db=-11.0, hv_db=-5.0)
    assert (found.states[THREAD] == LEAD).mean() > 0.98
    rest = np.ones(SHAPE, bool)
    rest[149:154, 19:301] = False
    assert (found.states[rest] == ICE).all()


def test_the_contrast_is_that_to_the_ice_around_wherever_in_the_swath():
    found = drawn(THREAD, hh_db=-11.0, hv_db=-5.0)
    left, right = found.contrast[150:153, 25:80].mean(), found.contrast[150:153, 240:295].mean()
    assert left == pytest.approx(-11.0, abs=0.5) and right == pytest.approx(-11.0, abs=0.5)
    assert found.contrast[200:280].mean() == pytest.approx(0.0, abs=0.3)


@pytest.mark.parametrize(
    ("where", "hh_db", "hv_db"),
    [
        pytest.param(THREAD, -3.0, -3.0, id="too faint"),
        pytest.param(THREAD, 6.0, -5.0, id="bright in HH: water under wind is missed"),
        pytest.param(THREAD, -11.0, 3.0, id="bright in HV is ridged ice, not water"),
        pytest.param((slice(150, 152), slice(100, 102)), -11.0, -5.0, id="a few pixels"),
    ],
)
def test_what_is_no_dark_thread_is_no_lead(where, hh_db, hv_db):
    assert not (drawn(where, hh_db=hh_db, hv_db=hv_db).states == LEAD).any()


def test_a_fainter_end_belongs_to_a_lead_that_is_dark_elsewhere():
    hh, hv = scene(looks=400.0)
    hh[150:153, 20:160] *= 10.0**-1.1
    hh[150:153, 160:200] *= 10.0**-0.55
    hv[150:153, 20:200] *= 10.0**-0.5
    states = dark_leads.find(hh, hv, pixel_m=PIXEL_M).states
    assert (states[150:153, 20:200] == LEAD).mean() > 0.97
    hh[150:153, 20:160] *= 10.0**1.1  # now nothing of it is dark enough
    assert not (dark_leads.find(hh, hv, pixel_m=PIXEL_M).states == LEAD).any()


def test_wide_dark_water_is_unknown():
    """5.6 km wide among ice within 24 km: a polynya, not a lead."""
    hh, hv = scene()
    hh[115:185, 100:170] *= 10.0**-1.1
    hv[115:185, 100:170] *= 10.0**-0.5
    found = dark_leads.find(hh, hv, pixel_m=PIXEL_M, rule=dark_leads.Rule(around_m=24_000.0))
    assert (found.states[120:180, 105:165] == UNKNOWN).mean() > 0.98
    narrow = dark_leads.find(hh, hv, pixel_m=PIXEL_M, rule=dark_leads.Rule(around_m=24_000.0, widest_m=8_000.0))
    assert (narrow.states[120:180, 105:165] == LEAD).mean() > 0.98


def test_what_is_not_valid_is_unknown_and_does_not_make_leads_beside_it():
    hh, hv = scene()
    hh[:, :100] = np.nan
    states = dark_leads.find(hh, hv, pixel_m=PIXEL_M).states
    assert (states[:, :100] == UNKNOWN).all() and (states[:, 100:] == ICE).all()


def test_without_hv_a_lead_is_found_by_hh():
    hh, _ = scene()
    hh[THREAD] *= 10.0**-1.1
    assert (dark_leads.find(hh, None, pixel_m=PIXEL_M).states[THREAD] == LEAD).mean() > 0.98
    assert (dark_leads.find(hh, np.full(SHAPE, np.nan, np.float32), pixel_m=PIXEL_M).states[THREAD] == LEAD).any()


def test_power_below_zero_after_the_noise_is_dark_and_no_error():
    hh, hv = scene()
    hh[THREAD], hv[THREAD] = -1e-4, -1e-4
    states = dark_leads.find(hh, hv, pixel_m=PIXEL_M).states
    assert (states[THREAD] == LEAD).all()


def test_an_empty_image_is_unknown():
    nothing = np.full((20, 30), np.nan, np.float32)
    assert (dark_leads.find(nothing, nothing, pixel_m=PIXEL_M).states == UNKNOWN).all()
