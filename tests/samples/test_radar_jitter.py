"""Gains and steps between sub-swaths: one constant a polarisation, one a sub-swath, nothing else moved."""

from __future__ import annotations

import numpy as np
import pytest

from polynya import recipes
from polynya.recipes import Augment, SceneSamples
from polynya.samples import radar_jitter, scene_scaling, scene_windows
from polynya.sensors import radar_ice

PLAN = recipes.load("concentration")
SCALING = scene_scaling.of(PLAN.sensors, table=radar_ice.TABLE, low_high=recipes.scaling_of(PLAN))
PLAIN = {"flip": False, "crop": 0.0, "gamma": 0.0, "shift": 0.0, "noise": 0.0, "occlusion_px": 0}
SHAPE = (12, 120)


def window() -> np.ndarray:
    """Return HH, HV and the angle of a swath of all five sub-swaths, scaled; a hole in HH."""
    angle = np.broadcast_to(np.linspace(19.0, 46.0, SHAPE[1]), SHAPE)
    values = np.stack([np.full(SHAPE, -18.0), np.full(SHAPE, -28.0), angle]).astype(np.float32)
    values[0, 3:5, 10:20] = np.nan
    return SCALING.apply(values)


def decibels(scaled: np.ndarray) -> np.ndarray:
    low, high = (np.array(v)[:, None, None] for v in (SCALING.low, SCALING.high))
    return scaled * (high - low) + low


def moved(seed: int, **more: float) -> np.ndarray:
    """Return what is added to every band, in its unit."""
    scaled = window()
    settings = Augment(**PLAIN, **more)
    radar_jitter.add(scaled, settings=settings, scaling=SCALING, rng=np.random.default_rng(seed))
    return decibels(scaled) - decibels(window())


def test_values_are_cut_where_the_sheet_says():
    far = np.array([[-99.0, 99.0], [-99.0, 99.0], [-99.0, 99.0]], np.float32)[:, None, :]
    ends = decibels(SCALING.apply(far))[:, 0]
    np.testing.assert_allclose(ends, [[-35.0, 5.0], [-45.0, 0.0], [18.0, 48.0]], atol=1e-5)


def test_a_gain_is_one_constant_a_polarisation():
    added = np.array([moved(k, gain_db=0.5) for k in range(400)])
    assert np.abs(added[:, 2]).max() == 0.0, "the angle stays"
    for band in (0, 1):
        assert np.nanmax(np.ptp(added[:, band, 5:], axis=(1, 2))) < 1e-4
        assert added[:, band, 0, 0].std() == pytest.approx(0.5, rel=0.15)
    assert abs(np.corrcoef(added[:, 0, 0, 0], added[:, 1, 0, 0])[0, 1]) < 0.2


def test_every_sub_swath_has_a_step_of_its_own_at_its_border():
    added = np.array([moved(k, swath_db=1.0) for k in range(300)])
    angle = decibels(window())[2, 0]
    for band in (0, 1):
        steps = [np.flatnonzero(np.abs(np.diff(a[band, 0])) > 1e-3) for a in added]
        assert max(map(len, steps)) == 4 and np.mean([len(s) for s in steps]) > 3.8
        borders = np.array([angle[s] for s in steps if len(s) == 4])
        np.testing.assert_allclose(borders.mean(axis=0), radar_ice.SWATH_BORDERS, atol=0.3)
        assert (added[:, band, 8:] == added[:, band, 8:9]).all(), "lines of one angle are moved alike"
        middles = added[:, band, 0, [10, 55, 80, 100, 118]]
        np.testing.assert_allclose(middles.std(axis=0), 1.0, rtol=0.2)
        assert np.abs(np.corrcoef(middles.T) - np.eye(5)).max() < 0.25


def test_without_an_angle_there_are_no_sub_swaths_and_missing_stays_missing():
    scaling = scene_scaling.of(("hh",), table=radar_ice.TABLE, low_high={})
    scaled = np.zeros((1, 4, 4), np.float32)
    scaled[0, 0, 0] = np.nan
    radar_jitter.add(scaled, settings=Augment(**PLAIN, swath_db=1.0), scaling=scaling, rng=np.random.default_rng(1))
    assert np.isnan(scaled[0, 0, 0]) and (scaled[0, 1:] == 0).all()
    assert np.isnan(moved(1, gain_db=0.5, swath_db=1.0)[0, 3:5, 10:20]).all()


def test_values_stay_within_the_limits_and_settings_of_zero_draw_nothing():
    scaled = np.full((3, 4, 4), 1.99, np.float32)
    for seed in range(20):
        out, _ = scene_windows.augment(
            scaled,
            np.zeros((4, 4), np.float32),
            settings=SceneSamples(size=16, augment=Augment(**PLAIN, gain_db=3.0)),
            scaling=SCALING,
            rng=np.random.default_rng(seed),
        )
        assert np.abs(out).max() <= scene_scaling.LIMIT
    rng = np.random.default_rng(3)
    radar_jitter.add(window(), settings=Augment(**PLAIN), scaling=SCALING, rng=rng)
    assert rng.random() == np.random.default_rng(3).random()


def test_recipes_that_do_not_jitter_keep_their_hash():
    """Keys that came later are written only where they are set."""
    augment = recipes.load("unet-glaciers").as_dict()["scene"]["augment"]
    assert not {"gain_db", "swath_db"} & set(augment) and "elevation_m" in augment
    assert recipes.load("concentration").as_dict()["scene"]["augment"]["swath_db"] == 1.0
    assert "batch_norm" not in recipes.load("unet-glaciers").as_dict()
