"""``polynya glaciers``: a scene folder to maps, outlines and a page, whole, georeferenced, bounded in memory."""

from __future__ import annotations

import re

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
from shapely import box

from polynya import io
from polynya.io import polygons
from polynya.report import glacier_map
from polynya.scenes import scene as glacier_scene
from polynya.scenes.areas import area_km2
from polynya.workflows import glaciers

from . import pieces
from .pieces import BRIGHT, RADIUS, cli, config

ALWAYS = {
    "probability.tif",
    "confidence.tif",
    "outlines.gpkg",
    "outlines.parquet",
    "uncertainty_band.gpkg",
    "report.html",
    "run.json",
    "ice_class.tif",
    *(f"{name}.qml" for name in ("probability", "confidence", "outlines", "uncertainty_band", "ice_class")),
}
OGGM = {"outlines_oggm.gpkg", "outlines_oggm.qml"}


def test_a_scene_becomes_maps_outlines_and_a_page(simulated, tmp_path):
    net = pieces.linear_network(tmp_path / "bright.onnx", BRIGHT, bias=-2.0)
    code, said, _ = cli(
        "glaciers",
        simulated,
        "-o",
        tmp_path / "out",
        "--network",
        net,
        "--runtime",
        "onnxruntime",
        "--rgi-region",
        "15",
        "--threads",
        "1",
    )
    assert code == 0
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == ALWAYS | OGGM
    assert all(f"wrote {p}" in said for p in out.iterdir())
    with rasterio.open(simulated / "optical.tif") as source:
        optical, crs, transform = source.read(), source.crs, source.transform
    logit = 12.0 * np.nan_to_num(optical[1]) - 12.0 * np.nan_to_num(optical[4]) - 2.0
    expected = 1.0 / (1.0 + np.exp(-logit))
    snow = (optical[1] - optical[4]) / (optical[1] + optical[4])
    cloud = (optical[0] > 0.35) & (optical[4] > 0.35) & (snow > -0.2) & (snow < 0.3)
    sure = np.maximum(expected, 1 - expected)
    sure = np.where(cloud, 0.5 * (sure + 0.5), sure)  # bright rock passes for cloud
    for name in ("probability", "confidence"):
        with rasterio.open(out / f"{name}.tif") as file:
            assert (file.crs, file.transform, file.shape, file.dtypes) == (
                crs,
                transform,
                optical.shape[1:],
                ("float32",),
            ) and np.isnan(file.nodata)
            assert (
                file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                and file.tags()["scene"] == io.read_json(simulated / "scene.json")["name"]
            )
            found = file.read(1)
        seen = np.isfinite(found)
        assert seen.all()  # the DEM saw every pixel
        np.testing.assert_allclose(found, expected if name == "probability" else sure, atol=1e-4)
    table, parquet = gpd.read_file(out / "outlines.gpkg"), gpd.read_parquet(out / "outlines.parquet")
    assert (
        set(table.columns) - {"geometry"} <= set(polygons.ATTRIBUTES)
        and len(table) == len(parquet) > 0
        and table.crs == crs
    )
    about = io.read_json(simulated / "scene.json")
    assert (
        (parquet["src_date"] == about["time"]).all()
        and (parquet["area_low_km2"] < parquet["area_km2"]).all()
        and (parquet["area_km2"] < parquet["area_high_km2"]).all()
    )
    assert (
        parquet["area_km2"].to_numpy() == pytest.approx(area_km2(parquet))
        and parquet["area_km2"].is_monotonic_decreasing
        and parquet["area_km2"].min() >= 0.01
    )
    record = io.read_json(out / "run.json")
    assert record["area_km2"] == pytest.approx(parquet["area_km2"].sum()) and record["inputs"][0]["used"] == list(
        glacier_scene.open_scene(simulated).sensors
    )
    assert (
        record["network"][0]["sha256"]
        and record["config"]["threshold"] == 0.5
        and set(record["outputs"].values()) == {p.name for p in out.iterdir()} - {"run.json"}
    )
    page = (out / "report.html").read_text()
    assert glacier_map.SIMULATED in page and page.count("no satellite measured it") == 1
    assert said.count("no satellite measured it") == 1 and record["is_simulated"] is True
    assert parquet["is_simulated"].all() and table["is_simulated"].all()
    for name in ("outlines.gpkg", "outlines_oggm.gpkg", "uncertainty_band.gpkg"):
        assert "simulated" in pyogrio.read_info(out / name)["layer_metadata"]
    with rasterio.open(out / "probability.tif") as file:
        assert "no satellite" in file.tags()["simulated"]
    assert b"simulated" in pq.read_schema(out / "outlines.parquet").metadata
    assert (
        "without sun" in page
        and "default-src 'none'" in page
        and not re.search(r"""(src|href)\s*=\s*["']?(http|//)""", page)
    )


