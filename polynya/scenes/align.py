"""Bands of a scene brought to its grid, a window at a time: from any system and pixel size, slopes made on the way.

Values are converted before they are interpolated (a mean of decibels is no mean backscatter), slopes are made on the
grid of the heights before that. A grid finer than the scene's is averaged in blocks first. The result does not depend
on the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..io import opening
from ..physics import resample, slope
from ..physics.swath import Swath
from ..readers.scene_layer import Layer, Source, geobox_of, pixel_metres

if TYPE_CHECKING:
    import rasterio
    from odc.geo.geobox import GeoBox
    from rasterio.windows import Window

MOST_PIXELS = 4096 * 4096
"""Pixels of a source that are read at once."""
ALPHA = ("", "alpha", "a", "mask", "transparency", "opacity")
"""Names of a band that says where the others hold data."""
_LATTICE = 16
"""Pixels between the places that are transformed exactly where two systems differ."""


def read_layers(layers: Sequence[Layer | None], *, geobox: GeoBox, window: Window) -> np.ndarray:
    """Read bands onto a window of the scene's grid.

    Parameters
    ----------
    layers : sequence of (Layer or None)
        Bands; None for one that is missing.
    geobox : odc.geo.geobox.GeoBox
        The scene's grid.
    window : rasterio.windows.Window
        Whole pixels inside it.

    Returns
    -------
    numpy.ndarray of float32, shape (len(layers), h, w)
        Physical values; NaN where a band is missing or saw nothing.

    Raises
    ------
    ProductError
        If a file cannot be read.
    """
    out = np.full((len(layers), window.height, window.width), np.nan, np.float32)
    for path in dict.fromkeys(layer.path for layer in layers if layer is not None):
        members = [i for i, layer in enumerate(layers) if layer is not None and layer.path == path]
        with opening.open_raster(path) as source:
            _read_file(source, [layers[i] for i in members], geobox, window, out, members)
    return out


def read_swath(source: Source, *, swath: Swath, window: Window) -> np.ndarray:
    """Read the bands of a source in the pixels of a swath, as they are.

    Parameters
    ----------
    source : Source
        A sensor on the swath.
    swath : Swath
        The scene's grid.
    window : rasterio.windows.Window
        Whole pixels inside it.

    Returns
    -------
    numpy.ndarray of float32, shape (len(source.bands), h, w)
        Physical values; NaN where a band is missing or saw nothing.

    Raises
    ------
    ProductError
        If a file cannot be read or has another size than the swath.
    UsageError
        If the source lies on another grid, or a band must be computed on a map grid.
    """
    if not isinstance(source.grid, Swath) or source.grid.shape != swath.shape:
        raise UsageError(
            f"{source.sensor}: {source.name} does not lie on the scene's swath of {swath.shape[0]} x {swath.shape[1]}"
            " pixels; expected all sensors of such a scene in its pixels. Warp them to one map grid first (gdalwarp)."
        )
    out = np.full((len(source.bands), window.height, window.width), np.nan, np.float32)
    rows = (window.row_off, window.row_off + window.height)
    columns = (window.col_off, window.col_off + window.width)
    for i, layer in enumerate(source.bands):
        if layer is None:
            continue
        if layer.kind == "slope":
            raise UsageError(
                f"{source.sensor}: slopes are computed on map grids only, {source.name} lies on a swath; expected"
                " slopes in the file. Leave the band out, or warp the heights first (gdalwarp)."
            )
        with opening.open_raster(layer.path) as data:
            if (data.height, data.width) != swath.shape:
                raise ProductError(
                    f"{layer.path.name}: {data.height} x {data.width} pixels; expected the swath's {swath.shape[0]} x"
                    f" {swath.shape[1]}. Get it again."
                )
            out[i] = _convert(_counts(data, layer, rows, columns), layer)
    return out


def read_nearest(path: Path, *, geobox: GeoBox, window: Window, outside: int) -> np.ndarray:
    """Read a raster of classes or bits onto a window of the scene's grid, the nearest pixel of each.

    Parameters
    ----------
    path : Path
        The raster, on any grid.
    geobox : odc.geo.geobox.GeoBox
        The scene's grid.
    window : rasterio.windows.Window
        Whole pixels inside it.
    outside : int
        Value beyond the raster and where it has no data.

    Returns
    -------
    numpy.ndarray of int64, shape (h, w)
        ``outside`` beyond the raster and where it has no data.

    Raises
    ------
    ProductError
        If the file cannot be read or holds fractions.
    """
    from rasterio.windows import Window

    with opening.open_raster(path) as source:
        is_float = np.dtype(source.dtypes[0]).kind == "f"
        if np.dtype(source.dtypes[0]).kind not in "iuf":
            raise ProductError(
                f"{path.name}: holds {source.dtypes[0]}; expected whole numbers: classes or bits. Convert it"
                " (gdal_translate -ot Byte)."
            )
        rows, columns = (
            np.where(np.isfinite(v), np.floor(v + 0.5), -1).astype(np.intp) for v in _places(source, geobox, window)
        )
        inside = (rows >= 0) & (rows < source.height) & (columns >= 0) & (columns < source.width)
        out = np.full(rows.shape, outside, np.int64)
        if inside.any():
            top, left = int(rows[inside].min()), int(columns[inside].min())
            part = source.read(
                1, window=Window(left, top, int(columns[inside].max()) - left + 1, int(rows[inside].max()) - top + 1)
            )
            part = _whole_numbers(part, path, outside) if is_float else part.astype(np.int64)
            if source.nodata is not None:
                part[part == source.nodata] = outside
            out[inside] = part[rows[inside] - top, columns[inside] - left]
    return out


def _whole_numbers(part: np.ndarray, path: Path, outside: int) -> np.ndarray:
    """Return fractions that are whole numbers as such, ``outside`` where there is none."""
    known = np.isfinite(part)
    out = np.full(part.shape, outside, np.int64)
    out[known] = np.rint(part[known]).astype(np.int64)
    if not np.array_equal(out[known], part[known]):
        raise ProductError(
            f"{path.name}: holds {part.dtype} with fractions; expected whole numbers: classes or bits. Convert it"
            " (gdal_translate -ot Byte)."
        )
    return out


def _read_file(
    source: rasterio.DatasetReader,
    layers: list[Layer],
    geobox: GeoBox,
    window: Window,
    out: np.ndarray,
    members: list[int],
) -> None:
    from rasterio.windows import Window

    rows, columns = _places(source, geobox, window)
    known = np.isfinite(rows) & np.isfinite(columns)
    if not known.any():
        return
    fine = _factor(source, geobox)
    top, bottom = int(np.floor(rows[known].min())) - fine - 1, int(np.ceil(rows[known].max())) + fine + 2
    left, right = int(np.floor(columns[known].min())) - fine - 1, int(np.ceil(columns[known].max())) + fine + 2
    top, left = max(top // fine * fine, 0), max(left // fine * fine, 0)
    bottom, right = min(-(-bottom // fine) * fine, source.height), min(-(-right // fine) * fine, source.width)
    if bottom <= top or right <= left:
        return
    if (bottom - top) * (right - left) > MOST_PIXELS and min(window.height, window.width) > 1:
        for r, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
            half = (window.height // 2, window.width // 2)
            part = Window(
                window.col_off + c * half[1],
                window.row_off + r * half[0],
                window.width - half[1] if c else half[1],
                window.height - half[0] if r else half[0],
            )
            place = (slice(r * half[0], r * half[0] + part.height), slice(c * half[1], c * half[1] + part.width))
            piece = np.full((len(out), part.height, part.width), np.nan, np.float32)
            _read_file(source, layers, geobox, part, piece, members)
            for i in members:
                out[(i, *place)] = piece[i]
        return
    values = np.stack([_physical(source, layer, (top, bottom), (left, right)) for layer in layers])
    if fine == 1 and _is_whole(rows) and _is_whole(columns) and _steps_by_one(rows[:, 0]) and _steps_by_one(columns[0]):
        exact = _pick(values, rows - top, columns - left)
    else:
        # Centre of a block of pixels: row b holds source rows b * fine ... b * fine + fine - 1.
        exact = resample.bilinear(
            resample.block_mean(values, fine), (rows - top + 0.5) / fine - 0.5, (columns - left + 0.5) / fine - 0.5
        )
    for i, value in zip(members, exact, strict=True):
        out[i] = value


def _places(source: rasterio.DatasetReader, geobox: GeoBox, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the source's fractional rows and columns of the window's pixel centres; by a lattice where the systems
    differ."""
    own, grid = source.transform, geobox.affine  # both without rotation
    if str(geobox.crs) == str(geobox_of(source).crs):
        x = _same_turn(grid.c + grid.a * (window.col_off + np.arange(window.width) + 0.5), source)
        column = (x - own.c) / own.a - 0.5
        row = (grid.f + grid.e * (window.row_off + np.arange(window.height) + 0.5) - own.f) / own.e - 0.5
        return np.broadcast_to(row[:, None], (window.height, window.width)), np.broadcast_to(
            column[None, :], (window.height, window.width)
        )
    from pyproj import Transformer

    move = Transformer.from_crs(str(geobox.crs), source.crs.to_wkt(), always_xy=True)
    r0, c0 = window.row_off // _LATTICE, window.col_off // _LATTICE
    r = (r0 + np.arange(-(-(window.row_off + window.height) // _LATTICE) - r0 + 1)) * _LATTICE
    c = (c0 + np.arange(-(-(window.col_off + window.width) // _LATTICE) - c0 + 1)) * _LATTICE
    x, y = np.meshgrid(grid.c + grid.a * c, grid.f + grid.e * r)
    with np.errstate(invalid="ignore"):
        x, y = move.transform(x, y)
        column, row = (_same_turn(np.asarray(x), source) - own.c) / own.a, (np.asarray(y) - own.f) / own.e
    at_row, at_column = window.row_off + np.arange(window.height) + 0.5, window.col_off + np.arange(window.width) + 0.5
    return _spread(row, r, c, at_row, at_column) - 0.5, _spread(column, r, c, at_row, at_column) - 0.5


def _same_turn(x: np.ndarray, source: rasterio.DatasetReader) -> np.ndarray:
    """Return longitudes on the turn of a source's own: 180.01 where the scene says -179.99, and the other way."""
    width = source.transform.a * source.width
    if not source.crs.is_geographic or width >= 180.0:
        return x
    with np.errstate(invalid="ignore"):
        return x + 360.0 * np.round((source.transform.c + width / 2 - x) / 360.0)


def _spread(values: np.ndarray, r: np.ndarray, c: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Interpolate a lattice in float64."""
    i, j = ((rows - r[0]) // _LATTICE).astype(int), ((columns - c[0]) // _LATTICE).astype(int)
    down, right = ((rows - r[0]) / _LATTICE - i)[:, None], ((columns - c[0]) / _LATTICE - j)[None, :]
    values = np.where(np.isfinite(values), values, np.nan)
    at = lambda a, b: values[np.ix_(i + a, j + b)]  # noqa: E731
    return (1 - down) * ((1 - right) * at(0, 0) + right * at(0, 1)) + down * ((1 - right) * at(1, 0) + right * at(1, 1))


def _factor(source: rasterio.DatasetReader, geobox: GeoBox) -> int:
    """Return how many source pixels make one of the scene's, at least 1."""
    own = geobox_of(source)
    middle = (np.array([own.shape[0] / 2]), np.array([geobox.shape[0] / 2]))
    fine, coarse = pixel_metres(own, middle[0]), pixel_metres(geobox, middle[1])
    return max(int(np.floor(min(coarse[0][0] / fine[0][0], coarse[1][0] / fine[1][0]) + 0.25)), 1)


def _is_whole(numbers: np.ndarray) -> bool:
    return bool(np.all(np.abs(numbers - np.rint(numbers)) < 1e-4))


def _steps_by_one(numbers: np.ndarray) -> bool:
    return numbers.size < 2 or abs(numbers[-1] - numbers[0] - (numbers.size - 1)) < 1e-3


def _pick(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    r, c = np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)
    inside = (r >= 0) & (c >= 0) & (r < values.shape[1]) & (c < values.shape[2])
    if inside.all():  # whole steps of one pixel: a plain piece
        return values[:, r[0, 0] : r[-1, 0] + 1, c[0, 0] : c[0, -1] + 1]
    found = values[:, np.clip(r, 0, values.shape[1] - 1), np.clip(c, 0, values.shape[2] - 1)]
    return np.where(inside, found, np.float32(np.nan))


def _physical(
    source: rasterio.DatasetReader, layer: Layer, rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """Read a block of the source and convert it, float32 (h, w)."""
    if layer.kind != "slope":
        return _convert(_counts(source, layer, rows, columns), layer)
    wide = (
        (max(rows[0] - 1, 0), min(rows[1] + 1, source.height)),
        (max(columns[0] - 1, 0), min(columns[1] + 1, source.width)),
    )
    height = _convert(_counts(source, layer, *wide), layer)
    east, south = pixel_metres(geobox_of(source), np.arange(*wide[0]))
    found = slope.degrees(height, east_m=east, south_m=south)
    return found[rows[0] - wide[0][0] :, columns[0] - wide[1][0] :][: rows[1] - rows[0], : columns[1] - columns[0]]


def _counts(
    source: rasterio.DatasetReader, layer: Layer, rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """Read counts as float64, NaN where the file or the layer says there are none."""
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.windows import Window

    place = Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
    raw = source.read(layer.index, window=place)
    counts = raw.astype(np.float64 if raw.dtype.itemsize > 4 else np.float32)
    nodata = source.nodatavals[layer.index - 1]
    for value in (*layer.missing, *([nodata] if nodata is not None and np.isfinite(nodata) else [])):
        counts[raw == value] = np.nan
    flags = source.mask_flag_enums[layer.index - 1]
    for band in _alpha_bands(source):
        if band != layer.index:
            counts[source.read(band, window=place) == 0] = np.nan
    is_named = any(
        (d or "").strip().lower() not in ALPHA
        for d, c in zip(source.descriptions, source.colorinterp, strict=True)
        if c == ColorInterp.alpha
    )
    if (
        MaskFlags.per_dataset in flags and not is_named
    ):  # four bands of 8 bits call the fourth alpha; as "nir" it is none
        counts[source.read_masks(layer.index, window=place) == 0] = np.nan
    counts[~np.isfinite(counts)] = np.nan
    return counts


def _alpha_bands(source: rasterio.DatasetReader) -> list[int]:
    """Return the bands, from 1, that say where the others hold data: GDAL applies them by itself only beside one or
    three others."""
    from rasterio.enums import ColorInterp

    pairs = zip(source.descriptions, source.colorinterp, strict=True)
    names = [((d or "").strip().lower(), c == ColorInterp.alpha) for d, c in pairs]
    return [
        k
        for k, (name, is_alpha) in enumerate(names, 1)
        if (is_alpha and name in ALPHA[1:]) or (not is_alpha and name == "alpha") or (is_alpha and not name and k > 4)
    ]


def _convert(counts: np.ndarray, layer: Layer) -> np.ndarray:
    value = counts * layer.scale + layer.offset if (layer.scale, layer.offset) != (1.0, 0.0) else counts
    if layer.kind == "decibel":
        value = 10.0 ** (value / 10.0)
    elif layer.kind == "thermal":
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(value > 0, layer.k2 / np.log(layer.k1 / value + 1.0), np.nan)
    if np.isfinite(layer.valid_min):
        value = np.where(value < layer.valid_min, np.nan, value)
    if np.isfinite(layer.valid_max):
        value = np.where(value > layer.valid_max, np.nan, value)
    return value.astype(np.float32)
