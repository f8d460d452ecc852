"""Networks in ``polynya concentration``: what they are given, what comes back, and what cannot map is one line."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from typer.testing import CliRunner

from polynya.cli import app
from polynya.errors import PolynyaError, ProductError, UsageError
from polynya.predict import halo
from polynya.predict import scenes as predict_scenes
from polynya.readers import ice_concentration
from polynya.schema.sea_ice_maps import BITS, INTERVALS
from polynya.targets import Concentration, Heads, OneOf
from polynya.workflows import concentration
from polynya.workflows.concentration import amsr2, mapper, network, quality, trust
from tests import onnx_networks
from tests.readers import sentinel1_safe as safe

from . import radar_networks as made
from .test_concentration import ICE_DB, WATER_DB, product

SHARE = 0.37
NAMES = tuple(v.name for v in INTERVALS)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Products of 6.4 x 4.8 km: of both channels, of HH alone, of another mode."""
    folder = tmp_path_factory.mktemp("scenes")
    return {
        "both": product(folder / "S1A_both.SAFE"),
        "hh": product(folder / "S1A_hh.SAFE", safe.Small(channels=("HH",))),
        "iw": product(folder / "S1A_iw.SAFE", safe.Small(mode="IW")),
    }


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    """A network that says one number."""
    return made.pixelwise(tmp_path_factory.mktemp("constant") / "constant.onnx", bias=made.logit(SHARE))


def run(scene, out, network, *, land=None, amsr2=(), **settings):
    config = concentration.Config(network=str(network), runtime="onnxruntime", **settings)
    [record] = concentration.run([scene], out=out, config=config, land=land, amsr2=amsr2)
    return record


def read(out):
    """Return the NetCDF of the only scene in a folder, its planes."""
    [path] = out.glob("*/concentration.nc")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        return {n: v.values[0] for n, v in data.data_vars.items() if v.ndim == 3}


def test_a_constant_network_comes_back_through_the_command(tmp_path, scenes, constant):
    words = ["concentration", str(scenes["both"]), "-o", str(tmp_path), "--network", str(constant), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)["scenes"][0]
    assert answer["numbers"]["ice_area_km2"] == pytest.approx(SHARE * answer["numbers"]["mapped_area_km2"], rel=1e-6)
    found = read(tmp_path)
    c, seen = found["sea_ice_concentration"], np.isfinite(found["sea_ice_concentration"])
    # pixels with neither HH nor HV hold nothing: the others cover what the product's noise leaves valid
    valid = np.isfinite(safe.Small().noise_power("HH")).sum() * 40.0**2
    assert seen.sum() * 400.0**2 == pytest.approx(valid, rel=0.25) and not seen.all()
    assert np.array_equal((found["quality_flag"].astype(int) & BITS["no_data"]) > 0, ~seen)
    expected = {
        "sea_ice_concentration": SHARE,
        "sea_ice_concentration_uncertainty": made.ERROR,
        "sea_ice_concentration_low_68": SHARE - made.ERROR,
        "sea_ice_concentration_high_68": SHARE + made.ERROR,
        "sea_ice_concentration_low_95": SHARE - 2 * made.ERROR,
        "sea_ice_concentration_high_95": SHARE + 2 * made.ERROR,
    }
    for name, value in expected.items():
        assert np.array_equal(np.isfinite(found[name]), seen), name
        np.testing.assert_allclose(found[name][seen], value, atol=1e-6, err_msg=name)
    folder = tmp_path / "S1A_both"
    with rasterio.open(folder / "sea_ice_concentration_intervals.tif") as file:
        assert file.descriptions == NAMES and file.crs.to_epsg() == 3413
        for k, name in enumerate(NAMES, 1):
            assert np.array_equal(file.read(k), found[name], equal_nan=True)
    with rasterio.open(folder / "sea_ice_concentration.tif") as file:
        assert np.array_equal(file.read(1), c, equal_nan=True)
    record = json.loads((folder / "run.json").read_text())
    assert record["network"]["sha256"] == predict_scenes.load(constant).sha256
    assert "The errors are unknown" not in " ".join(record["messages"])


