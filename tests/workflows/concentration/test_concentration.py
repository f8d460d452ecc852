"""From a small product to a map: known water and ice, flags for each reason, files that other programs read, one line
for what cannot be mapped."""

from __future__ import annotations

import json
import re
import shutil
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from pyproj import Proj
from scipy import ndimage
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import UsageError
from polynya.physics import angle_classes
from polynya.readers import sentinel1_grd
from polynya.schema.sea_ice_maps import BITS
from polynya.workflows import concentration
from polynya.workflows.concentration import mapper, quality, rule, scene, trust
from tests.readers import sentinel1_safe as safe

PIXEL_M = 80.0
ICE_DB, WATER_DB = {"HH": -12.0, "HV": -20.0}, {"HH": -24.0, "HV": -24.0}
"""Far from the noise, so that the small product's own noise does not matter; water is as bright in HV as ice never is
in HH."""


def product(folder, small=None, *, ice=None, db=(ICE_DB, WATER_DB), channels=None):
    small = small or safe.Small()
    line, sample = np.mgrid[: safe.LINES, : safe.SAMPLES]
    ice = sample > 80 if ice is None else ice
    numbers = {}
    for channel in small.channels if channels is None else channels:
        like = channel if channel in ("HH", "HV") else "HH"
        sigma0 = 10.0 ** (np.where(ice, db[0][like], db[1][like]) / 10.0)
        noise = small.noise_power(channel)
        numbers[channel] = safe.numbers_of(sigma0, small.gain(channel, line, sample.astype(float)), noise)
    return safe.write_safe(folder, small, numbers)


@pytest.fixture
def classes(monkeypatch):
    """Two classes that are what the product holds, so that the answer is known."""
    made = angle_classes.AngleClasses(
        names=("open_water", "first_year_ice"),
        prior=np.array([0.5, 0.5]),
        mean=np.array([list(WATER_DB.values()), list(ICE_DB.values())]),
        slope=np.zeros((2, 2)),
        covariance=np.array([np.eye(2), np.eye(2)]),
    )
    monkeypatch.setattr(rule, "shipped", lambda: (made, {"concentration": [0.0, 0.5, 1.0], "rmse": [0.02, 0.3, 0.05]}))


def run(scene, out, **config):
    settings = {"network": concentration.RULE, "pixel_m": PIXEL_M, **config}
    land = settings.pop("land", None)
    [record] = concentration.run([scene], out=out, config=concentration.Config(**settings), land=land)
    return record


def bands(folder):
    out = {}
    for name in ("sea_ice_concentration", "sea_ice_concentration_uncertainty", "quality_flag"):
        with rasterio.open(folder / f"{name}.tif") as file:
            out[name] = file.read(1)
            assert file.crs.to_epsg() == 3413 and file.res == (PIXEL_M, PIXEL_M)
    return out


def test_water_and_ice_are_where_they_were_put(tmp_path, classes):
    record = run(product(tmp_path / "S1A_EW.SAFE"), tmp_path / "out")
    assert record.status == "done", record.message
    found = bands(tmp_path / "out/S1A_EW")
    c, sigma = found["sea_ice_concentration"], found["sea_ice_concentration_uncertainty"]
    seen = np.isfinite(c)
    assert np.array_equal(np.isfinite(sigma), seen)
    assert np.array_equal((found["quality_flag"] & BITS["no_data"]) > 0, ~seen)
    # the product is 120 lines of 160 samples of 40 m; ends without noise and starts late hold nothing
    valid = np.isfinite(safe.Small().noise_power("HH"))
    assert seen.sum() * PIXEL_M**2 == pytest.approx(valid.sum() * 40.0**2, rel=0.06)
    # far from the border by more than the square of 2 km there is nothing between water and ice
    assert (c[seen] < 0.01).sum() > 100 and (c[seen] > 0.99).sum() > 500
    expected = (np.mgrid[: safe.LINES, : safe.SAMPLES][1] > 80)[valid].mean()
    assert float(np.mean(c[seen])) == pytest.approx(expected, abs=0.04)
    assert sigma[seen] == pytest.approx(np.interp(c[seen], [0, 0.5, 1], [0.02, 0.3, 0.05]), abs=1e-6)
    numbers = record.numbers
    latitude, longitude = safe.Small().positions(60, 80)
    scale = Proj("EPSG:3413").get_factors(longitude, latitude).areal_scale
    assert numbers["mapped_area_km2"] == pytest.approx(seen.sum() * PIXEL_M**2 / 1e6 / scale, rel=1e-3)
    share = numbers["ice_area_km2"] / numbers["mapped_area_km2"]
    assert share == pytest.approx(numbers["mean_concentration"]) == pytest.approx(expected, abs=0.04)
    assert numbers["ice_area_uncertainty_km2"] > 0
    assert numbers["ice_extent_km2"] >= numbers["ice_area_km2"]


