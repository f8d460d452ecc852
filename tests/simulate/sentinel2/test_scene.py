"""The picture: the grid against geodesy, painted leads against areas, drift's sign, sun, haze, cloud and shadow."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer

from polynya.schema import OPEN_WATER
from polynya.simulate.icesat2.ground_track import reference_track
from polynya.simulate.sea_ice import ice_map, patches
from polynya.simulate.sea_ice import picture as ice_picture
from polynya.simulate.sea_ice.presets import IMAGE, SEASONS
from polynya.simulate.sentinel2 import metadata, sky
from polynya.simulate.sentinel2 import scene as simulator
from polynya.simulate.sentinel2.frame import PIXEL, scene_frame, tile_name, utm_zone
from tests.simulate.sea_ice.test_ice_map import straight

LENGTH = 6000.0


@pytest.fixture(scope="module")
def frame():
    return scene_frame(reference_track(SEASONS["summer"], LENGTH), length=LENGTH)


@pytest.mark.parametrize("season", ["summer", "spring"])
def test_the_frame_is_geodesy(season):
    """Places beside the middle of the track, computed with geodesics alone."""
    place, length = SEASONS[season], 40000.0
    track = reference_track(place, length)
    frame = scene_frame(track, length=length)
    geod = Geod(ellps="WGS84")
    to_map = Transformer.from_crs(4326, frame.epsg, always_xy=True)
    longitude_start = track[2, 1]  # knot 2 is the start
    for along, across in ((0.0, 3345.0), (20000.0, -3345.0), (40000.0, 0.0), (12345.0, 900.0)):
        lon, lat, back = geod.fwd(longitude_start, place.latitude, place.heading, along)
        heading = back + 180.0 if along else place.heading
        lon, lat, _ = geod.fwd(lon, lat, heading - 90.0, across)
        expected = to_map.transform(lon, lat)
        assert np.hypot(*np.subtract(frame.position(along, across), expected)) < 1.0
        assert frame.track(*expected) == pytest.approx((along, across), abs=1.0)


def test_the_box_holds_track_and_margin_on_whole_coarse_pixels(frame):
    assert frame.left % 60.0 == 0.0 and frame.top % 60.0 == 0.0 and frame.rows % 6 == 0 and frame.columns % 6 == 0
    for along in (0.0, LENGTH):
        for across in (-3390.0, 3390.0):
            easting, northing = frame.position(along, across)
            assert frame.left + 1900.0 < easting < frame.left + frame.columns * PIXEL - 1900.0
            assert frame.top - frame.rows * PIXEL + 1900.0 < northing < frame.top - 1900.0


@pytest.mark.parametrize(
    ("latitude", "longitude", "epsg"),
    [(-73.0, 179.9, 32760), (-73.0, -179.9, 32701), (75.0, 179.0, 32660), (60.0, 3.1, 32631), (60.0, 180.0, 32601)],
)
def test_utm_zones(latitude, longitude, epsg):
    assert utm_zone(latitude, longitude) == epsg


def test_the_tile_is_in_its_band_and_nobodys():
    assert tile_name(-73.0, 32701) == "01CXX"
    assert tile_name(75.0, 32660) == "60XXX"


NONE = np.empty(0)
BARE = patches.Patches(start=NONE, length=NONE, kind=np.empty(0, np.int8), level=NONE, rate=NONE, across=NONE)


def painted(frame, curves, *, shift=(0.0, 0.0), water=0.03):
    parts = ice_map.Floes(
        points=np.array([[0.0, 0.0], [3000.0, 0.0]]), level=np.full(2, 0.3), bright=np.ones(2), warp=np.empty((0, 4))
    )
    cover = ice_map.IceMap(
        parameters=None,
        curves=curves,
        floes=parts,
        ridges=ice_map.Ridges(x=NONE, y=NONE, half=NONE, tan=NONE, bend=NONE, sail=NONE),
        patches=BARE,
    )
    return ice_picture.paint(
        cover,
        frame,
        ice_picture.Appearance(shift=shift, sun=(30.0, 0.0), snow=0.8, water=water, mottle=0.0, skin=0.0),
        seed=np.random.SeedSequence(1),
    )


@pytest.mark.parametrize(("width", "slope"), [(120.0, 0.0), (25.0, 0.6), (6.0, 1.2)])
def test_a_painted_lead_has_its_area(frame, width, slope):
    """Width along the track times reach across it, whatever the bearing; also where it is narrower than a pixel."""
    surfaces = painted(frame, straight(x=3000.0, y=0.0, slope=slope, width=width, reach=4000.0))
    snow = surfaces.snow / 0.8
    assert np.sum(1.0 - snow) * PIXEL**2 == pytest.approx(width * 4000.0, rel=0.01)
    if width > 100.0:
        assert np.sum(surfaces.surface_class == OPEN_WATER) * PIXEL**2 == pytest.approx(width * 4000.0, rel=0.02)


def test_water_lies_in_its_part_of_the_lead(frame):
    surfaces = painted(frame, straight(x=3000.0, y=0.0, slope=0.0, width=400.0, reach=3000.0, water_share=0.25))
    wet, covered = np.sum(surfaces.surface_class == 2), np.sum(surfaces.surface_class > 0)
    assert wet / covered == pytest.approx(0.25, abs=0.02)
    along, _ = frame.pixel_track(shift=(0.0, 0.0))
    assert along[surfaces.surface_class == 2].mean() == pytest.approx(3000.0, abs=5.0)  # split 0.5: in the middle


@pytest.mark.parametrize("shift", [(0.0, 0.0), (400.0, -250.0), (-130.0, 520.0)])
def test_the_shift_is_what_must_be_added_to_the_track(frame, shift):
    """The crossing of a lead, moved by the shift, is the middle of the lead in the image."""
    surfaces = painted(frame, straight(x=2500.0, y=100.0, slope=0.0, width=80.0, reach=200.0), shift=shift)
    row, column = np.nonzero(surfaces.surface_class == OPEN_WATER)
    easting, northing = frame.position(2500.0, 100.0)
    assert frame.left + (column.mean() + 0.5) * PIXEL == pytest.approx(easting + shift[0], abs=3.0)
    assert frame.top - (row.mean() + 0.5) * PIXEL == pytest.approx(northing + shift[1], abs=3.0)


def test_a_ridge_throws_its_shadow_away_from_the_sun(frame):
    curves = straight(x=-50000.0, y=0.0, slope=0.0, width=20.0, reach=200.0)
    floes = ice_map.Floes(
        points=np.array([[0.0, 0.0], [3000.0, 0.0]]), level=np.full(2, 0.3), bright=np.ones(2), warp=np.empty((0, 4))
    )
    ridges = ice_map.Ridges(
        x=np.array([3000.0]),
        y=np.zeros(1),
        half=np.array([1000.0]),
        tan=np.zeros(1),
        bend=np.zeros(1),
        sail=np.array([4.0]),
    )
    dark = {}
    for azimuth in (0.0, 180.0):
        surfaces = ice_picture.paint(
            ice_map.IceMap(parameters=None, curves=curves, floes=floes, ridges=ridges, patches=BARE),
            frame,
            ice_picture.Appearance(shift=(0.0, 0.0), sun=(5.0, azimuth), snow=0.8, water=0.03, mottle=0.0, skin=0.0),
            seed=np.random.SeedSequence(2),
        )
        row, column = np.nonzero(surfaces.snow < 0.79)
        weight = 0.8 - surfaces.snow[row, column]
        dark[azimuth] = frame.top - (np.average(row, weights=weight) + 0.5) * PIXEL
    northing = frame.position(3000.0, 0.0)[1]
    assert dark[0.0] < northing - 5.0 and dark[180.0] > northing + 5.0  # sun in the north: shadow in the south
    assert abs(0.5 * (dark[0.0] + dark[180.0]) - northing) < 6.0


def a_sky(**changes: float) -> sky.Sky:
    return sky.Sky(
        **{
            "sun_elevation": 30.0,
            "sun_azimuth": 60.0,
            "haze_depth": 0.1,
            "cloud_cover": 0.0,
            "cloud_depth": 1.0,
            "cloud_height": 1000.0,
            **changes,
        }
    )


def test_low_sun_and_haze_darken_snow_and_lift_water():
    assert sky.dimming(a_sky()) == pytest.approx(1.0)
    for haze in IMAGE.depth:
        down = [sky.dimming(a_sky(sun_elevation=e, haze_depth=haze)) for e in (30.0, 20.0, 10.0, 5.0)]
        up = [sky.haze(a_sky(sun_elevation=e, haze_depth=haze)) for e in (30.0, 20.0, 10.0, 5.0)]
        assert np.all(np.diff(down) < 0.0) and np.all(np.diff(up) > 0.0)
    assert sky.air_mass(90.0) == pytest.approx(1.0, abs=0.001)
    assert sky.air_mass(10.0) == pytest.approx(5.60, abs=0.02)  # Kasten and Young's own table
    snow, threshold = IMAGE.snow[0], 204.5 / 255.0 * 0.3558
    assert (
        snow * sky.dimming(a_sky(sun_elevation=8.0, haze_depth=0.2)) < threshold
    )  # thick ice that the published rule calls thin
    assert snow * sky.dimming(a_sky(sun_elevation=25.0, haze_depth=0.2)) > threshold


@pytest.mark.parametrize("cover", [0.0, 0.2, 0.7])
def test_cloud_covers_the_asked_share(cover):
    depth = sky.cloud_depth((400, 300), a_sky(cloud_cover=cover), np.random.default_rng(3))
    assert np.mean(depth > 0.02) == pytest.approx(cover, abs=0.05)


def two_halves() -> ice_picture.Surfaces:
    """Water on the left, snow on the right."""
    water, snow = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.float32)
    water[:, :30], snow[:, 30:] = 0.03, 0.8
    return ice_picture.Surfaces(
        snow=snow, thin=np.zeros_like(snow), water=water, surface_class=np.where(water > 0, 2, 0).astype(np.int8)
    )


def test_a_veil_lifts_water_and_lowers_contrast_and_full_cloud_hides_all(monkeypatch):
    total = {}
    for depth in (0.0, 1.0, 30.0):
        monkeypatch.setattr(sky, "cloud_depth", lambda shape, *_, d=depth: np.full(shape, d, np.float32))
        part = sky.light(two_halves(), a_sky(cloud_cover=1.0), np.random.SeedSequence(4))
        picture = part.snow + part.thin + part.water + part.cloud
        total[depth] = (picture[30, 10], picture[30, 50])
        assert part.mask[30, 10] == {0.0: sky.CLEAR, 1.0: sky.THIN_CLOUD, 30.0: sky.THICK_CLOUD}[depth]
    assert total[0.0] == pytest.approx((0.03, 0.8), abs=1e-4)
    assert total[1.0][0] > 0.1 and total[1.0][1] - total[1.0][0] < 0.9 * 0.77
    assert abs(total[30.0][1] - total[30.0][0]) < 0.1 * 0.77


def test_all_cloud_has_no_hole():
    one = a_sky(cloud_cover=1.0, cloud_depth=IMAGE.thick_depth[0])
    depth = sky.cloud_depth((300, 300), one, np.random.default_rng(5))
    assert depth.min() > 12.0
    drawn = [sky.draw_sky(np.random.default_rng(s), sun=(20.0, 0.0), cloud_cover=1.0).cloud_depth for s in range(30)]
    assert min(drawn) >= IMAGE.thick_depth[0]  # never the veil


def test_shadow_falls_where_height_and_sun_say(monkeypatch):
    """One cloud 600 m up, sun at 45 degrees in the west: the shadow lies 60 pixels to the east."""
    depth = np.zeros((200, 200), np.float32)
    depth[95:105, 45:55] = 20.0
    monkeypatch.setattr(sky, "cloud_depth", lambda *_: depth)
    plain = ice_picture.Surfaces(
        snow=np.full((200, 200), 0.8, np.float32),
        thin=np.zeros((200, 200), np.float32),
        water=np.zeros((200, 200), np.float32),
        surface_class=np.zeros((200, 200), np.int8),
    )
    part = sky.light(plain, a_sky(sun_elevation=45.0, sun_azimuth=270.0, cloud_height=600.0), np.random.SeedSequence(6))
    row, column = np.nonzero(part.mask == sky.SHADOW)
    assert (row.mean(), column.mean()) == pytest.approx((99.5, 109.5), abs=1.0)
    assert part.snow[99, 109] < 0.65 * part.snow[20, 20]


def test_coarse_bands_are_means_and_noise_is_small():
    part = sky.light(two_halves(), a_sky(), np.random.SeedSequence(7))
    fine = sky.band_reflectance(part, a_sky(), "B02", step=1, rng=np.random.default_rng(8))
    coarse = sky.band_reflectance(part, a_sky(), "B02", step=6, rng=np.random.default_rng(9))
    np.testing.assert_allclose(coarse, fine.reshape(10, 6, 10, 6).mean(axis=(1, 3)), atol=0.012)
    assert fine[:, 35:].std() == pytest.approx(np.hypot(0.0008, 0.004 * 0.8), rel=0.1)
    assert fine[:, :25].mean() == pytest.approx(0.03 + sky.haze(a_sky()), abs=0.001)


def test_published_numbers():
    """Sentinel-2 Products Specification Document: 255 of a true colour is a reflectance of 0.3558 (Level-1C) and 0.2
    (Level-2A); since baseline 04.00 counts are 10000 times the reflectance plus 1000."""
    assert simulator.TRUE_COLOUR_SATURATION == {"1C": 0.3558, "2A": 0.2}
    assert (metadata.QUANTIFICATION, metadata.OFFSET) == (10_000, -1000)
