"""Two dates mapped, then ``polynya change`` on their folders: the true change lies inside the interval."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from scipy.special import ndtr

from polynya import io
from polynya.io import polygons
from polynya.scenes.areas import row_areas_m2

from .glaciers import pieces
from .glaciers.pieces import cli

CENTRES = [(1600.0, 1600.0), (8000.0, 1600.0), (4800.0, 8000.0)]
"""Each in a block of 3.2 km of its own: what errs together in the test errs together in the interval."""
SHAPE = (500, 500)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_true_change_of_discs_lies_inside(seed, tmp_path):
    """Three glaciers shrink from a radius of 1200 m to 1080 m. Each date's margins are mapped off by one number a
    glacier, drawn with a sigma of 40 m, and the network says so: p = Phi(distance / sigma). The true areas are pi r²
    (UTM's scale at this place takes off 0.03 %).
    """
    rng = np.random.default_rng(seed)
    network = pieces.linear_network(tmp_path / "undo.onnx")
    radii, sigma = (1200.0, 1080.0), 40.0
    for k, radius in enumerate(radii, 1):
        inside = np.max(
            [pieces.discs(SHAPE, pixel_m=20.0, centres=[c], radius_m=radius + rng.normal(0, sigma)) for c in CENTRES],
            axis=0,
        )
        p = np.clip(ndtr(inside / sigma), 1e-3, 1 - 1e-3)
        pieces.write_scene(
            tmp_path / f"date{k}",
            pieces.grid(*SHAPE),
            optical=pieces.optical_of(np.log(p / (1 - p))),
            about={"time": f"{2001 + 10 * k}-08-20T10:00:00Z"},
        )
    assert (
        cli(
            "glaciers",
            tmp_path / "date1",
            tmp_path / "date2",
            "--each",
            "-o",
            tmp_path / "mapped",
            "--network",
            network,
            "--runtime",
            "onnxruntime",
        )[0]
        == 0
    )
    code, said, _ = cli("change", tmp_path / "mapped/date1", tmp_path / "mapped/date2", "--json")
    found = json.loads(said)
    areas = [3 * np.pi * r**2 * 1e-6 for r in radii]
    assert (
        code == 0
        and found["uncertainty"] == "intervals in the file"
        and found["years"] == pytest.approx(10.0, abs=0.01)
    )
    for name, truth in (("old", areas[0]), ("new", areas[1])):
        assert found[name]["low"] < truth < found[name]["high"], name
        mapped = io.read_json(tmp_path / f"mapped/date{1 + (name == 'new')}/run.json")
        assert (found[name]["low"], found[name]["high"]) == pytest.approx(
            (mapped["area_low_km2"], mapped["area_high_km2"]), rel=1e-6
        ), "the map and the change tell one interval of one total"
    change = found["change"]
    assert change["low"] < areas[1] - areas[0] < change["high"] < 0.0
    # a margin of 2 pi r each, errors of sigma, three glaciers and two dates independent
    expected = 2 * 1.96 * sigma * 1e-6 * np.hypot(*(2 * np.pi * r for r in radii)) * np.sqrt(3)
    assert change["high"] - change["low"] == pytest.approx(expected, rel=0.15)


@pytest.fixture(scope="module")
def two_dates(tmp_path_factory):
    from polynya.simulate.glaciers import files
    from polynya.simulate.glaciers.scene import Config, simulate_scenes

    folder = tmp_path_factory.mktemp("two") / "scene"
    files.write_dates(
        simulate_scenes(Config(region="ALP", size=192, pixel_m=20.0, dates=2, years_between=20.0), seed=3), folder
    )
    return folder


def test_simulated_retreat_from_true_outlines(two_dates):
    """Outlines of the truth, no network: the change is that of the truth rasters, counted pixel by pixel."""
    truth = []
    for date in ("date1", "date2"):
        with rasterio.open(two_dates / date / "truth.tif") as file:
            values = file.read(1)
            grid = GeoBox(values.shape, file.transform, file.crs)
        truth.append(
            float(
                ((values == 1) | (values == 2)).sum(axis=1)
                @ row_areas_m2(grid, slice(0, values.shape[0]), values.shape[1] / 2)
            )
            * 1e-6
        )
    code, said, _ = cli("change", two_dates / "date1", two_dates / "date2", "--position-error-m", 10, "--json")
    found = json.loads(said)
    assert code == 0 and truth[1] < truth[0]
    assert found["change"]["km2"] == pytest.approx(truth[1] - truth[0], abs=2e-4 * truth[0])
    assert found["change"]["low"] < truth[1] - truth[0] < found["change"]["high"] and found["years"] == pytest.approx(
        20.0, abs=1.0
    )


def test_ice_beyond_a_scene_is_not_gained_and_other_places_are_refused(tmp_path):
    """A map of half the ground against outlines of all of it: only the common half counts, without --within."""
    network = pieces.linear_network(tmp_path / "undo.onnx")
    for name, left in (("half", 0.0), ("far", 90_000.0)):
        inside = pieces.discs((200, 200), pixel_m=20.0, centres=[(2000.0, 2000.0)], radius_m=1000.0)
        pieces.write_scene(
            tmp_path / name,
            pieces.grid(200, 200, left=640_000.0 + left),
            optical=pieces.optical_of(np.clip(inside / 5.0, -8, 8)),
        )
        assert (
            cli(
                "glaciers",
                tmp_path / name,
                "-o",
                tmp_path / f"m_{name}",
                "--network",
                network,
                "--runtime",
                "onnxruntime",
                "--date",
                "2019-08-01T10:00",
            )[0]
            == 0
        )
    mapped = polygons.read(tmp_path / "m_half/outlines.gpkg")
    beyond = mapped.geometry.translate(xoff=6000.0)
    both = gpd.GeoDataFrame(
        {"rgi_id": ["a", "b"], "area_km2": [3.1, 3.1]},
        geometry=[mapped.geometry.iloc[0], beyond.iloc[0]],
        crs=mapped.crs,
    )
    both.to_file(tmp_path / "both.gpkg")
    code, said, _ = cli("change", tmp_path / "m_half", tmp_path / "both.gpkg", "--json")
    assert code == 0 and abs(json.loads(said)["change"]["km2"]) < 1e-3
    for old, new in (("m_half", "m_far"), ("m_far", "both.gpkg")):
        code, _, said = cli("change", tmp_path / old, tmp_path / new)
        assert code == 1 and "expected the same" in said


def test_three_dates_give_a_series_a_page_and_rates(tmp_path):
    """Squares that lose the same side length each year; the CLI finds the rate of their areas."""
    import shapely

    paths = []
    for year, side in ((2000, 2000.0), (2010, 1900.0), (2020, 1800.0)):
        frame = gpd.GeoDataFrame(
            {"rgi_id": ["A"], "src_date": [f"{year}-07-01"], "area_km2": [side**2 * 1e-6]},
            geometry=[shapely.box(5e5, 5e6, 5e5 + side, 5e6 + side)],
            crs="EPSG:32632",
        )
        paths.append(tmp_path / f"{year}.gpkg")
        frame.to_file(paths[-1])
    code, said, _ = cli("change", *paths, "--position-error-m", 10, "-o", tmp_path / "series", "--json")
    rates = {r["rgi_id"]: r for r in json.loads(said)["rates"]}
    assert code == 0 and rates["A"]["per_year"] == pytest.approx((1.8**2 - 2.0**2) / 20.0, rel=0.02)
    assert rates["A"]["sigma"] > 0 and {"series.csv", "rates.csv", "report.html", "run.json"} <= {
        p.name for p in (tmp_path / "series").iterdir()
    }
    page = (tmp_path / "series/report.html").read_text()
    assert "<svg" in page and "<circle" in page and "independent" in page
    code, said, _ = cli("change", *paths[::-1], "--position-error-m", 10, "--shared-error", 0.5)
    assert code == 0 and "50%" in said and "2010" in said
    assert cli("change", *paths[:2], "-o", tmp_path / "other")[0] == 2