def test_other_programs_and_evaluate_read_intervals(tmp_path, scenes, constant):
    assert run(scenes["both"], tmp_path, constant).status == "done"
    path = tmp_path / "S1A_both/concentration.nc"
    with xr.open_dataset(path, engine="h5netcdf") as data:
        ancillary = data["sea_ice_concentration"].attrs["ancillary_variables"].split()
        assert set(NAMES) <= set(ancillary) <= set(data.data_vars)
        about = data["sea_ice_concentration_high_95"].attrs
        assert about["interval_percent"] == 95 and about["interval_end"] == "high" and about["units"] == "1"
    again = ice_concentration.read(path)
    for name in NAMES:
        assert np.nanmax(again[name]) == pytest.approx(100 * np.nanmax(read(tmp_path)[name]), rel=1e-5)


def test_the_rule_has_no_intervals(tmp_path, scenes):
    assert run(scenes["both"], tmp_path, "rule").status == "done"
    assert not set(read(tmp_path)) & set(NAMES)
    assert not (tmp_path / "S1A_both/sea_ice_concentration_intervals.tif").exists()
    page = (tmp_path / "S1A_both/report.html").read_text()
    assert "the rule" in page and "An interval of" not in page


def dataset(sigma0: dict, valid: dict, angle: np.ndarray) -> xr.Dataset:
    """Return a scene on a grid as :func:`radar_grid.on_grid` does, as far as a mapper reads it."""
    names, pixels = list(sigma0), 400.0 * np.arange(max(angle.shape))
    return xr.Dataset(
        {
            "sigma0": (("channel", "y", "x"), np.stack([sigma0[n] for n in names]).astype(np.float32)),
            "valid": (("channel", "y", "x"), np.stack([valid[n] for n in names]).astype(np.uint8)),
            "incidence_angle": (("y", "x"), angle.astype(np.float32)),
        },
        coords={"channel": names, "y": pixels[: angle.shape[0]], "x": pixels[: angle.shape[1]]},
    )


def test_bands_are_decibels_with_floors_and_nothing_where_nothing_is_valid():
    hh, hv = np.array([[0.1, -0.02, 1e-9, 0.5]]), np.array([[0.01, 0.02, -1.0, 0.5]])
    data = dataset(
        {"HV": hv, "HH": hh},
        {"HH": np.array([[1, 1, 1, 0]]), "HV": np.array([[1, 0, 1, 0]])},
        np.array([[20.0, 30.0, 40.0, 45.0]]),
    )
    nothing = np.nan
    found = network.bands(data, ("incidence", "hh", "hv", "amsr2"))
    expected = [
        [20.0, 30.0, 40.0, nothing],
        [-10.0, -35.0, -35.0, nothing],
        [-20.0, nothing, -45.0, nothing],
        *[[nothing] * 4] * 4,
    ]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)
    warm = data.assign(btemp_36_5v=(("y", "x"), np.full((1, 4), 250.0, np.float32)))
    kelvin = network.bands(warm, ("amsr2",))[:, 0]
    np.testing.assert_allclose(kelvin[3], [250.0, 250.0, 250.0, nothing])
    assert np.isnan(kelvin[:3]).all()


def test_water_and_ice_of_a_product_are_what_the_network_says_of_their_decibels(tmp_path, scenes):
    by_radar = made.pixelwise(tmp_path / "radar.onnx", weights=(0.3, 0.1, 0.0), bias=8.0)
    assert run(scenes["both"], tmp_path / "radar", by_radar).status == "done"
    c = read(tmp_path / "radar")["sea_ice_concentration"]
    ice, water = (made.expit(0.3 * db["HH"] + 0.1 * db["HV"] + 8.0) for db in (ICE_DB, WATER_DB))
    assert np.nanmax(c) == pytest.approx(ice, abs=0.005) and np.nanmin(c) == pytest.approx(water, abs=0.005)
    by_angle = made.pixelwise(tmp_path / "angle.onnx", weights=(0.0, 0.0, 1.0), bias=-24.0)
    assert run(scenes["both"], tmp_path / "angle", by_angle).status == "done"
    angle = np.log(c := read(tmp_path / "angle")["sea_ice_concentration"].astype(float)) - np.log1p(-c) + 24.0
    # the mean of all samples in a pixel of the map, which is 10 of them wide
    low, high = safe.Small().incidence(0), safe.Small().incidence(safe.SAMPLES - 1)
    assert low - 1e-3 <= np.nanmin(angle) < low + 0.6 and high - 1.0 < np.nanmax(angle) <= high + 1e-3


