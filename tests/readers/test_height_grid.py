"""Grids given by the user: GeoTIFF and NetCDF written here from a plane, whose value is known at every point."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from polynya.errors import ProductError
from polynya.readers import height_grid

rasterio = pytest.importorskip("rasterio")


def plane(lon, lat):
    return 0.5 * np.asarray(lat) - 0.25 * np.asarray(lon)


def geotiff(
    path, *, crs="EPSG:4326", x0=-10.0, y0=80.0, step=0.5, shape=(41, 61), values=None, nodata=None, rotate=0.0
):
    from rasterio.transform import Affine

    rows, columns = shape
    x = x0 + step * (np.arange(columns) + 0.5)
    y = y0 - step * (np.arange(rows) + 0.5)
    data = plane(*np.meshgrid(x, y)).astype("f8") if values is None else values(*np.meshgrid(x, y))
    transform = Affine(step, rotate, x0, rotate, -step, y0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=columns,
        height=rows,
        count=1,
        dtype="float64",
        crs=crs,
        transform=transform,
        nodata=nodata,
    ) as out:
        out.write(data, 1)
    return path


POINTS = (np.array([-9.7, 0.0, 5.13, 19.6]), np.array([79.4, 70.01, 65.5, 60.1]))


def test_bilinear_reproduces_a_plane(tmp_path):
    grid = height_grid.read(geotiff(tmp_path / "mss.tif"))
    lon, lat = POINTS
    np.testing.assert_allclose(height_grid.sample(grid, longitude=lon, latitude=lat), plane(lon, lat), atol=1e-10)
    np.testing.assert_allclose(
        height_grid.sample(grid, longitude=lon + 360.0, latitude=lat), plane(lon, lat), atol=1e-10
    )


def test_outside_is_nan(tmp_path):
    grid = height_grid.read(geotiff(tmp_path / "mss.tif"))
    assert np.isnan(
        height_grid.sample(grid, longitude=np.array([-40.0, 0.0, 0.0]), latitude=np.array([70.0, 85.0, 10.0]))
    ).all()


def test_nodata_is_nan_around_its_cell(tmp_path):
    def values(x, y):
        out = plane(x, y)
        out[10, 10] = -9999.0
        return out

    grid = height_grid.read(geotiff(tmp_path / "mss.tif", values=values, nodata=-9999.0))
    at = grid.x[10], grid.y[10]
    got = height_grid.sample(grid, longitude=at[0] + np.array([0.0, 0.2, 0.8]), latitude=np.full(3, at[1]))
    assert np.isnan(got[:2]).all() and got[2] == pytest.approx(plane(at[0] + 0.8, at[1]))


def test_global_grid_closes_at_its_seam(tmp_path):
    """A 0-360 degree grid of cos(longitude): sampled across 360 it must interpolate between its last and first
    column."""
    path = geotiff(
        tmp_path / "global.tif", x0=0.0, y0=90.0, step=1.0, shape=(180, 360), values=lambda x, y: np.cos(np.radians(x))
    )
    grid = height_grid.read(path)
    lon = np.array([-0.5, -0.2, 0.0, 0.2, 359.9, 179.9, -179.9])
    got = height_grid.sample(grid, longitude=lon, latitude=np.full(lon.size, 10.0))
    np.testing.assert_allclose(got, np.cos(np.radians(lon)), atol=1e-4)


def test_antimeridian_of_a_minus_180_grid(tmp_path):
    path = geotiff(
        tmp_path / "global.tif",
        x0=-180.0,
        y0=90.0,
        step=1.0,
        shape=(180, 360),
        values=lambda x, y: np.cos(np.radians(x)),
    )
    lon = np.array([179.7, 180.0, -180.0, -179.7, 190.0])
    got = height_grid.sample(height_grid.read(path), longitude=lon, latitude=np.zeros(lon.size))
    np.testing.assert_allclose(got, np.cos(np.radians(lon)), atol=1e-4)


def test_polar_stereographic_grid(tmp_path):
    """A grid whose value is its own x coordinate in kilometres: sampling a place gives that place's x."""
    from pyproj import Transformer

    path = geotiff(
        tmp_path / "polar.tif",
        crs="EPSG:3413",
        x0=-1e6,
        y0=1e6,
        step=5e4,
        shape=(40, 40),
        values=lambda x, y: x / 1000.0,
    )
    lon, lat = np.array([0.0, 100.0, -150.0]), np.array([84.0, 85.0, 89.0])
    x, _ = Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True).transform(lon, lat)
    np.testing.assert_allclose(
        height_grid.sample(height_grid.read(path), longitude=lon, latitude=lat), x / 1000.0, atol=1e-6
    )