def test_netcdf_and_lines_are_what_others_read(tmp_path, classes):
    run(product(tmp_path / "S1A_EW.SAFE"), tmp_path / "out")
    folder = tmp_path / "out/S1A_EW"
    with xr.open_dataset(folder / "concentration.nc", engine="h5netcdf") as data:
        c = data["sea_ice_concentration"]
        assert c.dims == ("time", "y", "x") and c.attrs["standard_name"] == "sea_ice_area_fraction"
        assert data["crs"].attrs["grid_mapping_name"] == "polar_stereographic"
        assert str(data["time"].values[0])[:19] == "2022-11-30T01:43:43"
        assert "Copernicus Sentinel data 2022" in data.attrs["source"]
        assert set(data["quality_flag"].attrs["flag_meanings"].split()) == set(BITS)
        assert np.array_equal(c.values[0], bands(folder)["sea_ice_concentration"], equal_nan=True)
    zones = gpd.read_file(folder / "ice_zones.gpkg")
    assert zones.crs.to_epsg() == 3413 and set(zones["zone"]) <= {"open_water", "marginal_ice_zone", "pack_ice"}
    record = json.loads((folder / "run.json").read_text())
    assert sorted(record["contents"]) == sorted(p.name for p in folder.iterdir())


def test_the_edge_is_drawn_on_a_scene_that_is_large_enough(tmp_path, classes, monkeypatch):
    from polynya.scenes import ice_edge

    monkeypatch.setattr(
        ice_edge.without_small_parts, "__kwdefaults__", {"level": 0.15, "least_km2": 1.0, "is_lower_too": True}
    )
    record = run(product(tmp_path / "S1A_EW.SAFE"), tmp_path / "out")
    edge = gpd.read_file(tmp_path / "out/S1A_EW/ice_edge.gpkg")
    assert record.numbers["ice_edge_km"] == pytest.approx(edge["length_km"].sum())
    assert edge["length_km"].sum() == pytest.approx(120 * 0.04, rel=0.3)  # once along all lines


def test_done_is_skipped_and_other_settings_are_refused(tmp_path, classes):
    scene = product(tmp_path / "S1A_EW.SAFE")
    assert run(scene, tmp_path / "out").status == "done"
    again = run(scene, tmp_path / "out")
    assert again.status == "skipped" and again.numbers["ice_area_km2"] > 0
    other = run(scene, tmp_path / "out", edge=0.2)
    assert other.status == "failed" and "--overwrite" in other.message
    (tmp_path / "out/S1A_EW/mine.txt").write_text("x")
    [record] = concentration.run(
        [scene],
        out=tmp_path / "out",
        config=concentration.Config(network=concentration.RULE, pixel_m=PIXEL_M, edge=0.2),
        overwrite=True,
    )
    assert record.status == "failed" and "mine.txt" in record.message
    assert (tmp_path / "out/S1A_EW/mine.txt").exists()


