"""Optical images of sea ice through one door: GeoTIFF, JPEG 2000, PNG and JPEG of three or four bands."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening, raster_doors

if TYPE_CHECKING:
    import rasterio.io
    from odc.geo.geobox import GeoBox

Read = Callable[[slice, slice], np.ndarray]
"""Gives float32 (bands, h, w) of rows and columns, counts 0 to 255, NaN where nothing was seen."""
PICTURES = (".png", ".jpg", ".jpeg")
NIR = ("nir", "near_infrared", "b08", "b8")


@dataclass(frozen=True, kw_only=True, eq=False)
class IceImage:
    """An image that is open for reading.

    Attributes
    ----------
    name : str
    shape : (int, int)
    geobox : odc.geo.geobox.GeoBox or None
    sensors : mapping of str to callable
        ``rgb`` and perhaps ``nir``: see :data:`Read`.
    land, cloud : callable or None
        Give bool (h, w) of rows and columns.
    time : numpy.datetime64 or None
    pixel_m : float or None
    simulated : bool
    notes : tuple of str
    """

    name: str
    shape: tuple[int, int]
    geobox: GeoBox | None
    sensors: Mapping[str, Read]
    land: Read | None = None
    cloud: Read | None = None
    time: np.datetime64 | None = None
    pixel_m: float | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[rasterio.io.DatasetReader]:
    """Yield a raster, or a picture in PNG or JPEG, that is open for reading."""
    import rasterio.io
    from rasterio.errors import RasterioError

    if path.suffix.lower() not in PICTURES:
        with opening.open_raster(path) as data:
            yield data
        return
    regular = opening.regular_file(path, expected="a PNG or JPEG, whole. Get it again")
    try:
        with rasterio.Env(**opening.GDAL_OPTIONS):
            raster_doors.check_beside(regular)
            with rasterio.io.DatasetReader(str(regular), driver=["PNG", "JPEG"]) as data:
                raster_doors.check_opened(data, path.name)
                yield data
    except RasterioError as error:
        raise ProductError(
            f"{path.name}: cannot be read as a picture ({one_line(error)[:140]}); expected a PNG or JPEG, whole. Get it"
            " again."
        ) from error


def open_image(path: Path | str) -> IceImage:
    """Open an image.

    Parameters
    ----------
    path : Path or str
        A raster of 8 bits with red, green, blue, and perhaps the near infrared as fourth band.

    Raises
    ------
    ProductError
        If it cannot be read, or has other bands.
    """
    from odc.geo.geobox import GeoBox
    from rasterio.enums import ColorInterp
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.windows import Window

    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with _opened(path) as data:
            named = [(d or "").lower() for d in data.descriptions]
            alpha = [k for k in data.indexes if data.colorinterp[k - 1] == ColorInterp.alpha and not named[k - 1]]
            bands = [k for k in data.indexes if k not in alpha]
            if len(bands) < 3 or any(data.dtypes[k - 1] != "uint8" for k in bands[:3]):
                raise ProductError(
                    f"{path.name}: has {len(bands)} band(s) of {data.dtypes[0]}; expected red, green and blue of 8"
                    " bits. Give an image of three bands or more."
                )
            shape = (data.height, data.width)
            geobox = GeoBox(shape, data.transform, data.crs) if data.crs is not None else None
            nodata = data.nodatavals[0]
            tags = data.tags()
            nir = [k for k in bands[3:] if named[k - 1] in NIR]

    def reader(chosen: list[int]) -> Read:
        def read(rows: slice, columns: slice) -> np.ndarray:
            window = Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                with _opened(path) as data:
                    stored = data.read(chosen, window=window)
                    hidden = data.read(alpha[0], window=window) == 0 if alpha else None
            values = stored.astype(np.float32)
            if nodata is not None:
                values[:, (stored == nodata).all(axis=0)] = np.nan
            if hidden is not None:
                values[:, hidden] = np.nan
            return values

        return read

    return IceImage(
        name=path.stem,
        shape=shape,
        geobox=geobox,
        sensors={"rgb": reader(bands[:3]), **({"nir": reader(nir[:1])} if nir else {})},
        simulated=bool(tags.get("simulated_by")),
    )
