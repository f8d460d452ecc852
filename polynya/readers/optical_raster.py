"""Any raster of three colours or more as an image of sea ice: GeoTIFF, JPEG 2000, PNG, JPEG, of 8 or 16 bits.

Checked on Gaofen-2 pictures (JPEG), crops of Sentinel-2 (PNG), MODIS pictures (GeoTIFF) and the simulator's files.
Eight bits are taken as they are. More bits and floating-point numbers are stretched in a straight line: zero stays
zero, and the percentile 99.5 of the brightest colour, of a sample of at most 512 x 512 pixels, becomes 255;
floating-point numbers of at most 1.5 are reflectances, of which 1 becomes 255.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError
from ..io import opening, pictures
from .ice_image import LOOK, IceImage, Read, as_counts, bright_limit, check_valid
from .times import utc

if TYPE_CHECKING:
    import rasterio
    from rasterio.windows import Window

PRODUCT = "optical raster"
RELEASES: tuple[str, ...] = ()
CHECKED: tuple[str, ...] = ()
PICTURES = (".png", ".jpg", ".jpeg")
NAMES = {
    "red": ("red", "b04", "b4"),
    "green": ("green", "b03", "b3"),
    "blue": ("blue", "b02", "b2"),
    "nir": ("nir", "nir08", "b08", "b8", "near_infrared"),
}
"""What a band's description may call it: a word of it, lower case."""
COLOURS = ("red", "green", "blue")
MOST_REFLECTANCE = 1.5
TIME_TAGS = ("datetime", "time", "acquisition_time", "sensing_time", "ACQUISITIONDATETIME")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the bands of a raster lie: numbers from 1, 0 where there is none; ``limit`` becomes 255."""

    path: Path
    colours: tuple[int, int, int]
    nir: int = 0
    alpha: int = 0
    nodata: float | None = None
    limit: float = 255.0


@contextlib.contextmanager
def open_bands(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster or picture for reading.

    Parameters
    ----------
    path : Path
        By its ending a picture, else a raster.

    Raises
    ------
    ProductError
        If it cannot be read, or is cut.
    """
    opener = pictures.open_picture if path.suffix.lower() in PICTURES else opening.open_raster
    with opener(path) as source:
        yield source


def read(path: Path | str) -> IceImage:
    """Open a raster.

    Parameters
    ----------
    path : Path or str
        Red, green and blue, named or the first three bands, and perhaps the near infrared: named, or the fourth of
        four unnamed bands that are not opaqueness.

    Returns
    -------
    IceImage

    Raises
    ------
    ProductError
        If it cannot be read, has fewer bands, other numbers, or no valid pixel.
    """
    path = Path(path)
    notes: list[str] = []
    with open_bands(path) as data:
        layout, shape = _layout(data, path, notes), (data.height, data.width)
        geobox = _geobox(data, notes)
        tags = data.tags()
        layout = _stretched(data, layout, notes)
    sensors = {"rgb": reader(layout, layout.colours)}
    if layout.nir:
        sensors["nir"] = reader(layout, (layout.nir,))
    return check_valid(
        IceImage(
            name=path.stem,
            shape=shape,
            geobox=geobox,
            sensors=sensors,
            time=_time(tags, path),
            simulated="simulated_by" in tags,
            full_scale=1.0 if layout.limit == 1.0 else None,
            notes=tuple(notes),
            product=PRODUCT,
        )
    )


def reader(layout: Layout, bands: tuple[int, ...]) -> Read:
    """Return what reads bands of a raster in windows.

    Parameters
    ----------
    layout : Layout
        Of the raster.
    bands : tuple of int
        Numbers from 1.
    """

    def read_window(rows: slice, columns: slice) -> np.ndarray:
        from rasterio.windows import Window

        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        with open_bands(layout.path) as data:
            values = _values(data, layout, bands, window=window)
        return as_counts(values, layout.limit) if layout.limit != 255.0 else values

    return read_window


