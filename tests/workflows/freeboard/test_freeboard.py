"""The main workflow on small simulated granules: what is in the tables, and that every option does what it says and no
more."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import geopandas
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import xarray as xr

import polynya
from polynya import io, schema
from polynya.errors import OutputError, UsageError
from polynya.physics.quality import BITS
from polynya.predict import runtime as predict_runtime
from polynya.predict import tracks as predict_tracks
from polynya.report import freeboard as report
from polynya.report import terminal
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import freeboard
from polynya.workflows.freeboard import Config, classifier
from tests.real_files import real

LENGTH_KM = 12.0


@pytest.fixture(scope="module")
def granule(tmp_path_factory):
    """12 km of Ross Sea summer across the antimeridian: weak gt2l, strong gt2r, leads on both, some cloud."""
    return simulate(
        tmp_path_factory.mktemp("workflow") / "ATL03_20191104195311_05940510_006_01.h5",
        length_km=LENGTH_KM,
        beams="gt2l,gt2r",
        season="summer",
        seed=8,
    ).granule


@pytest.fixture(scope="module")
def dry_granule(tmp_path_factory):
    """12 km without a lead that the rule finds, and none that a network is sure of."""
    return simulate(
        tmp_path_factory.mktemp("dry") / "dry.h5", length_km=LENGTH_KM, beams="gt2l,gt2r", season="summer", seed=3
    ).granule


class Result:
    """One run's record and tables, read from disk."""

    def __init__(self, record):
        self.record = record
        self.tables = {n: pq.read_table(record.outputs[n]) for n in ("segments", "leads", "sea_surface")}
        with open(record.outputs["run"], encoding="utf-8") as f:
            self.run = json.load(f)

    def __getitem__(self, name: str) -> np.ndarray:
        return column(self.tables["segments"], name)

    def beam(self, beam: str) -> np.ndarray:
        return self["beam"] == beam


def column(table: pa.Table, name: str) -> np.ndarray:
    values = table[name]
    if pa.types.is_dictionary(values.type):
        return np.array(values.to_pylist())
    if pa.types.is_timestamp(values.type):
        return np.asarray(values.cast(pa.timestamp("ns"))).astype("datetime64[ns]")
    return (
        values.to_numpy(zero_copy_only=False)
        if isinstance(values, pa.Array)
        else values.combine_chunks().to_numpy(zero_copy_only=False)
    )


def work(granule, out, **options) -> Result:
    (record,) = freeboard.run([granule], out=out, config=Config.checked(**options))
    assert record.status == "done", record.message
    return Result(record)


@pytest.fixture(scope="module")
def usual(granule, tmp_path_factory) -> Result:
    return work(granule, tmp_path_factory.mktemp("usual"))


def confident_x(granule, beam: str) -> np.ndarray:
    """Along-track distance of the photons of nominal quality and at least medium confidence, straight from the file."""
    with h5py.File(granule) as f:
        g = f[beam]
        x = np.repeat(g["geolocation/segment_dist_x"][:], g["geolocation/segment_ph_cnt"][:]) + g[
            "heights/dist_ph_along"
        ][:].astype(np.float64)
        keep = (g["heights/signal_conf_ph"][:, 2] >= 3) & (g["heights/quality_ph"][:] == 0)
    return x[keep]


# What is in the tables


@pytest.mark.parametrize("spec", [schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE], ids=lambda s: s.name)
def test_tables_match_the_schema(usual, spec):
    table = usual.tables[spec.name]
    assert table.column_names == [*spec.names, "geometry", "bbox"] and table.num_rows > 0
    for variable in spec.variables:
        field = table.schema.field(variable.name)
        assert field.type == variable.dtype, variable.name
        metadata = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        assert variable.attributes().items() <= metadata.items(), variable.name
    assert table[0].null_count == 0 and set(column(table, "granule")) == {"ATL03_20191104195311_05940510_006_01"}
    np.testing.assert_array_equal(
        column(table, "is_strong"), column(table, "beam") == "gt2r"
    )  # forward: right beams are strong


def test_geopandas_reads_points(usual):
    frame = geopandas.read_parquet(usual.record.outputs["segments"])
    assert frame.crs.to_epsg() == 4326 or frame.crs.equals("OGC:CRS84")
    np.testing.assert_array_equal(frame.geometry.x, frame.longitude)
    np.testing.assert_array_equal(frame.geometry.y, frame.latitude)
    assert (frame.longitude > 179).any() and (frame.longitude < -179).any()  # the track crosses the antimeridian
    assert (frame.geom_type == "Point").all() and frame.latitude.between(-90, -60).all()


def test_cells_are_those_that_hold_photons(granule, usual):
    for beam in ("gt2l", "gt2r"):
        cells, count = np.unique(np.floor(confident_x(granule, beam) / 2.0).astype(np.int64), return_counts=True)
        rows = usual.beam(beam)
        got = np.floor(usual["x_atc"][rows] / 2.0).astype(np.int64)
        assert np.all(np.diff(got) > 0) and np.isin(got, cells).all()
        assert got.size > 0.98 * cells.size  # the rest are noise far from the surface
        assert np.all(usual["n_photons"][rows] <= count[np.searchsorted(cells, got)])


