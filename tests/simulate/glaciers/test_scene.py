"""Whole scenes: what must agree with what, difficulty, two dates, files, tiles, the command."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import OutputError, ProductError, UsageError
from polynya.readers import glacier_tiles
from polynya.scenes import scene as scene_reader
from polynya.sensors.glaciers import TABLE
from polynya.simulate.glaciers import files, request
from polynya.simulate.glaciers import scene as glacier_scene
from polynya.simulate.glaciers.scene import (
    CLOUD,
    LAYOVER,
    SHADOW,
    SNOW,
    WATER,
    Config,
    simulate_scene,
    simulate_scenes,
)

CONFIG = Config(
    region="HMA",
    size=192,
    pixel_m=30.0,
    dates=2,
    years_between=20.0,
    debris_share=0.7,
    glacier_share=0.3,
    cloud_cover=0.05,
    camera="sentinel2",
)


@pytest.fixture(scope="module")
def pair():
    return simulate_scenes(CONFIG, seed=3)


@pytest.fixture(scope="module")
def scene(pair):
    return pair[0]


def area(a: np.ndarray, b: np.ndarray) -> float:
    """Return the probability that a value of ``a`` is larger than one of ``b`` (Mann and Whitney)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(a, b).statistic / (a.size * b.size))


def test_every_sensor_is_there_in_its_units(pair):
    for one in pair:
        assert tuple(one.sensors) == TABLE.names
        for name, bands in ((s.name, s.bands) for s in TABLE):
            values = one.sensors[name]
            assert values.shape == (len(bands), 192, 192) and values.dtype == np.float32 and np.isfinite(values).all()
            for plane, band in zip(values, bands, strict=True):
                assert band.low <= plane.min() and plane.max() <= band.high, f"{name} {band.name}"
        assert set(np.unique(one.truth)) <= {0, 1, 2} and one.strata.max() < 32


def test_truth_glaciers_and_strata_agree(pair):
    for one in pair:
        assert np.array_equal(one.glaciers > 0, one.truth > 0)
        assert set(np.unique(one.glaciers)) == set(range(one.glaciers.max() + 1))
        assert not np.any((one.strata & SNOW > 0) & (one.truth > 0))
        assert np.mean(one.strata & CLOUD > 0) == pytest.approx(0.05, abs=0.06)
        assert np.mean(one.truth > 0) == pytest.approx(0.3, abs=0.12)
        assert (one.truth == 2).sum() > 0.15 * (one.truth > 0).sum()


def test_glaciers_shrink_and_the_rest_stays(pair):
    first, second = pair
    assert 0.6 * (first.truth > 0).sum() < (second.truth > 0).sum() < (first.truth > 0).sum()
    assert np.mean((second.truth > 0) & (first.truth == 0)) < 0.01
    rock = (first.truth == 0) & (second.truth == 0)
    assert np.abs(first.surface - second.surface)[rock].max() < 1e-3
    assert first.about["time"] < second.about["time"] and first.left == second.left


def test_ice_is_a_tilted_smooth_surface_and_the_dem_is_another_days(scene):
    dem, slope = scene.sensors["dem"]
    off = scene.truth == 0
    error = (dem - scene.surface)[off]
    assert 1.0 < error.std() < 40.0 and abs(np.median(error)) < 15.0
    east, north = np.gradient(dem, 30.0)[::-1]
    assert np.median(np.abs(np.degrees(np.arctan(np.hypot(east, north))) - slope)) < 3.0
    assert np.median(slope[scene.truth > 0]) < np.median(slope[off])


def test_the_rule_fails_on_debris_and_on_seasonal_snow_but_finds_clean_ice():
    """What NDSI > 0.4 and NIR > 0.11 does on Khumbu: recall .21-.30, the rest debris; precision lost to snow."""
    found = {"clean": [], "debris": [], "snow": []}
    for seed in (1, 2, 3, 4):
        one = simulate_scene(CONFIG.model_copy(update={"cloud_cover": 0.0, "dates": 1}), seed=seed)
        green, nir, swir = one.sensors["optical"][[1, 3, 4]]
        rule = ((green - swir) / (green + swir) > 0.4) & (nir > 0.11)
        lit = one.strata & SHADOW == 0
        found["clean"].append(rule[(one.truth == 1) & lit].mean())
        found["debris"].append(rule[(one.truth == 2) & lit].mean())
        found["snow"].append(rule[(one.strata & SNOW > 0) & lit].mean())
    assert np.median(found["clean"]) > 0.8 and np.median(found["debris"]) < 0.35
    assert np.median(found["snow"]) > 0.6  # snow outside the glaciers passes


