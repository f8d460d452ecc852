"""Maps of a day put together: the weighted mean where they overlap, an uncertainty that knows of the disagreement, made
again only when a map changed, one line for what does not fit."""

from __future__ import annotations

import json
import re

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from typer.testing import CliRunner

from polynya import io
from polynya.cli import app
from polynya.errors import OutputError, ProductError, UsageError
from polynya.io import grids, tiled_grids
from polynya.physics.overlaps import LEAST_SIGMA
from polynya.readers import ice_concentration
from polynya.schema.mosaics import VARIABLES
from polynya.schema.sea_ice_maps import BITS, CONCENTRATION, QUALITY, UNCERTAINTY
from polynya.workflows import concentration
from polynya.workflows.concentration import mosaic, products
from polynya.workflows.concentration.mosaic import day
from polynya.workflows.evaluate import concentration as evaluate

PX = 400.0
NIGHT, NOON = "2022-11-30T03:00:00", "2022-11-30T15:00:00"
SETTINGS = concentration.Config().model_dump(mode="json")


def put(out, name, values, *, sigma=0.1, bits=0, at=(0, 0), time=NIGHT, epsg=3413, pixel=PX, **settings):
    """Write a map as the command does; ``at`` is its first row and column, counted on the common grid."""
    values = np.asarray(values, np.float32)
    sigma = np.where(np.isfinite(values), sigma, np.nan).astype(np.float32)
    bits = np.where(np.isfinite(values), bits, BITS["no_data"]).astype(np.uint8)
    affine = Affine(pixel, 0, (100 + at[1]) * pixel, 0, -pixel, -(1500 + at[0]) * pixel)
    box = GeoBox(values.shape, affine, f"EPSG:{epsg}")
    scene = out.parent / f"{name}.zip"
    scene.write_text(name)
    config = SETTINGS | {"pixel_m": pixel} | settings
    key = io.Key(workflow="concentration", version=1, settings=config, inputs={"scene": scene})
    with io.writing_folder(out / name, overwrite=True) as folder:
        for spec, layer in ((CONCENTRATION, values), (UNCERTAINTY, sigma), (QUALITY, bits)):
            grids.write_cog(layer, folder / f"{spec.name}.tif", geobox=box, name=spec.name, tags={"units": "1"})
        about = [{"scene": name, "time": f"{time}.000000000"}]
        record = io.run_record(command=["polynya"], config=config, inputs=about, key=io.key_as_dict(key))
        io.write_json(record, folder / "run.json")
    return out / name


def run(out, **more):
    settings = {k: more.pop(k) for k in ("sigrid3",) if k in more}
    return mosaic.run(out, config=concentration.Config(**settings), **more)


def layers(folder):
    found = {}
    for spec in VARIABLES:
        with rasterio.open(folder / f"{spec.name}.tif") as file:
            found[spec.name] = file.read(1)
            grid = file.transform
    return found, grid


def with_land(folder, digest):
    """Note in a map's record that it was made with a file of land."""
    record = json.loads((folder / "run.json").read_text())
    record["key"]["inputs"]["land"] = [{"name": "land.gpkg", "size": 1, "sha256": digest}]
    (folder / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    "lands, words",
    [(("a", "a"), None), (("", ""), None), (("a", ""), "1 scene without"), (("a", "b"), "0 scenes without")],
)
def test_scenes_of_different_land_are_said(out, lands, words):
    for k, land in enumerate(lands):
        folder = put(out, f"S{k}", np.full((8, 8), 0.5))
        if land:
            with_land(folder, land)
    [record] = run(out).records
    assert ("different land" in record.message) == (words is not None)
    assert words is None or words in record.message


def test_the_page_states_each_scenes_share_of_the_area(out):
    """Two scenes of 8 x 8 and 8 x 4 cells side by side: two thirds and one third."""
    put(out, "S0", np.full((8, 8), 0.5))
    put(out, "S1", np.full((8, 4), 0.5), at=(0, 8))
    [record] = run(out).records
    page = (out / record.item / "report.html").read_text()
    assert re.search(r"S0.{1,200}>66.7.%", page, re.DOTALL) and re.search(r"S1.{1,200}>33.3.%", page, re.DOTALL)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    return folder