def test_classes_and_scores_agree(usual):
    score = np.stack([usual[f"probability_{k}"] for k in ("thick", "thin", "water")], 1)
    known = usual["surface_class"] >= 0
    weights = predict_tracks.load(classifier.DEFAULT).description.decision_weights or (1.0, 1.0, 1.0)
    np.testing.assert_array_equal(
        usual["surface_class"][known], (score[known] * np.array(weights, np.float32)).argmax(1)
    )
    np.testing.assert_allclose(score[known].sum(1), 1.0, atol=1e-5)
    assert np.isnan(score[~known]).all() and set(np.unique(usual["surface_class"])) <= {-1, 0, 1, 2}
    assert np.mean(usual["surface_class"] == 0) > 0.6 and np.sum(usual["surface_class"] == 2) > 50


def test_freeboard_is_height_above_the_sea_surface(usual):
    height, level = usual["height"].astype(float), usual["sea_surface_height"].astype(float)
    has = np.isfinite(height) & np.isfinite(level)
    np.testing.assert_allclose(usual["total_freeboard"][has], np.maximum(height - level, 0.0)[has], atol=1e-6)
    assert np.isnan(usual["total_freeboard"][~has]).all()
    sigma = np.sqrt(
        usual["height_uncertainty"].astype(float) ** 2
        + usual["sea_surface_uncertainty"].astype(float) ** 2
        - 2 * 0.010**2
    )  # 1 cm is common to both
    np.testing.assert_allclose(usual["total_freeboard_uncertainty"], sigma, atol=1e-6)
    assert np.nanmin(usual["height_uncertainty"]) > np.hypot(0.008, 0.010)  # what no number of photons removes
    np.testing.assert_array_equal(usual["sea_surface_source"] == schema.SOURCE_NONE, np.isnan(level))


def test_heights_add_up(usual):
    """Mean height above the ellipsoid, less what the columns say was subtracted, is the height wherever the photons'
    window took them all."""
    parts = sum(
        usual[k].astype(float)
        for k in ("mean_sea_surface", "tide_ocean", "tide_equilibrium", "dac", "first_photon_bias")
    )
    difference = usual["height_mean"].astype(float) - parts - usual["height"]
    assert np.abs(np.median(difference)) < 2e-3 and np.quantile(np.abs(difference), 0.5) < 0.02
    assert np.all(np.abs(usual["height"]) <= 10.0)


def test_time_and_sun_are_those_of_the_granule(granule, usual):
    with h5py.File(granule) as f:
        t, x, sun = (f[f"gt2r/geolocation/{k}"][:] for k in ("delta_time", "segment_dist_x", "solar_elevation"))
    rows = usual.beam("gt2r")
    seconds = (usual["time"][rows] - np.datetime64("2018-01-01T00:00:00", "ns")) / np.timedelta64(1, "s")
    assert np.abs(seconds - np.interp(usual["x_atc"][rows], x, t)).max() < 0.01
    assert np.abs(usual["solar_elevation"][rows] - np.interp(usual["x_atc"][rows], x, sun)).max() < 0.01


def test_quality_bits(granule, usual):
    flag = usual["quality_flag"]
    np.testing.assert_array_equal((flag & BITS["few_photons"]) > 0, usual["n_photons"] < 3)
    np.testing.assert_array_equal(
        (flag & BITS["no_first_photon_bias_correction"]) > 0, np.isnan(usual["first_photon_bias"])
    )
    np.testing.assert_array_equal(
        (flag & BITS["sea_surface_filled"]) > 0, usual["sea_surface_source"] >= schema.SOURCE_TWO_SIDED
    )
    assert not np.any(flag & BITS["geoid_instead_of_mean_sea_surface"]) and not np.any(
        flag & BITS["correction_missing"]
    )
    for beam in ("gt2l", "gt2r"):
        cells = np.unique(np.floor(confident_x(granule, beam) / 2.0))
        rows = usual.beam(beam)
        x, near = usual["x_atc"][rows], (flag[rows] & BITS["next_to_gap"]) > 0
        assert cells.size and near[0] and near[-1] and near.sum() < 0.02 * near.size
        jump = np.flatnonzero(np.diff(x) > 60.0)
        assert near[jump].all() and near[jump + 1].all()


def test_leads_are_water_and_lie_in_their_sections(usual):
    leads, sections = usual.tables["leads"], usual.tables["sea_surface"]
    for beam in ("gt2l", "gt2r"):
        rows = usual.beam(beam)
        water = rows & (usual["surface_class"] == 2)
        x, h, photons = usual["x_atc"], usual["height"].astype(float), usual["n_photons"]
        own = column(leads, "beam") == beam
        for k in np.flatnonzero(own):
            centre, length = column(leads, "x_atc")[k], column(leads, "length")[k]
            inside = water & (np.abs(x - centre) <= length / 2 + 1e-3)
            assert (
                inside.sum() == column(leads, "n_segments")[k]
                and photons[inside].sum() == column(leads, "n_photons")[k]
            )
            assert h[inside].min() - 1e-6 <= column(leads, "height")[k] <= h[inside].max() + 1e-6
        centres = column(sections, "x_atc")[column(sections, "beam") == beam]
        used = own & column(leads, "is_used")
        assert np.all(np.min(np.abs(column(leads, "x_atc")[used][:, None] - centres), axis=1) <= 5000.0)


