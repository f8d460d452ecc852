"""A map beside an ice chart: the share of ice in every polygon of a SIGRID-3 chart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from ...errors import ProductError
from ...io import opening
from ...readers import sigrid3_chart
from ...scenes.image_plane import Plane
from ...schema.optical_ice_maps import ICE, LAND, NO_CLASS
from .mapper import Mapper

MOST_PX = 2048
"""Longer side of the grid on which both are compared, at most."""
FEWEST = 100
"""Pixels of a polygon in the comparison."""


def check(chart: str, plane: Plane, name: str) -> None:
    """Raise unless an image can be compared with a chart.

    Raises
    ------
    ProductError
        If the image has no place on the map.
    """
    if chart and not plane.has_place:
        raise ProductError(
            f"{name}: has no coordinate system, so it cannot be compared with an ice chart; expected a georeferenced"
            " image. Leave --chart out."
        )


def compare(path: str, classes: Path, *, mapper: Mapper, plane: Plane) -> list[dict[str, object]]:
    """Return one row per polygon of a chart that lies on the image.

    Parameters
    ----------
    path : str
        The chart.
    classes : Path
        The map.
    mapper : Mapper
        What made it.
    plane : Plane
        Its grid.

    Returns
    -------
    list of dict
        ``polygon``, ``chart_percent`` (total concentration), ``map_percent`` (area of ice classes among sea),
        ``area_km2`` that the image shows of it, ``n`` pixels compared.

    Raises
    ------
    ProductError
        If the chart cannot be read, or does not lie on the image.
    """
    chart = sigrid3_chart.read(path)
    step = max(1, -(-max(plane.shape) // MOST_PX))
    small = tuple(max(n // step, 1) for n in plane.shape)
    with opening.open_raster(classes) as source:
        codes = source.read(1, out_shape=small)
    whole = GeoBox(plane.shape, plane.transform, plane.crs)
    polygon = sigrid3_chart.rasterise(chart, whole.zoom_to(small))["polygon"]
    sea = (codes != NO_CLASS) & ~np.isin(codes, mapper.codes(LAND)) & (polygon >= 0)
    n = np.bincount(polygon[sea], minlength=len(chart))
    ice = np.bincount(polygon[sea], np.isin(codes[sea], mapper.codes(*ICE)), len(chart))
    percent = chart["sea_ice_concentration"].to_numpy(float)
    pixel_km2 = plane.side**2 * 1e-6 * (plane.shape[0] * plane.shape[1]) / (small[0] * small[1])
    rows = [
        {
            "polygon": int(k),
            "chart_percent": float(percent[k]),
            "map_percent": 100.0 * float(ice[k] / n[k]),
            "area_km2": float(n[k] * pixel_km2),
            "n": int(n[k]),
        }
        for k in np.flatnonzero((n >= FEWEST) & np.isfinite(percent))
    ]
    if not rows:
        raise ProductError(
            f"{Path(path).name}: no polygon with a concentration lies on the image; expected a chart of the same"
            " place. Give another --chart."
        )
    return rows


def difference(rows: list[dict[str, object]]) -> float:
    """Return map minus chart in percent, polygons weighted by their area."""
    area = np.array([r["area_km2"] for r in rows], float)
    found = np.array([float(r["map_percent"]) - float(r["chart_percent"]) for r in rows])  # type: ignore[arg-type]
    return float((found * area).sum() / area.sum())