def test_clean_and_debris_covered_ice_are_split(tmp_path):
    """A disc whose east half has the colours of rock: its cover is half debris; divides of a ridge; complexes."""
    inside = pieces.discs((120, 130), pixel_m=20.0, centres=[(1300.0, 1200.0)], radius_m=RADIUS)
    optical = pieces.optical_of(np.clip(inside / 20.0, -8, 8))
    optical[4, :, :65] = 0.02  # red is 0.17: clean in the west; 0.25 in the east
    across = np.abs(np.indices((120, 130))[1] - 65.0)
    dem = np.stack([4000.0 - 8.0 * across, np.full((120, 130), 3.0)])
    scene = pieces.write_scene(tmp_path / "split", pieces.grid(120, 130), optical=optical, dem=dem)
    net = pieces.linear_network(tmp_path / "net.onnx")
    result = glaciers.run([scene], out=tmp_path / "out", config=config(net, divides="dem", complexes=True))
    table = gpd.read_parquet(tmp_path / "out/outlines.parquet")
    half = 0.5 * np.pi * RADIUS**2 * 1e-6
    assert len(table) == 2 and table["area_km2"].to_numpy() == pytest.approx([half, half], rel=0.05)
    assert sorted(table["debris_km2"] / table["area_km2"]) == pytest.approx([0.0, 1.0], abs=0.04)
    record = io.read_json(tmp_path / "out/run.json")["cover"]
    assert record["clean"]["area_km2"] == pytest.approx(half, rel=0.03)
    assert record["debris_covered"]["low_km2"] < half < record["debris_covered"]["high_km2"]
    kinds = pieces.values_of(tmp_path / "out/ice_class.tif")
    assert set(np.unique(kinds[:, :65])) == {0, 1} and set(np.unique(kinds[:, 65:])) == {0, 2}
    assert "clean" in glaciers.as_text(result) and "debris-covered" in (tmp_path / "out/report.html").read_text()
    whole = gpd.read_file(tmp_path / "out/complexes.gpkg")
    assert len(whole) == 1 and whole["count"].tolist() == [2]
    assert len(gpd.read_file(tmp_path / "out/intersects.gpkg")) == 1


def test_area_and_interval_of_a_disc(disc, network, tmp_path):
    """The truth is pi r² on the map; UTM's scale here takes off under 0.1 %; the interval of a margin of ± some 20 m
    holds it."""
    result = glaciers.run([disc], out=tmp_path / "out", config=config(network))
    truth = np.pi * RADIUS**2 * 1e-6
    assert result.n_outlines == 1 and result.total.value == pytest.approx(truth, rel=0.01)
    assert result.total.low < truth < result.total.high and 0.02 < (result.total.high - result.total.low) / truth < 0.5
    row = gpd.read_parquet(tmp_path / "out/outlines.parquet").iloc[0]
    assert (row["zmin_m"], row["zmax_m"]) == pytest.approx((3000 + 60 - 35, 3000 + 60 + 34), abs=1.5) and row[
        "slope_deg"
    ] == pytest.approx(3.0)
    assert abs((row["aspect_deg"] + 180.0) % 360.0 - 180.0) < 3.0  # the heights grow to the south
    band = gpd.read_file(tmp_path / "out/uncertainty_band.gpkg")
    width = band.area.sum() / (2 * np.pi * RADIUS)  # confidence is below .95 within logit(.95) x 20 m on both sides
    assert width == pytest.approx(2 * 20.0 * np.log(0.95 / 0.05), rel=0.1)


