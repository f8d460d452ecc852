"""Grids of sea-ice concentration: values, units, places and what is no such grid."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import Transformer

from polynya.errors import ProductError
from polynya.readers import ice_concentration
from polynya.readers.ice_concentration import NAME, SIGMA

from . import ice_grids

PERCENT = np.array([[0.0, 15.25, 50.0, 99.99], [100.0, np.nan, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])


def corner_degrees(data, row, column):
    """Return longitude and latitude of a cell's middle."""
    box = ice_concentration.geobox_of(data)
    x, y = box.affine @ (column + 0.5, row + 0.5)
    return Transformer.from_crs(box.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)


def test_osi_saf_is_read_with_its_uncertainty_in_place(tmp_path):
    path = ice_grids.osi_saf(tmp_path / "ice_conc_nh_polstere-100_amsr2_202011021200.nc", PERCENT, sigma=PERCENT / 10)
    found = ice_concentration.read(path)
    assert np.allclose(found[NAME], PERCENT, atol=0.006, equal_nan=True) and found[NAME].dtype == np.float32
    assert np.allclose(found[SIGMA], PERCENT / 10, atol=0.006, equal_nan=True)
    assert found.attrs["product"] == "OSI SAF" and found.attrs["time"].startswith("2020-10-12")  # seconds since 1978
    box = ice_concentration.geobox_of(found)
    assert box.affine == Affine(10_000.0, 0, -105_000.0, 0, -10_000.0, 205_000.0)
    # polar stereographic: longitude = -45 + atan2(x, -y) with (x, y) = (-100 km, 200 km)
    longitude, latitude = corner_degrees(found, 0, 0)
    assert longitude % 360 == pytest.approx((-45.0 + np.degrees(np.arctan2(-100.0, -200.0))) % 360, abs=1e-6)
    assert 87.5 < latitude < 88.1  # 224 km from the pole


@pytest.mark.parametrize("ellipsoid", [None, {"semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563}])
def test_asi_is_turned_north_up(tmp_path, ellipsoid):
    path = ice_grids.asi(tmp_path / "asi-AMSR2-n6250-20201102-v5.4.nc", PERCENT, ellipsoid=ellipsoid)
    found = ice_concentration.read(path)
    assert np.allclose(found[NAME], PERCENT[::-1], atol=1e-4, equal_nan=True) and SIGMA not in found
    assert found.attrs["product"] == "ASI" and found.attrs["time"] == "2020-11-02"
    box = ice_concentration.geobox_of(found)
    assert box.affine.f == pytest.approx(-5_350_000.0 + 3 * 6250.0) and box.affine.c == pytest.approx(-3_850_000.0)
    # the lower left corner of NSIDC's northern grid: 33.92 N, 279.26 E (its own user guide)
    x, y = box.affine @ (0.0, 3.0)
    longitude, latitude = Transformer.from_crs(box.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
    assert latitude == pytest.approx(33.92, abs=0.02) and longitude % 360 == pytest.approx(279.26, abs=0.02)


def test_shares_become_percent_and_impossible_values_missing(tmp_path):
    grid = xr.Dataset(
        {
            "siconc": (
                ("lat", "lon"),
                [[0.0, 0.5], [1.0, 1.2]],
                {"units": "1", "standard_name": "sea_ice_area_fraction"},
            )
        },
        coords={"lat": [70.0, 71.0], "lon": [10.0, 12.0]},
    )
    grid.to_netcdf(tmp_path / "m.nc", engine="h5netcdf")
    found = ice_concentration.read(tmp_path / "m.nc")
    assert found[NAME].to_numpy()[1].tolist() == [0.0, 50.0]  # 70 N is the lower row
    assert found[NAME].to_numpy()[0, 0] == 100.0 and np.isnan(found[NAME].to_numpy()[0, 1])
    assert corner_degrees(found, 0, 0) == pytest.approx((10.0, 71.0)) and found.attrs["time"] == ""


def test_a_raster_with_named_bands_is_a_grid(tmp_path):
    with rasterio.open(
        tmp_path / "c.tif", "w", driver="GTiff", count=2, height=2, width=2, dtype="float32", crs="EPSG:3413",
        transform=Affine(400.0, 0, 0, 0, -400.0, 0), nodata=float("nan"),
    ) as out:  # fmt: skip
        out.write(np.array([[[0.1, np.nan], [1.0, 0.0]], [[0.05, 0.1], [0.0, 0.2]]], np.float32))
        out.descriptions = (NAME, SIGMA)
        out.update_tags(units="1", time="2020-11-02T10:00Z")
    found = ice_concentration.read(tmp_path / "c.tif")
    assert found[NAME].to_numpy()[1].tolist() == [100.0, 0.0] and np.isnan(found[NAME].to_numpy()[0, 1])
    assert found[SIGMA].to_numpy()[0].tolist() == pytest.approx([5.0, 10.0]) and found.attrs["time"].startswith("2020")
    assert ice_concentration.is_concentration(tmp_path / "c.tif")


def rewritten(path, change):
    with h5py.File(path, "a") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["ice_conc"].attrs.__setitem__("units", "kg"), "ice_conc has the units 'kg'; expected % or 1"),
        (lambda f: f["xc"].__setitem__(3, 5000.0), "xc is not evenly spaced; expected a regular grid"),
        (lambda f: f.__delitem__("Polar_Stereographic_Grid"), "no grid mapping says where ice_conc lies"),
        (
            lambda f: f["Polar_Stereographic_Grid"].attrs.__setitem__("proj4_string", "+proj=nowhere"),
            "its grid mapping Polar_Stereographic_Grid cannot be understood",
        ),
    ],
)
def test_a_grid_without_units_or_place_is_one_line(tmp_path, change, message):
    path = rewritten(ice_grids.osi_saf(tmp_path / "x.nc", PERCENT), change)
    with pytest.raises(ProductError, match=rf"x\.nc: {message}") as caught:
        ice_concentration.read(path)
    assert "\n" not in str(caught.value)


def test_several_times_other_files_and_damage_are_one_line(tmp_path):
    grid = xr.Dataset(
        {"ice_conc": (("time", "lat", "lon"), np.zeros((2, 3, 3)), {"units": "%"})},
        coords={"lat": [70.0, 71.0, 72.0], "lon": [10.0, 12.0, 14.0]},
    )
    grid.to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(ProductError, match=r"two\.nc: ice_conc has the shape \(2, 3, 3\); expected one time"):
        ice_concentration.read(tmp_path / "two.nc")
    xr.Dataset({"z": (("y", "x"), np.zeros((2, 2)))}).to_netcdf(tmp_path / "h.nc", engine="h5netcdf")
    assert not ice_concentration.is_concentration(tmp_path / "h.nc")
    with pytest.raises(ProductError, match=r"h\.nc: holds z; expected a grid of sea-ice concentration"):
        ice_concentration.read(tmp_path / "h.nc")
    xr.Dataset({"ice_conc": (("a", "b"), np.zeros((2, 2)), {"units": "%"})}).to_netcdf(tmp_path / "s.nc")
    with pytest.raises(ProductError, match=r"s\.nc: ice_conc lies on a and b, which have no coordinates"):
        ice_concentration.read(tmp_path / "s.nc")
    path = ice_grids.asi(tmp_path / "cut.nc", PERCENT)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ProductError, match=r"cut\.nc: cannot be read as NetCDF"):
        ice_concentration.read(path)
    assert not ice_concentration.is_concentration(path) and not ice_concentration.is_concentration(tmp_path / "gone.nc")