def test_scenes_and_results_at_addresses(tmp_path, classes, monkeypatch):
    """The same bytes as from a folder into a folder, and skipped the second time."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("POLYNYA_CACHE", str(tmp_path / "cache"))
    zipped = safe.zipped(product(tmp_path / "S1A_EW.SAFE"), tmp_path / "S1A_EW.zip")
    store = fsspec.filesystem("memory")
    store.put_file(str(zipped), "/scenes/S1A_EW.zip")
    try:
        config = concentration.Config(network=concentration.RULE, pixel_m=PIXEL_M)
        [there] = concentration.run(["memory://scenes/S1A_EW.zip"], out="memory://maps", config=config)
        assert there.status == "done", there.message
        run(zipped, tmp_path / "here")
        for file in (tmp_path / "here/S1A_EW").glob("*.tif"):
            assert store.cat_file(f"/maps/S1A_EW/{file.name}") == file.read_bytes()
        [again] = concentration.run(["memory://scenes/S1A_EW.zip"], out="memory://maps", config=config)
        assert again.status == "skipped" and again.numbers["ice_area_km2"] == there.numbers["ice_area_km2"]
    finally:
        store.rm("/maps", recursive=True)
        store.rm("/scenes", recursive=True)


def test_land_of_a_file_holds_nothing_and_the_sea_beside_it_is_flagged(tmp_path, classes):
    scene = product(tmp_path / "S1A_EW.SAFE")
    run(scene, tmp_path / "whole")
    with rasterio.open(tmp_path / "whole/S1A_EW/sea_ice_concentration.tif") as file:
        box, whole = file.bounds, file.read(1)
    middle = 0.5 * (box.left + box.right)
    gpd.GeoDataFrame(
        geometry=[shapely.box(middle, box.bottom - 1e5, box.right + 1e5, box.top + 1e5)], crs="EPSG:3413"
    ).to_file(tmp_path / "land.gpkg")
    record = run(scene, tmp_path / "out", land=tmp_path / "land.gpkg", near_land_km=0.5)
    found = bands(tmp_path / "out/S1A_EW")
    x = box.left + PIXEL_M * (np.arange(whole.shape[1]) + 0.5) + np.zeros(whole.shape)
    assert np.array_equal(np.isfinite(found["sea_ice_concentration"]), np.isfinite(whole) & (x < middle))
    assert ((found["quality_flag"] & BITS["land"]) > 0)[x > middle].all()
    near = (found["quality_flag"] & BITS["near_land"]) > 0
    seen = np.isfinite(found["sea_ice_concentration"])
    away = middle - x[seen]
    assert near[seen][away < 500.0 - PIXEL_M].all() and not near[seen][away > 500.0 + PIXEL_M].any()
    assert "land of the given file" in record.message and "near land" in record.message


def test_every_reason_to_doubt_has_a_bit_and_a_sentence(tmp_path, classes):
    old = run(product(tmp_path / "old.SAFE", safe.Small(noise="before 2.9", noise_factor=0.0)), tmp_path / "a")
    assert "noise is zero" in old.message
    assert (bands(tmp_path / "a/old")["quality_flag"] & BITS["noise_unknown"]).any()
    one = run(product(tmp_path / "one.SAFE", safe.Small(channels=("HH",))), tmp_path / "b")
    assert "HV is missing or not used" in one.message and "HH alone" in one.message
    assert (bands(tmp_path / "b/one")["quality_flag"] & BITS["channel_missing"]).any()
    weak = {"HH": -24.0, "HV": -45.0}
    dark = run(product(tmp_path / "dark.SAFE", db=(ICE_DB, weak)), tmp_path / "c")
    flags = bands(tmp_path / "c/dark")
    low = (flags["quality_flag"] & BITS["low_signal_to_noise"]) > 0
    assert "HV signal below half of the noise" in dark.message
    assert low.any() and (flags["sea_ice_concentration"][low] < 0.9).all()
    kept = run(product(tmp_path / "kept.SAFE"), tmp_path / "d", is_denoised=False)
    assert "was not subtracted" in kept.message
    mode = run(product(tmp_path / "iw.SAFE", safe.Small(mode="IW")), tmp_path / "e")
    assert mode.status == "done" and "taken in mode IW" in mode.message


def without_noise(scene, channel, factor):
    """Multiply the range noise of a channel."""
    for file in scene.glob(f"annotation/calibration/noise*{channel}*"):
        text = file.read_text()
        found = re.sub(
            r"(<noiseRangeLut[^>]*>)([^<]*)",
            lambda m: m[1] + " ".join(f"{factor * float(v):.6g}" for v in m[2].split()),
            text,
        )
        assert found != text
        file.write_text(found)


@pytest.mark.parametrize(("channels", "factor"), [(("hv",), 0.0), (("hh", "hv"), 1000.0)], ids=["zero", "other units"])
def test_noise_of_one_channel_that_is_not_known_is_said(tmp_path, classes, channels, factor):
    """The other channel's noise does not make it known; and noise 30 dB too strong would leave water everywhere."""
    scene = product(tmp_path / "S1A_EW.SAFE")
    for channel in channels:
        without_noise(scene, channel, factor)
    record = run(scene, tmp_path / "out")
    found = bands(tmp_path / "out/S1A_EW")
    seen = np.isfinite(found["sea_ice_concentration"])
    assert ((found["quality_flag"] & BITS["noise_unknown"]) > 0)[seen].all() and "noise_unknown" in record.message
    assert (found["sea_ice_concentration_uncertainty"][seen] >= np.sqrt(1 / 12) - 1e-6).all()
    assert np.nanmax(found["sea_ice_concentration"]) > 0.9