def test_how_errors_go_together_is_the_networks_own_unless_told(tmp_path):
    """Nine glaciers in nine blocks: independent errors give a total's interval a third as wide, relative to the total,
    as errors that are one."""
    centres = [(1600.0 + 3200.0 * i, 1600.0 + 3200.0 * j) for i in range(3) for j in range(3)]
    inside = pieces.discs((480, 480), pixel_m=20.0, centres=centres, radius_m=900.0)
    scene = pieces.write_scene(
        tmp_path / "nine", pieces.grid(480, 480), optical=pieces.optical_of(np.clip(inside / 20.0, -8, 8))
    )
    networks = {
        rho: pieces.linear_network(tmp_path / f"rho{k}.onnx", areas={"between_blocks": rho, "sd": 1.0})
        for k, rho in enumerate((0.0, 1.0))
    }
    width = {}
    for rho, told in ((0.0, None), (1.0, None), (1.0, 0.0)):
        name = f"{rho}-{told}"
        total = glaciers.run([scene], out=tmp_path / name, config=config(networks[rho], between_blocks=told)).total
        width[name] = total.high - total.low
        assert io.read_json(tmp_path / name / "run.json")["between_blocks"] == (rho if told is None else told)
    assert width["1.0-None"] / width["0.0-None"] == pytest.approx(3.0, rel=0.1) and width["1.0-0.0"] == pytest.approx(
        width["0.0-None"]
    )


def test_divides_and_identifiers_of_an_inventory_are_kept(disc, network, tmp_path):
    x, y = 640_000 + 1300, 5_190_000 - 1200
    west, east = box(x - 900, y - 900, x + 100, y + 900), box(x + 100, y - 900, x + 900, y + 900)
    known = gpd.GeoDataFrame(
        {"rgi_id": ["RGI60-11.00001", "RGI60-11.00002"], "area_km2": [1.0, 1.0], "glac_name": ["West", "East"]},
        geometry=[west, east],
        crs="EPSG:32632",
    )
    known.to_crs("EPSG:4326").to_file(tmp_path / "inventory.gpkg")
    assert (
        cli(
            "glaciers",
            disc,
            "-o",
            tmp_path / "out",
            "--network",
            network,
            "--runtime",
            "onnxruntime",
            "--inventory",
            tmp_path / "inventory.gpkg",
        )[0]
        == 0
    )
    table = gpd.read_parquet(tmp_path / "out/outlines.parquet").set_index("rgi_id")
    assert set(table.index) == set(known["rgi_id"])
    segment = RADIUS**2 * np.arccos(100 / RADIUS) - 100 * np.sqrt(
        RADIUS**2 - 100**2
    )  # of a disc, beyond a chord 100 m off its centre
    assert table.loc["RGI60-11.00002", "area_km2"] == pytest.approx(segment * 1e-6, rel=0.01)
    assert (
        table["area_km2"].sum() == pytest.approx(np.pi * RADIUS**2 * 1e-6, rel=0.01)
        and table.loc["RGI60-11.00001", "glac_name"] == "West"
    )
    assert "West" in (tmp_path / "out/report.html").read_text()


def test_glaciers_of_glims_are_not_cut_along_a_ridge(network, tmp_path):
    """They have a ``glims_id`` and no ``rgi_id``: named ice stays as the inventory has it, and keeps its name."""
    inside = pieces.discs((120, 130), pixel_m=20.0, centres=[(1300.0, 1200.0)], radius_m=RADIUS)
    ridge = 4000.0 - 8.0 * np.abs(np.indices((120, 130))[1] - 65.0)
    scene = pieces.write_scene(
        tmp_path / "ridge",
        pieces.grid(120, 130),
        optical=pieces.optical_of(np.clip(inside / 20.0, -8, 8)),
        dem=np.stack([ridge, np.full(ridge.shape, 3.0)]),
    )
    known = gpd.GeoDataFrame(
        {"rgi_id": [""], "glims_id": ["G010E46N"]},
        geometry=[box(640_000, 5_187_600, 642_600, 5_190_000)],
        crs="EPSG:32632",
    )
    known.to_file(tmp_path / "glims.gpkg")
    settings = config(network, divides="dem", complexes=True)
    glaciers.run([scene], out=tmp_path / "out", config=settings, inventory=tmp_path / "glims.gpkg")
    assert gpd.read_parquet(tmp_path / "out/outlines.parquet")["glims_id"].tolist() == ["G010E46N"]
    assert gpd.read_file(tmp_path / "out/complexes.gpkg")["glaciers"].tolist() == ["G010E46N"]


