"""Optical images of sea ice: real files, vectors of the method sheet, made files with known values, damage."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine

from polynya.errors import ProductError
from polynya.physics import optical_rules
from polynya.readers import gaofen2_bohai, sentinel3_olci
from polynya.readers.ice_images import open_image
from tests.real_files import ROOT

ALL = slice(0, 10)


def optical(name):
    path = ROOT / "optical" / name
    if not path.exists():
        pytest.skip(f"the real file optical/{name} is not beside this checkout (set POLYNYA_REAL_DATA)")
    return path


def write(path, values, **options):
    shape = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype.name}
    descriptions = options.pop("descriptions", None)
    with rasterio.open(path, "w", driver=options.pop("driver", "GTiff"), **shape, **options) as file:
        file.write(values)
        if descriptions:
            file.descriptions = descriptions
    return path


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("08__25__3072___3840", [889709, 33753, 125102, 12, 0, 0]),
        ("08__25__3840___6144", [0, 0, 208562, 597379, 242635, 0]),
    ],
)
def test_masks_of_bohai_are_rounded(name, counts):
    classes = gaofen2_bohai.read_mask(optical(f"gf2_bohai/mask/{name}.jpg"))
    assert np.bincount(classes.ravel(), minlength=6).tolist() == counts


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("hudson01", (0.3129, 0.6780, 0.0092)),
        ("hudson02", (0.0000, 0.3089, 0.6911)),
        ("hudson03", (0.1970, 0.8030, 0.0000)),
        ("hudson04", (0.0001, 0.9306, 0.0693)),
        ("hudson05", (0.9757, 0.0240, 0.0003)),
    ],
)
def test_shares_by_brightness_are_those_of_the_sheet(name, shares):
    image = open_image(optical(f"hudson_s2/{name}_s2.png"))
    classes = optical_rules.classes(image.sensors["rgb"](slice(0, image.shape[0]), slice(0, image.shape[1])))
    found = [(classes == k).mean() for k in range(3)]
    assert found == pytest.approx(shares, abs=6e-5)


@pytest.mark.real
def test_modis_brings_near_infrared_land_and_place():
    image = open_image(optical("modis_ift/greenland_sea-50km-20180712/20180712.250m.terra.truecolor.tiff"))
    false = optical("modis_ift/greenland_sea-50km-20180712/20180712.250m.terra.falsecolor.tiff")
    with rasterio.open(false) as data:
        second = data.read(2)
    assert np.array_equal(image.sensors["nir"](slice(0, 200), slice(0, 200))[0], second)
    assert not image.land(slice(0, 200), slice(0, 200)).any()  # the sample's mask is empty
    assert image.geobox.crs == "EPSG:3413" and image.time == np.datetime64("2018-07-12")


@pytest.mark.real
def test_olci_cut_is_read_in_windows():
    image = open_image(optical("olci_20180301_Oa08_radiance_half.nc"))
    assert image.shape == (625, 2432) and image.geobox is None and image.spectra is None
    assert any("no green band" in n for n in image.notes) and any("tie points reach line 311" in n for n in image.notes)
    whole = image.sensors["rgb"](slice(300, 320), slice(1000, 1040))
    part = image.sensors["rgb"](slice(305, 310), slice(1010, 1020))
    assert np.array_equal(whole[:, 5:10, 10:20], part, equal_nan=True)
    with h5py.File(optical("olci_20180301_Oa08_radiance_half.nc")) as file:
        stored = file["Oa08_radiance"][300:320, 1000:1040].astype(float)
    inside = whole[0] < 255.0
    assert inside.any() and np.ptp((whole[0] / stored)[inside]) < 1e-6  # counts are proportional to radiance


def test_ghost_classes_of_a_border_go():
    classes = np.zeros((20, 20), np.uint8)
    classes[:, 10:] = 4
    classes[:, 10] = 2  # as JPEG leaves between grey 0 and 204
    found = gaofen2_bohai.without_ghosts(classes)
    assert set(np.unique(found)) == {0, 4, 255} and (found[:, :8] == 0).all() and (found[:, 14:] == 4).all()


def test_greys_around_a_step_are_of_the_nearest_class():
    assert gaofen2_bohai.classes_of(np.array([0, 25, 26, 50, 52, 101, 254, 255])).tolist() == [0, 0, 1, 1, 1, 2, 5, 5]


def test_land_of_modis_is_land(tmp_path):
    rgb = np.full((4, 6, 8), 200, np.uint8)
    land = np.zeros((4, 6, 8), np.uint8)
    land[:, 2:, 5:] = 255
    place = {"crs": "EPSG:3413", "transform": Affine(250, 0, 0, 0, -250, 0)}
    write(tmp_path / "20200101.aqua.truecolor.tiff", rgb, **place)
    write(tmp_path / "20200101.terra.landmask.tiff", land, **place)  # of the other satellite: land stays
    image = open_image(tmp_path)
    assert np.array_equal(image.land(slice(0, 6), slice(0, 8)), land[0] > 0)
    write(tmp_path / "20200101.aqua.landmask.tiff", land[:, :5], **place)
    with pytest.raises(ProductError, match=r"land mask of 5 x 8 pixels; expected 6 x 8"):
        open_image(tmp_path)


def test_sixteen_bits_are_stretched_and_names_order_the_bands(tmp_path):
    values = np.full((4, 10, 10), 1000, np.uint16)
    values[0], values[1] = 500, 4000  # blue, nir, red, green
    values[:, 0, 0] = 0
    path = write(tmp_path / "a.tif", values, nodata=0, descriptions=("blue", "nir", "red", "green"))
    image = open_image(path)
    rgb = image.sensors["rgb"](ALL, ALL)
    assert rgb[:, 5, 5] == pytest.approx([255.0, 255.0, 127.5]) and np.isnan(rgb[:, 0, 0]).all()
    assert image.sensors["nir"](ALL, ALL)[0, 5, 5] == 255.0
    assert any("1000, the percentile 99.5" in n for n in image.notes)


@pytest.mark.parametrize(
    ("bands", "value", "message"), [(1, 5, "expected red, green and blue"), (3, 0, "no pixel is valid")]
)
def test_a_missing_band_and_no_pixel_are_one_line(tmp_path, bands, value, message):
    path = write(tmp_path / "a.tif", np.full((bands, 10, 10), value, np.uint8), nodata=0)
    with pytest.raises(ProductError, match=message) as error:
        open_image(path)
    assert "\n" not in str(error.value)


def test_a_cut_picture_is_one_line(tmp_path):
    path = write(
        tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (3, 50, 50)).astype(np.uint8), driver="PNG"
    )
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ProductError, match="it is cut"):
        open_image(path)


def sen3(folder, lines=40, samples=129):
    """Write a product in the layout of a SEN3 folder, on a small swath north of Svalbard."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for k, band in enumerate(sentinel3_olci.BANDS):
        with h5py.File(folder / f"{band}_radiance.nc", "w") as file:
            data = file.create_dataset(f"{band}_radiance", data=rng.integers(1000, 3000, (lines, samples)).astype("u2"))
            data.attrs.update(scale_factor=np.float32(0.01), add_offset=np.float32(0), _FillValue=np.uint16(65535))
            data[3, 7] = 65535 if k == 0 else data[3, 7]
    with h5py.File(folder / "qualityFlags.nc", "w") as file:
        flags = np.zeros((lines, samples), np.uint32)
        flags[:, 100:] = 1 << 31
        data = file.create_dataset("quality_flags", data=flags)
        data.attrs.update(flag_masks=np.array([1 << 31, 1], np.uint32), flag_meanings=np.bytes_("land saturated@Oa21"))
    with h5py.File(folder / "tie_geo_coordinates.nc", "w") as file:
        line, sample = np.mgrid[0:lines, 0 : samples : sentinel3_olci.TIE_SAMPLES]
        places = {"latitude": 81.0 - line * 300 / 111_000.0, "longitude": 10.0 + sample * 300 / 17_400.0}
        for name, values in places.items():
            file.create_dataset(name, data=np.round(values * 1e6).astype("i4")).attrs["scale_factor"] = 1e-6
        file.attrs.update(al_subsampling_factor=np.uint16(1), ac_subsampling_factor=np.uint16(64))
    return folder