def test_nearest_never_mixes_classes(tmp_path):
    path = geotiff(tmp_path / "land.tif", values=lambda x, y: np.where(x < 5.0, 0.0, 7.0))
    lon = np.linspace(-9, 19, 300)
    got = height_grid.sample(height_grid.read(path), longitude=lon, latitude=np.full(300, 70.1), nearest=True)
    assert set(np.unique(got)) == {0.0, 7.0}
    assert (got[lon < 4.7] == 0).all() and (got[lon > 5.3] == 7).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_netcdf_axes_in_any_order(tmp_path, flip, turned):
    lat, lon = np.linspace(60, 80, 41), np.linspace(-10, 20, 61)
    if flip:
        lat = lat[::-1]
    data = xr.DataArray(plane(*np.meshgrid(lon, lat)), dims=("lat", "lon"), coords={"lat": lat, "lon": lon}, name="mss")
    path = tmp_path / "mss.nc"
    (data.T if turned else data).to_dataset().to_netcdf(path, engine="h5netcdf")
    lon, lat = np.array([-9.7, 0.0, 5.13]), np.array([79.4, 70.01, 65.5])
    np.testing.assert_allclose(
        height_grid.sample(height_grid.read(path), longitude=lon, latitude=lat), plane(lon, lat), atol=1e-10
    )


def test_netcdf_with_several_variables(tmp_path):
    coords = {"lat": np.linspace(60, 80, 5), "lon": np.linspace(0, 20, 5)}
    path = tmp_path / "mss.nc"
    xr.Dataset(
        {n: (("lat", "lon"), np.full((5, 5), v)) for n, v in (("mss", 3.0), ("error", 0.1))}, coords=coords
    ).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(
        ProductError, match=r"mss\.nc: has the grids \['mss', 'error'\]; expected one\. Name it as FILE\.nc:NAME"
    ):
        height_grid.read(path)
    assert height_grid.read(path, variable="error").values.max() == 0.1
    with pytest.raises(ProductError, match="expected one"):
        height_grid.read(path, variable="nothing")


def test_files_that_are_no_grids(tmp_path):
    with pytest.raises(ProductError, match="no such grid"):
        height_grid.read(tmp_path / "none.tif")
    for name, kind in (("a.tif", "a raster"), ("a.nc", "NetCDF")):
        (tmp_path / name).write_text("nothing of the kind")
        with pytest.raises(ProductError, match=rf"{name}: cannot be read as {kind} ") as caught:
            height_grid.read(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ProductError, match="has no coordinate system"):
        height_grid.read(geotiff(tmp_path / "b.tif", crs=None))
    with pytest.raises(ProductError, match="the grid is rotated"):
        height_grid.read(geotiff(tmp_path / "c.tif", rotate=0.1))
    xr.Dataset({"z": (("y", "x"), np.zeros((3, 3)))}, coords={"y": np.arange(3.0), "x": np.arange(3.0)}).to_netcdf(
        tmp_path / "d.nc", engine="h5netcdf"
    )
    with pytest.raises(ProductError, match="no grid_mapping with crs_wkt"):
        height_grid.read(tmp_path / "d.nc")