def test_the_network_sees_the_scene_mirrored_beyond_its_border(tmp_path, scenes, constant, monkeypatch):
    """Beside the scene, where the map holds nothing, the network is shown what lies as far inside."""
    shown, usual = [], halo.whole

    def whole(net, read, *, shape, **more):
        shown.append(read(slice(0, shape[0]), slice(0, shape[1])))
        return usual(net, read, shape=shape, **more)

    monkeypatch.setattr(halo, "whole", whole)
    assert run(scenes["both"], tmp_path / "out", constant).status == "done"
    empty = ~np.isfinite(read(tmp_path / "out")["sea_ice_concentration"])
    assert empty.mean() > 0.05 and np.isfinite(shown[0][:2, empty]).all()


def test_what_has_learned_from_simulations_is_known(constant):
    assert mapper.load(concentration.Config()).is_simulated
    assert mapper.load(concentration.Config(network=concentration.RULE)).is_simulated
    assert not mapper.load(concentration.Config(network=str(constant))).is_simulated


@pytest.mark.parametrize("how", ["product", "option"])
def test_a_missing_channel_is_missing_for_the_network(tmp_path, scenes, how):
    given = made.pixelwise(tmp_path / "n.onnx", weights=(0.3, 0.1, 0.0), bias=4.0)
    scene, settings = (scenes["hh"], {}) if how == "product" else (scenes["both"], {"channels": ("HH",)})
    record = run(scene, tmp_path / "out", given, **settings)
    assert record.status == "done" and "HV is missing or not used" in record.message
    found = read(tmp_path / "out")
    c = found["sea_ice_concentration"]
    assert np.nanmax(c) == pytest.approx(made.expit(0.3 * ICE_DB["HH"] + 4.0), abs=0.005)
    # its errors were fitted with both
    assert "The errors are unknown in 100 % of the pixels (no HV)" in record.message
    sigma = found["sea_ice_concentration_uncertainty"][np.isfinite(c)]
    np.testing.assert_allclose(sigma, np.sqrt(1 / 12 + (c[np.isfinite(c)] - 0.5) ** 2), atol=1e-6)


@pytest.mark.parametrize(
    ("latitude", "words"), [(58.0, ("latitude 58\u00b0",)), (-59.4, ("latitude -59\u00b0",)), (-62.0, ())]
)
def test_errors_towards_the_equator_are_unknown(latitude, words):
    setting = trust.Setting(
        mode="EW", channels=("HH", "HV"), has_amsr2=False, is_denoised=True, pixel_m=400.0, latitude=latitude
    )
    used = mapper.load(concentration.Config(network=concentration.RULE))
    assert trust.reasons(setting, used) == words


def test_the_uncertainty_of_an_unknown_concentration_is_that_of_any_truth():
    truth = (np.arange(100_000) + 0.5) / 100_000
    for c in (0.0, 0.2, 0.5, 0.99):
        assert trust.ignorance(np.array(c)) == pytest.approx(np.sqrt(np.mean((c - truth) ** 2)), abs=1e-5)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("melt", "(melt season)"),
        ("iw", "(mode IW)"),
        ("noise", "(noise not subtracted)"),
        ("pixels", "(pixels of 200 m)"),
        ("angles", "(incidence angles outside those of EW)"),
    ],
)
def test_no_small_uncertainty_where_nothing_was_learned(tmp_path, scenes, constant, monkeypatch, case, words):
    settings = {"noise": {"is_denoised": False}, "pixels": {"pixel_m": 200.0}}.get(case, {})
    if case == "melt":
        monkeypatch.setattr(quality, "is_melt_season", lambda time, latitude: True)
    if case == "angles":
        monkeypatch.setattr(quality, "ANGLES_DEG", (30.0, 47.5))
    record = run(scenes["iw" if case == "iw" else "both"], tmp_path, constant, **settings)
    assert record.status == "done" and f"100 % of the pixels {words}" in record.message
    found = read(tmp_path)
    seen = np.isfinite(found["sea_ice_concentration"])
    spread = np.sqrt(1 / 12 + (SHARE - 0.5) ** 2)
    np.testing.assert_allclose(found["sea_ice_concentration"][seen], SHARE, atol=1e-6)
    np.testing.assert_allclose(found["sea_ice_concentration_uncertainty"][seen], spread, atol=1e-6)
    for name in NAMES:
        assert (found[name][seen] == (0.0 if "low" in name else 1.0)).all()
    if case == "pixels":
        assert "learned from pixels of 400 m; these have 200 m" in record.message
    [page] = tmp_path.glob("*/report.html")
    assert words in page.read_text()


