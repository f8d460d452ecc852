"""SIGRID-3 ice charts: polygons with codes of concentration, stage and form, as shapefile, GeoPackage or GeoParquet.

Checked on the west half of a chart of the Canadian Ice Service (2 November 2020, GeoPackage, 216 polygons). Field names
and codes are those of the format's document (JCOMM Technical Report 23, WMO/TD-No. 1214); charts of other services are
read by the same names, in any case of letters. Codes become classes by :mod:`polynya.readers.sigrid3_codes`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError
from ..io import opening
from . import sigrid3_codes
from .sigrid3_codes import CHARTS, FIELDS, NOT_FILLED, Rules

if TYPE_CHECKING:
    import geopandas
    import pandas
    from odc.geo.geobox import GeoBox

PRODUCT = "SIGRID-3 ice chart"
RELEASES = ("CIS", "DMI", "NIC")
"""Services whose charts use these fields."""
CHECKED = ("CIS",)
POLY_TYPES = {"I": "ice", "W": "water", "L": "land", "S": "ice shelf", "N": "no data"}
EXPECTED = "a SIGRID-3 ice chart: polygons with CT, CA, SA, FA ... Check that it is one, and whole"
_DATE = re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})Z?)?(?!\d)")


def is_chart(columns: list[str]) -> bool:
    """Return whether a vector file with these columns is an ice chart.

    Parameters
    ----------
    columns : list of str
        In any case of letters.
    """
    return {"CT", "CA", "SA", "FA"} <= {c.upper() for c in columns}


def read(path: Path | str, *, rules: Rules | None = None) -> geopandas.GeoDataFrame:
    """Read a chart.

    Parameters
    ----------
    path : Path or str
        Shapefile, GeoPackage, GeoJSON or GeoParquet.
    rules : Rules, optional
        Of the dominant class; see :func:`polynya.readers.sigrid3_codes.classes`.

    Returns
    -------
    geopandas.GeoDataFrame
        The file's polygons, in its order and its coordinate system, repaired where they cross themselves. Columns:
        ``POLY_TYPE``, codes as integers (:data:`FIELDS`, -9 where empty), ``SIC``, ``SOD`` and ``FLOE`` (uint8, 255
        unknown), ``sea_ice_concentration`` (percent, NaN unknown), ``area_chart_km2`` (in the chart's own projection,
        which is often not equal-area; NaN in degrees), the file's other columns. ``attrs`` has ``source`` and ``time``
        (ISO 8601 from the file's name, empty where it has none).

    Raises
    ------
    ProductError
        If the file is missing, is no chart, has no coordinate system, or holds a code that is no number.
    """
    import geopandas as gpd

    path = Path(path)
    frame = opening.read_vectors(path, expected=EXPECTED)
    if not is_chart(list(frame.columns)):
        found = ", ".join(str(c) for c in frame.columns[:12])
        raise ProductError(
            f"{path.name}: has the columns {found}; expected CT, CA, SA and FA of a SIGRID-3 ice chart. Check the file."
        )
    if frame.crs is None:
        raise ProductError(
            f"{path.name}: has no coordinate system; expected that of the chart. Copy the .prj beside the .shp, or set"
            " it with ogr2ogr -a_srs."
        )
    frame = _repaired(frame)
    if frame.empty:
        raise ProductError(f"{path.name}: holds no polygon with an area; expected an ice chart. Check the file.")
    names = {str(c).upper(): c for c in frame.columns}
    codes = {f: _codes(frame[names[f]], where=f"{path.name}: {f}") for f in FIELDS if f in names}
    kinds = _poly_types(frame, names, codes)
    classes = sigrid3_codes.classes(codes, poly_type=kinds, rules=rules)
    flat = np.full(len(frame), np.nan) if frame.crs.is_geographic else frame.area.to_numpy() * 1e-6
    columns = {
        "POLY_TYPE": kinds,
        **codes,
        **classes,
        "sea_ice_concentration": sigrid3_codes.concentration_percent(classes["SIC"]),
        "area_chart_km2": flat,
    }
    taken = {names[f] for f in ("POLY_TYPE", *FIELDS) if f in names} | {frame.geometry.name}
    others = {c: frame[c].to_numpy() for c in frame.columns if c not in taken and c not in columns}
    out = gpd.GeoDataFrame({**columns, **others}, geometry=frame.geometry.to_numpy(), crs=frame.crs)
    out.attrs = {"source": path.name, "time": time_of(path.name)}
    return out


def areas_by_concentration(chart: geopandas.GeoDataFrame) -> dict[int, float]:
    """Return the area of ice polygons by the code of total concentration, km², in the chart's own projection.

    Parameters
    ----------
    chart : geopandas.GeoDataFrame
        Of :func:`read`.
    """
    ice = chart[chart["POLY_TYPE"] == "I"]
    sums = ice.groupby("CT")["area_chart_km2"].sum()
    return {int(code): float(area) for code, area in sums.items()}


def rasterise(chart: geopandas.GeoDataFrame, geobox: GeoBox) -> dict[str, np.ndarray]:
    """Draw a chart onto a grid.

    Parameters
    ----------
    chart : geopandas.GeoDataFrame
        Of :func:`read`.
    geobox : odc.geo.geobox.GeoBox
        The grid, in any coordinate system.

    Returns
    -------
    dict of str to numpy.ndarray, shape (h, w)
        ``SIC``, ``SOD``, ``FLOE`` (uint8, 255 where the chart says nothing) and ``polygon`` (int32, the row of the
        polygon in the chart, -1 outside), of the polygon that holds a pixel's centre.
    """
    from rasterio.features import rasterize

    shapes = chart.geometry.segmentize(_longest_edge(chart)).to_crs(str(geobox.crs))
    polygon = rasterize(
        [(s, k) for k, s in enumerate(shapes)],
        out_shape=tuple(geobox.shape),
        transform=geobox.affine,
        fill=-1,
        dtype=np.int32,
    )
    out: dict[str, np.ndarray] = {"polygon": polygon}
    for name in CHARTS:
        known = np.append(chart[name].to_numpy(np.uint8), np.uint8(sigrid3_codes.MASK))
        out[name] = known[polygon]  # -1 is the last: unknown
    return out


def time_of(name: str) -> str:
    """Return the time that a file's name states, ISO 8601; empty where it states none.

    Parameters
    ----------
    name : str
        As ``cis_SGRDRHB_20201102T1800Z_pl_a.shp`` or ``201801241950_SouthEast_RIC.shp``.
    """
    for m in _DATE.finditer(name):
        year, month, day, hour, minute = m.groups()
        if not ("01" <= month <= "12" and "01" <= day <= "31"):
            continue
        has_time = hour is not None and hour < "24" and minute < "60"
        return f"{year}-{month}-{day}" + (f"T{hour}:{minute}Z" if has_time else "")
    return ""


def _repaired(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Return rows with an area; polygons that cross themselves are made valid."""
    import shapely

    shapes = frame.geometry.to_numpy()
    there = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    frame, shapes = frame[there].reset_index(drop=True), shapely.force_2d(shapes[there])
    fixed = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))
    frame = frame.set_geometry(list(fixed), crs=frame.crs)
    return frame[shapely.area(fixed) > 0].reset_index(drop=True)