def test_outlines_for_oggm(disc, simulated, network, tmp_path):
    glaciers.run([disc], out=tmp_path / "alps", config=config(network))
    frame = gpd.read_file(tmp_path / "alps/outlines_oggm.gpkg")
    assert set(frame.columns) == {*polygons.OGGM_COLUMNS, "geometry"} and frame.crs.to_epsg() == 4326
    assert (
        (frame["o1region"] == "11").all()
        and frame["rgi_id"].tolist() == ["POLYNYA-11-00001"]
        and frame["src_date"].tolist() == [pieces.TIME[:19]]
    )
    bright = pieces.linear_network(tmp_path / "bright.onnx", BRIGHT, bias=-2.0)
    result = glaciers.run(
        [simulated], out=tmp_path / "asia", config=config(bright)
    )  # three regions of the RGI: nobody knows which
    assert "outlines_oggm.gpkg" not in result.files and any("Pass --rgi-region, two digits" in n for n in result.notes)
    glaciers.run(
        [simulated],
        out=tmp_path / "asia2",
        config=config(bright, rgi_region="15"),
        inventory=simulated / "outlines.gpkg",
    )
    assert set(gpd.read_file(tmp_path / "asia2/outlines_oggm.gpkg")["o1region"]) == {"15"}


def test_networks_are_averaged_and_their_spread_written(disc, network, tmp_path):
    other = pieces.linear_network(tmp_path / "other.onnx", {("optical", 0): 40.0}, bias=-18.0)  # a logit 2 higher
    glaciers.run([disc], out=tmp_path / "one", config=config(network))
    assert not (tmp_path / "one/spread.tif").exists()
    glaciers.run([disc], out=tmp_path / "two", config=config(network, other))
    p = pieces.values_of(tmp_path / "one/probability.tif").astype(float)
    q = 1.0 / (1.0 + (1.0 / p - 1.0) * np.exp(-2.0))
    np.testing.assert_allclose(pieces.values_of(tmp_path / "two/probability.tif"), (p + q) / 2, atol=1e-4)
    np.testing.assert_allclose(pieces.values_of(tmp_path / "two/spread.tif"), np.abs(p - q) / 2, atol=1e-4)


def test_turns_and_threads_change_nothing_for_a_network_without_direction(simulated, tmp_path):
    net = pieces.linear_network(tmp_path / "mean.onnx", BRIGHT, bias=-2.0, kernel=5)
    found = {}
    for name, turns, threads in (("plain", 1, 1), ("threads", 1, 3), ("turns", 8, 1)):
        glaciers.run([simulated], out=tmp_path / name, config=config(net, turns=turns), threads=threads)
        found[name] = pieces.values_of(tmp_path / name / "probability.tif")
    assert np.array_equal(found["plain"], found["threads"])
    assert (tmp_path / "plain/outlines.parquet").read_bytes() == (tmp_path / "threads/outlines.parquet").read_bytes()
    np.testing.assert_allclose(found["turns"], found["plain"], atol=1e-5)


@pytest.mark.parametrize(
    ("region", "told", "value"), [("auto", "ALP", 3.0), ("HMA", "HMA", -3.0), ("unknown", "unknown", 1.0)]
)
def test_the_region_that_a_network_has_evidence(region, told, value, disc, tmp_path):
    net = pieces.linear_network(tmp_path / "net.onnx", {}, regions={"ALP": 3.0, "HMA": -3.0, "unknown": 1.0})
    glaciers.run([disc], out=tmp_path / "out", config=config(net, region=region))
    assert io.read_json(tmp_path / "out/run.json")["region"] == told
    np.testing.assert_allclose(
        pieces.values_of(tmp_path / "out/probability.tif"), 1.0 / (1.0 + np.exp(-value)), atol=1e-5
    )


