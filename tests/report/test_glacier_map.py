"""The glacier page: pictures where their pixels are, outlines over them, names as text, nothing loaded."""

from __future__ import annotations

import base64
import io
import re

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image
from shapely import box

from polynya.evaluate import scene_rows
from polynya.metrics import Estimate
from polynya.report import glacier_layers, glacier_map, grid_picture, layered_map

GRID = GeoBox((100, 160), Affine(50.0, 0, 500_000.0, 0, -50.0, 5_200_000.0), "EPSG:32632")
HOLE = box(501_000, 5_196_000, 504_000, 5_199_000).difference(box(502_000, 5_197_000, 503_000, 5_198_000))


def outlines() -> gpd.GeoDataFrame:
    columns = {
        "rgi_id": ["RGI60-11.00897", "<b>odd</b>"],
        "glac_name": ["Hintereisferner", None],
        "area_km2": [8.0, 0.5],
        "area_low_km2": [7.5, np.nan],
        "area_high_km2": [8.25, np.nan],
        "zmin_m": [2444.0, np.nan],
        "zmax_m": [3679.0, np.nan],
        "zmed_m": [3050.0, np.nan],
        "slope_deg": [16.5, 20.0],
        "aspect_deg": [70.2, np.nan],
        "confidence": [0.93, 0.5],
    }
    return gpd.GeoDataFrame(columns, geometry=[HOLE, box(506_000, 5_196_000, 507_000, 5_197_000)], crs="EPSG:32632")


def optical() -> np.ndarray:
    values = np.random.default_rng(0).uniform(0.1, 0.9, (6, 100, 160)).astype(np.float32)
    values[:, :10, :20] = np.nan
    return values


def rows():
    return [
        scene_rows.Row(metric="iou", estimate=Estimate(value=0.812, low=0.75, high=0.86, n=4321)),
        scene_rows.Row(
            metric="iou", estimate=Estimate(value=0.41, low=np.nan, high=np.nan, n=99), stratum="debris_covered_ice"
        ),
        scene_rows.Row(metric="iou", estimate=Estimate(value=0.33, low=0.2, high=0.4, n=4321), prediction="classical"),
        scene_rows.Row(metric="polis", estimate=Estimate(value=84.9, low=46.0, high=232.0, n=5076), units="m"),
    ]


def test_the_page_says_what_it_was_given(tmp_path):
    table = scene_rows.tidy(rows(), region="ALP", reference="rgi.gpkg")
    path = glacier_map.write(
        tmp_path / "report.html",
        glacier_map.MappedScene(
            title="scene <1>",
            facts={"model": "glavitu", "region": "ALP"},
            outlines=outlines(),
            geobox=GRID,
            optical=optical(),
            probability=np.full((100, 160), 0.5),
            band=outlines().iloc[1:],
            total=Estimate(value=8.5, low=7.9, high=8.8, n=3),
            notes=["SAR is 1 km off & left out"],
            evaluation=table,
            reliability=[(60.0, 0.1, 0.2), (40.0, 0.9, 0.85)],
        ),
    )
    page = path.read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for said in (
        "scene &lt;1&gt;",
        "8.50",
        "7.90 to 8.80",
        "glavitu",
        "1 km off &amp; left out",
        "Hintereisferner",
        "7.500 to 8.250",
        "2,444 to 3,679",
        "0.812 (0.75 to 0.86)",
        "debris covered ice",
        "classical",
        "84.9 (46.0 to 232.0)",
        "confidence below 0.95",
    ):
        assert said in text, said
    assert "<b>odd" not in page and "&lt;b&gt;odd" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(http|//)""", page) and "default-src 'none'" in page


def picture_of(layer) -> np.ndarray:
    """Return the pixels of a picture as the page has them."""
    figure = layered_map.figure([layer], GRID, title="map")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", figure)[1]))))


def test_pictures_hold_the_pixels():
    picture = picture_of(glacier_layers.bases(optical(), None, None)[0])
    assert picture.shape == (100, 160, 4)
    assert (picture[:10, :20, 3] == 0).all() and (picture[10:, :, 3] == 255).all()  # nothing known: transparent
    swir = optical()[4]
    order = np.argsort(swir[20:].ravel())
    assert (np.diff(picture[20:, :, 0].ravel()[order].astype(int)) >= 0).all(), "red is SWIR1, stretched monotonically"
    assert glacier_layers.false_colour(optical())[1] == "SWIR1, NIR, red"
    no_swir = optical()
    no_swir[4:] = np.nan
    assert glacier_layers.false_colour(no_swir)[1] == "NIR, red, green"
    assert not glacier_layers.false_colour(np.full((6, 3, 3), np.nan))[0].any()


def test_outlines_lie_where_they_are():
    path = grid_picture.outline_path(outlines().iloc[:1].to_crs("EPSG:4326"), GRID, (4.0, 4.0))
    rings = [
        [tuple(map(float, p.split())) for p in ring.strip("MZ").split("L")] for ring in re.findall(r"M[^Z]+Z", path)
    ]
    assert len(rings) == 2  # with the hole
    x, y = np.array(rings[0]).T
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx(
        (80, 320, 80, 320), abs=0.15
    )  # (501000 - 500000) / 50 * 4
    assert grid_picture.outline_path(outlines().iloc[:0], GRID, (4.0, 4.0)) == ""


def test_probability_runs_from_dark_to_bright():
    p = np.tile(np.linspace(0, 1, 160), (100, 1))
    picture = picture_of(glacier_layers.bases(None, p, None)[0])
    assert picture[50, 0, :3].tolist() == [0x44, 0x01, 0x54] and picture[50, -1, :3].tolist() == [0xFD, 0xE7, 0x25]


def test_what_was_not_seen_is_hatched_and_named_on_every_map():
    not_seen = np.zeros((100, 160), bool)
    not_seen[:, :40] = True
    layer = glacier_layers.not_seen(not_seen)[0]
    assert (picture_of(layer)[..., 3] > 0).tolist() == not_seen.tolist()
    assert glacier_layers.not_seen(None) == glacier_layers.not_seen(np.zeros((3, 3), bool)) == []
    by_colour = glacier_map.kind_map(np.zeros((100, 160), np.uint8), optical(), GRID, not_seen=not_seen)
    assert glacier_layers.NOT_SEEN_TITLE in by_colour


@pytest.mark.parametrize(
    ("across", "length", "told"), [(8000.0, 2000.0, "2 km"), (3999.0, 500.0, "500 m"), (4000.0, 1000.0, "1 km")]
)
def test_the_scale_bar_is_round_and_true(across, length, told):
    bar = grid_picture.scale_bar(across, 400.0)
    assert told in bar and float(re.search(r"h([\d.]+)", bar)[1]) == pytest.approx(
        grid_picture.WIDTH * length / across, abs=0.1
    )


def test_no_ice_and_no_picture():
    body = glacier_map.result(outlines().iloc[:0], None) + glacier_map.area_table(outlines().iloc[:0])
    assert "0.00" in body and "0 outlines" in body
