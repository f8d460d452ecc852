"""A map of concentration and its reference brought onto the same cells: a chart, another grid, an AI4Arctic scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from ...physics.swath import Swath
from ...readers import ice_concentration, sigrid3_chart, sigrid3_codes
from ...readers.ice_concentration import BOUNDS, HEADS, NAME, SIGMA
from ...readers.sigrid3_codes import MASK
from ...scenes.areas import pixel_size_m
from .scores import Pair

if TYPE_CHECKING:
    import geopandas
    import xarray

COARSER = 1.5
"""A grid whose cells are so many times wider than the other's is the one that both are compared on."""
LEAST_COVERED = 0.5
"""Share of a coarse cell that known fine cells must cover."""
STRIP = 256
"""Lines of a swath that are located at once."""


def with_chart(data: xarray.Dataset, chart: geopandas.GeoDataFrame) -> Pair:
    """Return a map beside an ice chart, on the map's cells.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.readers.ice_concentration.read`.
    chart : geopandas.GeoDataFrame
        Of :func:`polynya.readers.sigrid3_chart.read`.
    """
    box = ice_concentration.geobox_of(data)
    drawn = sigrid3_chart.rasterise(chart, box)
    reference = sigrid3_codes.concentration_percent(drawn["SIC"])
    x, y = _places(box)
    return Pair(
        percent=data[NAME].to_numpy(),
        reference=reference,
        x=x,
        y=y,
        sigma=data[SIGMA].to_numpy() if SIGMA in data else None,
        bounds=_bounds(data),
        charts=_charts(data, drawn),
        cell_m=_cell_m(box),
    )


def with_grid(data: xarray.Dataset, reference: xarray.Dataset) -> Pair:
    """Return a map beside another grid: on the coarser cells of the two.

    Fine cells are averaged over coarse ones. Where that is the map, so is its sigma: the errors inside a coarse cell
    are taken as one. Intervals are not averaged.

    Parameters
    ----------
    data, reference : xarray.Dataset
        Of :func:`polynya.readers.ice_concentration.read`.
    """
    ours, theirs = ice_concentration.geobox_of(data), ice_concentration.geobox_of(reference)
    sizes = [float(np.mean(pixel_size_m(b))) for b in (ours, theirs)]
    if sizes[1] > COARSER * sizes[0]:
        averaged = _averaging(ours, theirs, expected=(sizes[1] / sizes[0]) ** 2)
        x, y = _places(theirs)
        return Pair(
            percent=averaged(data[NAME].to_numpy()),
            reference=reference[NAME].to_numpy(),
            x=x,
            y=y,
            sigma=averaged(data[SIGMA].to_numpy()) if SIGMA in data else None,
            cell_m=_cell_m(theirs),
        )
    truth = reference[NAME].to_numpy()
    if sizes[0] > COARSER * sizes[1]:
        truth = _averaging(theirs, ours, expected=(sizes[0] / sizes[1]) ** 2)(truth)
    else:
        truth = _taken(truth, *_locate(ours, theirs))
    x, y = _places(ours)
    return Pair(
        percent=data[NAME].to_numpy(),
        reference=truth,
        x=x,
        y=y,
        sigma=data[SIGMA].to_numpy() if SIGMA in data else None,
        bounds=_bounds(data),
        cell_m=_cell_m(ours),
    )


def with_swath(data: xarray.Dataset, charts: dict[str, np.ndarray], swath: Swath, *, pixels: int) -> Pair:
    """Return a map beside the charts of an AI4Arctic scene, on the chart's known pixels of 80 m.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.readers.ice_concentration.read`.
    charts : dict of str to numpy.ndarray of uint8, shape (lines, samples)
        ``SIC``, ``SOD`` and ``FLOE``, 255 unknown.
    swath : polynya.physics.swath.Swath
        Of the image.
    pixels : int
        Pixels of the swath along a side of a pixel of the charts: 2 for raw scenes, else 1.
    """
    box = ice_concentration.geobox_of(data)
    planes = {n: data[n].to_numpy() for n in (NAME, SIGMA, *BOUNDS, *HEADS.values()) if n in data}
    found: dict[str, list[np.ndarray]] = {n: [] for n in (*planes, "x", "y")}
    truth: dict[str, list[np.ndarray]] = {n: [] for n in charts}
    for rows, latitude, longitude in _strips(charts["SIC"].shape, swath, pixels):
        known = charts["SIC"][rows] != MASK
        x, y = _projected(box, latitude[known], longitude[known])
        row, column = _inside(box, x, y)
        x, y = _polar(x, y) if _is_geographic(box) else (x, y)
        for name, plane in planes.items():
            fill = MASK if name in HEADS.values() else np.nan
            found[name].append(_taken(plane, row, column, fill=fill))
        found["x"].append(x.astype(np.float32))
        found["y"].append(y.astype(np.float32))
        for name, chart in charts.items():
            truth[name].append(chart[rows][known])
    planes, classes = ({k: np.concatenate(v) for k, v in d.items()} for d in (found, truth))
    is_known = np.isfinite(planes[NAME])
    return Pair(
        percent=planes[NAME],
        reference=sigrid3_codes.concentration_percent(classes["SIC"]),
        x=planes["x"],
        y=planes["y"],
        sigma=planes.get(SIGMA),
        bounds=_pairs_of(planes),
        charts={k: (classes[k][is_known], v[is_known]) for k, v in _predicted(planes).items()},
    )


