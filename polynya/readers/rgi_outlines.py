"""Glacier outlines of the Randolph Glacier Inventory 6.0 and 7.0 and of GLIMS, with the attribute names of RGI 7.0.

Checked on RGI 6.0 (Khumbu and Everest, Hintereisferner, Columbia, South Glacier) and RGI 5.0 (Oetztal) outlines; RGI
7.0 and GLIMS on files that the tests write with the columns of the published user guides (RGI Consortium 2017,
doi:10.7265/4m1f-gd79; 2023, doi:10.5067/f6jmovy5navz; GLIMS: doi:10.7265/N5V98602).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening
from . import glims_analyses

if TYPE_CHECKING:
    import geopandas
    import pandas
    from odc.geo.geobox import GeoBox

PRODUCT = "glacier outlines"
RELEASES = ("RGI 5.0", "RGI 6.0", "RGI 7.0", "GLIMS")
CHECKED = ("RGI 5.0", "RGI 6.0")
COLUMNS = (
    "rgi_id",
    "glims_id",
    "glac_name",
    "o1region",
    "o2region",
    "src_date",
    "src_date_end",
    "cenlon",
    "cenlat",
    "area_km2",
    "zmin_m",
    "zmax_m",
    "zmed_m",
    "zmean_m",
    "slope_deg",
    "aspect_deg",
    "lmax_m",
    "conn_lvl",
    "surge_type",
    "term_type",
    "primeclass",
)
"""Columns that every inventory gets, in RGI 7.0's names; ``src_date_end`` is RGI 6.0's EndDate, which 7.0 has no
more."""
TEXT = ("rgi_id", "glims_id", "glac_name", "o1region", "o2region", "src_date", "src_date_end", "primeclass")
_RGI6 = {
    "rgiid": "rgi_id",
    "glimsid": "glims_id",
    "bgndate": "src_date",
    "enddate": "src_date_end",
    "cenlon": "cenlon",
    "cenlat": "cenlat",
    "o1region": "o1region",
    "o2region": "o2region",
    "area": "area_km2",
    "zmin": "zmin_m",
    "zmax": "zmax_m",
    "zmed": "zmed_m",
    "slope": "slope_deg",
    "aspect": "aspect_deg",
    "lmax": "lmax_m",
    "connect": "conn_lvl",
    "surging": "surge_type",
    "termtype": "term_type",
    "name": "glac_name",
}
_TERMINI = {3.0: 0.0, 4.0: 0.0, 5.0: 3.0}
"""RGI 6's dry calving and regenerated glaciers end on land, its shelf-terminating ones are 3 in RGI 7."""
_GLIMS = {
    "glac_id": "glims_id",
    "glac_name": "glac_name",
    "src_date": "src_date",
    "area": "area_km2",
    "min_elev": "zmin_m",
    "max_elev": "zmax_m",
    "mean_elev": "zmean_m",
    "primeclas": "primeclass",
    "length": "lmax_m",
}