def test_two_scenes_against_sums_with_loops(out):
    rng = np.random.default_rng(1)
    shape = (20, 30)
    maps = [rng.random(shape).astype(np.float32) for _ in range(3)]
    sigmas = [rng.uniform(0.05, 0.3, shape).astype(np.float32) for _ in range(3)]
    maps[1][5:8] = np.nan
    bits = [rng.choice([0, 2, 8], shape) for _ in range(3)]
    places, hours = [(0, 0), (7, 11), (3, -6)], [3.0, 15.0, 9.5]
    times = ["2022-11-30T03:00:00", "2022-11-30T15:00:00", "2022-11-30T09:30:00"]
    for k in range(3):
        put(out, f"S{k}", maps[k], sigma=sigmas[k], bits=bits[k], at=places[k], time=times[k])
    [record] = run(out).records
    assert record.status == "done" and record.item == "mosaic_20221130_north"
    found, grid = layers(out / record.item)
    assert (grid.c / PX) % 1 == 0 == (grid.f / PX) % 1
    for row in range(found["n_scenes"].shape[0]):
        for column in range(found["n_scenes"].shape[1]):
            looks = []
            for k in range(3):
                r = round(-grid.f / PX) + row - 1500 - places[k][0]
                c = round(grid.c / PX) + column - 100 - places[k][1]
                if 0 <= r < shape[0] and 0 <= c < shape[1] and np.isfinite(maps[k][r, c]):
                    looks.append((float(maps[k][r, c]), float(sigmas[k][r, c]), int(bits[k][r, c]), hours[k]))
            looks = [v for v in looks if not v[2] & 2] or looks
            here = {name: layer[row, column] for name, layer in found.items()}
            assert here["n_scenes"] == len(looks)
            if not looks:
                assert here["quality_flag"] == BITS["no_data"] and np.isnan(here["sea_ice_concentration"])
                continue
            w = [1 / s**2 for _, s, _, _ in looks]
            mean = sum(a * v[0] for a, v in zip(w, looks, strict=True)) / sum(w)
            shared = sum(a * v[1] for a, v in zip(w, looks, strict=True)) / sum(w)
            assert here["sea_ice_concentration"] == pytest.approx(mean, abs=1e-5)
            assert here["acquisition_time"] == pytest.approx(
                sum(a * v[3] for a, v in zip(w, looks, strict=True)) / sum(w), abs=1e-4
            )
            assert here["newest_acquisition_time"] == max(v[3] for v in looks)
            assert here["quality_flag"] == np.bitwise_or.reduce([v[2] for v in looks])
            spread2 = 0.0
            if len(looks) == 1:
                assert np.isnan(here["disagreement"])
            else:
                chi2 = sum(a * (v[0] - mean) ** 2 for a, v in zip(w, looks, strict=True))
                spread2 = chi2 / (sum(w) - sum(a * a for a in w) / sum(w))
                assert here["disagreement"] == pytest.approx(np.sqrt(spread2), abs=1e-4)
            assert here["sea_ice_concentration_uncertainty"] == pytest.approx(np.sqrt(shared**2 + spread2), abs=1e-4)


def test_grids_of_scenes_begin_at_multiples_of_the_pixel(tmp_path):
    """What makes resampling needless: real geometry, several pixel sizes."""
    from polynya.readers import sentinel1_grd
    from polynya.scenes import radar_grid
    from tests.readers import sentinel1_safe as safe

    scene = safe.write_safe(tmp_path / "S1A_EW.SAFE", safe.Small(), {})
    opened = sentinel1_grd.open_product(scene)
    for pixel in (80.0, 133.3, 400.0):
        t = radar_grid.polar_geobox(opened, pixel_m=pixel).affine
        for v in (t.c / pixel, t.f / pixel):
            assert v == pytest.approx(round(v), abs=1e-9)