def _strips(shape: tuple[int, int], swath: Swath, pixels: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Give latitude and longitude of the pixels of a chart, some lines at a time."""
    middle = (pixels - 1) / 2.0
    sample = pixels * np.arange(shape[1]) + middle
    for start in range(0, shape[0], STRIP):
        rows = slice(start, min(start + STRIP, shape[0]))
        line = pixels * np.arange(rows.start, rows.stop) + middle
        yield rows, *swath.grid(line, sample)


def _predicted(planes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the classes of a map: tenths of its concentration, and the heads that it has."""
    tenths = np.rint(np.nan_to_num(planes[NAME]) / 10.0).astype(np.uint8)
    return {"SIC": tenths} | {k: planes[n] for k, n in HEADS.items() if n in planes}


def _charts(data: xarray.Dataset, drawn: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    planes = {n: data[n].to_numpy() for n in (NAME, *HEADS.values()) if n in data}
    known = np.isfinite(planes[NAME])
    return {k: (drawn[k][known], v[known]) for k, v in _predicted(planes).items()}


def _bounds(data: xarray.Dataset) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    return _pairs_of({n: data[n].to_numpy() for n in BOUNDS if n in data})


def _pairs_of(planes: dict[str, np.ndarray]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return intervals by the share that they hold, of the planes that are there in pairs."""
    out = {}
    for share in (68, 95):
        low, high = f"{NAME}_low_{share}", f"{NAME}_high_{share}"
        if low in planes and high in planes:
            out[share] = (planes[low], planes[high])
    return out


def _places(box: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Return where the middles of cells lie, m; of a grid in degrees in a polar map."""
    place, (rows, columns) = box.affine, tuple(box.shape)
    x, y = np.meshgrid(place.c + place.a * (np.arange(columns) + 0.5), place.f + place.e * (np.arange(rows) + 0.5))
    return _polar(x, y) if _is_geographic(box) else (x, y)


def _polar(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    crs = "EPSG:3413" if np.nanmean(latitude) >= 0 else "EPSG:3976"
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)


def _is_geographic(box: GeoBox) -> bool:
    return CRS.from_user_input(str(box.crs)).is_geographic


def _cell_m(box: GeoBox) -> float | None:
    """Return the width of a cell in the map's own metres; None for a grid in degrees or of oblong cells."""
    wide, high = abs(float(box.affine.a)), abs(float(box.affine.e))
    return wide if not _is_geographic(box) and abs(wide - high) <= 1e-3 * wide else None


def _projected(box: GeoBox, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions in a grid's own coordinates; longitudes start at its west side."""
    if _is_geographic(box):
        return box.affine.c + np.mod(longitude - box.affine.c, 360.0), latitude
    return Transformer.from_crs("EPSG:4326", str(box.crs), always_xy=True).transform(longitude, latitude)


def _inside(box: GeoBox, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place, (rows, columns) = box.affine, tuple(box.shape)
    with np.errstate(invalid="ignore"):
        column = np.floor((np.asarray(x) - place.c) / place.a)
        row = np.floor((np.asarray(y) - place.f) / place.e)
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return np.where(inside, row, -1).astype(np.int64), np.where(inside, column, -1).astype(np.int64)


def _locate(ours: GeoBox, theirs: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Return in which cell of another grid the middles of a grid's cells lie; -1 outside."""
    place, (rows, columns) = ours.affine, tuple(ours.shape)
    x, y = np.meshgrid(place.c + place.a * (np.arange(columns) + 0.5), place.f + place.e * (np.arange(rows) + 0.5))
    if str(ours.crs) == str(theirs.crs):
        return _inside(theirs, x, y)
    longitude, latitude = Transformer.from_crs(str(ours.crs), "EPSG:4326", always_xy=True).transform(x, y)
    return _inside(theirs, *_projected(theirs, latitude, longitude))


def _taken(plane: np.ndarray, row: np.ndarray, column: np.ndarray, *, fill: float = np.nan) -> np.ndarray:
    """Return the cells' values at rows and columns; ``fill`` outside."""
    values = plane[np.maximum(row, 0), np.maximum(column, 0)]
    return np.where(row >= 0, values, np.asarray(fill, plane.dtype))


def _averaging(fine: GeoBox, coarse: GeoBox, *, expected: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that averages planes of a fine grid over the cells of a coarse one.

    A coarse cell of which known fine cells cover less than half is NaN; ``expected`` is how many there are in one.
    """
    row, column = _locate(fine, coarse)
    rows, columns = tuple(coarse.shape)

    def averaged(plane: np.ndarray) -> np.ndarray:
        known = (row >= 0) & np.isfinite(plane)
        key = row[known] * columns + column[known]
        count = np.bincount(key, minlength=rows * columns).astype(np.float64)
        total = np.bincount(key, weights=plane[known].astype(np.float64), minlength=rows * columns)
        means = np.where(count >= LEAST_COVERED * expected, total / np.maximum(count, 1.0), np.nan)
        return means.reshape(rows, columns)

    return averaged