def read(
    path: Path | str,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
    date: np.datetime64 | None = None,
) -> geopandas.GeoDataFrame:
    """Read outlines.

    Parameters
    ----------
    path : Path or str
        Shapefile, GeoPackage, GeoJSON or GeoParquet.
    bounds : tuple of float, optional
        West, south, east, north in ``crs`` (in the file's system without it): outlines that touch it.
    crs : str, optional
        System of the result, EPSG code or text; the file's own by default.
    date : numpy.datetime64, optional
        Of several GLIMS analyses of a glacier the one nearest to it is taken; the newest without it.

    Returns
    -------
    geopandas.GeoDataFrame
        :data:`COLUMNS`, then the file's other columns, then polygons. Missing text is None, missing numbers are NaN;
        dates are ISO 8601 as far as they are known (``2003-07``). Of GLIMS, one row per glacier, internal rocks cut
        out. ``attrs`` has ``inventory``, ``source``, ``fixed`` (polygons that were repaired), ``dropped`` (rows
        without an area) and ``lines`` (what was chosen and cut, in words).

    Raises
    ------
    ProductError
        If the file is missing, is no vector file, has no coordinate system or no polygon.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    path = Path(path)
    frame = opening.read_vectors(
        path, expected="outlines: a shapefile, GeoPackage or GeoParquet with polygons. Check that it is one, and whole"
    )
    if frame.crs is None:
        raise ProductError(
            f"{path.name}: has no coordinate system; expected one (RGI is EPSG:4326). Copy the .prj beside the .shp, or"
            " set it with ogr2ogr -a_srs."
        )
    columns = {c.lower(): c for c in frame.columns}
    inventory = _inventory(frame, columns)
    if inventory == "GLIMS" and "line_type" in columns:
        kinds = (glims_analyses.BOUNDARY, glims_analyses.ROCK)
        frame = frame[frame[columns["line_type"]].astype(str).str.strip().isin(kinds)]
    frame, fixed, dropped = _polygons(frame)
    lines: tuple[str, ...] = ()
    if inventory == "GLIMS" and not frame.empty:
        analyses = glims_analyses.whole(frame, columns, date=date)
        frame, lines = analyses.frame, analyses.lines(path.name, date)
    if frame.empty:
        raise ProductError(
            f"{path.name}: holds no polygon with an area ({dropped} rows without); expected glacier outlines. Check the"
            " file."
        )
    try:
        frame = frame if crs is None else frame.to_crs(CRS.from_user_input(crs))
    except CRSError as error:
        raise ProductError(
            f"{path.name}: outlines cannot be brought to {crs} ({one_line(error)[:100]}); expected a coordinate system"
            " such as EPSG:32645. Check it."
        ) from error
    if bounds is not None:
        frame = frame.cx[bounds[0] : bounds[2], bounds[1] : bounds[3]]
    frame = _named(frame.reset_index(drop=True), inventory)
    frame.attrs = {"inventory": inventory, "source": path.name, "fixed": fixed, "dropped": dropped, "lines": lines}
    return frame


def _inventory(frame: pandas.DataFrame, columns: dict[str, str]) -> str:
    if "rgi_id" in columns and "src_date" in columns:
        return "RGI 7.0"
    if "rgiid" in columns:
        first = str(frame[columns["rgiid"]].iloc[0]) if len(frame) else ""
        return "RGI 5.0" if first.startswith("RGI50") else "RGI 6.0"
    return "GLIMS" if "glac_id" in columns else "unknown"


def _polygons(frame: geopandas.GeoDataFrame) -> tuple[geopandas.GeoDataFrame, int, int]:
    """Keep polygons, fixed where they cross themselves; count both."""
    import shapely

    shapes = frame.geometry.to_numpy()
    broken = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
    shapes = np.where(broken, shapely.make_valid(shapes), shapes)
    kept = np.array([_areas_only(s) for s in shapes], dtype=object)
    there = np.array([s is not None for s in kept], bool)
    out = frame[there].copy()
    out[out.geometry.name] = out.geometry.__class__(list(kept[there]), index=out.index, crs=frame.crs)
    return out, int(np.count_nonzero(broken & there)), int(np.count_nonzero(~there))


def _areas_only(shape: Any) -> Any | None:
    import shapely

    if shape is None or shapely.is_empty(shape):
        return None
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shapely.force_2d(shape) if shape.area > 0 else None
    parts = [p for p in getattr(shape, "geoms", ()) if p.geom_type in ("Polygon", "MultiPolygon") and p.area > 0]
    return shapely.force_2d(shapely.union_all(parts)) if parts else None


def _named(frame: geopandas.GeoDataFrame, inventory: str) -> geopandas.GeoDataFrame:
    """Give columns the names and the missing values of RGI 7.0."""
    import geopandas as gpd
    import pandas as pd

    table = _GLIMS if inventory == "GLIMS" else _RGI6 if inventory in ("RGI 5.0", "RGI 6.0") else {}
    wanted: dict[str, str] = {}
    for column in frame.columns:
        name = table.get(column.lower(), column.lower() if not table else "")
        if name in COLUMNS and name not in wanted:
            wanted[name] = column
    geometry = frame.geometry
    out: dict[str, Any] = {}
    for name in COLUMNS:
        values = frame[wanted[name]] if name in wanted else pd.Series([None] * len(frame), index=frame.index)
        if name in TEXT:
            out[name] = [_text(v) for v in values]
        else:
            number = pd.to_numeric(values, errors="coerce").astype(float)
            out[name] = number.where(~number.isin([-999.0, -9999.0]), np.nan)
            if name == "term_type" and inventory in ("RGI 5.0", "RGI 6.0"):
                out[name] = number.replace(_TERMINI)
    if inventory != "RGI 7.0":
        for name in ("src_date", "src_date_end"):
            out[name] = [_date(v) for v in out[name]]
        out["o1region"] = [v.zfill(2) if v else None for v in out["o1region"]]
        out["o2region"] = [
            f"{a}-{b.zfill(2)}" if a and b and "-" not in b else b
            for a, b in zip(out["o1region"], out["o2region"], strict=True)
        ]
    others = {c: frame[c] for c in frame.columns if c not in wanted.values() and c != geometry.name and c not in out}
    return gpd.GeoDataFrame({**out, **others}, geometry=geometry.to_numpy(), crs=frame.crs, index=frame.index)


def _text(value: object) -> str | None:
    text = "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value).strip()
    return None if text in ("", "-9999999", "-999", "None", "nan", "NaT") else text


def _date(text: str | None) -> str | None:
    """Return a date of eight digits, in which 99 is unknown, as ISO 8601; other text as it is."""
    if text is None or not re.fullmatch(r"\d{8}", text):
        return text
    year, month, day = text[:4], text[4:6], text[6:]
    if year == "9999":
        return None
    if not "01" <= month <= "12":
        return year
    return f"{year}-{month}-{day}" if "01" <= day <= "31" else f"{year}-{month}"


def rasterise(outlines: geopandas.GeoDataFrame, geobox: GeoBox) -> np.ndarray:
    """Draw outlines onto a grid.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        In any system.
    geobox : odc.geo.geobox.GeoBox
        The grid.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        1 where a pixel's centre lies inside an outline, else 0.

    Raises
    ------
    ProductError
        If the outlines have no coordinate system.
    """
    from rasterio.features import rasterize

    if outlines.crs is None:
        raise ProductError("outlines without a coordinate system; expected one. Set it: outlines.set_crs('EPSG:4326').")
    shapes = outlines.geometry.to_crs(str(geobox.crs))
    there = [s for s in shapes if s is not None and not s.is_empty]
    if not there:
        return np.zeros(tuple(geobox.shape), np.uint8)
    return rasterize(
        there, out_shape=tuple(geobox.shape), transform=geobox.affine, fill=0, default_value=1, dtype=np.uint8
    )