def test_segments_take_the_sections_around_them(usual):
    for beam in ("gt2l", "gt2r"):
        own = column(usual.tables["sea_surface"], "beam") == beam
        centre, level = (
            column(usual.tables["sea_surface"], k)[own].astype(float) for k in ("x_atc", "sea_surface_height")
        )
        assert np.isfinite(level).all()
        rows = usual.beam(beam)
        np.testing.assert_allclose(
            usual["sea_surface_height"][rows], np.interp(usual["x_atc"][rows], centre, level), atol=1e-6
        )


# Options


def test_beams(granule, usual, tmp_path):
    for number, (words, beams) in enumerate(
        [("strong", {"gt2r"}), ("weak", {"gt2l"}), ("gt2l,gt2r", {"gt2l", "gt2r"}), ("gt2r", {"gt2r"})]
    ):
        found = work(granule, tmp_path / str(number), beams=words)
        assert set(found["beam"]) == beams
        for name in ("x_atc", "height", "total_freeboard", "surface_class"):
            np.testing.assert_array_equal(
                found[name][found.beam("gt2r")], usual[name][usual.beam("gt2r")] if "gt2r" in beams else []
            )
    (record,) = freeboard.run([granule], out=tmp_path / "none", config=Config(beams="gt3r"))
    assert (
        record.status == "failed"
        and record.exit_code == 2
        and "gt3r" in record.message
        and "gt2l, gt2r" in record.message
    )
    assert not (tmp_path / "none").exists() or not any((tmp_path / "none").iterdir())


def test_a_box_across_the_antimeridian(granule, usual, tmp_path):
    lon, lat = usual["longitude"], usual["latitude"]
    east = lon % 360.0
    west, middle_east = np.quantile(east, [0.25, 0.75])
    box = (west, lat.min() - 1, middle_east - 360.0, lat.max() + 1)
    assert box[0] > box[2]  # west of the antimeridian to east of it
    found = work(granule, tmp_path, bbox=box)
    inside = (east >= west) & (east <= middle_east)
    np.testing.assert_allclose(found["x_atc"].size, inside.sum(), rtol=0.02)
    assert (found["longitude"] > 0).any() and (found["longitude"] < 0).any()
    assert (
        found["longitude"].min() % 360 > west - 1e-3
        and found["longitude"][found["longitude"] < 0].max() % 360 < middle_east + 1e-3
    )
    a, b = found.beam("gt2r"), usual.beam("gt2r")
    cells, all_cells = (np.floor(r["x_atc"][rows] / 2).astype(np.int64) for r, rows in ((found, a), (usual, b)))
    _, back, shared = np.intersect1d(cells, all_cells, return_indices=True)
    assert back.size > 0.998 * cells.size > 1000
    # Sparse photons next to cloud: the surface and the first-photon bias are found from blocks that the cut moves.
    assert np.mean(np.abs(found["height"][a][back] - usual["height"][b][shared]) < 1e-3) > 0.98


def test_a_box_beside_the_track(granule, tmp_path):
    (record,) = freeboard.run([granule], out=tmp_path, config=Config(bbox=(0.0, 10.0, 5.0, 20.0)))
    assert record.status == "failed" and record.exit_code == 1 and "--bbox 0 10 5 20" in record.message


@pytest.mark.parametrize(("words", "cell"), [("10", 10.0), ("30m", 30.0)])
def test_coarser_cells(granule, tmp_path, words, cell):
    found = work(granule, tmp_path, resolution=words)
    for beam in ("gt2l", "gt2r"):
        cells = np.unique(np.floor(confident_x(granule, beam) / cell))
        got = np.floor(found["x_atc"][found.beam(beam)] / cell)
        assert np.isin(got, cells).all() and 0.97 * cells.size < got.size <= cells.size
    assert np.isfinite(found["height"]).mean() > 0.99
    assert np.median(found["height_uncertainty"]) < 0.05


def test_150_photon_segments(granule, tmp_path):
    found = work(granule, tmp_path, resolution="150ph")
    for beam, longest in (("gt2l", 800.0), ("gt2r", 200.0)):
        rows = found.beam(beam)
        x = confident_x(granule, beam)
        assert rows.sum() == pytest.approx(x.size / 150, rel=0.1)
        n = found["n_photons"][rows]
        assert n.max() <= 150 and np.median(n) > 110 and np.diff(found["x_atc"][rows]).min() > 0
        assert np.median(np.diff(found["x_atc"][rows])) < longest
    assert found.run["config"]["resolution"] == "150ph"