def test_a_larger_spread_of_the_network_stays():
    c = np.array([[0.5, 0.5, np.nan]], np.float32)
    mapped = mapper.Mapped(concentration=c, uncertainty=np.array([[0.4, 0.01, np.nan]], np.float32))
    found = trust.widened(mapped, np.array([[True, True, False]]))
    np.testing.assert_allclose(found.uncertainty, [[0.4, np.sqrt(1 / 12), np.nan]], rtol=1e-6)
    assert found.intervals is None and found.concentration is c


def test_the_rule_states_no_small_uncertainty_in_melt_either(tmp_path, scenes, monkeypatch):
    monkeypatch.setattr(quality, "is_melt_season", lambda time, latitude: True)
    record = run(scenes["both"], tmp_path, "rule")
    assert "(melt season)" in record.message and "intervals" not in record.message
    assert np.nanmin(read(tmp_path)["sea_ice_concentration_uncertainty"]) > 0.28


def test_land_of_a_file_is_not_shown_to_the_network(tmp_path, scenes):
    """What land is like changes nothing beside it; near it errors are unknown."""
    far = made.far_sighted(tmp_path / "far.onnx")
    assert run(scenes["both"], tmp_path / "all", far).status == "done"
    with rasterio.open(tmp_path / "all/S1A_both/sea_ice_concentration.tif") as file:
        box, whole = file.bounds, file.read(1)
    middle = 400.0 * round((box.left + box.right) / 800.0)
    gpd.GeoDataFrame(
        geometry=[shapely.box(middle, box.bottom - 1e5, box.right + 1e5, box.top + 1e5)], crs=3413
    ).to_file(tmp_path / "land.gpkg")
    line, sample = np.mgrid[: safe.LINES, : safe.SAMPLES]
    is_east = safe.Small().plane(line, sample)[0] > middle + 60.0
    bright = product(tmp_path / "S1A_both.SAFE", ice=(sample > 80) | is_east)
    maps = []
    for k, scene in enumerate((scenes["both"], bright)):
        out = tmp_path / f"land{k}"
        record = run(scene, out, far, land=tmp_path / "land.gpkg", near_land_km=1.0)
        assert record.status == "done", record.message
        maps.append(read(out))
    first, second = (m["sea_ice_concentration"] for m in maps)
    x = box.left + 400.0 * (np.arange(whole.shape[1]) + 0.5) + np.zeros(whole.shape)
    sea = np.isfinite(whole) & (x < middle)
    assert np.array_equal(np.isfinite(first), sea) and not np.allclose(first[sea], whole[sea], atol=1e-3)
    np.testing.assert_allclose(first[sea], second[sea], atol=1e-6)
    sigma = maps[0]["sea_ice_concentration_uncertainty"]
    near = sea & (middle - x < 1000.0)
    assert (sigma[near] > 0.28).all() and (sigma[sea & (middle - x > 1600.0)] < 0.08).all()