def _values(
    data: rasterio.DatasetReader,
    layout: Layout,
    bands: tuple[int, ...],
    *,
    window: Window | None = None,
    out_shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Read numbers as they are stored, float32, NaN where there are none."""
    shape = None if out_shape is None else (len(bands), *out_shape)
    stored = data.read(list(bands), window=window, out_shape=shape)
    values = stored.astype(np.float32)
    if layout.nodata is not None:
        values[:, (stored == layout.nodata).all(axis=0)] = np.nan
    if layout.alpha:
        values[:, data.read(layout.alpha, window=window, out_shape=out_shape) == 0] = np.nan
    values[:, ~np.isfinite(values).all(axis=0)] = np.nan
    return values


def _layout(data: rasterio.DatasetReader, path: Path, notes: list[str]) -> Layout:
    from rasterio.enums import ColorInterp

    words = [set(re.split(r"[^a-z0-9_]+", (d or "").lower())) for d in data.descriptions]
    named = {n: next((k for k, w in enumerate(words, 1) if w & set(s)), 0) for n, s in NAMES.items()}
    alpha = [k for k in data.indexes if data.colorinterp[k - 1] == ColorInterp.alpha and not words[k - 1] - {""}]
    bands = [k for k in data.indexes if k not in alpha]
    is_named = all(named[c] for c in COLOURS)
    if len(bands) < 3 or (any(named.values()) and not is_named):
        found = [d or f"band {k}" for k, d in enumerate(data.descriptions, 1) if k in bands]
        raise ProductError(
            f"{path.name}: has {', '.join(found[:12])}; expected red, green and blue. Give an image of three colours,"
            " or name its bands."
        )
    if any(data.dtypes[k - 1].startswith("complex") for k in bands):
        raise ProductError(f"{path.name}: holds complex numbers; expected red, green and blue. Give another image.")
    chosen = [named[c] for c in COLOURS] if is_named else bands[:3]
    if not is_named and len(bands) > 3:
        notes.append(f"{path.name}: bands are not named, the first three are taken for red, green and blue")
    nir = named["nir"] or (bands[3] if len(bands) == 4 and not is_named else 0)
    return Layout(
        path=path,
        colours=(chosen[0], chosen[1], chosen[2]),
        nir=nir,
        alpha=alpha[0] if alpha else 0,
        nodata=data.nodatavals[chosen[0] - 1],
    )


def _stretched(data: rasterio.DatasetReader, layout: Layout, notes: list[str]) -> Layout:
    """Return the layout with the limit of its stretch, and say which it is."""
    from dataclasses import replace

    kind = data.dtypes[layout.colours[0] - 1]
    if kind == "uint8":
        return layout
    shape = (min(data.height, LOOK), min(data.width, LOOK))
    limit = bright_limit(_values(data, layout, layout.colours, out_shape=shape))
    if kind.startswith("float") and limit <= MOST_REFLECTANCE:
        notes.append("reflectance: 1 becomes 255 counts")
        return replace(layout, limit=1.0)
    notes.append(f"numbers of {kind} are stretched: {limit:g}, the percentile 99.5 of a sample, becomes 255 counts")
    return replace(layout, limit=limit)


def _geobox(data: rasterio.DatasetReader, notes: list[str]):
    from odc.geo.geobox import GeoBox

    if data.crs is None:
        return None
    t = data.transform
    if t.b or t.d or t.a <= 0 or t.e >= 0:
        notes.append("the grid is rotated or upside down: the place on the map is not used")
        return None
    epsg = data.crs.to_epsg()
    return GeoBox((data.height, data.width), t, f"EPSG:{epsg}" if epsg else data.crs.to_wkt())


def _time(tags: dict[str, str], path: Path) -> np.datetime64 | None:
    for key in TIME_TAGS:
        if tags.get(key):
            try:
                return utc(tags[key], name=path.name)
            except ProductError:
                continue
    return None