@pytest.mark.parametrize("method", ["nasa", "minimum", "mean", "nearest"])
def test_sea_surface_methods(granule, usual, tmp_path, method):
    found = work(granule, tmp_path, sea_surface=method)
    for name in ("height", "height_uncertainty", "surface_class", "quality_flag", "first_photon_bias"):
        if name == "quality_flag":
            np.testing.assert_array_equal(found[name] & ~64, usual[name] & ~64)
        else:
            np.testing.assert_array_equal(found[name], usual[name])
    rows = found.beam("gt2r")
    centres = column(found.tables["sea_surface"], "x_atc")[column(found.tables["sea_surface"], "beam") == "gt2r"]
    assert np.all(centres % (10_000.0 if method == "nasa" else 5000.0) == 0)
    # one value a section: stepped, as the paper and NASA have it
    assert np.unique(found["sea_surface_height"][rows]).size <= centres.size
    level, own = found["sea_surface_height"][rows].astype(float), usual["sea_surface_height"][rows].astype(float)
    low, high = {"nasa": (-0.25, 0.02), "minimum": (-1.0, -0.02), "nearest": (-1.0, 0.0), "mean": (-0.1, 0.1)}[method]
    assert low < np.nanmean(level - own) < high  # order statistics of noisy 2 m heights lean low, the mean does not
    assert found.run["sea_surface_method"] == method
    formal = f"The uncertainty of --sea-surface {method} is formal: the sea surface is taken from all leads"
    page = Path(found.record.outputs["report"]).read_text(encoding="utf-8")
    for said in ("\n".join(found.run["messages"]), page, terminal.granule_text(found.record)):
        assert said.count(formal) == 1
    assert "formal" not in usual.record.message


def file_value(granule, name: str, x: np.ndarray, beam: str = "gt2r") -> np.ndarray:
    """A 20 m variable of the granule at distances along the track."""
    with h5py.File(granule) as f:
        middle = f[f"{beam}/geolocation/segment_dist_x"][:] + 0.5 * f[f"{beam}/geolocation/segment_length"][:]
        return np.interp(x, middle, f[f"{beam}/geophys_corr/{name}"][:].astype(float))


@pytest.mark.parametrize("name", ["tide_ocean", "tide_equilibrium", "dac"])
def test_a_switch_leaves_its_correction_in(granule, usual, tmp_path, name):
    found = work(granule, tmp_path, **{name: False})
    assert (
        np.isnan(found[name]).all()
        and found.run["config"][name] is False
        and found["height"].size == usual["height"].size
    )
    rows = found.beam("gt2r")
    term = file_value(granule, name, found["x_atc"][rows])
    np.testing.assert_allclose(usual[name][rows], term, atol=1e-4)
    assert np.abs(term).max() > 2e-3
    difference = found["height"][rows].astype(float) - usual["height"][rows]
    assert np.mean(np.abs(difference - term) < 1e-4) > 0.99  # at a window's edge one photon may fall on the other side
    for other in {"tide_ocean", "tide_equilibrium", "dac", "mean_sea_surface", "height_mean", "n_photons"} - {name}:
        close = np.isclose(found[other].astype(float), usual[other].astype(float), atol=1e-4)
        assert close.mean() > 0.99, other
    # the term is in heights and in the sea surface alike: freeboards stay
    assert np.abs(np.nanmedian(found["total_freeboard"][rows] - usual["total_freeboard"][rows])) < 2e-3


def test_no_first_photon_bias(granule, usual, tmp_path):
    found = work(granule, tmp_path, first_photon_bias=False)
    assert (
        np.isnan(found["first_photon_bias"]).all()
        and (found["quality_flag"] & 4).all()
        and not (usual["quality_flag"] & 4).any()
    )
    np.testing.assert_allclose(found["height"].astype(float) - usual["height"], usual["first_photon_bias"], atol=1e-6)
    assert (
        np.median(usual["first_photon_bias"][usual.beam("gt2r")]) > 0.002
    )  # positive: dead time makes surfaces look high
    assert (found["height_uncertainty"] > usual["height_uncertainty"]).mean() > 0.9


def write_grid(path, value, *, kind="tif", where=None, step=1.0):
    """A global grid of one value (or of ``where(lon, lat)``), cell centres at half degrees."""
    lon, lat = np.arange(-180 + step / 2, 180, step), np.arange(90 - step / 2, -90, -step)
    grid = np.full((lat.size, lon.size), float(value)) if where is None else where(*np.meshgrid(lon, lat)).astype(float)
    if kind == "tif":
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=lon.size,
            height=lat.size,
            count=1,
            dtype="float64",
            crs="EPSG:4326",
            transform=rasterio.transform.from_origin(-180, 90, step, step),
        ) as f:
            f.write(grid, 1)
    else:
        xr.Dataset(
            {"mss": (("lat", "lon"), grid), "other": (("lat", "lon"), grid + 5.0)}, {"lat": lat, "lon": lon}
        ).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("kind", ["tif", "nc"])
def test_a_grid_replaces_the_granules_sea_surface(granule, usual, tmp_path, kind):
    base = round(float(np.median(usual["mean_sea_surface"])), 2)
    path = write_grid(tmp_path / f"mss.{kind}", base + 0.5, kind=kind)
    found = work(granule, tmp_path / "out", mss=f"{path}:mss" if kind == "nc" else str(path), mss_tide_system="free")
    np.testing.assert_allclose(found["mean_sea_surface"], base + 0.5, atol=1e-4)
    rows = found.beam("gt2r")
    moved = usual["height"][rows].astype(float) + usual["mean_sea_surface"][rows] - (base + 0.5)
    assert found["height"][rows].size == moved.size
    assert np.median(np.abs(found["height"][rows] - moved)) < 2e-3
    assert not np.any(found["quality_flag"] & 2) and found.run["config"]["mss_tide_system"] == "free"
    mean = work(granule, tmp_path / "mean", mss=f"{path}:mss" if kind == "nc" else str(path))
    np.testing.assert_allclose(
        mean["mean_sea_surface"][rows],
        base + 0.5 - file_value(granule, "geoid_free2mean", mean["x_atc"][rows]),
        atol=2e-4,
    )