def test_pieces_are_the_whole_scene(tmp_path, monkeypatch):
    rng = np.random.default_rng(6)
    shape = (70, 57)
    data = dataset(
        {n: 10 ** (rng.uniform(-3.0, -1.0, shape)) for n in ("HH", "HV")},
        {n: rng.random(shape) > 0.1 for n in ("HH", "HV")},
        rng.uniform(20.0, 45.0, shape),
    )

    def mapped(path):
        return network.load(str(path), runtime="onnxruntime").map(data).concentration

    far = made.far_sighted(tmp_path / "far.onnx")
    blind = made.far_sighted(tmp_path / "blind.onnx", described=made.about(halo=made.STRIDE))
    whole = mapped(far)
    assert np.nanstd(whole) > 0.05
    monkeypatch.setitem(halo.pieces.__kwdefaults__, "most_pixels", 36**2)
    np.testing.assert_allclose(mapped(far), whole, atol=1e-5)
    assert np.nanmax(np.abs(mapped(blind) - whole)) > 1e-3, "a halo that is too small shows"


def test_a_network_that_does_not_say_how_far_it_sees_is_blended(tmp_path, scenes):
    path = made.pixelwise(tmp_path / "n.onnx", bias=made.logit(SHARE), described=made.about(halo=0))
    assert run(scenes["both"], tmp_path / "out", path).status == "done"
    c = read(tmp_path / "out")["sea_ice_concentration"]
    assert np.isnan(c).any()
    np.testing.assert_allclose(c[np.isfinite(c)], SHARE, atol=1e-6)


def test_classes_of_heads(tmp_path, scenes, monkeypatch):
    path = made.pixelwise(
        tmp_path / "heads.onnx",
        bias=made.logit(SHARE),
        more=(0.1, 0.1, 0.5, 0.1, 0.1, 0.1, *[0.05] * 6, 0.7),
        described=made.about(made.two_heads(), name="concentration.concentration"),
    )
    assert run(scenes["both"], tmp_path / "out", path).status == "done"
    folder = tmp_path / "out/S1A_both"
    with xr.open_dataset(folder / "concentration.nc", engine="h5netcdf", mask_and_scale=False) as data:
        seen = np.isfinite(data["sea_ice_concentration"].values[0])
        for name, meanings, code, probability in (
            ("stage_of_development", made.STAGES, 2, 0.5),
            ("floe_size", made.FLOES, 6, 0.7),
        ):
            codes, about = data[name].values[0], data[name].attrs
            assert codes.dtype == np.uint8 and (codes[seen] == code).all() and (codes[~seen] == 255).all()
            assert about["flag_meanings"].split() == list(meanings)
            assert about["flag_values"].tolist() == list(range(len(meanings))) and about["_FillValue"] == 255
            named = data[f"{name}_probability"].values[0]
            np.testing.assert_allclose(named[seen], probability, atol=1e-6)
            assert np.isnan(named[~seen]).all() and about["ancillary_variables"] == f"{name}_probability"
            with rasterio.open(folder / f"{name}.tif") as file:
                assert file.nodata == 255 and np.array_equal(file.read(1), codes)
    again = ice_concentration.read(folder / "concentration.nc")
    assert np.array_equal(again["stage_of_development"].values == 2, seen)
    page = (folder / "report.html").read_text()
    assert "Stage of development" in page and "young 100\u202f%" in page and "bergs 100\u202f%" in page
    monkeypatch.setattr(quality, "is_melt_season", lambda time, latitude: True)
    record = run(scenes["both"], tmp_path / "melt", path)
    assert "classes have even probabilities" in record.message
    even = read(tmp_path / "melt")["floe_size_probability"]
    np.testing.assert_allclose(even[seen], 1 / 7, atol=1e-6)


