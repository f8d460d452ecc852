"""polynya evaluate for sea-ice concentration: charts, grids, AI4Arctic scenes, predictions of the challenge."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from shapely.geometry import box

from polynya.errors import ProductError
from polynya.readers import ai4arctic, ice_concentration
from polynya.readers.ai4arctic_preparation import STATISTICS
from polynya.workflows.evaluate import concentration
from tests.real_files import sar

from ...readers import ai4arctic_files, ice_grids
from ..glaciers.pieces import cli

POLAR = "EPSG:3413"


def write(path, percent, *, place, sigma=None, crs=POLAR, units="%", **more):
    """Write a map of concentration as CF NetCDF."""
    rows, columns = percent.shape
    names = {ice_concentration.NAME: percent, **({} if sigma is None else {ice_concentration.SIGMA: sigma}), **more}
    data = xr.Dataset(
        {n: (("y", "x"), v, {"units": units, "grid_mapping": "spatial_ref"}) for n, v in names.items()},
        coords={
            "y": place.f + place.e * (np.arange(rows) + 0.5),
            "x": place.c + place.a * (np.arange(columns) + 0.5),
            "spatial_ref": ((), 0, CRS.from_user_input(crs).to_cf()),
        },
    )
    data.to_netcdf(path, engine="h5netcdf")
    return path


def chart(path):
    """Write three polygons of 40 x 40 km: water, five tenths, ten tenths of thick first-year ice; no margin."""
    codes = {"CT": ["01", "50", "92"], "CA": ["-9"] * 3, "SA": ["-9", "93", "93"], "FA": ["-9", "05", "08"]}
    shapes = [box(4e4 * k, -1e6, 4e4 * (k + 1), -1e6 + 4e4) for k in range(3)]
    gpd.GeoDataFrame({**codes, "POLY_TYPE": ["W", "I", "I"]}, geometry=shapes, crs=POLAR).to_file(path)
    return path


def scores(table):
    return {(r["prediction"], r["stratum"], r["metric"], r["class"]): r for r in table.to_pylist()}


def value(table, metric, stratum="all", prediction="given", name=None):
    found = [
        r
        for (p, s, m, c), r in scores(table).items()
        if (p, s, m) == (prediction, stratum, metric) and name in (None, c)
    ]
    assert len(found) == 1, (metric, found)
    return found[0]["value"]


PLACE = Affine(1000.0, 0, -10_000.0, 0, -1000.0, -1e6 + 50_000.0)
"""140 x 60 cells of 1 km with a margin of 10 km around the chart."""


@pytest.fixture
def files(tmp_path):
    """A map of 10 % over water, 40 % in five tenths, 100 % in ten tenths, with sigma 10 %; 5 columns are missing."""
    column = np.arange(140) - 10
    percent = np.choose(np.clip(column // 40, 0, 2), (10.0, 40.0, 100.0)) * np.ones((60, 1))
    percent[:, 10:15] = np.nan
    path = write(tmp_path / "map.nc", percent, place=PLACE, sigma=np.full((60, 140), 10.0))
    return path, chart(tmp_path / "chart.gpkg")


def test_a_map_is_scored_against_a_chart(files):
    table = concentration.run(files[0], reference=files[1])
    n = np.array([35, 40, 40]) * 40  # cells of the three polygons that the map has
    difference, truth = np.array([10.0, -10.0, 0.0]), np.array([0.0, 50.0, 100.0])
    assert value(table, "rmse") == pytest.approx(np.sqrt((n * difference**2).sum() / n.sum()))
    assert value(table, "bias") == pytest.approx((n * difference).sum() / n.sum())
    mean = (n * truth).sum() / n.sum()
    assert value(table, "r2") == pytest.approx(1 - (n * difference**2).sum() / (n * (truth - mean) ** 2).sum())
    assert value(table, "rmse", "miz") == pytest.approx(10.0) and value(table, "bias", "miz") == pytest.approx(-10.0)
    assert value(table, "share_without_prediction") == pytest.approx(5 / 120)
    assert value(table, "accuracy_at_15_percent") == 1.0 and value(table, "coverage_1sigma") == 1.0
    assert value(table, "rmse", prediction="mean_of_reference") == pytest.approx(
        np.sqrt((n * (truth - mean) ** 2).sum() / n.sum())
    )
    assert value(table, "r2", prediction="mean_of_reference") == pytest.approx(0.0, abs=1e-9)
    assert value(table, "rms_error_over_sigma") == pytest.approx(value(table, "rmse") / 10.0)
    # in tenths: 1 instead of 0, 4 instead of 5, 10 instead of 10
    assert value(table, "autoice_SIC") == pytest.approx(100 * value(table, "r2"), abs=6e-4)


def test_means_over_5_km_are_scored_too(tmp_path):
    rng = np.random.default_rng(8)
    truth = np.repeat(np.repeat(rng.uniform(0, 100, (12, 28)), 5, axis=0), 5, axis=1)
    percent = np.clip(truth + rng.normal(0, 10, truth.shape), 0, 100)
    percent[:5, :3] = percent[5:10, :2] = np.nan  # two cells of ten known, three of ten
    out = write(tmp_path / "m.nc", percent, place=PLACE)
    table = concentration.run(out, reference=write(tmp_path / "r.nc", truth, place=PLACE))
    means = np.array(
        [[np.nanmean(percent[5 * i : 5 * i + 5, 5 * j : 5 * j + 5]) for j in range(28)] for i in range(12)]
    )
    means[0, 0] = np.nan  # less than half is known
    d = (means - truth[::5, ::5])[np.isfinite(means)]
    assert value(table, "rmse", "5_km_means") == pytest.approx(np.sqrt((d**2).mean()), abs=1e-4)
    assert scores(table)["given", "5_km_means", "r2", "sea_ice_concentration"]["n"] == 335
    miz = (truth[::5, ::5] >= 15) & (truth[::5, ::5] <= 80) & np.isfinite(means)
    d = (means - truth[::5, ::5])[miz]
    assert value(table, "rmse", "5_km_means_miz") == pytest.approx(np.sqrt((d**2).mean()), abs=1e-4)
    assert value(table, "accuracy_at_15_percent", "5_km_means") > value(table, "accuracy_at_15_percent")


def test_the_edge_s_place_is_compared_in_km(tmp_path):
    percent = np.where(np.arange(140) - 10 >= 47, 100.0, 0.0) * np.ones((60, 1))  # 7 km behind the chart's edge
    table = concentration.run(write(tmp_path / "m.nc", percent, place=PLACE), reference=chart(tmp_path / "c.gpkg"))
    # means over 3 km pass 15 % at slightly different places of steps of 50 % and of 100 %
    assert value(table, "ice_edge_distance_median") == pytest.approx(7.0, abs=0.5)
    assert value(table, "integrated_ice_edge_error") == pytest.approx(7 * 40)
    assert value(table, "accuracy_at_15_percent") == pytest.approx(113 / 120)
    assert value(table, "recall", name="ice") == pytest.approx(73 / 80)


def test_a_coarser_grid_is_compared_on_its_own_cells(tmp_path):
    rng = np.random.default_rng(0)
    fine = rng.uniform(0, 100, (60, 60))
    fine[:30, :20] = np.nan
    place = Affine(1000.0, 0, 0, 0, -1000.0, 0)
    coarse = fine.reshape(6, 10, 6, 10).mean(axis=(1, 3)) + 3.0  # NaN in six cells
    ours = write(tmp_path / "m.nc", fine, place=place, sigma=np.full((60, 60), 6.0))
    theirs = write(tmp_path / "r.nc", np.nan_to_num(coarse, nan=50.0), place=Affine(1e4, 0, 0, 0, -1e4, 0))
    table = concentration.run(ours, reference=theirs)
    assert value(table, "bias") == pytest.approx(-3.0, abs=1e-4) and value(table, "rmse") == pytest.approx(
        3.0, abs=1e-4
    )
    assert value(table, "share_without_prediction") == pytest.approx(6 / 36) and value(table, "coverage_1sigma") == 1.0
    # the other way round the cells are the same, and the difference has the other sign
    back = concentration.run(theirs, reference=ours)
    assert scores(back)["given", "all", "rmse", "sea_ice_concentration"]["n"] == 30
    assert value(back, "bias") == pytest.approx(3.0, abs=1e-4) and value(back, "share_without_prediction") == 0.0


def test_maps_of_other_systems_and_shares_meet_on_the_ground(tmp_path):
    """A grid in degrees against a polar one: both are a plane in x, so they differ by rounding to cells only."""
    place = Affine(5000.0, 0, -2e5, 0, -5000.0, -1e6 + 2e5)
    x = (place.c + place.a * (np.arange(80) + 0.5)) * np.ones((80, 1))
    write(tmp_path / "p.nc", 50.0 + x / 5000.0, place=place)
    lon, lat = np.meshgrid(np.arange(-57.0, -33.0, 0.1), np.arange(82.5, 79.0, -0.02))
    there, _ = Transformer.from_crs("EPSG:4326", POLAR, always_xy=True).transform(lon, lat)
    share = np.clip((50.0 + there / 5000.0) / 100.0, 0, 1)
    degrees = xr.Dataset({"siconc": (("lat", "lon"), share, {"units": "1"})}, coords={"lat": lat[:, 0], "lon": lon[0]})
    degrees.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    for out, reference in (("d.nc", "p.nc"), ("p.nc", "d.nc")):
        table = concentration.run(tmp_path / out, reference=tmp_path / reference)
        assert value(table, "rmse") < 0.6 and abs(value(table, "bias")) < 0.1 and value(table, "r2") > 0.99


@pytest.mark.parametrize("form", ["prepared", "raw", "reference"])
def test_an_ai4arctic_scene_is_compared_pixel_by_pixel(tmp_path, form):
    """The map is right but for the five tenths, where it says 35 %: classes 4 instead of 5 (half to even)."""
    scene = ai4arctic_files.prepared(tmp_path / ai4arctic_files.NAME, statistics=STATISTICS)
    if form == "raw":
        scene = ai4arctic_files.raw(tmp_path / ai4arctic_files.RAW_NAME)
    if form == "reference":
        scene = ai4arctic_files.reference(tmp_path / ai4arctic_files.NAME.replace("_prep", "_prep_reference"))
    place = Affine(40.0, 0, ai4arctic_files.ORIGIN[0] - 420.0, 0, -40.0, ai4arctic_files.ORIGIN[1] + 420.0)
    sample = np.clip((np.arange(160) - 10) // 2, 0, 68)  # the pixel of 80 m under each map cell of 40 m
    tenths = ai4arctic.read_charts(scene)["SIC"][30]
    column = np.array([(10, 0, 5).index(v) for v in tenths])[sample] * np.ones((140, 1), int)
    percent = np.choose(column, (100.0, 0.0, 35.0))
    heads = {
        "stage_of_development": np.choose(column, (4, 0, 5)).astype(np.uint8),
        "floe_size": np.uint8(5 * (column == 0)),
    }
    out = write(tmp_path / "map.nc", percent, place=place, **heads)
    table = concentration.run(out, reference=scene)
    n = scores(table)["given", "all", "rmse", "sea_ice_concentration"]["n"]
    assert n == {"prepared": 58, "raw": 57, "reference": 58}[form] * 69  # lines with radar and chart
    assert value(table, "rmse", "miz") == pytest.approx(15.0) and value(table, "share_without_prediction") == 0.0
    assert value(table, "autoice_SOD") == 100.0 and value(table, "autoice_FLOE") == 100.0
    expected = 1 - (tenths == 5).sum() / ((tenths - tenths.mean()) ** 2).sum()
    assert value(table, "autoice_SIC") == pytest.approx(100 * expected, abs=6e-4)
    combined = (2 * value(table, "autoice_SIC") + 2 * 100 + 100) / 5
    assert value(table, "autoice_combined") == pytest.approx(combined, abs=6e-4)


def test_predictions_of_the_challenge_are_pooled_over_scenes(tmp_path):
    rng = np.random.default_rng(5)
    names, out, truth = ("20200101T000000_dmi", "20200102T000000_cis"), {}, {}
    for k, scene in enumerate(names):
        for chart_name, n in (("SIC", 11), ("SOD", 6), ("FLOE", 7)):
            t = rng.integers(0, n, (20, 30)).astype(np.uint8)
            p = np.where(rng.random(t.shape) < 0.7, t, rng.integers(0, n, t.shape)).astype(np.uint8)
            t[0] = 255
            out[f"{scene}_{chart_name}"] = ((f"l{k}", f"s{k}"), p)
            truth.setdefault(scene, {})[chart_name] = t
        charts = {c: (("sar_lines", "sar_samples"), v) for c, v in truth[scene].items()}
        xr.Dataset(charts).to_netcdf(tmp_path / f"{scene}_prep_reference.nc", engine="h5netcdf")
    xr.Dataset(out).to_netcdf(tmp_path / "upload.nc", engine="h5netcdf")
    table = concentration.run(tmp_path / "upload.nc", reference=tmp_path)
    pooled = {c: np.concatenate([truth[s][c][1:].ravel() for s in names]).astype(float) for c in ("SIC", "SOD", "FLOE")}
    called = {c: np.concatenate([out[f"{s}_{c}"][1][1:].ravel() for s in names]).astype(float) for c in pooled}
    t, p = pooled["SIC"], called["SIC"]
    r2 = 1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum()
    assert value(table, "autoice_SIC") == round(100 * r2, 3)
    assert value(table, "rmse") == pytest.approx(10 * np.sqrt(((t - p) ** 2).mean()))
    f1 = {}
    for c in ("SOD", "FLOE"):
        each = []
        for k in np.unique(pooled[c]):
            hits = ((pooled[c] == k) & (called[c] == k)).sum()
            size, said = (pooled[c] == k).sum(), (called[c] == k).sum()
            each.append(2 * hits / (size + said) * size / pooled[c].size)
        f1[c] = round(100 * sum(each), 3)
        assert value(table, f"autoice_{c}") == f1[c]
    combined = round((2 * round(100 * r2, 3) + 2 * f1["SOD"] + f1["FLOE"]) / 5, 3)
    assert value(table, "autoice_combined") == combined
    code, said, _ = cli("evaluate", tmp_path / "upload.nc", "-r", tmp_path)
    assert code == 0 and f"combined {combined:.3f}" in said
    (tmp_path / f"{names[1]}_prep_reference.nc").unlink()
    with pytest.raises(ProductError, match=r"has no 20200102T000000_cis_prep_reference\.nc and no"):
        concentration.run(tmp_path / "upload.nc", reference=tmp_path)


def test_intervals_hold_the_share_they_should(tmp_path):
    rng = np.random.default_rng(6)
    truth = rng.uniform(20, 80, (60, 140))
    low, high = truth - rng.uniform(-1, 3, truth.shape), truth + 50.0  # three in four lower ends lie below the truth
    names = dict(zip(ice_concentration.BOUNDS[:2], (low, np.minimum(high, 100.0)), strict=True))
    out = write(tmp_path / "m.nc", truth, place=PLACE, **names)
    table = concentration.run(out, reference=write(tmp_path / "r.nc", truth, place=PLACE))
    assert value(table, "share_in_68_percent_interval") == pytest.approx(0.75, abs=0.02)
    assert value(table, "share_in_68_percent_interval", "miz") == pytest.approx(0.75, abs=0.02)


def test_a_folder_a_table_and_the_text(files, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    files[0].rename(folder / "concentration.nc")
    (folder / "notes.nc").write_bytes(b"nothing")
    code, said, error = cli("evaluate", folder, "-r", files[1], "--table", tmp_path / "t.parquet", "--region", "Kara")
    assert code == 0, error
    for words in ("against chart.gpkg", "15-80 %", "mean of reference", "coverage 1sigma", "AutoICE SIC"):
        assert words in said, words
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert {r["region"] for r in rows} == {"Kara"} and {r["reference"] for r in rows} == {"chart.gpkg"}
    code, said, _ = cli("evaluate", folder, "-r", files[1], "--json")
    assert code == 0 and len(json.loads(said)) == len(rows)


def test_a_raster_of_concentration_is_no_glacier(files, tmp_path):
    data = ice_concentration.read(files[0])
    grid = ice_concentration.geobox_of(data)
    with rasterio.open(
        tmp_path / "c.tif", "w", driver="GTiff", count=1, height=60, width=140, dtype="float32",
        crs=POLAR, transform=grid.affine, nodata=float("nan"),
    ) as out:  # fmt: skip
        out.write(data[ice_concentration.NAME].to_numpy() / 100.0, 1)
        out.set_band_description(1, "sea_ice_concentration")
        out.update_tags(units="1")
    ours, theirs = (concentration.run(p, reference=files[1]) for p in (tmp_path / "c.tif", files[0]))
    assert value(ours, "rmse") == pytest.approx(value(theirs, "rmse"), abs=1e-4)
    assert isinstance(grid, GeoBox)


def test_wrong_files_are_one_line(files, tmp_path):
    far = write(tmp_path / "far.nc", np.full((20, 20), 5.0), place=Affine(1000.0, 0, 2e6, 0, -1000.0, 2e6))
    for reference, words in (
        (far, "none of them a concentration"),
        (tmp_path / "gone.gpkg", "gone.gpkg: no such file"),
        (tmp_path, "is a folder; expected an ice chart, a grid or a scene"),
    ):
        code, _, error = cli("evaluate", files[0], "-r", reference)
        assert code == 1 and words in error and "\n" not in error, error
    code, _, error = cli("evaluate", files[0], "-r", files[1], "--scene", "x.tif")
    assert code == 2 and "--brief, --scene, --strata and --within do not apply" in error
    alone = ai4arctic_files.reference(tmp_path / "20180721T120156_cis_prep_reference.nc")
    code, _, error = cli("evaluate", files[0], "-r", alone)
    assert code == 1 and "20180721T120156_cis_prep.nc is not beside it" in error
    ice_grids.asi(tmp_path / "asi.nc", np.full((4, 4), 50.0))
    code, _, error = cli("evaluate", files[0], "-r", tmp_path / "asi.nc")
    assert code == 1 and "Check that map and reference show the same place" in error


@pytest.mark.real
def test_a_real_chart_against_itself_drawn_on_a_grid(tmp_path):
    """Drawn onto a polar grid of 2 km and read again the chart has every score of a perfect map."""
    from polynya.readers import sigrid3_chart

    path = sar("cis_chart_20201102_west.gpkg")
    found = sigrid3_chart.read(path)
    west, _, _, north = found.to_crs(POLAR).total_bounds
    place = Affine(2000.0, 0, np.floor(west), 0, -2000.0, np.ceil(north))
    grid = GeoBox((900, 700), place, POLAR)
    sic = sigrid3_chart.rasterise(found, grid)["SIC"].astype(float)
    out = write(tmp_path / "m.nc", np.where(sic == 255, np.nan, 10.0 * sic), place=place)
    table = concentration.run(out, reference=path)
    assert value(table, "r2") == 1.0 and value(table, "rmse") == 0.0 and value(table, "autoice_SIC") == 100.0
    n = scores(table)["given", "all", "rmse", "sea_ice_concentration"]["n"]
    ice_km2 = 426_382.8  # of all seven concentrations in the chart's own projection, which is 5 % off at most
    assert 0.9 * ice_km2 / 4 < n < 1.1 * ice_km2 / 4
