"""Light and radar: shadows of a wall, cosines, sun, reflectance over flat ground, foreshortening, layover, the estimate
of coherence."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.simulate.glaciers import light, presets, radar
from polynya.simulate.glaciers.light import Sun
from polynya.simulate.glaciers.noise import smoothstep


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 180.0, 270.0])
def test_a_wall_casts_its_shadow_away_from_the_sun(azimuth):
    ground = np.zeros((80, 80))
    if azimuth in (0.0, 180.0):
        ground[40] = 100.0
    else:
        ground[:, 40] = 100.0
    depth = light.cast_shadow(ground, 10.0, Sun(elevation=45.0, azimuth=azimuth))
    line = depth[:, 35] if azimuth in (0.0, 180.0) else depth[35]
    away = {0.0: 1, 180.0: -1, 90.0: -1, 270.0: 1}[azimuth]  # sun in the north: the shadow runs south, to larger rows
    for k in (1, 5, 9):
        assert line[40 + away * k] == pytest.approx(100.0 - 10.0 * k, abs=1e-3)
        assert line[40 - away * k] == 0.0
    assert line[40] == 0.0 and line[40 + away * 12] == 0.0


@pytest.mark.parametrize("azimuth", [160.0, 225.0, 250.0, 20.0])
def test_a_shadow_is_as_long_as_the_sun_says(azimuth):
    ground = np.zeros((200, 200))
    ground[98:103, 98:103] = 60.0
    depth = light.cast_shadow(ground, 10.0, Sun(elevation=30.0, azimuth=azimuth))
    rows, columns = np.nonzero(depth > 0.0)
    a = np.radians(azimuth)
    along = -((columns - 100) * np.sin(a) - (rows - 100) * np.cos(a)) * 10.0  # metres away from the sun
    assert along.max() == pytest.approx(60.0 / np.tan(np.radians(30.0)) + 20.0, abs=25.0)
    assert along.min() > -30.0


def test_cosine_of_a_plane_that_faces_the_sun():
    y = np.mgrid[:20, :20][0].astype(float)
    assert light.cosine(np.zeros((20, 20)), 10.0, Sun(elevation=40.0, azimuth=123.0))[5:-5, 5:-5] == pytest.approx(
        np.full((10, 10), np.sin(np.radians(40.0)))
    )
    falls_south = 10.0 * np.tan(np.radians(50.0)) * -y  # tilted by 50 degrees to a sun 40 degrees high in the south
    assert light.cosine(falls_south, 10.0, Sun(elevation=40.0, azimuth=180.0))[5:-5, 5:-5] == pytest.approx(
        np.ones((10, 10)), abs=1e-5
    )
    assert light.cosine(falls_south, 10.0, Sun(elevation=40.0, azimuth=0.0))[5:-5, 5:-5].max() < 0.0


@pytest.mark.parametrize(
    ("latitude", "day", "hour", "elevation", "azimuth"),
    [
        (46.5, 172, 12.0, 90.0 - 46.5 + 23.44, 180.0),
        (-44.0, 355, 12.0, 90.0 - 44.0 + 23.44, 0.0),
        (0.0, 81, 9.0, 45.0, 90.0),
        (60.0, 266, 6.0, 0.0, 90.0),
    ],
)
def test_the_sun_at_solstice_and_equinox(latitude, day, hour, elevation, azimuth):
    sun = light.sun_at(latitude, day, hour)
    assert sun.elevation == pytest.approx(elevation, abs=1.0)
    assert abs((sun.azimuth - azimuth + 180.0) % 360.0 - 180.0) < 1.5


def flat_cover(height: float = 3000.0):
    from polynya.simulate.glaciers.cover import SURFACES, Cover

    shape = (64, 64)
    zero = np.zeros(shape, np.float32)
    shares = {n: zero.copy() for n in SURFACES}
    shares["rock"][:] = 1.0
    return Cover(
        surface=np.full(shape, height, np.float32),
        shares=shares,
        truth=zero.astype(np.uint8),
        speed=zero,
        seasonal=zero > 1,
        milk=zero,
        dirt=zero,
        freshness=zero,
        thinness=zero,
    )


def test_flat_ground_without_haze_shows_its_albedo_and_the_air_is_blue():
    cover, sun = flat_cover(), Sun(elevation=50.0, azimuth=150.0)
    clouds = light.draw_clouds(np.random.default_rng(0), (64, 64), 20.0, share=0.0, sun=sun)
    seen = {}
    for level in (0.0, 0.3):
        planes = []
        for seed in range(12):  # radiometric offsets of a scene average out
            top, shadow = light.top_of_atmosphere(
                np.full((6, 64, 64), level, np.float32),
                cover,
                20.0,
                sun=sun,
                clouds=clouds,
                camera="landsat8",
                haze=0.0,
                rng=np.random.default_rng(seed),
            )
            planes.append(top.mean(axis=(1, 2)))
        seen[level] = np.mean(planes, axis=0)
        assert not shadow.any()
    assert seen[0.0][0] > 3.0 * seen[0.0][3] > 0.0 and np.all(np.diff(seen[0.0][:4]) < 0.0)  # Rayleigh: lambda^-4
    assert seen[0.3][3:] == pytest.approx(np.full(3, 0.3), abs=0.05)
    assert np.all((seen[0.3] - seen[0.0]) / 0.3 < 1.02)


def test_a_saturating_camera_stops():
    cover, sun = flat_cover(), Sun(elevation=60.0, azimuth=150.0)
    clouds = light.draw_clouds(np.random.default_rng(0), (64, 64), 20.0, share=0.0, sun=sun)
    top, _ = light.top_of_atmosphere(
        np.full((6, 64, 64), 0.95, np.float32),
        cover,
        20.0,
        sun=sun,
        clouds=clouds,
        camera="landsat5",
        haze=0.05,
        rng=np.random.default_rng(1),
    )
    limit = np.array(presets.CAMERAS["landsat5"].saturation) / np.sin(np.radians(60.0))
    assert np.all(top.max(axis=(1, 2)) <= limit + 0.003)
    assert np.ptp(top[0]) == 0.0  # all of blue is at its limit


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_clouds_cover_what_is_asked_and_shade_away_from_the_sun(share):
    clouds = light.draw_clouds(
        np.random.default_rng(4), (300, 300), 30.0, share=share, sun=Sun(elevation=45.0, azimuth=180.0)
    )
    assert np.mean(clouds.opacity > 0.02) == pytest.approx(share, abs=0.06)
    shifts = [
        np.corrcoef(clouds.opacity[100:200, 100:200].ravel(), clouds.shade[100 + k : 200 + k, 100:200].ravel())[0, 1]
        for k in range(-70, 71)
    ]
    assert (
        -62 <= np.argmax(shifts) - 70 <= -12
    )  # north of the cloud: the sun stands in the south, bases are 400 to 1800 m


@pytest.mark.parametrize("azimuth", radar.LOOKS_TO.values())
@pytest.mark.parametrize("tilt", [-25.0, 0.0, 20.0])
def test_foreshortening_is_the_geometry(azimuth, tilt):
    """A plane tilted by ``tilt`` towards the radar is seen sin(i) / sin(i - tilt) cos(tilt) times as densely."""
    a, step = np.radians(azimuth), 20.0
    y, x = np.mgrid[:90, :140].astype(float)
    away = (x * np.sin(a) - y * np.cos(a)) * step  # metres along the look
    z = np.tan(np.radians(tilt)) * away  # rises away from the radar: faces it
    one = np.ones_like(z)
    seen, half, times = radar._slant(z, one, 0.5 * one, step, azimuth, np.radians(39.0))
    expected = np.sin(np.radians(39.0)) * np.cos(np.radians(tilt)) / np.sin(np.radians(39.0 - tilt))
    inner = (slice(35, 55), slice(40, 100))
    assert np.mean(seen[inner]) == pytest.approx(expected, rel=0.03)
    assert np.mean(half[inner]) == pytest.approx(0.5 * expected, rel=0.03)
    assert np.median(times[inner]) == pytest.approx(1.0, abs=0.05)


def test_a_wall_steeper_than_the_incidence_is_laid_over():
    x = np.arange(160) * 20.0
    for height, folded in ((200.0, False), (900.0, True)):
        z = np.broadcast_to(height * smoothstep(x, 1200.0, 2000.0), (40, 160)).astype(float).copy()
        _, _, times = radar._slant(z, np.ones_like(z), np.ones_like(z), 20.0, 78.0, np.radians(39.0))
        assert bool((times[18:22, 20:140] > 1.6).any()) == folded


@pytest.mark.parametrize("looks", [10.0, 40.0])
def test_coherence_of_nothing_is_biased_as_theory_says(looks):
    rng = np.random.default_rng(0)
    assert radar._estimated(np.zeros((300, 300)), looks, 0.4, rng).mean() == pytest.approx(
        np.sqrt(np.pi / (4.0 * looks)), rel=0.03
    )
    high = radar._estimated(np.full((300, 300), 0.9), looks, 0.4, rng)
    assert high.mean() == pytest.approx(0.9, abs=0.01) and high.std() == pytest.approx(
        (1.0 - 0.81) / np.sqrt(2.0 * looks), rel=0.1
    )


def test_the_presets_name_things_that_exist():
    from polynya.sensors.glaciers import REGIONS

    assert set(presets.PRESETS) == set(REGIONS)
    for region in presets.PRESETS.values():
        assert set(region.rocks) <= set(presets.SPECTRA)
        for low, high in (
            region.ela_m,
            region.relief_m,
            region.glacier_share,
            region.debris_share,
            region.melt_limit,
            region.snow_line,
            region.cloud,
            region.steepness,
        ):
            assert low <= high
    spectra = np.array(list(presets.SPECTRA.values()))
    assert spectra.min() > 0.0 and spectra.max() < 1.0
    ndsi = {n: (s[1] - s[4]) / (s[1] + s[4]) for n, s in presets.SPECTRA.items()}
    assert all(ndsi[n] > 0.6 for n in ("fresh_snow", "old_snow", "clean_ice", "blue_ice", "turquoise_water"))
    assert all(ndsi[n] < 0.0 for n in ("granite", "gneiss", "schist", "limestone", "redbed", "till", "alpine_grass"))
    assert sum(presets.CAMERA_ODDS.values()) == pytest.approx(1.0) and set(presets.CAMERA_ODDS) == set(presets.CAMERAS)
