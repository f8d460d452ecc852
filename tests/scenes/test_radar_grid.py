"""Radar swaths on map grids, against plain sums over pixels whose map coordinates are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from polynya.errors import ProductError, UsageError
from polynya.readers import sentinel1_grd
from polynya.scenes import radar_grid
from tests.readers.sentinel1_safe import EW, LINES, SAMPLES, Small, cut_real, numbers_of, write_image, write_safe


def numbers(small: Small, sigma0: np.ndarray) -> dict[str, np.ndarray]:
    line, sample = np.mgrid[0:LINES, 0:SAMPLES].astype(float)
    return {c: numbers_of(sigma0, small.gain(c, line, sample), small.noise_power(c)) for c in small.channels}


def cells(small: Small, grid: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the column of the cell that holds each pixel, from its closed-form map coordinates."""
    x, y = small.plane(*np.mgrid[0:LINES, 0:SAMPLES])
    return np.floor((grid.affine.f - y) / -grid.affine.e).astype(int), np.floor(
        (x - grid.affine.c) / grid.affine.a
    ).astype(int)


def near_an_edge(small: Small, grid: GeoBox, *, metres: float) -> np.ndarray:
    """Return the pixels so near to a cell's edge that rounding may move them over it."""
    x, y = small.plane(*np.mgrid[0:LINES, 0:SAMPLES])
    size = grid.affine.a
    return (np.minimum(x % size, -x % size) < metres) | (np.minimum(y % size, -y % size) < metres)


def field(seed: int) -> np.ndarray:
    return 10.0 ** (np.random.default_rng(seed).uniform(-25.0, 0.0, (LINES, SAMPLES)) / 10.0)


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    small = Small()
    folder = tmp_path_factory.mktemp("grid") / "S1A_EW_small.SAFE"
    return small, sentinel1_grd.open_product(write_safe(folder, small, numbers(small, field(1))))


@pytest.mark.parametrize("pixel_m", [80.0, 200.0, 400.0])
def test_a_cell_holds_the_mean_of_the_linear_power_of_its_pixels(product, pixel_m):
    small, found = product
    data = radar_grid.on_grid(found, pixel_m=pixel_m)
    grid = radar_grid.polar_geobox(found, pixel_m=pixel_m)
    raw = sentinel1_grd.read(found.files.path)
    row, column = cells(small, grid)
    touchy = np.zeros(data.incidence_angle.shape, bool)
    edge = near_an_edge(small, grid, metres=0.5)  # positions between points are right to a fifth of a metre
    touchy[row[edge], column[edge]] = True
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        r, c = row[edge] + step[0], column[edge] + step[1]
        inside = (r >= 0) & (c >= 0) & (r < touchy.shape[0]) & (c < touchy.shape[1])
        touchy[r[inside], c[inside]] = True
    shape, cell, compared = touchy.shape, row * data.sizes["x"] + column, 0

    def sums(values, chosen):
        return np.bincount(cell[chosen], values[chosen], np.prod(shape)).reshape(shape)[~touchy]

    for channel in ("HH", "HV"):
        sigma0, nesz = (raw[k].sel(channel=channel).values.astype(float) for k in ("sigma0", "nesz"))
        there, one = np.isfinite(sigma0), data.sel(channel=channel)
        count = sums(np.ones(cell.shape), there)
        np.testing.assert_array_equal(one.pixels.values[~touchy], count)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(one.sigma0.values[~touchy], sums(sigma0, there) / count, rtol=2e-5, atol=1e-7)
            np.testing.assert_allclose(one.nesz.values[~touchy], sums(nesz, there) / count, rtol=2e-5)
            every = np.ones(cell.shape, bool)
            angle = sums(small.incidence(np.mgrid[0:LINES, 0:SAMPLES][1]), every) / sums(np.ones(cell.shape), every)
        np.testing.assert_allclose(one.incidence_angle.values[~touchy], angle, atol=1e-4)
        compared += (count > 0).sum()
    assert compared > 40
    assert int(data.pixels.sel(channel="HH").sum()) == np.isfinite(raw.sigma0.sel(channel="HH")).sum()  # none lost


def test_the_mean_is_of_power_not_of_decibels(tmp_path):
    """Every other pixel 20 dB brighter: the mean is 17 dB above the dark ones, a mean of decibels would be 10."""
    small = Small(channels=("HH",))
    sigma0 = np.where((np.add(*np.mgrid[0:LINES, 0:SAMPLES]) % 2) == 0, 1.0, 0.01)
    found = sentinel1_grd.open_product(write_safe(tmp_path / "x.SAFE", small, numbers(small, sigma0)))
    data = radar_grid.on_grid(found, pixel_m=400.0).sel(channel="HH")
    full = data.pixels.values >= 90
    assert radar_grid.decibels(data.sigma0.values[full]) == pytest.approx(10 * np.log10(0.505), abs=0.3)


