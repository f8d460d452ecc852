"""Echoes at places of the test's choice, and maps of leads drawn by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from polynya.readers import lead_map
from polynya.schema.echoes import COLUMNS, Echoes

TIME = np.datetime64("2016-01-15T10:00:00", "ns")
FLAGS = ("mode", "quality_flag", "surface_type", "surface_class")


def echoes_at(latitude, longitude, *, time=TIME, concentration=np.nan) -> Echoes:
    """Return echoes of one gate with power at places, 25 ms apart unless times are given."""
    lat, lon = np.atleast_1d(np.asarray(latitude, float)), np.atleast_1d(np.asarray(longitude, float))
    n = lat.size
    columns = {c: np.zeros(n, np.int8) if c in FLAGS else np.full(n, np.nan) for c in COLUMNS}
    times = np.asarray(time, "datetime64[ns]")
    columns["time"] = times if times.ndim else times + (25_000_000 * np.arange(n)).astype("timedelta64[ns]")
    columns |= {"latitude": lat, "longitude": lon, "scale": np.ones(n)}
    columns["sea_ice_concentration"] = np.broadcast_to(np.asarray(concentration, float), n).copy()
    return Echoes(
        source="made.nc",
        mission="SARAL",
        product="altika_sgdr",
        release="",
        units="count",
        **columns,
        waveform=np.full((n, 4), 7, np.uint16),
        product_class_flag=np.full(n, -1, np.int64),
    )


def write_map(
    path: Path,
    values: np.ndarray,
    *,
    left: float,
    top: float,
    pixel: float = 80.0,
    crs: str | None = "EPSG:3413",
    nodata: float | None = 255,
    **tags: str,
) -> Path:
    """Write a map as a plain GeoTIFF, as someone else would."""
    given = {} if nodata is None else {"nodata": nodata}
    bands = values[None] if values.ndim == 2 else values
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[-2],
        width=values.shape[-1],
        count=len(bands),
        dtype=values.dtype,
        crs=crs,
        transform=from_origin(left, top, pixel, pixel),
        **given,
    ) as file:
        file.write(bands)
        file.update_tags(**tags)
    return path


def map_around(
    path: Path, x: float, y: float, leads: list[tuple[int, int]], *, size: int = 301, **more: object
) -> lead_map.LeadMap:
    """Return a map of 80 m with x, y in its middle pixel; leads are given in pixels to the right of it and above it."""
    values = np.zeros((size, size), np.uint8)
    half = size // 2
    for right, up in leads:
        values[half - up, half + right] = 1
    pixel = 80.0
    left, top = (np.floor(x / pixel) - half) * pixel, (np.floor(y / pixel) + 1 + half) * pixel
    write_map(path, values, left=left, top=top, **{"time": str(TIME)[:19] + "Z", **more})
    return lead_map.read(path)