def test_totals_page_netcdf_and_chart(out):
    ice = np.zeros((80, 90))
    ice[:, 45:] = 1.0
    put(out, "A", ice)
    put(out, "B", ice * 0.9, at=(0, 40), time=NOON)
    [record] = run(out, sigrid3=True).records
    folder, n = out / record.item, record.numbers
    found, grid = layers(folder)
    seen = found["n_scenes"] > 0
    box = GeoBox(seen.shape, grid, "EPSG:3413")
    areas = products.pixel_areas_km2(box)
    assert n["mapped_area_km2"] == pytest.approx(areas[seen].sum(), rel=1e-5)
    assert n["ice_area_km2"] == pytest.approx((areas * found["sea_ice_concentration"])[seen].sum(), rel=1e-5)
    assert n["overlap_area_km2"] == pytest.approx(areas[found["n_scenes"] > 1].sum(), rel=1e-5)
    assert n["n_scenes"] == 2 and 0 < n["share_disagreeing"] < 1
    with xr.open_dataset(folder / "concentration.nc", engine="h5netcdf") as data:
        for name in ("sea_ice_concentration", "sea_ice_concentration_uncertainty", "disagreement"):
            assert np.array_equal(data[name].values[0], found[name], equal_nan=True)
        assert np.array_equal(data["n_scenes"].values[0], found["n_scenes"])
        newest = data["newest_acquisition_time"].values[0][seen]
        assert set(newest.astype("datetime64[s]").astype(str)) <= {NIGHT, NOON}
        assert str(data["time_bnds"].values[0, 1])[:10] == "2022-12-01"
        assert data["crs"].attrs["grid_mapping_name"] == "polar_stereographic"
        assert data["sea_ice_concentration"].dims == ("time", "y", "x") and data.attrs["Conventions"].startswith("CF")
    page = (folder / "report.html").read_text()
    assert "2022-11-30, north" in page and "Disagreement" in page and '<td class="t">B</td>' in page
    assert json.loads((folder / "run.json").read_text())["contents"] == sorted(p.name for p in folder.iterdir())
    assert not list(folder.glob(".*"))
    chart = gpd.read_file(folder / "ice_chart.gpkg")
    assert chart["AREA"].sum() / 1e6 == pytest.approx(n["mapped_area_km2"], rel=0.02)
    assert evaluate.is_concentration(folder)
    assert ice_concentration.read(folder / "concentration.nc").sizes["x"] == seen.shape[1]


def test_tiles_give_what_the_whole_gives(out, monkeypatch):
    rng = np.random.default_rng(2)
    put(out, "A", rng.random((70, 90)), at=(3, 5))
    put(out, "B", rng.random((60, 50)), at=(40, 60), sigma=0.2)
    run(out)
    whole, _ = layers(out / "mosaic_20221130_north")
    monkeypatch.setattr(tiled_grids, "SIDE", 32)
    read = []
    monkeypatch.setattr(day, "_read", lambda s, at, *, time, own=day._read: read.append(at) or own(s, at, time=time))
    run(out, overwrite=True)
    parts, _ = layers(out / "mosaic_20221130_north")
    for name, layer in whole.items():
        assert np.array_equal(layer, parts[name], equal_nan=True), name
    assert max((r.stop - r.start) * (c.stop - c.start) for r, c in read) <= 32 * 32


def test_days_and_hemispheres_are_apart(out):
    put(out, "A", np.full((8, 8), 0.5))
    put(out, "B", np.full((8, 8), 0.7), time="2022-12-01T00:00:01")
    put(out, "C", np.full((8, 8), 0.7), epsg=3976)
    names = [r.item for r in run(out).records]
    assert names == ["mosaic_20221130_north", "mosaic_20221130_south", "mosaic_20221201_north"]
    one, _ = layers(out / names[0])
    assert np.nanmax(one["n_scenes"]) == 1 and np.isnan(one["disagreement"]).all()
    assert one["sea_ice_concentration_uncertainty"][one["n_scenes"] > 0] == pytest.approx(0.1)


def test_a_mosaic_is_made_again_only_when_its_maps_changed(out):
    put(out, "A", np.full((8, 8), 0.5))
    assert run(out).records[0].status == "done"
    file = out / "mosaic_20221130_north/run.json"
    first = file.read_bytes()
    [again] = run(out).records
    assert again.status == "skipped" and file.read_bytes() == first and again.numbers["ice_area_km2"] > 0
    put(out, "B", np.full((8, 8), 0.9), time=NOON)
    [more] = run(out).records
    assert more.status == "done" and more.numbers["n_scenes"] == 2
    put(out, "A", np.full((8, 8), 0.4))
    [other] = run(out).records
    assert other.status == "done" and other.numbers["ice_area_km2"] < more.numbers["ice_area_km2"]
    assert run(out).records[0].status == "skipped"
    assert run(out, sigrid3=True).records[0].status == "done" and run(out).records[0].status == "skipped"
    (file.parent / "mine.txt").write_text("x")
    put(out, "A", np.full((8, 8), 0.3))
    [kept] = run(out).records
    assert kept.status == "failed" and "mine.txt" in kept.message and (file.parent / "mine.txt").exists()


