"""Terrain and ice: Halfar's dome, the mass balance, shelter, pits, debris paths, divides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from polynya.errors import ProductError
from polynya.simulate.glaciers import cover, noise, routing, terrain
from polynya.simulate.glaciers import ice as glacier_ice
from polynya.simulate.glaciers.ice import GAMMA, Climate, Ice

STILL = Climate(ela_m=0.0, melt_gradient=0.0, snow_gradient=0.0, max_accumulation=1.0, max_melt=1.0)
INNER = (slice(6, 58), slice(6, 58))


def halfar(r: np.ndarray, t: float, *, height: float, radius: float) -> tuple[np.ndarray, float]:
    """Halfar (1983): a dome that spreads under its own weight, and the time at which it has this height and radius."""
    t0 = (7.0 / 4.0) ** 3 / (18.0 * GAMMA) * radius**4 / height**7
    s = t0 / (t0 + t)
    return height * s ** (1 / 9) * np.maximum(1.0 - (s ** (1 / 18) * r / radius) ** (4 / 3), 0.0) ** (3 / 7), t0


def test_a_dome_spreads_as_halfar_says():
    x = (np.arange(90) - 44.5) * 100.0
    r = np.hypot(*np.meshgrid(x, x))
    before, t0 = halfar(r, 0.0, height=230.0, radius=2600.0)
    after, _ = halfar(r, 3.0 * t0, height=230.0, radius=2600.0)
    got = glacier_ice.evolve(
        Ice(thickness=before, speed=before), np.zeros_like(r), 100.0, climate=STILL, years=3.0 * t0, enhancement=1.0
    )
    assert got.thickness.sum() == pytest.approx(before.sum(), rel=1e-9)
    assert got.thickness[45, 45] == pytest.approx(after[45, 45], rel=0.02)
    assert np.abs(got.thickness - after)[r < 2000.0].max() < 0.04 * after.max()
    assert after[45, 45] < 0.9 * before[45, 45]


def test_balance_is_linear_between_its_limits():
    climate = Climate(ela_m=3000.0, melt_gradient=0.008, snow_gradient=0.004, max_accumulation=1.2, max_melt=6.0)
    heights = np.array([[2000.0, 2500.0, 3000.0, 3100.0, 3500.0]])
    assert glacier_ice.balance(heights, np.ones_like(heights), climate)[0] == pytest.approx([-6.0, -4.0, 0.0, 0.4, 1.2])
    assert glacier_ice.balance(heights, np.full_like(heights, 0.5), climate)[0, 4] == pytest.approx(0.5 * 1.2 - 0.3)


def test_cliffs_and_crests_keep_no_snow():
    plain = np.zeros((60, 60))
    assert np.allclose(glacier_ice.shelter(plain, 50.0), 1.0)
    cliff = np.arange(60)[None, :] * 60.0 + plain  # 50 degrees
    assert glacier_ice.shelter(cliff, 50.0)[:, 5:-5].max() == 0.0
    ridge = plain + 300.0 * np.exp(-(((np.arange(60) - 30) / 6.0) ** 2))[None, :]
    assert glacier_ice.shelter(ridge, 100.0)[30, 30] == 0.0


def test_the_line_is_found_that_gives_the_share():
    ground = terrain.draw_ground(np.random.default_rng(5), (64, 64), 100.0, relief_m=1800.0, plateau=0.0)
    ice, climate = glacier_ice.grow_to_share(
        ground.bed,
        100.0,
        climate=Climate(ela_m=0.0, melt_gradient=0.007, snow_gradient=0.005, max_accumulation=1.5, max_melt=6.0),
        share=0.25,
        inner=INNER,
        enhancement=1.5,
    )
    assert np.mean(ice.thickness[INNER] > 8.0) == pytest.approx(0.25, abs=0.08)
    above = np.mean((ground.bed + ice.thickness)[ice.thickness > 8.0] > climate.ela_m)
    assert 0.3 < above < 0.9  # accumulation area ratio
    later = glacier_ice.evolve(
        ice,
        ground.bed,
        100.0,
        climate=Climate(
            ela_m=climate.ela_m + 150.0, melt_gradient=0.007, snow_gradient=0.005, max_accumulation=1.5, max_melt=6.0
        ),
        years=40.0,
        enhancement=1.5,
    )
    assert later.thickness.sum() < 0.95 * ice.thickness.sum()


def test_mountains_have_the_relief_and_come_again_with_the_seed():
    a, b, c = (
        terrain.draw_ground(np.random.default_rng(s), (128, 128), 100.0, relief_m=2000.0, plateau=0.0).bed
        for s in (1, 1, 2)
    )
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert 0.55 * 2000.0 < np.ptp(np.percentile(a, (0.5, 99.5))) < 1.45 * 2000.0
    east, north = noise.gradient(a, 100.0)
    assert 12.0 < np.degrees(np.arctan(np.median(np.hypot(east, north)))) < 40.0


def test_pits_are_filled_to_their_spill():
    bed = np.full((9, 9), 10.0)
    bed[3:6, 3:6] = 2.0
    bed[4, 6:9] = 7.0  # the way out
    filled = terrain.fill(bed)
    assert filled[3:6, 3:6] == pytest.approx(np.full((3, 3), 7.0), abs=1e-3)
    assert filled[0, 0] == 10.0


def test_gradient_of_a_plane():
    y, x = np.mgrid[:20, :30]
    east, north = noise.gradient(3.0 * x - 2.0 * y, 10.0)  # rows run south
    assert east[5:-5, 5:-5] == pytest.approx(np.full((10, 20), 0.3), abs=1e-6)
    assert north[5:-5, 5:-5] == pytest.approx(np.full((10, 20), 0.2), abs=1e-6)


@pytest.mark.parametrize("beta", [2.0, 3.5])
def test_the_spectrum_falls_as_asked(beta):
    field = noise.fractal(np.random.default_rng(0), (512, 512), longest=10_000.0, beta=beta)
    assert field.mean() == pytest.approx(0.0, abs=1e-4) and field.std() == pytest.approx(1.0, abs=1e-3)
    power = np.abs(np.fft.rfft2(field * np.outer(np.hanning(512), np.hanning(512)))) ** 2
    k = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None, :])
    rings = [(power[(k > a) & (k < 1.2 * a)].mean(), 1.1 * a) for a in (0.02, 0.2)]
    assert np.log(rings[0][0] / rings[1][0]) / np.log(rings[1][1] / rings[0][1]) == pytest.approx(beta, abs=0.3)


def test_debris_of_one_wall_stays_on_its_side_and_joins_as_a_medial_moraine():
    rows, columns = 80, 61
    y, x = np.mgrid[:rows, :columns].astype(float)
    surface = (-5.0 * y + 0.01 * np.abs(x - 30)).astype(np.float32)
    ice = np.ones(surface.shape, bool)
    ice[:3] = False
    rockfall = np.zeros(surface.shape, np.float32)
    rockfall[1, 28:33] = 1.0
    surface[:3] += 40.0 * (3 - y[:3])  # a steep wall above the ice
    share = routing.debris_share_of_flux(
        surface, ice, pixel_m=20.0, rockfall=rockfall, gain=np.full(surface.shape, 0.1, np.float32)
    )
    assert share[:3].max() == 0.0
    assert share[40, 30] > 20.0 * share[40, 5] and share[40, 30] > 0.0


@pytest.mark.parametrize(("between", "glaciers"), [(120.0, 2), (15.0, 1)])
def test_ice_is_split_at_divides_that_stand_out(between, glaciers):
    x = np.arange(120)[None, :] - 60.0
    surface = (between * np.exp(-((x / 15.0) ** 2)) + 0.05 * np.abs(np.arange(60)[:, None] - 30.0) + 1000.0).astype(
        np.float32
    )
    labels = routing.basins(surface, np.ones(surface.shape, bool), depth_m=40.0, smooth=1.0)
    assert len(np.unique(labels)) == glaciers
    if glaciers == 2:
        assert labels[30, 10] != labels[30, 110] and np.unique(labels[:, :55]).size == 1
    assert not np.any(routing.basins(surface, np.zeros(surface.shape, bool)))


def dem(path: Path, heights: np.ndarray, pixel: float) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=heights.shape[1],
        height=heights.shape[0],
        count=1,
        dtype="float32",
        crs="EPSG:32632",
        nodata=-9999.0,
        transform=from_origin(5e5, 5e6, pixel, pixel),
    ) as handle:
        handle.write(heights.astype(np.float32), 1)
    return path


def test_a_real_dem_keeps_its_heights_and_slopes(tmp_path):
    x = np.arange(100)
    path = dem(tmp_path / "dem.tif", np.broadcast_to(1000.0 + 9.0 * x, (100, 100)), 30.0)
    ground = terrain.read_ground(path, np.random.default_rng(3), (30, 30), 80.0)
    assert ground.is_real and ground.bed.min() >= 1000.0 and ground.bed.max() <= 1000.0 + 9.0 * 99
    east, north = noise.gradient(ground.bed, 80.0)
    assert np.hypot(east, north)[5:-5, 5:-5] == pytest.approx(np.full((20, 20), 0.3), abs=2e-3)


def test_a_dem_that_is_too_small_or_none_is_refused(tmp_path):
    path = dem(tmp_path / "small.tif", np.zeros((20, 20)), 30.0)
    with pytest.raises(ProductError, match=r"small\.tif: covers 0\.6 x 0\.6 km; expected at least half"):
        terrain.read_ground(path, np.random.default_rng(0), (100, 100), 80.0)
    (tmp_path / "no.tif").write_text("no raster")
    with pytest.raises(ProductError, match=r"no\.tif: .*; expected a DEM, heights in metres"):
        terrain.read_ground(tmp_path / "no.tif", np.random.default_rng(0), (50, 50), 80.0)


def test_published_numbers():
    """Glen's A of temperate ice, 2.4e-24 Pa^-3 s^-1 (Cuffey and Paterson 2010, table 3.4), ice of 910 kg/m3;
    inventories stop at 0.01 km2 (Pfeffer et al. 2014, doi:10.3189/2014JoG13J176), twice that here."""
    assert glacier_ice.RATE_FACTOR == 2.4e-24
    assert pytest.approx(2 * 2.4e-24 * (910 * 9.81) ** 3 / 5 * 365.25 * 86400, rel=1e-3) == GAMMA
    assert cover.MIN_AREA_M2 == 2 * 0.01e6