def test_a_long_scene_is_never_read_whole(network, tmp_path, monkeypatch):
    """1700 x 600 pixels, more than the choice of the rule reads at once: the network's pass reads every pixel once in
    strips of a window; afterwards at most blocks of 1024 are read."""
    shape = (1700, 600)
    inside = pieces.discs(shape, pixel_m=20.0, centres=[(6000.0, 15_000.0)], radius_m=4000.0)
    dem = np.stack([np.full(shape, 3000.0), np.full(shape, 5.0)])
    scene = pieces.write_scene(
        tmp_path / "long",
        pieces.grid(*shape),
        optical=pieces.optical_of(np.clip(inside / 40.0, -8, 8)),
        dem=dem,
        about={"sun_elevation": 40.0, "sun_azimuth": 160.0},
    )
    asked: list[tuple[slice, slice]] = []
    read = glacier_scene.read

    def counted(found, *, window=None):
        rows, columns = (slice(*w) for w in window)
        asked.append((rows, columns))
        return read(found, window=window)

    def watched(*args, **kwargs):
        raise RuntimeError("enough")

    monkeypatch.setattr(
        glaciers.scene_quality,
        "check",
        lambda scene: glaciers.scene_quality.Quality(scene="long", share_seen=0.0, findings=(), registration=()),
    )
    monkeypatch.setattr(glacier_scene, "read", counted)
    monkeypatch.setattr(glaciers.rasters.rasters, "to_cog", watched)
    with pytest.raises(RuntimeError, match="enough"):
        glaciers.run([scene], out=tmp_path / "out", config=config(network))
    times = np.zeros(shape, int)
    for rows, columns in asked:
        times[rows, columns] += 1
        assert rows.stop - rows.start <= 64
    assert (times == 1).all()
    monkeypatch.undo()
    asked.clear()
    monkeypatch.setattr(
        glaciers.scene_quality,
        "check",
        lambda scene: glaciers.scene_quality.Quality(scene="long", share_seen=0.0, findings=(), registration=()),
    )
    monkeypatch.setattr(glacier_scene, "read", counted)
    result = glaciers.run([scene], out=tmp_path / "out", config=config(network))
    assert max((r.stop - r.start) * (c.stop - c.start) for r, c in asked) <= 1026 * 1026
    assert result.total.value == pytest.approx(np.pi * 16.0, rel=0.01)


def test_a_network_says_what_it_never_learnt_and_where_it_learnt(disc, tmp_path):
    """The disc's scene lies between 640,000 and 642,600 m east in zone 32."""
    here = {
        "data": {"ground": [["EPSG:32632", 641_000.0, 5_188_000.0, 642_000.0, 5_189_000.0]]},
        "recipe": {"scene": {"always": ["optical"]}},
    }
    there = {"data": {"ground": [["EPSG:32632", 741_000.0, 5_188_000.0, 742_000.0, 5_189_000.0]]}}
    for about, without, expected in (
        (here, False, "was trained on ground of this scene"),
        (here, True, "never trained without one"),
        (there, True, ""),
    ):
        name = f"{len(expected)}{without}"
        net = pieces.linear_network(tmp_path / f"n{name}.onnx", **about)
        result = glaciers.run([disc], out=tmp_path / name, config=config(net, sensors=("dem",) if without else ()))
        assert (
            any(expected in n for n in result.notes)
            if expected
            else not any("trained on" in n or "never trained" in n for n in result.notes)
        )


def test_scores_against_a_reference_are_said_at_once(simulated, network, tmp_path):
    code, said, _ = cli(
        "glaciers",
        simulated,
        "-o",
        tmp_path / "out",
        "--network",
        network,
        "--runtime",
        "onnxruntime",
        "-r",
        simulated / "truth.tif",
    )
    table = io.read_table(tmp_path / "out/evaluation.parquet").to_pandas()
    iou = table[(table["stratum"] == "all") & (table["metric"] == "iou") & (table["prediction"] == "given")][
        "value"
    ].iloc[0]
    assert code == 0 and f"IoU against truth.tif: this map {iou:.3f}" in said and "classical" in said
