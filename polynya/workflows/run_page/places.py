"""Where an item's data lie: a few points of its track, or the corners of its scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import io, schema
from ...errors import ProductError
from ...io import opening, parquet
from ...readers import icesat2

POINTS, GROUPS = 48, 8
"""Points of a track, and row groups that are read for them."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where data lie.

    Attributes
    ----------
    latitude, longitude : numpy.ndarray
        (n,) degrees; NaN between pieces of a track.
    is_area : bool
        Corners of an area; a track otherwise.
    time : numpy.datetime64 or None
        Of the first data.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    is_area: bool = False
    time: np.datetime64 | None = None


NOWHERE = Place(latitude=np.zeros(0), longitude=np.zeros(0))


def of_result(files: Sequence[io.Place]) -> Place:
    """Return the place of a result from the first of its files that has one.

    Parameters
    ----------
    files : sequence of Path or Address
        Tables of segments or labels, or rasters; others are passed over.
    """
    for path in files:
        read = {".parquet": _of_table, ".tif": _of_raster}.get(path.suffix)
        try:
            found = None if read is None else read(path)
        except (OSError, pa.ArrowException, ValueError, ProductError):
            found = None
        if found is not None and found.latitude.size:
            return found
    return NOWHERE


def of_granule(path: Path) -> Place:
    """Return the track of an ATL03 granule that gave no result; nowhere where it cannot be read.

    Parameters
    ----------
    path : Path
        The item as it was given.
    """
    if path.suffix.lower() not in (".h5", ".hdf5") or not path.is_file():
        return NOWHERE
    try:
        with icesat2.open_hdf5(path) as handle, icesat2.reading(path):
            for beam in schema.BEAM_NAMES:
                names = [f"{beam}/geolocation/reference_photon_{n}" for n in ("lat", "lon")]
                if all(n in handle for n in names):
                    latitude, longitude = (np.asarray(handle[n][()], np.float64) for n in names)
                    step = max(1, latitude.size // POINTS)
                    return _broken(latitude[::step], longitude[::step], np.arange(latitude.size)[::step].astype(float))
    except ProductError:
        return NOWHERE
    return NOWHERE


def _of_table(path: io.Place) -> Place | None:
    with io.reading(path) as source, parquet.opened(source) as file:
        names = file.schema_arrow.names
        if not {"latitude", "longitude", "time"} <= set(names) or not file.metadata.num_rows:
            return None
        columns = [n for n in ("beam", "x_atc", "echo", "number", "time", "latitude", "longitude") if n in names]
        last = file.num_row_groups - 1
        groups = sorted({round(last * k / (GROUPS - 1)) for k in range(GROUPS)})
        parts = []
        for group in groups:
            table = file.read_row_group(group, columns=columns)
            step = max(1, table.num_rows * len(groups) // (2 * POINTS))
            parts.append(table.take(pa.array(np.arange(0, table.num_rows, step))))
    table = pa.concat_tables(parts).combine_chunks()
    along = next((n for n in ("x_atc", "echo", "number") if n in columns), None)
    if along is None:
        return None
    rows = np.arange(table.num_rows)
    if "beam" in columns and along != "number":
        beam = np.array(table["beam"].cast(pa.string()).to_pylist(), dtype=str)
        rows = np.flatnonzero(beam == beam[0])
    rows = rows[np.argsort(schema.to_numpy(table[along])[rows], kind="stable")]
    values = {n: schema.to_numpy(table[n])[rows].astype(np.float64) for n in (along, "latitude", "longitude")}
    times = schema.to_numpy(table["time"]).astype("datetime64[s]")
    times = times[~np.isnat(times)]
    found = _broken(values["latitude"], values["longitude"], values[along])
    return Place(latitude=found.latitude, longitude=found.longitude, time=times.min() if times.size else None)


def _broken(latitude: np.ndarray, longitude: np.ndarray, x: np.ndarray) -> Place:
    """Return a track with NaN where pieces lie far apart."""
    good = np.isfinite(latitude) & np.isfinite(longitude) & (np.abs(latitude) <= 90.0)
    latitude, longitude, x = latitude[good], longitude[good], x[good]
    if x.size < 3:
        return Place(latitude=latitude, longitude=longitude)
    gap = np.diff(x)
    cuts = np.flatnonzero(gap > max(10.0 * float(np.median(gap)), 1.0)) + 1
    return Place(latitude=np.insert(latitude, cuts, np.nan), longitude=np.insert(longitude, cuts, np.nan))


def _of_raster(path: io.Place) -> Place:
    import rasterio.warp  # heavy, and only where there are rasters

    with io.fetched(str(path)) as there, opening.open_raster(there) as source:
        left, bottom, right, top = source.bounds
        xs, ys = [left, right, right, left, left], [top, top, bottom, bottom, top]
        longitude, latitude = rasterio.warp.transform(source.crs, "EPSG:4326", xs, ys)
    return Place(latitude=np.array(latitude), longitude=np.array(longitude), is_area=True)