def test_land_everywhere_leaves_no_sea_surface(granule, usual, tmp_path):
    found = work(granule, tmp_path / "out", land=str(write_grid(tmp_path / "land.tif", 1.0, step=0.5)))
    for name in ("sea_surface_height", "sea_surface_uncertainty", "total_freeboard", "total_freeboard_uncertainty"):
        assert np.isnan(found[name]).all(), name
    assert np.all(found["sea_surface_source"] == 0) and found.record.exit_code == 0
    np.testing.assert_array_equal(found["height"], usual["height"])
    assert "freeboard is NaN everywhere" in found.record.message
    none = work(granule, tmp_path / "sea", land=str(write_grid(tmp_path / "sea.tif", 0.0, step=0.5)))
    np.testing.assert_array_equal(none["total_freeboard"], usual["total_freeboard"])


@pytest.mark.parametrize(("value", "has"), [(0.95, True), (95.0, True), (0.3, False), (30.0, False)])
def test_ice_concentration_screens(granule, usual, tmp_path, value, has):
    """Fractions and per cent alike; below a half there is no sea surface to be trusted."""
    found = work(granule, tmp_path / "out", ice_concentration=str(write_grid(tmp_path / "ice.tif", value)))
    assert np.isfinite(found["total_freeboard"]).any() == has
    if has:
        np.testing.assert_array_equal(found["total_freeboard"], usual["total_freeboard"])


def test_an_ice_concentration_beside_the_track_is_said(granule, usual, tmp_path):
    path = write_grid(tmp_path / "ice.tif", 0.3)
    with rasterio.open(path, "r+") as f:
        f.write(np.full((f.height, f.width), 254.0, f.dtypes[0]), 1)
    found = work(granule, tmp_path / "out", ice_concentration=str(path))
    np.testing.assert_array_equal(found["total_freeboard"], usual["total_freeboard"])
    assert f"--ice-concentration {path} has no value along the track: " in found.record.message
    assert [b["share_with_ice_concentration"] for b in found.run["beams"].values()] == [0.0, 0.0]


def test_a_sea_surface_that_is_none_is_named(granule, tmp_path):
    """Centimetres for metres: nothing lies near it, and the grid is at fault, not the granule."""
    path = write_grid(tmp_path / "mss.tif", -5400.0)
    (record,) = freeboard.run([granule], out=tmp_path / "out", config=Config.checked(mss=str(path)))
    assert record.status == "failed" and record.message.startswith(f"--mss {path}: no surface of {granule.name} lies")
    assert "Choose another granule" not in record.message and "\n" not in record.message


def test_netcdf(granule, usual, tmp_path):
    found = work(granule, tmp_path, netcdf=True)
    again = freeboard.run([granule], out=tmp_path, config=Config(netcdf=True))[0]
    files = {n: p for n, p in found.record.outputs.items() if n.startswith("netcdf_")}
    assert again.status == "skipped" and again.outputs == found.record.outputs
    assert {Path(p) for p in files.values()} == set((tmp_path / granule.stem).glob("*.nc"))
    assert files["netcdf_leads_gt2l"].endswith("leads_gt2l.nc") and "*.nc (6 files)" in terminal.granule_text(again)
    folder = tmp_path / granule.stem
    for beam in ("gt2l", "gt2r"):
        with xr.open_dataset(folder / f"segments_{beam}.nc", engine="h5netcdf") as data:
            np.testing.assert_allclose(data["total_freeboard"], found["total_freeboard"][found.beam(beam)])
            assert data["total_freeboard"].attrs["units"] == "m" and data["time"].dtype.kind == "M"
            np.testing.assert_array_equal(data["quality_flag"], found["quality_flag"][found.beam(beam)])
    assert {p.name for p in folder.glob("*.nc")} == {
        f"{t}_{b}.nc" for t in ("segments", "leads", "sea_surface") for b in ("gt2l", "gt2r")
    }
    np.testing.assert_array_equal(found["height"], usual["height"])


# Runs


def test_the_report_made_from_memory_is_the_one_made_from_the_files(usual, tmp_path):
    made = Path(usual.record.outputs["report"])
    again = report.write(made.parent, out=tmp_path / "again.html", threads=2)
    assert again.read_bytes() == made.read_bytes()


def test_a_second_run_skips_and_other_settings_are_refused(granule, tmp_path):
    first = work(granule, tmp_path)
    stamp = (tmp_path / granule.stem / "segments.parquet").stat().st_mtime_ns
    (again,) = freeboard.run([granule], out=tmp_path)
    assert (
        again.status == "skipped"
        and again.exit_code == 0
        and again.outputs == first.record.outputs
        and again.numbers == first.record.numbers
    )
    (other,) = freeboard.run([granule], out=tmp_path, config=Config(dac=False))
    assert other.status == "failed" and "--overwrite" in other.message and other.exit_code == 1
    assert (tmp_path / granule.stem / "segments.parquet").stat().st_mtime_ns == stamp
    (done,) = freeboard.run([granule], out=tmp_path, config=Config(dac=False), overwrite=True)
    assert done.status == "done" and np.isnan(Result(done)["dac"]).all()
    assert [p.name for p in tmp_path.iterdir()] == [granule.stem]