def wrong(kind, folder):
    """Return a file that is no network for this, and what the error says."""
    path = folder / f"{kind}.onnx"
    if kind == "glaciers":
        return onnx_networks.scene_network(path)[0], "predicts other, glacier; expected a network of sea-ice"
    if kind == "tracks":
        return onnx_networks.sequence_network(path), "of family tracks; expected a network of scenes"
    if kind == "stage alone":
        described = made.about(OneOf(classes=made.STAGES), spread={})
        return made.pixelwise(path, more=(0.1,) * 4, described=described), "predicts water, new, young"
    if kind == "weather":
        described = made.about(scaling={"sensors": {"hh": 1, "month": 1, "incidence": 1}})
        return made.pixelwise(path, described=described), "takes hh, month, incidence of the table radar_ice"
    if kind == "no radar":
        described = made.about(scaling={"sensors": {"incidence": 3}})
        return made.pixelwise(path, described=described), "hh or hv among them"
    if kind == "place":
        described = made.about(scaling={"sensors": {"hh": 1, "incidence": 1}}, location_kind="region", location=1)
        return made.pixelwise(path, described=described), "location encoding (region)"
    if kind == "not fitted":
        return made.pixelwise(path, described=made.about(spread={})), "states no spread of its concentration"
    if kind == "no spread":
        described = made.about(Concentration(has_spread=False))
        return made.pixelwise(path, described=described), "states no spread of its concentration"
    if kind == "other classes":
        heads = Heads(heads={"concentration": Concentration(), "stage": OneOf(classes=("water", "ice"))})
        described = made.about(heads, name="concentration.concentration")
        return made.pixelwise(path, more=(0.5, 0.5), described=described), "head stage has the classes water, ice"
    if kind == "no network":
        path.write_text("x")
        return path, "is no ONNX file, or is cut"
    return folder / "gone.onnx", "gone.onnx: no such file; expected an .onnx file"


@pytest.mark.parametrize(
    "kind",
    [
        *("glaciers", "tracks", "stage alone", "weather", "no radar", "place", "not fitted", "no spread"),
        *("other classes", "no network", "gone"),
    ],
)
def test_what_is_no_network_of_concentration_is_one_line(tmp_path, scenes, kind):
    path, said = wrong(kind, tmp_path)
    words = ["concentration", str(scenes["both"]), "-o", str(tmp_path / "out"), "--network", str(path)]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ProductError) and error.exit_code == 1
    assert said in str(error) and "\n" not in str(error)
    assert not (tmp_path / "out").exists()


def test_the_default_is_one_constant(tmp_path, scenes, constant, monkeypatch):
    monkeypatch.setattr(concentration, "DEFAULT", str(constant))
    done = CliRunner().invoke(app, ["concentration", str(scenes["both"]), "-o", str(tmp_path)])
    assert done.exit_code == 0 and "network by-hand" in (tmp_path / "S1A_both/report.html").read_text()


def test_another_network_is_another_result_and_a_copy_is_none(tmp_path, scenes, constant):
    assert run(scenes["both"], tmp_path / "out", constant).status == "done"
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(constant.read_bytes())
    assert run(scenes["both"], tmp_path / "out", copy).status == "skipped"
    other = run(scenes["both"], tmp_path / "out", made.pixelwise(tmp_path / "other.onnx", bias=1.0))
    assert other.status == "failed" and "--overwrite" in other.message


def amsr2_file(path, *, cells=(2, 3), slope=(0.2, -0.1)):
    """Write brightness temperatures that rise evenly with line and sample; each channel 10 K above the last."""
    line, sample = np.meshgrid(*(50.0 * (np.arange(n) + 0.5) - 0.5 for n in cells), indexing="ij")
    planes = {
        f"btemp_{f}{p}": (("dim_0", "dim_1"), 200.0 + 10.0 * k + slope[0] * line + slope[1] * sample)
        for k, (f, p) in enumerate((f, p) for f in ("18.7", "36.5") for p in "hv")
    }
    xr.Dataset(planes).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.fixture(scope="module")
def with_amsr2(tmp_path_factory):
    """A network that maps the brightness temperature at 36.5 GHz, V."""
    described = made.about(
        scaling={"sensors": {**made.SENSORS, "amsr2": 4}},
        recipe={"scene": {"sensor_dropout": 0.1, "always": ["incidence", "amsr2"]}},
    )
    path = tmp_path_factory.mktemp("amsr2") / "warm.onnx"
    return made.pixelwise(path, weights=(0, 0, 0, 0, 0, 0, 0.05), bias=-11.5, described=described)


