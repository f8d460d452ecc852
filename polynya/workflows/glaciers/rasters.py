"""The rasters of ``polynya glaciers``: written strip by strip, then as cloud-optimised GeoTIFFs, and read back
reduced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...errors import OutputError, one_line
from ...io import opening, rasters
from .mapper import Strip

MEANING = {
    "probability": "calibrated probability that the pixel is glacier",
    "confidence": "probability that the mapped class is right",
    "spread": "standard deviation of the probability over networks, rotations and dropout",
}


def write(
    strips: Iterable[Strip], *, name: str, geobox: GeoBox, scratch: Path, folder: Path, about: dict[str, str]
) -> bool:
    """Write probability, confidence and, where several predictions were averaged, spread; return whether any pixel has
    data.

    Parameters
    ----------
    strips : iterable of Strip
        Rows in order.
    name : str
        Of the scene, for messages.
    geobox : odc.geo.GeoBox
        Grid of the scene.
    scratch, folder : Path
        For the plain files, and for the finished ones.
    about : dict of str to str
        Tags of the files.

    Raises
    ------
    OutputError
        If there is no room.
    """
    width = int(geobox.shape[1])
    seen, varies = False, False
    try:
        with contextlib.ExitStack() as stack:
            files = {
                n: stack.enter_context(
                    rasters.create(scratch / f"{n}.tif", geobox=geobox, dtype="float32", nodata=np.nan)
                )
                for n in MEANING
            }
            for row, probability, confidence, spread in strips:
                window = Window(0, row, width, probability.shape[0])
                for key, values in (("probability", probability), ("confidence", confidence), ("spread", spread)):
                    files[key].write(values, 1, window=window)
                seen |= bool(np.isfinite(probability).any())
                varies |= bool((np.nan_to_num(spread) > 0).any())
            for key, file in files.items():
                file.update_tags(long_name=MEANING[key], units="1", **about)
                file.set_band_description(1, key)
        for key in MEANING:
            if key != "spread" or varies:
                rasters.to_cog(scratch / f"{key}.tif", folder / f"{key}.tif", overviews="AVERAGE")
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{name}: maps cannot be written ({one_line(error)[:140]}); expected room for 12 bytes per pixel. Free"
            " space, or set TMPDIR."
        ) from error
    return seen


def reduced(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return a raster's first band averaged to fewer pixels, NaN where missing.

    Parameters
    ----------
    path : Path
        The raster.
    shape : (int, int)
        Rows and columns of the result.
    """
    with opening.open_raster(path) as source:
        return source.read(1, out_shape=shape, resampling=Resampling.average)