def test_worker_processes_give_what_one_gives(granule, dry_granule, tmp_path):
    """The real task in worker processes gives the tables that it gives here, in the order asked for."""
    broken = tmp_path / "broken.h5"
    broken.write_bytes(granule.read_bytes()[:30_000])
    items = [granule, broken, dry_granule]
    together = freeboard.run(items, out=tmp_path / "two", workers=2)
    alone = [freeboard.run([i], out=tmp_path / "one", workers=1)[0] for i in items]
    assert [r.item for r in together] == [str(i) for i in items] and [r.status for r in together] == [
        "done",
        "failed",
        "done",
    ] == [r.status for r in alone]
    for a, b in zip(together, alone, strict=True):
        if a.status == "failed":
            assert a.message == b.message
            continue
        for name in ("segments", "leads", "sea_surface"):
            assert pq.read_table(a.outputs[name]).to_pandas().equals(pq.read_table(b.outputs[name]).to_pandas()), name
    page = ["index.html", "index.run.json", "runs.parquet"]
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted([granule.stem, dry_granule.stem, *page])
    runs = pq.read_table(tmp_path / "two" / "runs.parquet").to_pylist()
    assert [r["state"] for r in runs] == ["done", "failed", "done"]
    assert runs[0]["value"] == together[0].numbers["mean_freeboard"] and runs[1]["reason"] == together[1].message


def test_the_same_name_twice_is_refused(granule, tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match="more than once"):
        freeboard.run([granule, shutil.copy(granule, tmp_path / "a" / granule.name)], out=tmp_path / "out")


def test_the_mean_of_the_track_is_over_every_freeboard(usual):
    """Also beside sections without a height, where the common part of the error is that of the nearest that has one."""
    has = np.isfinite(usual["total_freeboard"])
    assert np.isfinite(usual["sea_surface_uncertainty_common"][has]).all()
    assert np.isnan(usual["sea_surface_uncertainty_common"][~np.isfinite(usual["sea_surface_height"])]).all()
    rows = {r["beam"]: r for r in usual.run["means"] if r["length_km"] == "track"}
    for beam, row in rows.items():
        assert row["n"] == np.sum(has & usual.beam(beam))
        assert row["freeboard"] == pytest.approx(usual.run["beams"][beam]["mean_freeboard"], abs=1e-6)


def test_run_json_tells_the_whole_story(granule, usual):
    run = usual.run
    assert run["polynya"] == polynya.__version__ and run["config"] == json.loads(Config().model_dump_json())
    assert (
        run["inputs"][0]["granule"] == granule.stem
        and run["inputs"][0]["release"] == "006"
        and run["inputs"][0]["orientation"] == "forward"
    )
    assert (
        run["inputs"][0]["size"] == granule.stat().st_size
        and "track-unet" in run["classifier"]
        and run["network"]["sha256"] == predict_runtime.sha256(predict_runtime.locate("track-unet"))
        and run["key"] == io.key_as_dict(Config().key(granule))
        and run["key"]["inputs"]["granule"][0]["sha256"] == predict_runtime.sha256(granule)
    )
    assert set(run["beams"]) == {"gt2l", "gt2r"}
    for beam, told in run["beams"].items():
        rows = usual.beam(beam)
        assert told["n_segments"] == rows.sum() and told["is_strong"] == (beam == "gt2r")
        assert told["mean_freeboard"] == pytest.approx(
            np.nanmean(usual["total_freeboard"][rows].astype(float)), abs=1e-5
        )
        assert told["classes"] == {n: int(np.sum(usual["surface_class"][rows] == v)) for v, n in schema.SURFACE_CLASSES}
        assert told["n_leads"] == np.sum(column(usual.tables["leads"], "beam") == beam)
    total = run["numbers"]
    assert total["n_segments"] == usual["height"].size and total["mean_freeboard"] == pytest.approx(
        np.nanmean(usual["total_freeboard"].astype(float)), abs=1e-5
    )
    assert (
        run["messages"][-1] == "This granule is simulated, not satellite data."
        and all("quality bit leads_scatter" in message for message in run["messages"][:-1])
        and usual.record.message == "\n".join(run["messages"])
    )
    text = json.dumps(run)
    assert "NaN" not in text


def test_the_mean_has_its_uncertainty(usual):
    """What beams share does not average away: between those of the beams, weighted by their segments."""
    rows = [m for m in usual.run["means"] if m["length_km"] == "track"]
    weights, numbers = [m["n"] for m in rows], usual.run["numbers"]
    for key in ("uncertainty", "uncertainty_correlated"):
        expected = np.average([m[key] for m in rows], weights=weights)
        assert numbers[f"mean_freeboard_{key}"] == pytest.approx(expected)
    words = f"{numbers['mean_freeboard']:.3f} ± {numbers['mean_freeboard_uncertainty']:.3f} m (correlated part "
    assert words in terminal.granule_text(usual.record)
    page = Path(usual.record.outputs["report"]).read_text(encoding="utf-8")
    assert f'id="mean-uncertainty">{numbers["mean_freeboard_uncertainty"]:.3f}<' in page