def test_coherence_tells_debris_covered_ice_from_rock_but_not_perfectly():
    areas = []
    for seed in (1, 2, 3, 4, 5):
        one = simulate_scene(CONFIG.model_copy(update={"dates": 1}), seed=seed)
        seen = (one.strata & (SNOW | WATER | LAYOVER) == 0) & (one.sensors["dem"][1] < 30.0)
        coherence = one.sensors["in_sar"].mean(axis=0)
        areas.append(area(coherence[(one.truth == 0) & seen], coherence[(one.truth == 2) & seen]))
    assert 0.65 < np.median(areas) < 0.97


def test_ice_is_cold_and_shadow_dark(scene):
    warm, clear = scene.sensors["thermal"][0], scene.strata & (CLOUD | SHADOW) == 0
    assert np.median(warm[(scene.truth == 1) & clear]) < 273.5
    bare = (scene.truth == 0) & (scene.strata == 0)
    assert np.median(warm[bare]) > np.median(warm[(scene.truth == 1) & clear]) + 2.0
    red = scene.sensors["optical"][2]
    dark = (scene.strata & SHADOW > 0) & (scene.strata & CLOUD == 0)
    if dark.sum() > 200:
        assert np.median(red[dark]) < np.median(red[clear])


def test_the_seed_decides(scene):
    again, other = (
        simulate_scene(CONFIG.model_copy(update={"size": 96}), seed=5),
        simulate_scene(CONFIG.model_copy(update={"size": 96}), seed=6),
    )
    same = simulate_scene(CONFIG.model_copy(update={"size": 96}), seed=5)
    assert all(np.array_equal(again.sensors[n], same.sensors[n]) for n in TABLE.names) and np.array_equal(
        again.truth, same.truth
    )
    assert not np.array_equal(again.truth, other.truth)
    assert again.about == same.about


def test_a_shift_of_the_radar_moves_the_radar_alone():
    small = CONFIG.model_copy(update={"size": 128, "dates": 1})
    plain, moved = (
        simulate_scene(small, seed=7),
        simulate_scene(small.model_copy(update={"sar_shift_m": (120.0, 60.0)}), seed=7),
    )
    assert np.array_equal(plain.sensors["optical"], moved.sensors["optical"]) and np.array_equal(
        plain.sensors["dem"], moved.sensors["dem"]
    )
    for name in ("co_pol_sar", "cross_pol_sar", "in_sar"):
        a, b = plain.sensors[name], moved.sensors[name]
        assert b[:, 0:-2, 4:] == pytest.approx(a[:, 2:, :-4], abs=1e-5)  # east: larger columns; north: smaller rows


def test_a_lower_sun_casts_more_shadow():
    small = CONFIG.model_copy(update={"size": 128, "dates": 1, "cloud_cover": 0.0})
    shares = [
        np.mean(simulate_scene(small.model_copy(update={"sun_elevation": e}), seed=8).strata & SHADOW > 0)
        for e in (15.0, 35.0, 60.0)
    ]
    assert shares[0] > shares[1] > shares[2]


def test_every_region_gives_glaciers():
    for region in ("ANT", "SCA", "SVAL", "TRP", "GRL"):
        one = simulate_scene(Config(region=region, size=128, pixel_m=30.0), seed=1)
        assert 0.02 < np.mean(one.truth > 0) < 0.75, region
        assert one.about["region"] == region and np.isfinite(one.sensors["optical"]).all()


def test_a_folder_is_read_back_by_the_scene_reader(scene, tmp_path):
    written = files.write(scene, tmp_path / "date1")
    assert {p.name for p in written.files} == {
        *(f"{s}.tif" for s in TABLE.names),
        "truth.tif",
        "strata.tif",
        "outlines.gpkg",
        "scene.json",
        "scene.png",
    }
    opened = scene_reader.open_scene(tmp_path / "date1")
    assert opened.name == scene.name and opened.region == "HMA" and opened.sun_elevation == scene.about["sun_elevation"]
    back = scene_reader.read(opened)
    assert all(np.array_equal(back[n], scene.sensors[n]) for n in TABLE.names)
    about = json.loads((tmp_path / "date1" / "scene.json").read_text())
    assert about["simulated"] == "polynya; no measurement" and about["config"]["debris_share"] == 0.7


