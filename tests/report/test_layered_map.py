"""The map of a page in a browser: places under the cursor, zoom and pan, layers, numbers, by mouse, keys and at two
widths."""

from __future__ import annotations

import re

import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from polynya.report import glacier_layers, glacier_map, grid_picture, layered_map

from .. import chromium
from .test_glacier_map import GRID, optical, outlines

POLAR = GeoBox((80, 120), Affine(30.0, 0, -5000.0, 0, -30.0, 4000.0), "EPSG:3413")


def written(folder, *, geobox=GRID, **more):
    shape = tuple(geobox.shape)
    return glacier_map.write(
        folder / "report.html",
        glacier_map.MappedScene(
            title="scene",
            facts={"region": "ALP"},
            outlines=outlines(),
            geobox=geobox,
            optical=np.resize(optical(), (6, *shape)),
            probability=np.linspace(0, 1, shape[0] * shape[1]).reshape(shape),
            confidence=np.linspace(0.5, 1, shape[0] * shape[1]).reshape(shape),
            band=outlines().iloc[1:],
            inventory=outlines(),
            differences=np.resize([0, 1, 2], shape).astype(np.uint8),
            not_seen=np.arange(shape[1])[None, :] + np.zeros(shape, int) < 5,
            **more,
        ),
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a scene, open in a browser."""
    folder = tmp_path_factory.mktemp("map")
    with chromium.Page(folder / "profile", width=1280, height=900) as opened:
        opened.open(f"file://{written(folder)}")
        opened.wait("document.getElementById('layered-map').dataset.ready === 'yes'")
        yield opened
        assert opened.complaints() == []
        assert [r for r in opened.requests() if not r.startswith(("file:", "data:"))] == []


def view(page) -> list[float]:
    return [float(v) for v in page.run("document.getElementById('layered-map').getAttribute('viewBox')").split()]


def places(text: str) -> list[float]:
    north, east = re.search(r"([\d.]+)° N, ([\d.]+)° E", text.replace("\u202f", " ")).groups()
    return [float(east), float(north)]


def test_the_place_under_the_cursor_is_that_of_the_map(page):
    page.key("Home")
    box, (x0, y0, w, h) = page.box("layered-map"), view(page)
    for across, down in ((0.3, 0.3), (0.52, 0.71)):
        px, py = box["left"] + across * box["width"], box["top"] + down * box["height"]
        page.mouse("moved", px, py, button="none")
        text = page.run("document.getElementById('where').textContent")
        u, v = x0 + across * w, y0 + down * h  # units of the map: 1000 across
        x, y = 500_000.0 + 8.0 * u, 5_200_000.0 - 8.0 * v
        lonlat = pyproj.Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(x, y)
        assert places(text) == pytest.approx(lonlat, abs=1.5e-4)  # a pixel of the screen is 8 m, 1.1e-4 degrees
        assert float(re.search(r"x ([\d,]+) m", text)[1].replace(",", "")) == pytest.approx(x, abs=10.0)
        assert "EPSG:32632" in text


@pytest.mark.parametrize("geobox", [GRID, POLAR], ids=["utm", "pole"])
def test_places_between_the_nodes_are_right(geobox):
    """The script interpolates normals of the ellipsoid between nodes: here with numpy, at cell centres, the worst."""
    data = layered_map.place_data(geobox)
    n = data["nodes"]
    planes = np.array(data["normals"]).reshape(3, n, n)
    middle = 0.25 * (planes[:, 1:, 1:] + planes[:, :-1, 1:] + planes[:, 1:, :-1] + planes[:, :-1, :-1])
    lon, lat = np.degrees(np.arctan2(middle[1], middle[0])), np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2])))
    at = (np.arange(n - 1) + 0.5) / (n - 1)
    a, b, c, d, e, f = data["axes"]
    u, v = np.meshgrid(at * data["width"], at * data["height"])
    back = pyproj.Transformer.from_crs("EPSG:4326", geobox.crs.to_wkt(), always_xy=True)
    x, y = back.transform(lon, lat)
    assert np.hypot(x - (a * u + b * v + c), y - (d * u + e * v + f)).max() < 1.0


def test_zoom_and_pan_by_wheel_drag_and_keys(page):
    page.key("Home")
    page.run("document.getElementById('layered-map').focus()")
    page.key("Home")
    whole, box = view(page), page.box("layered-map")
    x, y = box["left"] + 400, box["top"] + 200
    at = whole[0] + 400 / box["width"] * whole[2]
    page.mouse("wheel", x, y, wheel=-400.0)
    page.wait(f"document.getElementById('layered-map').viewBox.baseVal.width < {0.6 * whole[2]}")
    near = view(page)
    assert near[0] + 400 / box["width"] * near[2] == pytest.approx(at, abs=0.5)  # what is under the cursor stays
    page.drag((x, y), (x - 100, y - 30))
    moved = near[0] + 100 / box["width"] * near[2]
    page.wait(f"Math.abs(document.getElementById('layered-map').viewBox.baseVal.x - {moved}) < 1")
    page.key("ArrowLeft")
    assert view(page)[0] == pytest.approx(moved - 60 / box["width"] * near[2], abs=1.0)
    assert "centre" in page.run("document.getElementById('where').textContent")
    page.key("+")
    assert view(page)[2] == pytest.approx(near[2] / 1.5, rel=1e-3)
    page.key("-")
    page.key("Home")
    assert view(page) == pytest.approx(whole, abs=0.1)
    page.key("-")
    assert view(page) == pytest.approx(whole, abs=0.1)  # no further than all


def test_layers_are_switched(page):
    def seen() -> set[str]:
        on = "filter(g => getComputedStyle(g).display !== 'none').map(g => g.id)"
        return set(page.run(f"[...document.querySelectorAll('.layer')].{on}"))

    # nine tenths of the pixels lie below 0.95: the hatching waits for a click
    always = {"layer-outlines", "layer-not-seen", "graticule"}
    assert seen() == {"layer-image", *always}
    for name in ("probability", "confidence", "image"):
        page.run(f"document.querySelector('input[data-layer=layer-{name}]').click()")
        assert seen() == {f"layer-{name}", *always}
    for name in ("layer-inventory", "layer-differences", "layer-band", "graticule"):
        before = seen()
        page.run(f"document.querySelector('input[data-layer={name}]').click()")
        assert seen() == before ^ {name}
        page.run(f"document.querySelector('input[data-layer={name}]').click()")


def test_numbers_of_table_and_map_are_the_same_outline(page):
    page.key("Home")
    texts = page.run("[...document.querySelectorAll('.numbers text')].map(t => [t.textContent, t.dataset.k])")
    assert texts == [["1", "1"], ["2", "2"]]
    page.run("document.querySelector('td button[data-k=\"2\"]').click()")
    script = "(b => [b.x, b.y, b.width, b.height])(document.querySelector('path[data-k=\"2\"]').getBBox())"
    left, top, wide, tall = page.run(script)  # 8 m a unit: x 506000 to 507000, y 5197000 to 5196000 from 5200000
    assert (left, top, wide, tall) == pytest.approx((750, 375, 125, 125), abs=1.0)
    x, y, w, h = view(page)
    assert x < left and y < top and x + w > left + wide and y + h > top + tall and w < 1000
    assert page.run("document.querySelector('tr.picked').cells[0].textContent") == "2"
    page.run("document.getElementById('zoom-all').click()")


def test_the_graticule_and_north_are_those_of_the_place(page):
    page.run("document.getElementById('layered-map').focus()")
    page.key("Home")
    labels = page.run("[...document.querySelectorAll('#graticule text')].map(t => t.textContent)")
    assert any(t.endswith("N") for t in labels) and any(t.endswith("E") for t in labels)
    for t in labels:
        assert 46.5 < float(t.split("°")[0]) < 47.5 if t.endswith("N") else 9.0 <= float(t.split("°")[0]) < 9.2
    # meridian convergence of UTM: (lon - 9 degrees) sin(lat) at the middle of the grid
    lon, lat = pyproj.Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(504_000, 5_197_500)
    angle = float(page.run("document.getElementById('north').dataset.angle"))
    assert angle == pytest.approx(-(lon - 9.0) * np.sin(np.radians(lat)), abs=0.02)
    assert page.run("document.querySelector('#scale span').textContent") in ("1 km", "2 km")


def test_it_fits_a_narrow_screen(page):
    page.send("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    page.wait("document.getElementById('layered-map').clientWidth < 380")
    assert page.run("document.documentElement.scrollWidth") <= 390
    w = view(page)[2]
    assert w >= 1000 and page.box("layered-map")["width"] > 300
    page.send("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)


def test_legends_have_the_colours_of_the_map(tmp_path):
    text = written(tmp_path, is_simulated=True).read_text()
    ramps = re.findall(r"linear-gradient\(to right,([#\w,]+)\)", text)
    for ramp, low, high in ((ramps[0], 0.0, 1.0), (ramps[1], 0.5, 1.0)):
        stops = ramp.split(",")
        values = np.linspace(low, high, len(stops))[None]
        colours = stops and grid_picture.coloured(values, low=low, high=high, colours=stops)[0]
        assert ["#" + "".join(f"{c:02x}" for c in rgb) for rgb in colours] == stops
    drawn, key = (re.search(rf'<pattern id="hatch-{n}band".*?</pattern>', text)[0] for n in ("", "key-"))
    paint = r'fill="(#\w+)"(?: fill-opacity="([.\d]+)")?'
    band = glacier_layers.BAND
    assert re.findall(paint, drawn) == re.findall(paint, key) == [(band, ".12"), (band, "")]
    assert text.count(glacier_layers.NOT_SEEN_TITLE) == 1 and glacier_map.SIMULATED in text
    assert "Simulated" not in written(tmp_path).read_text()


def test_half_of_the_picture_is_seen_through_the_band(page):
    """Lines and gaps of the hatching: the band leaves two thirds of its pixels all but untouched."""
    line = page.run("+document.querySelectorAll('pattern.hatch rect')[1].getAttribute('height')")
    assert line / page.run("+document.querySelector('pattern.hatch').getAttribute('height')") <= 0.34
