"""The truth of a simulated product on its swath and on the polar grid, and the chart's polygons as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...io import grids, polygons
from .annotation import Annotation, incidence, positions, swaths
from .chart import Chart, to_polygons
from .pixels import CELL_PIXELS
from .presets import CELL_M

STAGES = "water new_ice young_ice thin_first_year_ice thick_first_year_ice old_ice"
FLOES = "water cake_ice small_floe medium_floe big_floe vast_floe"
"""AutoICE's classes, 0 to 5."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The truth on cells of 10 x 10 pixels: share of ice, 0 to 1, and AutoICE's classes of stage and floe size."""

    concentration: np.ndarray
    stage: np.ndarray
    floe: np.ndarray


def shares(cells: Cells) -> dict[str, float]:
    """Return the mean concentration, and the share of cells between 15 % and 80 %."""
    c = cells.concentration
    return {
        "concentration": round(float(c.mean()), 4),
        "marginal": round(float(np.mean((c > 0.15) & (c < 0.8))), 4),
    }


def write_swath(path: Path, annotation: Annotation, cells: Cells, chart: Chart, about: dict[str, object]) -> None:
    """Write the truth on the swath as CF NetCDF.

    Parameters
    ----------
    path : Path
        The file.
    annotation : Annotation
        Positions and angles.
    cells : Cells
        The truth.
    chart : Chart
        On the same cells.
    about : dict
        Of the scene.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    import xarray

    lines, samples = _centres(cells.concentration.shape)
    latitude, longitude = positions(annotation, lines, samples)
    dims = ("line", "sample")
    classes = {"flag_values": np.arange(6, dtype=np.uint8)}
    place = {"units": "1", "comment": f"cells of {CELL_PIXELS} x {CELL_PIXELS} pixels"}
    data = xarray.Dataset(
        {
            "sea_ice_area_fraction": (
                dims,
                cells.concentration,
                {"units": "1", "standard_name": "sea_ice_area_fraction", "long_name": "true share of ice"},
            ),
            "stage_of_development": (
                dims,
                cells.stage,
                {"long_name": "true stage of the largest part, classes of AutoICE", "flag_meanings": STAGES, **classes},
            ),
            "floe_size": (
                dims,
                cells.floe,
                {"long_name": "true floe size, classes of AutoICE", "flag_meanings": FLOES, **classes},
            ),
            "chart_sea_ice_area_fraction": (
                dims,
                chart.concentration[chart.polygon],
                {"units": "1", "long_name": "what the ice chart says, with its errors"},
            ),
            "chart_polygon": (dims, chart.polygon + 1, {"long_name": "poly_id in chart.gpkg"}),
            "swath": (dims, swaths(annotation, lines, samples), {"long_name": "sub-swath EW1 to EW5, 0 outside"}),
            "incidence_angle": (
                dims,
                incidence(annotation, lines, samples),
                {"units": "degree", "long_name": "incidence angle"},
            ),
        },
        coords={
            "line": ("line", lines, {"long_name": "line of the product at the centre of the cell", **place}),
            "sample": ("sample", samples, {"long_name": "sample of the product at the centre of the cell", **place}),
            "latitude": (dims, latitude, {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": (dims, longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        },
        attrs={
            "title": "Truth of a simulated Sentinel-1 EW scene",
            "simulated": "polynya; no measurement",
            "seed": int(str(about["seed"])),
            "time_coverage_start": str(about["time"]),
        },
    )
    grids.write_netcdf(data, path)


def write_polar(path: Path, annotation: Annotation, concentration: np.ndarray, *, epsg: int) -> None:
    """Write the concentration on a polar grid of 400 m, 0 to 1, NaN outside, as a cloud-optimised GeoTIFF.

    Parameters
    ----------
    path : Path
        The file.
    annotation : Annotation
        Positions.
    concentration : numpy.ndarray, float32, shape (rows, columns)
        On the swath; a polar cell gets the mean of the quarters of swath cells whose centres it holds.
    epsg : int
        The projection.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox

    lines, samples = (0.5 * CELL_PIXELS * np.arange(2 * n) + 0.25 * CELL_PIXELS - 0.5 for n in concentration.shape)
    x, y = _project(annotation, lines, samples, epsg=epsg)
    left, bottom = (CELL_M * np.floor(v.min() / CELL_M) for v in (x, y))
    right, top = (CELL_M * np.ceil(v.max() / CELL_M) for v in (x, y))
    geobox = GeoBox.from_bbox(BoundingBox(left, bottom, right, top, f"EPSG:{epsg}"), resolution=CELL_M, tight=True)
    height, width = (int(n) for n in geobox.shape)
    place = ((top - y) // CELL_M).astype(np.int64) * width + ((x - left) // CELL_M).astype(np.int64)
    quarter = np.repeat(np.repeat(concentration, 2, axis=0), 2, axis=1)
    count = np.bincount(place.ravel(), minlength=height * width)
    total = np.bincount(place.ravel(), weights=quarter.ravel(), minlength=height * width)
    with np.errstate(invalid="ignore"):
        mean = (total / count).astype(np.float32).reshape(height, width)
    tags = {"units": "1", "long_name": "true share of ice", "simulated_by": "polynya; no measurement"}
    grids.write_cog(mean, path, geobox=geobox, name="sea_ice_area_fraction", tags=tags)


def write_chart(path: Path, annotation: Annotation, chart: Chart, *, epsg: int) -> None:
    """Write the chart's polygons as a GeoPackage.

    Parameters
    ----------
    path : Path
        The file.
    annotation : Annotation
        Positions.
    chart : Chart
        On the swath.
    epsg : int
        The projection.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    corners = (CELL_PIXELS * np.arange(n + 1) - 0.5 for n in chart.polygon.shape)
    x, y = _project(annotation, *corners, epsg=epsg)
    polygons.write(to_polygons(chart, x, y, epsg=epsg), path)


def _centres(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    lines, samples = (CELL_PIXELS * np.arange(n) + 0.5 * (CELL_PIXELS - 1) for n in shape)
    return lines, samples


def _project(
    annotation: Annotation, lines: np.ndarray, samples: np.ndarray, *, epsg: int
) -> tuple[np.ndarray, np.ndarray]:
    from pyproj import Transformer

    latitude, longitude = positions(annotation, lines, samples)
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    return np.asarray(x), np.asarray(y)
