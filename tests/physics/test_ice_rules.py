"""Classical rules: limits by hand, what is missing, the exhaustive fit against brute force, and the known scores of
Khumbu."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import ice_rules as rules
from polynya.sensors import UNLABELLED
from polynya.sensors.glaciers import TABLE
from tests.real_files import ROOT


def pixels(*columns):
    """Return an optical array (6, 1, n) from tuples of six reflectances."""
    return np.array(columns, np.float32).T[:, None, :]


SNOW = (0.8, 0.8, 0.8, 0.7, 0.1, 0.05)
ROCK = (0.2, 0.2, 0.22, 0.25, 0.3, 0.28)
WATER = (0.08, 0.06, 0.04, 0.02, 0.01, 0.01)
GAP = (np.nan,) * 6


def test_places_and_values_are_those_of_the_vocabulary():
    names = [b.name for b in TABLE["optical"].bands]
    assert [names[k] for k in (rules.BLUE, rules.GREEN, rules.RED, rules.NIR, rules.SWIR1, rules.SWIR2)] == [
        "blue",
        "green",
        "red",
        "nir",
        "swir1",
        "swir2",
    ]
    assert [TABLE["dem"].bands[k].name for k in (rules.ELEVATION, rules.SLOPE)] == ["elevation", "slope"]
    assert rules.UNLABELLED == UNLABELLED


def test_a_piece_without_data_follows_the_rule_of_the_whole_scene():
    """The right half has no short-wave infrared, or nothing at all: alone it would be judged by brightness or by
    height."""
    bright_rock = (0.5, 0.5, 0.5, 0.5, np.nan, np.nan)
    optical = pixels(SNOW, SNOW, ROCK, bright_rock, GAP)
    dem = np.stack([np.full((1, 5), 3000.0), np.full((1, 5), 5.0)]).astype(np.float32)
    whole = rules.classical({"optical": optical, "dem": dem})
    rule = rules.choose({"optical": optical, "dem": dem})
    assert rule == rules.Choice(name="snow_index") and whole.mask[0].tolist() == [True, True, False, False, False]
    for part in (slice(0, 3), slice(3, 4), slice(4, 5)):
        piece = {"optical": optical[..., part], "dem": dem[..., part]}
        found = rules.classical(piece, rule=rule)
        assert (
            found.mask[0].tolist() == whole.mask[0, part].tolist()
            and found.valid[0].tolist() == whole.valid[0, part].tolist()
        )
    assert rules.choose({"optical": optical[..., 3:4], "dem": dem[..., 3:4]}) == rules.Choice(name="brightness")
    assert rules.choose({"optical": optical[..., 4:], "dem": dem[..., 4:]}) == rules.Choice(
        name="dem_only", dem=rules.DemRule(lowest_m=3000.0)
    )
    assert rules.choose({"optical": optical[..., 4:]}) == rules.Choice(name="none")


def test_ndsi_in_closed_form():
    np.testing.assert_allclose(rules.ndsi(np.array([0.8, 0.1, 0.3]), np.array([0.2, 0.3, 0.3])), [0.6, -0.5, 0.0])
    assert np.isnan(rules.ndsi(np.array([0.0, np.nan]), np.array([0.0, 0.2]))).all()


def test_snow_rock_water_and_gaps():
    found = rules.classical({"optical": pixels(SNOW, ROCK, WATER, GAP, (0.0,) * 6)})
    assert found.mask[0].tolist() == [
        True,
        False,
        False,
        False,
        False,
    ]  # water has an NDSI of 0.71 and a dark near infrared
    assert found.valid[0].tolist() == [True, True, True, False, True]
    assert found.name.startswith("NDSI > 0.4, NIR > 0.11")


def test_the_bands_present_choose_the_rule():
    optical = np.tile(pixels(SNOW, ROCK, WATER), (1, 4, 1))
    without_green, without_swir, without_red = optical.copy(), optical.copy(), optical.copy()
    without_green[rules.GREEN] = np.nan
    without_swir[[rules.SWIR1, rules.SWIR2]] = np.nan
    without_red[[rules.RED, rules.GREEN]] = np.nan
    for scene, name in ((without_green, "red / SWIR1 > 2, NIR > 0.11"), (without_swir, "red > 0.3, NIR > 0.11")):
        found = rules.classical({"optical": scene})
        assert found.name == name and found.mask[0].tolist() == [True, False, False] and found.valid.all()
    found = rules.classical({"optical": without_red})
    assert found.name.startswith("none") and not found.mask.any() and not found.valid.any()
    patchy = optical.copy()
    patchy[rules.SWIR1, :3] = np.nan  # a quarter of the scene is not enough
    assert rules.classical({"optical": patchy}).name.startswith("red > 0.3")


def test_cliffs_are_no_ice_where_the_slope_is_known():
    optical = pixels(SNOW, SNOW, SNOW)
    dem = np.array([[[4000.0, 4000.0, np.nan]], [[59.0, 61.0, np.nan]]])
    found = rules.classical({"optical": optical, "dem": dem})
    assert (
        found.mask[0].tolist() == [True, False, True]
        and found.valid.all()
        and found.name.endswith("slope <= 60 degrees")
    )


def test_without_optical_bands_the_dem_speaks_and_without_that_nothing():
    dem = np.array([[[1000.0, 2000.0, 3000.0, np.nan]], [[5.0, 10.0, 40.0, 1.0]]])
    for scene in ({"dem": dem}, {"dem": dem, "optical": np.full((6, 1, 4), np.nan)}):
        found = rules.classical(scene)
        assert found.mask[0].tolist() == [False, True, False, False] and found.valid[0].tolist() == [
            True,
            True,
            True,
            False,
        ]
    sar = rules.classical({"co_pol_sar": np.ones((2, 1, 4))})
    assert not sar.valid.any() and sar.name.startswith("none")
    with pytest.raises(UsageError, match="holds no sensor"):
        rules.classical({})


def test_all_glacier_is_true_where_anything_was_seen():
    dem = np.array([[[1.0, np.nan, np.nan]], [[np.nan, np.nan, np.nan]]])
    found = rules.all_glacier({"dem": dem, "optical": pixels(GAP, GAP, SNOW)})
    assert found.mask[0].tolist() == found.valid[0].tolist() == [True, False, True]


def iou(mask, target):
    known = target != UNLABELLED
    a, b = mask & known, (target > 0) & known
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_fitted_dem_rule_is_the_best_of_all_pairs(seed):
    rng = np.random.default_rng(seed)
    dem = np.stack([rng.normal(5000, 300, (30, 20)), rng.uniform(0, 70, (30, 20))])
    target = ((dem[0] > 5050) & (dem[1] < 30.5) ^ (rng.random((30, 20)) < 0.2)).astype(np.uint8)
    target[:3] = UNLABELLED
    dem[0, 5] = np.nan
    use = np.isfinite(dem[0]) & (target != UNLABELLED)
    fitted = rules.fit_dem_rule(dem, target, steps=20)
    brute = max(
        iou((dem[0] >= z) & (dem[1] <= s) & use, np.where(use, target, UNLABELLED))
        for z in np.quantile(dem[0][use], np.arange(20) / 20)
        for s in range(91)
    )
    found = rules.dem_only(dem, rule=fitted)
    assert iou(found.mask, np.where(use, target, UNLABELLED)) == pytest.approx(brute, abs=1e-12)
    assert brute > iou(use, np.where(use, target, UNLABELLED))


def test_a_dem_rule_needs_labels():
    dem = np.full((2, 3, 3), np.nan)
    with pytest.raises(UsageError, match="no labelled pixel"):
        rules.fit_dem_rule(dem, np.ones((3, 3), np.uint8))


@pytest.mark.real
@pytest.mark.parametrize("season", ["winter", "spring"])
def test_snow_index_fails_on_the_debris_of_khumbu(season):
    """Known from the chips of every season and both halves: NDSI and near infrared score .09 to .24, far below
    everything-is-glacier."""
    rasterio = pytest.importorskip("rasterio")
    folder = ROOT / "glaciers" / "khumbu_sentinel_2024"
    if not folder.exists():
        pytest.skip("the real Khumbu chips are not beside this checkout (set POLYNYA_REAL_DATA)")
    with rasterio.open(folder / f"khumbu_s2_{season}_2024_west.tif") as file:
        optical = file.read()
    with rasterio.open(folder / "khumbu_rgi60_mask_west.tif") as file:
        target = file.read(1)
    found = rules.classical({"optical": optical})
    assert found.name.startswith("NDSI") and found.valid.mean() > 0.99
    assert 0.085 <= iou(found.mask, target) <= 0.245
    assert iou(found.mask, target) < iou(rules.all_glacier({"optical": optical}).mask, target) - 0.1


def test_published_numbers():
    """NDSI 0.4 and near infrared 0.11: Hall, Riggs and Salomonson (1995); red over SWIR1 2: Paul et al. (2013); debris
    to 24 degrees: Paul, Huggel and Kääb (2004)."""
    assert (rules.NDSI_LIMIT, rules.NIR_LIMIT, rules.RATIO_LIMIT, rules.STEEPEST_DEBRIS) == (0.4, 0.11, 2.0, 24.0)