def test_means_keep_the_correlated_error(usual):
    means = [m for m in usual.run["means"] if m["beam"] == "gt2r"]
    assert [m["length_km"] for m in means][:2] == [1.0, 10.0]
    assert means[0]["uncertainty_random"] > 2 * means[1]["uncertainty_random"]  # a tenth of the segments
    for m in means:
        assert m["uncertainty"] >= m["uncertainty_correlated"] > 0.005
    level = usual["sea_surface_uncertainty"][usual.beam("gt2r")]
    assert means[1]["uncertainty"] > 0.5 * np.nanmedian(level)


def test_beam_differences_are_reported(usual):
    (difference,) = usual.run["beam_differences"]
    assert abs(difference["mean"]) < 0.1 and difference["n"] >= 1


def test_no_water_in_reach_is_nan_and_said_plainly(dry_granule, tmp_path):
    found = work(dry_granule, tmp_path, classifier="rule")
    assert (
        np.isnan(found["total_freeboard"]).all()
        and np.isnan(found["sea_surface_height"]).all()
        and np.isfinite(found["height"]).mean() > 0.99
    )
    assert found.record.exit_code == 0 and found.record.message.startswith("No open water is within reach on any beam")
    assert (
        "\n".join(found.run["messages"]) == found.record.message
        and len(found.run["messages"]) == 2
        and found.run["numbers"]["mean_freeboard"] is None
    )
    assert (
        found.tables["leads"].num_rows == 0
        and np.isnan(column(found.tables["sea_surface"], "sea_surface_height")).all()
    )
    report = (tmp_path / dry_granule.stem / "report.html").read_text(encoding="utf-8")
    assert "No open water" in report


def changed(granule, path, edit) -> str:
    shutil.copy(granule, path)
    with h5py.File(path, "r+") as f:
        edit(f)
    return path


def test_flags_belong_to_the_nearest_20_m_segment(granule, usual, tmp_path):
    """One 20 m segment without tide, one without mean sea surface, one saturated: the ten cells in it are flagged, no
    others are, and nothing steps."""

    with h5py.File(granule) as f:
        start, length = f["gt2r/geolocation/segment_dist_x"][:], f["gt2r/geolocation/segment_length"][:]
    x = usual["x_atc"][usual.beam("gt2r")]
    filled = np.bincount(np.searchsorted(start, x, side="right") - 1, minlength=start.size)
    no_tide, no_mss, saturated = np.flatnonzero(filled == 10)[[50, 150, 250]]

    def edit(f):
        f["gt2r/geophys_corr/tide_ocean"][no_tide] = 3.4028235e38
        f["gt2r/geophys_corr/dem_flag"][no_mss] = 2
        f["gt2r/geolocation/full_sat_fract"][:] = 0.0
        f["gt2r/geolocation/full_sat_fract"][saturated] = 0.5

    found = work(changed(granule, tmp_path / "edited.h5", edit), tmp_path / "out", beams="gt2r")
    x, flag = found["x_atc"], found["quality_flag"]
    bits = {
        "correction_interpolated": (no_tide, no_mss),
        "geoid_instead_of_mean_sea_surface": (no_mss,),
        "saturated_shots": (saturated,),
    }
    for name, places in bits.items():
        inside = np.any([(x >= start[k]) & (x < start[k] + length[k]) for k in places], axis=0)
        assert inside.sum() == 10 * len(places)
        np.testing.assert_array_equal((flag & BITS[name]) > 0, inside)
    assert not np.any(flag & BITS["correction_missing"])
    own = usual.beam("gt2r")
    for column in ("tide_ocean", "mean_sea_surface", "height", "total_freeboard"):
        np.testing.assert_allclose(found[column], usual[column][own], atol=1e-3)
    assert "mean sea surface has holes" in found.record.message


def test_without_calibration_heights_stand_uncorrected(granule, tmp_path, usual):
    def edit(f):
        del f["ancillary_data/calibrations/first_photon_bias"]

    found = work(changed(granule, tmp_path / "bare.h5", edit), tmp_path / "out")
    assert np.isnan(found["first_photon_bias"]).all() and (found["quality_flag"] & 4).all()
    assert (
        "not corrected for first-photon bias on gt2r, gt2l" in found.record.message
        or "not corrected for first-photon bias on gt2l, gt2r" in found.record.message
    )
    np.testing.assert_allclose(found["height"].astype(float) - usual["height"], usual["first_photon_bias"], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"resolution": "7"}, "--resolution 7"),
        ({"sea_surface": "best"}, "--sea-surface best"),
        ({"bbox": (0.0, 20.0, 5.0, 10.0)}, "--bbox"),
        ({"bbox": (0.0, -95.0, 5.0, 10.0)}, "--bbox"),
        ({"mss": "nowhere.tif"}, "--mss nowhere.tif"),
        ({"mss_tide_system": "half"}, "--mss-tide-system half"),
        ({"min_confidence": 9}, "--min-confidence 9"),
        ({"colour": "red"}, "--colour"),
    ],
)
def test_wrong_options_are_named(options, word):
    with pytest.raises(UsageError) as error:
        Config.checked(**options)
    assert word in str(error.value) and "\n" not in str(error.value)