def test_folders_of_others_are_left_out_and_named(out):
    put(out, "A", np.full((8, 8), 0.5))
    (out / "thesis").mkdir()
    (out / "index.html").write_text("x")
    broken = put(out, "B", np.full((8, 8), 0.5))
    (broken / "quality_flag.tif").unlink()
    found = run(out)
    assert [r.numbers["n_scenes"] for r in found.records] == [1]
    assert found.messages == ("Left out of mosaics, no finished result of polynya concentration: B, thesis.",)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("pixel", "B: was mapped with pixel_m 200.0, A with 400.0"),
        ("network", "B: was mapped with network other, A with concentration"),
        ("noise", "B: was mapped with is_denoised False, A with"),
        ("factors", "B: was mapped with noise_scale s1a-ew, A with"),
        ("channels", "B: was mapped with channels HH, A with"),
        ("time", "B: run.json states no time of the scene"),
        ("projection", "EPSG:3995"),
        ("nothing", "holds no map of polynya concentration"),
    ],
)
def test_what_makes_no_mosaic_is_one_line(out, what, words):
    if what != "nothing":
        put(out, "A", np.full((8, 8), 0.5))
        more = {"pixel": {"pixel": 200.0}, "network": {"network": "other"}, "time": {"time": "soon"}}
        more |= {"noise": {"is_denoised": False}, "factors": {"noise_scale": "s1a-ew"}}
        more |= {"channels": {"channels": ["HH"]}}
        put(out, "B", np.full((8, 8), 0.5), **more.get(what, {"epsg": 3995}))
    with pytest.raises(ProductError, match=words) as error:
        run(out)
    assert "\n" not in str(error.value) and error.value.exit_code == 1


@pytest.mark.parametrize("what", ["truncated", "shifted", "other size"])
def test_a_map_that_does_not_fit_fails_its_day_alone(out, what):
    put(out, "A", np.full((8, 8), 0.5))
    bad = put(out, "B", np.full((8, 8), 0.5)) / "sea_ice_concentration_uncertainty.tif"
    put(out, "C", np.full((8, 8), 0.5), time="2022-12-01T12:00:00")
    if what == "truncated":
        bad.write_bytes(bad.read_bytes()[:300])
    else:
        shape = (8, 8) if what == "shifted" else (8, 9)
        box = GeoBox(shape, Affine(PX, 0, 100.5 * PX, 0, -PX, -1500 * PX), "EPSG:3413")
        grids.write_cog(np.ones(shape, np.float32), bad, geobox=box, name="x", tags={})
    first, second = run(out).records
    assert first.status == "failed" and second.status == "done"
    assert ("B: " in first.message or bad.name in first.message) and "\n" not in first.message
    assert not (out / first.item).exists()


def test_an_address_is_one_line():
    with pytest.raises(UsageError, match="memory://maps is an address"):
        mosaic.check("memory://maps", config=concentration.Config())


def test_the_command_makes_mosaics_of_all_maps_in_the_folder(out, monkeypatch):
    from polynya.engine.protocol import Record

    put(out, "old", np.full((8, 8), 0.5))

    def mapped(scenes, *, out, **more):
        put(io.place(out), "new", np.full((8, 8), 0.7), time=NOON)
        return [Record(item=scenes[0], status="done", outputs={"report": "new/report.html"})]

    monkeypatch.setattr(concentration, "run", mapped)
    words = ["concentration", "new.zip", "-o", str(out)]
    done = CliRunner().invoke(app, [*words, "--mosaic", "--json"])
    answer = json.loads(done.stdout)
    assert done.exit_code == 0 and [m["numbers"]["n_scenes"] for m in answer["mosaics"]] == [2]
    text = CliRunner().invoke(app, [*words, "--mosaic"])
    assert "mosaic_20221130_north: skipped, 2 scenes" in text.output
    other = CliRunner().invoke(app, [*words, "--mosaic", "--pixel-m", "200"])
    assert isinstance(other.exception, ProductError) and "old: was mapped with pixel_m 400.0" in str(other.exception)
    (out / "mosaic_20221130_north/run.json").write_text("{}")
    failed = CliRunner().invoke(app, [*words, "--mosaic"])
    assert failed.exit_code == OutputError("").exit_code == 1 and "mosaic_20221130_north" in failed.output


def test_blocks_are_means_of_what_is_known():
    values = np.array([[1.0, np.nan, np.nan, np.nan], [0.0, np.nan, np.nan, np.nan]], np.float32)
    assert day._blocks(values, 2).tolist()[0][0] == 0.5 and np.isnan(day._blocks(values, 2)[0, 1])
    assert day._flags(np.array([[1, 2], [1, 8]], np.uint8), 2).tolist() == [[10]]
    assert day._flags(np.array([[129, 129], [129, 129]], np.uint8), 2).tolist() == [[129]]
    assert LEAST_SIGMA == 0.01
