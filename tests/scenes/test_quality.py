"""The quality gate: counts against scenes whose faults the test made, shifts against those it made, and the real Khumbu
chips."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polynya.scenes import quality as scene_quality
from polynya.scenes import scene as glacier_scene
from tests.physics.test_misregistration import lit, terrain
from tests.readers.scene_rasters import OPTICAL, folder, write
from tests.readers.test_landsat import product
from tests.real_files import ROOT


def kinds(quality, kind):
    return {f.sensor: f for f in quality.findings if f.kind == kind}


def scene(path, *, optical_shift=(0, 0), sar_shift=(0, 0), seed=0, relief=1.0):
    """A scene folder on a random surface, pixels of 25 m: sunlit bands, radar bright on slopes that face it from the
    west."""
    z = (terrain(seed, shape=(260, 240)) - 3000) * relief + 3000
    rng = np.random.default_rng(seed + 50)
    bright = np.exp(lit(z, seed)) * 0.2 if relief else rng.uniform(0.1, 0.3, z.shape)
    bands = np.stack([np.roll(bright * f, optical_shift, (0, 1)) for f in (0.8, 0.9, 1.0, 1.2, 0.9, 0.7)]).clip(
        0.01, 1.5
    )
    east = np.gradient(z, 25.0, axis=1)
    power = 0.1 * 10 ** (np.clip(6 * east, -10, 10) / 10) * rng.gamma(4, 0.25, z.shape)
    sar = np.roll(power, sar_shift, (0, 1))
    more = {"resolution": 25.0, "nodata": np.nan}
    write(path / "optical.tif", bands.astype(np.float32), names=OPTICAL, **more)
    write(path / "dem.tif", z[None].astype(np.float32), names=("elevation",), **more)
    write(
        path / "co_pol_sar.tif",
        np.stack([sar, np.full_like(sar, np.nan)]).astype(np.float32),
        names=("co_pol_ascending", "co_pol_descending"),
        **more,
    )
    return glacier_scene.open_scene(path)


def test_a_scene_in_register_is_not_flagged(tmp_path):
    quality = scene_quality.check(scene(tmp_path / "s"))
    found = {r.sensor: r for r in quality.registration}
    assert set(found) == {"optical", "co_pol_sar"}
    for r in found.values():
        assert r.is_confident and not r.is_flagged and r.pixels < 1
    assert not any(f.kind == "misregistration" and f.is_warning for f in quality.findings)
    assert len(kinds(quality, "misregistration")) == 2


@pytest.mark.parametrize("down, right", [(0, 30), (-16, 9)])
def test_a_shifted_radar_image_is_found_where_it_lies(tmp_path, down, right):
    quality = scene_quality.check(scene(tmp_path / "s", sar_shift=(down, right), seed=1))
    found = {r.sensor: r for r in quality.registration}
    assert not found["optical"].is_flagged
    r = found["co_pol_sar"]
    assert r.is_flagged and (r.east_m, r.north_m) == (
        pytest.approx(25 * right, abs=20),
        pytest.approx(-25 * down, abs=20),
    )
    warning = kinds(quality, "misregistration")["co_pol_sar"]
    assert (
        warning.is_warning
        and warning.number == pytest.approx(25 * np.hypot(down, right), abs=25)
        and "co_pol_ascending is misregistered by" in warning.text
    )


def test_a_shifted_optical_image_is_found_too(tmp_path):
    r = next(
        r
        for r in scene_quality.check(scene(tmp_path / "s", optical_shift=(6, -4), seed=2)).registration
        if r.sensor == "optical"
    )
    assert r.is_flagged and (r.east_m, r.north_m) == (pytest.approx(-100, abs=15), pytest.approx(-150, abs=15))


def test_flat_ground_says_that_it_cannot_tell(tmp_path):
    quality = scene_quality.check(scene(tmp_path / "s", relief=0.0))
    assert not any(r.is_flagged for r in quality.registration)
    assert not any(f.is_warning for f in quality.findings if f.kind == "misregistration")


def test_shares_of_what_is_missing_saturated_or_impossible(tmp_path):
    path = folder(tmp_path / "s", shape=(50, 40))
    data = np.full((6, 50, 40), 0.3, np.float32)
    data[:, :5] = np.nan  # a tenth
    data[3, 10, :4] = 5.0  # nir beyond 2.7
    write(path / "optical.tif", data, names=OPTICAL, nodata=np.nan)
    thermal = np.full((1, 50, 40), 270.0, np.float32)
    thermal[0, 20:25] = 20.0
    write(path / "thermal.tif", thermal, names=("brightness_temperature",))
    quality = scene_quality.check(glacier_scene.open_scene(path))
    missing, beyond = kinds(quality, "missing"), kinds(quality, "out_of_range")
    assert missing["optical"].share == pytest.approx(0.1) and missing["optical"].is_warning and "thermal" not in missing
    assert (
        beyond["optical"].number == 4
        and beyond["optical"].share == pytest.approx(4 / 1800)
        and "nir" in beyond["optical"].text
    )
    assert beyond["thermal"].number == 200 and beyond["thermal"].is_warning
    assert not kinds(quality, "missing_sensor") and quality.share_seen == 1.0
    json.dumps(quality.as_json(), allow_nan=False)


def test_saturation_is_that_of_the_number_type(tmp_path):
    data = np.full((4, 20, 20), 100, np.uint8)
    data[0, :5] = 255
    quality = scene_quality.check(
        glacier_scene.open_scene(write(tmp_path / "etm.tif", data, names=("blue", "green", "red", "nir")))
    )
    found = [f for f in quality.findings if f.kind == "saturation"]
    assert [(f.share, f.is_warning) for f in found] == [(0.25, True)] and "blue" in found[0].text
    assert (
        kinds(quality, "missing_band")["optical"].is_warning
        and "swir1, swir2" in kinds(quality, "missing_band")["optical"].text
    )
    assert set(kinds(quality, "missing_sensor")) == {"dem", "co_pol_sar", "cross_pol_sar", "in_sar", "thermal"}
    assert "cloud unknown" in kinds(quality, "cloud")["optical"].text


def test_cloud_by_the_products_mask_and_by_the_rule(tmp_path):
    qa = np.full((20, 24), 21824)
    qa[:4] = 22280  # cloud
    quality = scene_quality.check(glacier_scene.open_scene(product(tmp_path / "p", "LANDSAT_8", qa=qa)))
    cloud = kinds(quality, "cloud")["optical"]
    assert cloud.share == pytest.approx(0.2) and cloud.is_warning and "own mask" in cloud.text
    data = np.empty((6, 20, 20), np.float32)
    data[:] = np.array([0.8, 0.8, 0.8, 0.7, 0.1, 0.08])[:, None, None]  # snow
    data[:, :5] = np.array([0.6, 0.6, 0.6, 0.6, 0.5, 0.4])[:, None, None]  # cloud
    quality = scene_quality.check(glacier_scene.open_scene(write(tmp_path / "o.tif", data, names=OPTICAL)))
    cloud = kinds(quality, "cloud")["optical"]
    assert cloud.share == pytest.approx(0.25) and "a rule" in cloud.text


def test_a_large_scene_is_sampled_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(scene_quality, "BLOCK", 8)
    monkeypatch.setattr(scene_quality, "MOST_BLOCKS", 5)
    quality = scene_quality.check(
        glacier_scene.open_scene(folder(tmp_path / "s", shape=(40, 40), sensors=("optical",)))
    )
    assert quality.share_seen == pytest.approx(5 * 64 / 1600)


KHUMBU = ROOT / "glaciers" / "khumbu_sentinel_2024"


@pytest.mark.real
@pytest.mark.parametrize("season, east, looks", [("winter", 1.0, "ascending"), ("spring", -1.0, "descending")])
def test_khumbu_radar_is_a_kilometre_off_and_the_heights_are_not(season, east, looks):
    if not KHUMBU.is_dir():
        pytest.skip("the real chips are not beside this checkout (set POLYNYA_REAL_DATA)")
    paths = [KHUMBU / f"khumbu_{n}_west.tif" for n in (f"s2_{season}_2024", "dem_slope_hma", f"s1_db_{season}_2024")]
    found = {r.sensor: r for r in scene_quality.check(glacier_scene.open_scene(paths)).registration}
    assert found["optical"].is_confident and not found["optical"].is_flagged and found["optical"].pixels < 1
    r = found["co_pol_sar"]
    assert r.is_flagged and r.is_uncorrected and r.looks == looks
    assert 800 < east * r.east_m < 1200 and abs(r.north_m) < 400


@pytest.mark.real
def test_everest_is_saturated_half_empty_and_in_register():
    path = ROOT / "glaciers" / "everest_landsat7_2000"
    if not path.is_dir():
        pytest.skip("the real chips are not beside this checkout (set POLYNYA_REAL_DATA)")
    quality = scene_quality.check(
        glacier_scene.open_scene(
            [path / "everest_l7_20001030_b_g_r_nir_dn8_west.tif", path / "everest_l7_dem_slope_hma_west.tif"]
        )
    )
    assert sum(f.kind == "saturation" and f.is_warning for f in quality.findings) == 4
    assert kinds(quality, "missing")["dem"].share > 0.5
    assert [r.is_flagged for r in quality.registration] == [False] and quality.registration[0].is_confident


def test_fill_that_a_file_does_not_declare_has_evidence(tmp_path):
    bands = np.full((6, 40, 50), 0.3, np.float32)
    bands[:, :10] = 0.0
    bands[:5, 20] = 0.0  # one band still sees something: no fill
    write(tmp_path / "s" / "optical.tif", bands, names=OPTICAL)
    found = kinds(scene_quality.check(glacier_scene.open_scene(tmp_path / "s")), "zero")["optical"]
    assert found.is_warning and found.share == pytest.approx(0.25) and found.number == 500 and "nodata" in found.text


def test_what_is_warm_is_no_cloud(tmp_path):
    """Salt and bright sand reflect as cloud does; at 295 K no cloud is so warm. Where it is cold, or no one knows how
    warm, it looks like cloud."""
    bright = np.empty((6, 20, 20), np.float32)
    bright[:] = np.array([0.6, 0.6, 0.6, 0.6, 0.5, 0.4])[:, None, None]
    kelvin = np.full((1, 20, 20), 295.0, np.float32)
    kelvin[0, :5], kelvin[0, 5:7] = 260.0, np.nan
    write(tmp_path / "s" / "optical.tif", bright, names=OPTICAL)
    write(tmp_path / "s" / "thermal.tif", kelvin, names=("brightness_temperature",), nodata=np.nan)
    cloud = kinds(scene_quality.check(glacier_scene.open_scene(tmp_path / "s")), "cloud")["optical"]
    assert cloud.share == pytest.approx(7 / 20) and "a rule" in cloud.text