def test_every_setting_changes_the_key(tmp_path):
    others = [
        {"beams": "strong"},
        {"bbox": (0, 1, 2, 3)},
        {"resolution": "10"},
        {"sea_surface": "nasa"},
        {"mss": "x"},
        {"mss_tide_system": "free"},
        {"tide_ocean": False},
        {"tide_equilibrium": False},
        {"dac": False},
        {"first_photon_bias": False},
        {"land": "x"},
        {"ice_concentration": "x"},
        {"min_confidence": 4},
        {"keep_degraded": True},
        {"signal_class": "4,5"},
        {"min_weight": 10},
        {"join": True},
        {"netcdf": True},
    ]
    # the classifier's part of the key is that of its file: tests/workflows/freeboard/test_classifier.py
    assert {next(iter(o)) for o in others} == set(Config.model_fields) - {"classifier"}
    keys = [Config(**o).key(tmp_path) for o in ({}, *others)]
    assert all(a != b for k, a in enumerate(keys) for b in keys[:k])
    assert Config(resolution="2m").key(tmp_path) == keys[0]
    assert Config(mss="x:one").key(tmp_path) != Config(mss="x:two").key(tmp_path)


@pytest.mark.real
def test_the_real_granule(tmp_path):
    """Two pieces of a weak beam, 403 km apart at 87° N: 2 m segments stand, and no sea surface is guessed."""
    path = real("ATL03_20181014002445_02350104_006_02_subset_gt1l.h5")
    found = work(path, tmp_path)
    cells = np.unique(np.floor(confident_x(path, "gt1l") / 2.0).astype(np.int64))
    with h5py.File(path) as f:
        h = f["gt1l/heights/h_ph"][:]
        photons = h.size
    got = np.floor(found["x_atc"] / 2.0).astype(np.int64)
    assert np.isin(got, cells).all() and cells.size - got.size <= 2
    assert found.record.numbers["n_photons_read"] == photons
    assert np.diff(found["x_atc"]).max() > 400_000 and np.sum((found["quality_flag"] & BITS["next_to_gap"]) > 0) >= 4
    assert (
        not found["is_strong"].any()
        and np.isnan(found["total_freeboard"]).all()
        and np.all(found["sea_surface_source"] == 0)
    )
    assert np.isfinite(found["height"]).mean() > 0.95 and np.abs(np.nanmedian(found["height"])) < 1.0
    assert (
        found.record.exit_code == 0
        and "no local sea surface could be determined" in found.record.message
        and "first-photon bias" in found.record.message
    )
    assert (found["quality_flag"] & BITS["no_first_photon_bias_correction"]).all()


def test_another_file_of_the_same_name_is_not_taken_for_done(tmp_path, small_granule):
    """The name decides the folder, so the content must agree before a granule is skipped; what is not whole stays."""
    first = small_granule
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shutil.copy(first, tmp_path / "a" / "g.h5")
    shutil.copy(first, tmp_path / "b" / "g.h5")
    with open(tmp_path / "b" / "g.h5", "r+b") as same_size:
        same_size.seek(-1, os.SEEK_END)
        last = same_size.read(1)
        same_size.seek(-1, os.SEEK_END)
        same_size.write(bytes([last[0] ^ 1]))
    out = tmp_path / "out"
    assert freeboard.run([tmp_path / "a" / "g.h5"], out=out)[0].status == "done"
    assert freeboard.run([tmp_path / "a" / "g.h5"], out=out)[0].status == "skipped"
    (other,) = freeboard.run([tmp_path / "b" / "g.h5"], out=out)
    assert other.status == "failed" and "a result of another granule;" in other.message
    assert "--overwrite" in other.message
    (out / "g" / "segments.parquet").unlink()
    (lost,) = freeboard.run([tmp_path / "a" / "g.h5"], out=out)
    assert lost.status == "failed" and "misses segments.parquet" in lost.message
    assert freeboard.run([tmp_path / "a" / "g.h5"], out=out, overwrite=True)[0].status == "done"
    (out / "g" / "run.json").write_text("[1]")
    for overwrite in (False, True):
        assert freeboard.run([tmp_path / "a" / "g.h5"], out=out, overwrite=overwrite)[0].status == "failed"


@pytest.mark.parametrize("name", ["mss", "land", "ice_concentration"])
def test_another_grid_of_the_same_name_is_another_result(name, tmp_path, small_granule):
    """A grid written anew (same size, other values): results made with the old one are not done."""
    path = tmp_path / "grid.tif"
    sizes, config = set(), Config(**{name: str(path)})
    for value in (0.25, 0.75):
        write_grid(path, value)
        sizes.add(path.stat().st_size)
        if value == 0.25:
            key = io.key_as_dict(config.key(small_granule))
            io.write_json({"key": key, "contents": ["run.json"]}, tmp_path / "out/run.json")
            assert io.finished(tmp_path / "out", config.key(small_granule)) is not None
    assert len(sizes) == 1
    with pytest.raises(OutputError, match=f"holds a result of another {name};"):
        io.finished(tmp_path / "out", config.key(small_granule))
