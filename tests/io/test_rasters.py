"""The one COG writer: pixels, grid and metadata arrive; the layout is that of a cloud-optimised file."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from polynya.errors import OutputError
from polynya.io import rasters

SHAPE = (700, 1100)
GRID = GeoBox.from_bbox((500_000, 5_000_000, 511_000, 5_007_000), "EPSG:32632", resolution=10)


def made(path, dtype: str, nodata: float | None = None) -> np.ndarray:
    """Write classes or numbers in two strips; return them."""
    values = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE) % 4
    values = values.astype(dtype)
    if dtype == "float32":
        values = values / 3
        values[:10] = np.nan
    with rasters.create(path, geobox=GRID, dtype=dtype, nodata=nodata) as file:
        for row, stop in ((0, 400), (400, SHAPE[0])):
            file.write(values[row:stop], 1, window=Window(0, row, SHAPE[1], stop - row))
        file.update_tags(long_name="what it is")
        file.set_band_description(1, "name")
    return values


@pytest.mark.parametrize(
    ("dtype", "nodata", "overviews"), [("uint8", None, "MODE"), ("uint8", 3, "MODE"), ("float32", np.nan, "AVERAGE")]
)
def test_a_raster_arrives_whole(tmp_path, dtype, nodata, overviews):
    values = made(tmp_path / "plain.tif", dtype, nodata)
    target = rasters.to_cog(tmp_path / "plain.tif", tmp_path / "cog.tif", overviews=overviews)
    with rasterio.open(target) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.transform == GRID.affine and file.crs == rasterio.CRS.from_epsg(32632)
        assert file.tags()["long_name"] == "what it is" and file.descriptions == ("name",)
        assert file.nodata == nodata or (np.isnan(nodata) and np.isnan(file.nodata))
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)] and file.compression.name == "deflate"
        assert file.overviews(1) == [2, 4] or file.overviews(1) == [2]
        small = file.read(1, out_shape=(350, 550))
    if dtype == "uint8":
        assert set(np.unique(small)) <= {0, 1, 2, 3}  # classes are not averaged
    else:
        assert np.nanstd(small) < np.nanstd(values)


def test_what_cannot_be_written_is_one_line(tmp_path):
    made(tmp_path / "plain.tif", "uint8")
    with pytest.raises(OutputError, match=r"cog\.tif: cannot be written .*expected a folder with room") as caught:
        rasters.to_cog(tmp_path / "plain.tif", tmp_path / "missing" / "cog.tif", overviews="MODE")
    assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="cannot be written"):
        rasters.to_cog(tmp_path / "nothing.tif", tmp_path / "cog.tif", overviews="MODE")
