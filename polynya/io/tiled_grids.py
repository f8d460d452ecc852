"""A grid that does not fit into memory, written tile by tile: cloud-optimised GeoTIFFs, and the same in CF NetCDF."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from rasterio.windows import Window

from . import grids, rasters

if TYPE_CHECKING:  # heavy, and only for the signatures
    import xarray
    from odc.geo.geobox import GeoBox

    from ..schema import Variable

SIDE = 2 * rasters.BLOCK
"""Side of a tile, pixels: whole blocks of the files."""
Write: TypeAlias = Callable[[tuple[slice, slice], Mapping[str, np.ndarray]], None]


def tiles(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Give rows and columns of every tile of a grid.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    """
    for row in range(0, shape[0], SIDE):
        for column in range(0, shape[1], SIDE):
            yield slice(row, min(row + SIDE, shape[0])), slice(column, min(column + SIDE, shape[1]))


@contextlib.contextmanager
def writing(
    folder: Path,
    *,
    netcdf: str,
    frame: xarray.Dataset,
    geobox: GeoBox,
    variables: Sequence[Variable],
    attributes: Mapping[str, Mapping[str, object]],
) -> Iterator[Write]:
    """Yield a function that writes a tile of all variables; when the block ends well the files are whole.

    Parameters
    ----------
    folder : Path
        Gets ``VARIABLE.tif`` for each, and the NetCDF file.
    netcdf : str
        Name of that file.
    frame : xarray.Dataset
        Its coordinates ``time`` (one), ``y``, ``x``, its grid mapping ``crs``, and global attributes.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    variables : sequence of Variable
        What is written: floating point with NaN where there is none, or unsigned.
    attributes : mapping of str to mapping
        Further NetCDF attributes, by variable.

    Yields
    ------
    callable
        Takes rows and columns, and an array for each variable. Every tile has to be written once.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    import h5netcdf

    scratch = folder / ".tiles"
    scratch.mkdir()
    grids.write_netcdf(frame, folder / netcdf)
    kinds = {v.name: np.dtype(v.dtype.to_pandas_dtype()) for v in variables}
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(h5netcdf.File(folder / netcdf, "a"))
        plain = {}
        for spec in variables:
            dtype = kinds[spec.name]
            nodata = grids.FILL.get(dtype.kind)
            plain[spec.name] = stack.enter_context(
                rasters.create(scratch / f"{spec.name}.tif", geobox=geobox, dtype=str(dtype), nodata=nodata)
            )
            tags = {k: str(v) for k, v in spec.attributes().items()}
            plain[spec.name].set_band_description(1, spec.name)
            plain[spec.name].update_tags(**tags)
            plain[spec.name].update_tags(1, **tags)
            _create(file, spec, dtype, attributes.get(spec.name, {}))

        def write(at: tuple[slice, slice], layers: Mapping[str, np.ndarray]) -> None:
            rows, columns = at
            window = Window.from_slices(rows, columns)
            for name, dtype in kinds.items():
                values = np.ascontiguousarray(layers[name], dtype)
                plain[name].write(values, 1, window=window)
                if dtype.kind != "f" or np.isfinite(values).any():  # what is not written is NaN, and takes no room
                    file.variables[name][0, rows, columns] = values

        yield write
    for spec in variables:
        name = f"{spec.name}.tif"
        rasters.to_cog(scratch / name, folder / name, overviews="NEAREST")
    shutil.rmtree(scratch)


def _create(file: object, spec: Variable, dtype: np.dtype, attributes: Mapping[str, object]) -> None:
    """Create a compressed variable of ``time``, ``y``, ``x``."""
    shape = [file.dimensions[d].size for d in ("y", "x")]  # type: ignore[attr-defined]
    variable = file.create_variable(  # type: ignore[attr-defined]
        spec.name,
        ("time", "y", "x"),
        dtype,
        fillvalue=np.nan if dtype.kind == "f" else None,
        chunks=(1, *(min(rasters.BLOCK, n) for n in shape)),
        compression="gzip",
        compression_opts=4,
        shuffle=True,
    )
    for name, value in {**spec.attributes(), "grid_mapping": "crs", **attributes}.items():
        variable.attrs[name] = value