def test_a_whole_olci_folder_lies_on_a_grid_without_seams(tmp_path):
    image = open_image(sen3(tmp_path / "S3A_OL_1_EFR.SEN3"))
    assert image.geobox.crs == "EPSG:3413" and image.pixel_m == 300.0
    rows, columns = (slice(0, n) for n in image.shape)
    spectra, land = image.spectra(rows, columns), image.land(rows, columns)
    assert spectra.shape == (21, *image.shape)
    half = image.shape[1] // 2
    parts = [image.spectra(rows, slice(0, half)), image.spectra(rows, slice(half, image.shape[1]))]
    assert np.array_equal(np.concatenate(parts, axis=2), spectra, equal_nan=True)
    seen = np.isfinite(spectra[5])
    assert 0.5 < seen.sum() * 300.0**2 / (40 * 300 * 129 * 300) < 1.5  # the swath's area
    assert land[seen].any() and not land[~seen].any() and (~land[seen]).any()


def test_olci_bands_of_two_sizes_are_one_line(tmp_path):
    folder = sen3(tmp_path / "a.SEN3")
    with h5py.File(folder / "Oa05_radiance.nc", "w") as file:
        file["Oa05_radiance"] = np.ones((3, 4), np.uint16)
    with pytest.raises(ProductError, match=r"expected one size"):
        open_image(folder)
    (folder / "Oa05_radiance.nc").write_bytes((folder / "Oa06_radiance.nc").read_bytes()[:3000])
    with pytest.raises(ProductError, match=r"Oa05_radiance.nc: cannot be read"):
        open_image(folder)