def test_a_channel_that_ends_early_makes_errors_unknown_there(tmp_path, classes):
    scene = product(tmp_path / "S1A_EW.SAFE")
    file = next(scene.glob("measurement/*hv*"))
    with rasterio.open(file) as source:
        numbers = source.read(1)
    numbers[60:] = 0
    file.unlink()
    safe.write_image(file, numbers)
    record = run(scene, tmp_path / "out")
    assert record.status == "done", record.message
    found = bands(tmp_path / "out/S1A_EW")
    seen = np.isfinite(found["sea_ice_concentration"])
    lacks = ((found["quality_flag"] & BITS["channel_missing"]) > 0) & seen
    assert 0.3 < lacks.sum() / seen.sum() < 0.7 and "lack one of HH, HV" in record.message
    least = np.sqrt(1 / 12 + (found["sea_ice_concentration"] - 0.5) ** 2)
    sigma = found["sea_ice_concentration_uncertainty"]
    assert (sigma[lacks] >= least[lacks] - 1e-6).all()
    assert (sigma[seen & ~lacks] < least[seen & ~lacks]).any() and "a channel missing in places" in record.message


def test_factors_of_the_noise_are_used_and_said_where_they_are_for_another_product(tmp_path, classes, monkeypatch):
    """Half of the annotated noise: half of it stays in the first sub-swath's HV."""
    made_for = {"HV": {"EW1": 0.5}}
    monkeypatch.setattr(sentinel1_grd, "NOISE_SCALE_S1A_EW", made_for)
    opened = sentinel1_grd.open_product(product(tmp_path / "S1A_EW.SAFE"))
    config = concentration.Config(network=concentration.RULE, pixel_m=PIXEL_M)
    (plain, _), (scaled, notes) = (
        scene._channels(opened, config.model_copy(update={"noise_scale": s})) for s in ("none", "s1a-ew")
    )
    added = (scaled["sigma0"] - plain["sigma0"]).values
    first = (plain["subswath"].values == 1) & (plain["pixels"].values[1] > 0)
    inner = first & ndimage.binary_erosion(first)
    assert added[1][inner] == pytest.approx(0.5 * plain["nesz"].values[1][inner], rel=1e-3)
    assert np.nanmax(np.abs(added[0])) == 0.0
    assert any("S1A EW of IPF 2.4; this is S1A EW of IPF 003.52" in n for n in notes)
    other = sentinel1_grd.open_product(product(tmp_path / "old.SAFE", safe.Small(ipf="002.43")))
    notes = scene._channels(other, config.model_copy(update={"noise_scale": "s1a-ew"}))[1]
    assert not any("noise-scale" in n for n in notes)