def test_amsr2_lies_at_the_true_positions(tmp_path, scenes, with_amsr2):
    file = amsr2_file(tmp_path / "AMSR2_S1A_both.nc")
    record = run(scenes["both"], tmp_path / "out", with_amsr2, amsr2=[file])
    assert record.status == "done", record.message
    with rasterio.open(tmp_path / "out/S1A_both/sea_ice_concentration.tif") as source:
        c, t = source.read(1).astype(float), source.transform
    x, y = np.meshgrid(t.c + t.a * (np.arange(c.shape[1]) + 0.5), t.f + t.e * (np.arange(c.shape[0]) + 0.5))
    small, turn = safe.Small(), np.radians(safe.Small().turn)
    east, north = x - small.corner[0], y - small.corner[1]
    sample = (east * np.cos(turn) + north * np.sin(turn)) / 40.0
    line = (east * np.sin(turn) - north * np.cos(turn)) / 40.0
    between = (line > 24.5) & (line < 74.5) & (sample > 24.5) & (sample < 124.5) & np.isfinite(c)
    kelvin = (np.log(c) - np.log1p(-c) + 11.5) / 0.05
    assert between.sum() > 30
    np.testing.assert_allclose(kelvin[between], (230.0 + 0.2 * line - 0.1 * sample)[between], atol=0.05)
    assert "AMSR2" in (tmp_path / "out/S1A_both/report.html").read_text()


def test_without_amsr2_errors_are_unknown(tmp_path, scenes, with_amsr2):
    record = run(scenes["both"], tmp_path / "out", with_amsr2)
    assert "(no AMSR2)" in record.message
    # bands that are missing count as 0 K here: expit(-11.5)
    assert 0.0 < np.nanmax(read(tmp_path / "out")["sea_ice_concentration"]) < 2e-5


def test_amsr2_that_does_not_fit_is_one_line(tmp_path, scenes, with_amsr2, constant):
    file = amsr2_file(tmp_path / "a.nc")
    with pytest.raises(UsageError, match=r"--amsr2 a.nc: by-hand takes hh, hv, incidence; expected a network with"):
        run(scenes["both"], tmp_path / "out", constant, amsr2=[file])
    with pytest.raises(UsageError, match=r"--amsr2 .*b.nc: no such file"):
        run(scenes["both"], tmp_path / "out", with_amsr2, amsr2=[tmp_path / "b.nc"])
    config = concentration.Config(network=str(with_amsr2))
    with pytest.raises(UsageError, match=r"a.nc: its name holds that of no scene given; expected one like AMSR2_S1A_"):
        concentration.run([scenes["both"], scenes["hh"]], out=tmp_path / "out", config=config, amsr2=[file])
    record = run(scenes["both"], tmp_path / "out", with_amsr2, amsr2=[amsr2_file(tmp_path / "c.nc", cells=(9, 3))])
    assert record.status == "failed" and "has 9 x 3 cells of 50 pixels of 40 m" in record.message
    scene = "S1A_EW_GRDM_1SDH_20190823T033023_20190823T033127_028691_033F56_7A1D"
    other = amsr2_file(tmp_path / f"AMSR2_{scene}.nc")
    record = run(scenes["both"], tmp_path / "out", with_amsr2, amsr2=[other])
    assert record.status == "failed" and "was made for a scene of 2019-08-23T03:30:23Z" in record.message
    path = tmp_path / "few.nc"
    with xr.open_dataset(file, engine="h5netcdf") as data:
        data.drop_vars("btemp_36.5v").to_netcdf(path, engine="h5netcdf")
    record = run(scenes["both"], tmp_path / "out", with_amsr2, amsr2=[path])
    assert record.status == "failed" and "few.nc: lacks btemp_36_5v" in record.message
    assert issubclass(UsageError, PolynyaError)


def test_two_files_of_amsr2_for_one_scene_are_one_too_many():
    names = ["S1A_one", "S1A_two"]
    assert amsr2.assign(names, ["a/AMSR2_S1A_two.nc"]) == {"S1A_two": "a/AMSR2_S1A_two.nc"}
    assert amsr2.assign(["x"], ["any.nc"]) == {"x": "any.nc"}
    with pytest.raises(UsageError, match=r"S1A_two_b\.nc: S1A_two_a\.nc is of the same scene, S1A_two"):
        amsr2.assign(names, ["S1A_two_a.nc", "S1A_two_b.nc"])
    with pytest.raises(UsageError, match="holds that of no scene"):
        amsr2.assign(names, ["other.nc"])