def test_outlines_cover_what_the_truth_covers(scene):
    frame = files.outlines(scene)
    truth = (scene.truth > 0).sum() * 0.03**2
    assert frame.geometry.area.sum() / 1e6 == pytest.approx(truth, rel=1e-9)
    assert frame.area_km2.sum() == pytest.approx(truth, rel=3e-3)  # UTM's scale
    assert frame.geometry.is_valid.all() and frame.rgi_id.is_unique and len(frame) == scene.glaciers.max()
    assert (frame.zmin_m <= frame.zmed_m).all() and (frame.zmed_m <= frame.zmax_m).all()
    assert frame.debris_km2.sum() == pytest.approx((scene.truth == 2).sum() * 0.03**2)


def test_tiles_are_appended_and_a_failure_leaves_the_file(pair, tmp_path):
    path = tmp_path / "train.h5"
    assert files.append_tiles(path, pair) == 2
    records = glacier_tiles.open_tiles(path)
    assert {r.scene for r in records} == {"HMA-3"} and all(
        r.has_strata and r.region == "HMA" for r in records
    )  # both dates: one scene for splits
    tile = glacier_tiles.read_window(records[0])
    assert np.array_equal(tile.labels, (pair[0].truth > 0).astype(np.uint8)) and np.array_equal(
        tile.strata, pair[0].strata
    )
    assert np.array_equal(tile.sensors["thermal"], pair[0].sensors["thermal"])
    before = path.read_bytes()
    with pytest.raises(UsageError, match="has a tile of this name"):
        files.append_tiles(path, pair)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["train.h5"]


def test_tiles_go_into_a_tile_set_only(pair, tmp_path):
    path = tmp_path / "ATL03.h5"
    with h5py.File(path, "w") as file:
        file["gt1l/heights/h_ph"] = np.zeros(3)
        file["orbit_info/rgt"] = np.zeros(1)
    before = path.read_bytes()
    with pytest.raises(ProductError, match=r"ATL03\.h5"):
        files.append_tiles(path, pair)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["ATL03.h5"]


def test_only_the_dates_of_a_scene_are_replaced(pair, tmp_path):
    files.write_dates(pair, tmp_path)
    shutil.copytree(tmp_path / "date2", tmp_path / "date_backup")
    files.write_dates(pair[:1], tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["date1", "date_backup"]


def test_the_command_writes_folders_and_refuses_to_replace_them(tmp_path):
    run = CliRunner().invoke(
        app,
        [
            "simulate",
            "glacier-scene",
            str(tmp_path / "s"),
            "--size",
            "96",
            "--pixel-m",
            "30",
            "--dates",
            "2",
            "--region",
            "ALP",
            "--seed",
            "2",
        ],
    )
    assert run.exit_code == 0, run.output
    assert (tmp_path / "s" / "date1" / "truth.tif").exists() and (tmp_path / "s" / "date2" / "outlines.gpkg").exists()
    again = CliRunner().invoke(app, ["simulate", "glacier-scene", str(tmp_path / "s")])
    assert isinstance(again.exception, OutputError) and "holds a scene" in str(again.exception)


def test_what_does_not_fit_is_said(tmp_path):
    asked = dict(
        region="ALP",
        size=96,
        pixel_m=30.0,
        dates=1,
        years_between=None,
        dem=None,
        glacier_share=None,
        debris_share=None,
        cloud_cover=None,
        sun_elevation=None,
        sun_azimuth=None,
        camera="drawn",
        sar_shift_m=(0.0, 0.0),
    )

    def ask(changes: dict, *, out=tmp_path / "x", tiles=None, count=1):
        return request.run(
            request.Request(**{**asked, **changes}), out=out, tiles=tiles, seed=0, count=count, overwrite=False
        )

    with pytest.raises(UsageError, match="nothing to write"):
        ask({}, out=None)
    with pytest.raises(UsageError, match="--region MARS: does not exist; expected one of ALP"):
        ask({"region": "MARS"})
    with pytest.raises(UsageError, match="--camera phone: does not fit"):
        ask({"camera": "phone"})
    with pytest.raises(UsageError, match="--count 3: a folder holds one scene"):
        ask({}, count=3)
    with pytest.raises(UsageError, match="region 'MARS' does not exist"):
        glacier_scene.simulate_scenes(Config(region="MARS"), seed=0)
    assert not (tmp_path / "x").exists()