def test_power_below_zero_is_kept_until_it_is_averaged(tmp_path):
    """Amplitudes of noise alone: half of the pixels are below zero, and the mean is about zero."""
    small = Small(channels=("HV",))
    rng, noise = np.random.default_rng(2), small.noise_power("HV")
    power = noise * rng.gamma(10.0, 0.1, noise.shape)
    amplitude = np.nan_to_num(np.rint(np.sqrt(power))).astype(np.uint16)
    found = sentinel1_grd.open_product(write_safe(tmp_path / "x.SAFE", small, {"HV": amplitude}))
    raw = sentinel1_grd.read(found.files.path).sigma0.values
    assert 0.4 < (raw[np.isfinite(raw)] < 0).mean() < 0.65
    data = radar_grid.on_grid(found, pixel_m=400.0)
    full = data.pixels.values >= 90
    ratio = data.sigma0.values[full] / data.nesz.values[full]
    assert np.abs(ratio).max() < 0.15  # the spread of one look in ten, of 100 pixels: .03
    assert abs(ratio.mean()) < 0.01


def test_masks_reach_the_grid(product):
    """No data, outside the blocks and after the last positive node: no pixels; the edge of the swath is not valid."""
    small, found = product
    data = radar_grid.on_grid(found, pixel_m=400.0)
    row, column = cells(small, radar_grid.polar_geobox(found, pixel_m=400.0))
    bad = np.isnan(small.noise_power("HH"))
    only_bad = np.zeros(data.incidence_angle.shape, bool)
    only_bad[row[bad], column[bad]] = True
    only_bad[row[~bad], column[~bad]] = False
    assert only_bad.sum() > 3
    hh = data.sel(channel="HH")
    assert (hh.pixels.values[only_bad] == 0).all() and np.isnan(hh.sigma0.values[only_bad]).all()
    assert (hh.valid.values == (hh.pixels.values >= 25)).all()
    assert set(np.unique(data.subswath)) == {0, 1, 2} and data.attrs["subswaths"] == "EW1 EW2"
    assert (data.subswath.values[only_bad & np.isnan(data.incidence_angle.values)] == 0).all()