OTHER = {
    "pixel_m": 200.0,
    "channels": ("HH",),
    "near_land_km": 3.0,
    "is_denoised": False,
    "noise_scale": "s1a-ew",
    "edge": 0.2,
    "pack": 0.7,
}


def test_every_setting_that_changes_a_map_changes_its_key():
    rest = {"network", "sigrid3", "runtime"}  # the network's own hash counts; the others decide no number
    assert set(OTHER) | rest == set(concentration.Config.model_fields)
    used, item = mapper.load(concentration.Config(network=concentration.RULE)), concentration.Item(path="a", folder="b")
    keys = [item.key(concentration.Config(**more), used).settings for more in ({}, *({k: v} for k, v in OTHER.items()))]
    assert all(a != b for k, a in enumerate(keys) for b in keys[:k])


@pytest.mark.parametrize(
    ("name", "sigma0", "angle", "is_set"),
    [
        ("low_signal_to_noise", 0.45, 30.0, True),
        ("low_signal_to_noise", 0.55, 30.0, False),
        ("incidence_angle_outside", 5.0, 17.9, True),
        ("incidence_angle_outside", 5.0, 18.1, False),
        ("incidence_angle_outside", 5.0, 47.4, False),
        ("incidence_angle_outside", 5.0, 47.6, True),
    ],
)
def test_flags_begin_where_they_say(name, sigma0, angle, is_set):
    """Signal in units of the noise: half of it is -3 dB."""
    ones = np.ones((2, 1, 1))
    data = xr.Dataset(
        {
            "sigma0": (("channel", "y", "x"), 0.002 * sigma0 * ones),
            "nesz": (("channel", "y", "x"), 0.002 * ones),
            "valid": (("channel", "y", "x"), ones.astype(np.uint8)),
            "incidence_angle": (("y", "x"), angle * ones[0]),
        },
        coords={"channel": ["HH", "HV"]},
    )
    far = SimpleNamespace(distance_m=1e6 * ones[0], is_land=ones[0] < 0, is_mask=False)
    bits = quality.flags(data, 0.5 * ones[0], land=far, near_land_m=1e4, is_melting=False)
    assert bits[0, 0] == (BITS[name] if is_set else 0)


def test_a_larger_error_is_not_made_smaller_where_nothing_is_known():
    c, sigma = np.array([[0.5, 0.5]], np.float32), np.array([[0.01, 0.45]], np.float32)
    found = trust.widened(mapper.Mapped(concentration=c, uncertainty=sigma), np.ones((1, 2), bool))
    assert found.uncertainty[0] == pytest.approx([np.sqrt(1 / 12), 0.45])