def _codes(column: pandas.Series, *, where: str) -> np.ndarray:
    """Return codes as integers; empty ones are -9."""
    out = np.full(len(column), NOT_FILLED, np.int64)
    for k, value in enumerate(column.to_numpy(object)):
        text = "" if value is None or value != value else str(value).strip()
        if text in ("", "None", "nan"):
            continue
        number = re.fullmatch(r"(-?\d{1,3})(?:\.0+)?", text)
        if number is None:
            raise ProductError(
                f"{where} is {text[:20]!r} in polygon {k}; expected a code of two digits, or -9. Check the chart."
            )
        out[k] = NOT_FILLED if number[1].startswith("-") else int(number[1])
    return out


def _poly_types(frame: geopandas.GeoDataFrame, names: dict[str, str], codes: dict[str, np.ndarray]) -> np.ndarray:
    """Return one letter per polygon; without the column, polygons with a concentration are ice, others no data."""
    if "POLY_TYPE" in names:
        return np.array([str(v).strip().upper()[:1] for v in frame[names["POLY_TYPE"]].to_numpy(object)])
    return np.where(codes["CT"] == NOT_FILLED, "N", "I")


def _longest_edge(chart: geopandas.GeoDataFrame) -> float:
    """Return the length to which edges are divided before they are projected: 5 km, in the chart's units."""
    return 0.05 if chart.crs.is_geographic else 5000.0