def test_the_grid_is_polar_and_shares_its_lines(product, tmp_path):
    _, found = product
    grid = radar_grid.polar_geobox(found)
    assert str(grid.crs) == "EPSG:3413" and grid.affine.a == 400.0
    assert grid.affine.c % 400.0 == 0 and grid.affine.f % 400.0 == 0
    small = Small(epsg=3976, corner=(-900_000.0, 1_500_000.0))
    south = sentinel1_grd.open_product(write_safe(tmp_path / "s.SAFE", small, numbers(small, field(3))))
    data = radar_grid.on_grid(south)
    assert str(radar_grid.polar_geobox(south).crs) == "EPSG:3976"
    assert data.spatial_ref.attrs["straight_vertical_longitude_from_pole"] == 0.0
    x, y = small.plane(LINES // 2, SAMPLES // 2)
    assert abs(float(data.x.mean()) - x) < 400 and abs(float(data.y.mean()) - y) < 400
    assert np.isfinite(data.sigma0.values).any()


def test_another_grid_may_be_given(product):
    """A window of the polar grid gives the same cells; a grid elsewhere has no pixels, and says so."""
    _, found = product
    whole, grid = radar_grid.on_grid(found), radar_grid.polar_geobox(found)
    part = radar_grid.on_grid(found, geobox=grid[3:9, 4:12])
    np.testing.assert_array_equal(part.sigma0, whole.sigma0[:, 3:9, 4:12])
    np.testing.assert_array_equal(part.x, whole.x[4:12])
    away = GeoBox((5, 5), Affine(400, 0, 2e6, 0, -400, 2e6), "EPSG:3413")
    with pytest.raises(ProductError, match="no pixel with data and valid noise lies on the grid"):
        radar_grid.on_grid(found, geobox=away)


def test_noise_on_the_grid(product, tmp_path):
    """Kept, scaled in one sub-swath, or unknown: then nothing is subtracted and no noise is claimed."""
    _, found = product
    removed, kept = radar_grid.on_grid(found), radar_grid.on_grid(found, is_denoised=False)
    np.testing.assert_allclose(kept.sigma0 - removed.sigma0, removed.nesz, rtol=1e-3, atol=1e-7)
    assert removed.attrs["noise_removed"] == "HH HV" and kept.attrs["noise_removed"] == ""
    scaled = radar_grid.on_grid(found, noise_scale={"HV": {"EW1": 1.5}})
    np.testing.assert_array_equal(scaled.sigma0.sel(channel="HH"), removed.sigma0.sel(channel="HH"))
    ratio = (scaled.nesz / removed.nesz).sel(channel="HV").values
    assert np.nanmax(ratio) == pytest.approx(1.5, rel=1e-5) and np.nanmin(ratio) == pytest.approx(1.0, rel=1e-5)
    small = Small(noise="before 2.9", noise_factor=0.0)
    old = sentinel1_grd.open_product(write_safe(tmp_path / "old.SAFE", small, numbers(small, field(4))))
    data = radar_grid.on_grid(old)
    assert np.isnan(data.nesz.values).all() and np.isfinite(data.sigma0.values).any()
    assert data.attrs["noise_removed"] == ""


@pytest.mark.parametrize("pixel_m", [40.0, 900.0, float("nan")])
def test_pixel_sizes_that_are_not_possible(product, pixel_m):
    with pytest.raises(UsageError, match="expected 80 to 800 m"):
        radar_grid.polar_geobox(product[1], pixel_m=pixel_m)


def test_images_of_two_sizes_do_not_go_together(product, tmp_path):
    small = Small()
    folder = write_safe(tmp_path / "x.SAFE", small, numbers(small, field(1)))
    path = next((folder / "annotation").glob("*-hv-*"))
    path.write_text(path.read_text().replace("<numberOfLines>120", "<numberOfLines>119"))
    image = next((folder / "measurement").glob("*-hv-*"))
    write_image(image, np.ones((119, SAMPLES), np.uint16))
    with pytest.raises(ProductError, match="HV has 119 x 160 pixels, HH 120 x 160; expected one size"):
        radar_grid.on_grid(sentinel1_grd.open_product(folder))


def test_damage_is_said_of_the_damaged_image(product, tmp_path):
    """The first image is the broken one although the second is opened after it: a hole in its middle."""
    small = Small(driver={"compress": "deflate", "blockysize": 8})
    folder = write_safe(tmp_path / "x.SAFE", small, numbers(small, field(1)))
    path = next((folder / "measurement").glob("*-hh-*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = b"\xff" * 4000
    path.write_bytes(bytes(data))
    with pytest.raises(ProductError, match=r"-hh-.*lines \d+ to \d+ cannot be read, the file may be cut"):
        radar_grid.on_grid(sentinel1_grd.open_product(folder))


def test_decibels_have_a_floor():
    found = radar_grid.decibels(np.array([1.0, 0.1, -3.0, 0.0, np.nan]), low=-45.0)
    np.testing.assert_allclose(found, [0.0, -10.0, -45.0, -45.0, np.nan], atol=1e-6)


@pytest.mark.real
def test_a_bright_pixel_of_the_real_geometry_lies_in_its_cell(tmp_path):
    """Pixels at real geolocation points, where the file itself says latitude and longitude."""
    from pyproj import Transformer

    folder = cut_real(tmp_path / "x.SAFE", EW, lines=1501)
    found = sentinel1_grd.open_product(folder)
    amplitudes = np.full((1501, 10487), 50, np.uint16)
    points = [(500, 3150), (1000, 5250), (1500, 9975), (1500, 525)]
    for line, sample in points:
        amplitudes[line, sample] = 60000
    for channel in ("hh", "hv"):
        write_image(folder / "measurement" / f"ew-{channel}.tiff", amplitudes)
    data = radar_grid.on_grid(sentinel1_grd.open_product(folder), pixel_m=200.0)
    grid = found.images[0].about.grid
    move = Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True)
    for line, sample in points:
        i, j = list(grid.lines).index(line), list(grid.samples).index(sample)
        x, y = move.transform(grid.longitude[i, j], grid.latitude[i, j])
        near = data.sigma0.sel(channel="HH").sel(x=slice(x - 2000, x + 2000), y=slice(y + 2000, y - 2000))
        k = np.unravel_index(np.nanargmax(near.values), near.shape)
        assert abs(float(near.x[k[1]]) - x) <= 100.1 and abs(float(near.y[k[0]]) - y) <= 100.1