@pytest.mark.parametrize(
    ("latitude", "months"), [(75.0, {5, 6, 7, 8, 9}), (-70.0, {11, 12, 1, 2, 3})], ids=["north", "south"]
)
def test_melt_is_a_season_of_the_hemisphere(latitude, months):
    times = {m: np.datetime64(f"2022-{m:02d}-15T12:00") for m in range(1, 13)}
    assert {m for m, t in times.items() if quality.is_melt_season(t, latitude)} == months


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("vv", "has VV, VH; expected HH or HV"),
        ("no image", "the image of HH is missing"),
        ("no noise", "the noise of HH is missing"),
        ("gone", "no such"),
        ("slc", "expected a ground-range product"),
    ],
)
def test_what_cannot_be_mapped_is_one_line_and_leaves_nothing(tmp_path, classes, change, words):
    small = safe.Small(channels=("VV", "VH")) if change == "vv" else safe.Small()
    if change == "slc":
        small = safe.Small(product_type="SLC")
    scene = product(tmp_path / "S1A_EW.SAFE", small, channels=() if change == "no image" else None)
    if change == "no noise":
        for file in scene.glob("annotation/calibration/noise*hh*"):
            file.unlink()
    if change == "gone":
        shutil.rmtree(scene)
    record = run(scene, tmp_path / "out")
    assert record.status == "failed" and words in record.message and "\n" not in record.message
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_scenes_run_side_by_side_and_fail_alone(tmp_path):
    db, whole = (ICE_DB, {"HH": -20.0, "HV": -33.0}), (safe.LINES, safe.SAMPLES)
    scenes = [product(tmp_path / f"S1A_{n}.SAFE", ice=np.full(whole, n == 1), db=db) for n in (1, 2)]
    broken = tmp_path / "S1A_3.SAFE"
    broken.mkdir()
    words = [
        *map(str, [*scenes, broken]),
        "-o",
        str(tmp_path / "out"),
        "--network",
        "rule",
        "--pixel-m",
        "80",
        "--json",
    ]
    done = CliRunner().invoke(app, ["concentration", *words])
    answer = json.loads(done.stdout)
    assert done.exit_code == 3 and [r["status"] for r in answer["scenes"]] == ["done", "done", "failed"]
    areas = [r["numbers"]["ice_area_km2"] for r in answer["scenes"][:2]]
    assert areas[0] > 2 * areas[1]  # with the shipped classes
    assert (tmp_path / "out/index.html").exists()
    text = CliRunner().invoke(app, ["concentration", *words[:-1]])
    assert "S1A_1: skipped" in text.output and "ice area" in text.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--pixel-m", "20"], "--pixel-m 20"),
        (["--channel", "vv"], "--channels"),
        (["--network", "none"], "--network none: no such network"),
        (["--noise-scale", "x"], "--noise-scale x"),
        (["--near-land-km", "-1"], "--near-land-km"),
    ],
)
def test_settings_that_do_not_exist(tmp_path, words, said):
    done = CliRunner().invoke(app, ["concentration", "a.SAFE", "-o", str(tmp_path / "out"), *words])
    assert isinstance(done.exception, UsageError) and said in str(done.exception)
    with pytest.raises(UsageError, match="expected the edge below the pack"):
        concentration.Config.checked(edge=0.9)
    with pytest.raises(UsageError, match="given more than once"):
        concentration.run(["a/x.SAFE", "b/x.zip"], out=tmp_path)


def test_errors_of_the_rule_are_those_of_bins():
    given = np.array([0.05, 0.05, 0.9, 0.9])
    truth = np.array([0.05, 0.25, 0.9, 0.5])
    found = rule.errors(given, truth, edges=np.array([0.0, 0.5, 1.0]))
    assert found["concentration"] == pytest.approx([0.05, 0.9])
    assert found["rmse"] == pytest.approx([np.sqrt(0.5 * 0.2**2), np.sqrt(0.5 * 0.4**2)])
    assert rule.uncertainty(np.array([0.05, 0.475, 0.9]), found) == pytest.approx(
        [found["rmse"][0], np.mean(found["rmse"]), found["rmse"][1]]
    )


def test_the_shipped_classes_are_radar_classes():
    """Water falls fastest with the angle, old ice is brightest in HV: as every campaign finds."""
    classes, errors = rule.shipped()
    at = {n: k for k, n in enumerate(classes.names)}
    assert classes.slope[at["open_water"], 0] < classes.slope[:, 0][1:].min() - 0.2
    assert classes.mean[at["old_ice"], 1] == classes.mean[:, 1].max()
    assert all(0 < e < 0.6 for e in errors["rmse"])
