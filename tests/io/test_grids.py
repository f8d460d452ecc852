"""Gridded products: GeoTIFFs of one variable; NetCDF is tested with the maps of a season."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from polynya.errors import OutputError
from polynya.io import grids

GRID = GeoBox.from_bbox((-3_950_000, -3_950_000, 3_950_000, 4_350_000), "EPSG:3976", resolution=10_000)


@pytest.mark.parametrize(("dtype", "nodata"), [("float32", np.nan), ("int32", -1), ("int16", -1)])
def test_a_variable_arrives_whole_and_overviews_mix_nothing(tmp_path, dtype, nodata):
    values = (np.arange(GRID.shape[0] * GRID.shape[1]).reshape(GRID.shape) % 7).astype(dtype)
    path = grids.write_cog(values, tmp_path / "new" / "a.tif", geobox=GRID, name="a", tags={"units": "m"})
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.transform == GRID.affine and file.crs.to_epsg() == 3976
        assert file.tags()["units"] == "m" and file.descriptions == ("a",)
        assert file.nodata == nodata or (np.isnan(nodata) and np.isnan(file.nodata))
        small = file.read(1, out_shape=(GRID.shape[0] // 2, GRID.shape[1] // 2))
    assert set(np.unique(small)) <= set(range(7))  # a mean of flags would be no flag
    assert [p.name for p in path.parent.iterdir()] == ["a.tif"]


def test_what_cannot_be_written_leaves_nothing_in_memory(tmp_path):
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(OutputError, match=r"a\.tif: cannot be written"):
        grids.write_cog(np.zeros(GRID.shape, "float32"), tmp_path / "a.tif", geobox=GRID, name="a", tags={})
