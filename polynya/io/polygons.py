"""Writing and reading polygons: GeoPackage and GeoParquet, the CRS always, and a form that OGGM takes. Nothing is left
half-written.

Attribute names are those of the Randolph Glacier Inventory 7.0 (RGI Consortium 2023, doi:10.5067/f6jmovy5navz).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from ..errors import NoRegionError, OutputError, ProductError, UsageError, one_line
from . import opening, parquet, writing

if TYPE_CHECKING:  # heavy, and only for the signatures
    import geopandas

ATTRIBUTES: dict[str, tuple[str, str]] = {
    "rgi_id": ("", "identifier in the Randolph Glacier Inventory; empty for ice that the inventory does not have"),
    "glims_id": ("", "identifier in GLIMS"),
    "glac_name": ("", "name"),
    "o1region": ("", "first-order region of the RGI, two digits"),
    "o2region": ("", "second-order region of the RGI"),
    "term_type": ("1", "terminus: 0 land, 1 marine, 2 lake, 3 shelf, 9 not assigned"),
    "src_date": ("", "time of the image, ISO 8601, UTC"),
    "area_km2": ("km2", "area on the WGS 84 ellipsoid"),
    "area_low_km2": ("km2", "lower end of the 95 % interval of the area"),
    "area_high_km2": ("km2", "upper end of the 95 % interval of the area"),
    "cenlon": ("degrees_east", "longitude of the centroid, moved inside where that lies outside"),
    "cenlat": ("degrees_north", "latitude of the centroid, moved inside where that lies outside"),
    "zmin_m": ("m", "least elevation, in the DEM's datum"),
    "zmax_m": ("m", "greatest elevation"),
    "zmed_m": ("m", "median elevation, to 1 m"),
    "zmean_m": ("m", "mean elevation"),
    "slope_deg": ("degree", "mean slope"),
    "aspect_deg": ("degree", "circular mean of the direction downslope, clockwise from north"),
    "confidence": ("1", "mean confidence of the pixels inside"),
    "clean_km2": ("km2", "area of clean ice and snow on ice; missing where no image tells"),
    "clean_low_km2": ("km2", "lower end of its 95 % interval"),
    "clean_high_km2": ("km2", "upper end of its 95 % interval"),
    "debris_km2": ("km2", "area of debris-covered ice"),
    "debris_low_km2": ("km2", "lower end of its 95 % interval"),
    "debris_high_km2": ("km2", "upper end of its 95 % interval"),
    "is_simulated": ("", "true where the scene was simulated: no glacier of the real world"),
}
"""Columns of an outline file: units and meaning."""

SUFFIXES = (".gpkg", ".parquet", ".geoparquet", ".shp", ".geojson")
OGGM_COLUMNS = (
    "rgi_id",
    "o1region",
    "o2region",
    "glims_id",
    "src_date",
    "cenlon",
    "cenlat",
    "utm_zone",
    "area_km2",
    "term_type",
    "glac_name",
    "zmin_m",
    "zmax_m",
    "zmed_m",
    "zmean_m",
    "slope_deg",
    "aspect_deg",
    "dem_source",
)
"""What ``oggm.workflow.init_glacier_directories`` (1.6.3) reads of an RGI 7 glacier, and RGI 7's elevations."""
_NO_DATE = "-9999999"  # RGI 6's; OGGM then takes the region's usual year
_REGION = re.compile(r"^(?:RGI\d\d-(\d\d)\.\d+|RGI2000-v7\.\d-[GC]-(\d\d)-\d+)$")


def write(frame: geopandas.GeoDataFrame, path: Path | str, *, about: Mapping[str, str] | None = None) -> Path:
    """Write polygons, or lines, under a temporary name, then rename: GeoPackage or GeoParquet, as the name ends.

    GeoParquet columns carry units and meaning (:data:`ATTRIBUTES`) in their field metadata.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        With a CRS; may be empty.
    path : Path or str
        ``.gpkg`` or ``.parquet``.
    about : mapping of str to str, optional
        Metadata of the layer.

    Raises
    ------
    UsageError
        If the frame has no CRS or the name ends otherwise.
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    if frame.crs is None:
        raise UsageError(
            f"{path.name}: the polygons have no coordinate reference system; expected one. Set it"
            " (GeoDataFrame.set_crs) before writing."
        )
    if path.suffix not in (".gpkg", ".parquet", ".geoparquet"):
        raise UsageError(
            f"{path.name}: ends in {path.suffix or 'nothing'}; expected .gpkg or .parquet. Rename the output."
        )
    with writing(path) as temporary:
        inner = temporary.with_name(temporary.name + path.suffix)  # drivers look at the ending
        try:
            if path.suffix == ".gpkg":
                frame.to_file(
                    inner,
                    driver="GPKG",
                    layer=path.stem,
                    engine="pyogrio",
                    promote_to_multi=True,
                    geometry_type=_kind(frame),
                    layer_metadata=dict(about) if about else None,
                )
            else:
                _write_parquet(frame, inner, about or {})
            os.replace(inner, temporary)
        except (RuntimeError, ValueError, TypeError) as error:  # pyogrio's and pyarrow's
            raise OutputError(
                f"{path.name}: cannot be written ({one_line(error)[:160]}); expected polygons and plain columns. Check"
                " the folder and the table."
            ) from error
        finally:
            for left in inner.parent.glob(inner.name + "*"):  # with the journal of a database
                left.unlink(missing_ok=True)
    return path


def _kind(frame: geopandas.GeoDataFrame) -> str:
    kinds = set(frame.geometry.geom_type)
    return "MultiLineString" if kinds and kinds <= {"LineString", "MultiLineString"} else "MultiPolygon"


def _write_parquet(frame: geopandas.GeoDataFrame, path: Path, about: Mapping[str, str]) -> None:
    frame.to_parquet(path, index=False)
    table = parquet.read(path)
    fields = [
        (
            f.with_metadata(dict(zip(("units", "long_name"), ATTRIBUTES[f.name], strict=True)))
            if f.name in ATTRIBUTES
            else f
        )
        for f in table.schema
    ]
    parquet.write(
        table.cast(pa.schema(fields, metadata={**(table.schema.metadata or {}), **about})), path, compression="zstd"
    )


def read(path: Path | str) -> geopandas.GeoDataFrame:
    """Read polygons: GeoPackage, GeoParquet, shapefile or GeoJSON, with their own columns.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    geopandas.GeoDataFrame
        Polygons and MultiPolygons that are valid (others are fixed), none empty.

    Raises
    ------
    ProductError
        If the file is missing, damaged, holds no polygon, or has no CRS.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES and path.exists():
        raise ProductError(
            f"{path.name}: ends in {path.suffix or 'nothing'}; expected polygons in one of {', '.join(SUFFIXES)}."
            " Convert it, for example with ogr2ogr."
        )
    frame = opening.read_vectors(path)
    if len(frame) and frame.geometry.isna().all():
        raise ProductError(f"{path.name}: holds no geometry; expected polygons. Give the file of outlines.")
    if frame.crs is None:
        raise ProductError(
            f"{path.name}: has no coordinate reference system; expected one (a shapefile needs its .prj). Assign it,"
            " for example with ogr2ogr -a_srs."
        )
    return polygonal(frame, what=path.name)


def polygonal(frame: geopandas.GeoDataFrame, *, what: str) -> geopandas.GeoDataFrame:
    """Return the rows that hold area, with valid polygons: others are fixed.

    Raises
    ------
    ProductError
        If there are geometries but none is a polygon.
    """
    geometry = shapely.force_2d(frame.geometry.to_numpy())
    bad = ~shapely.is_valid(geometry)
    geometry[bad] = shapely.make_valid(geometry[bad])
    mixed = shapely.get_type_id(geometry) == shapely.GeometryType.GEOMETRYCOLLECTION  # what mending may leave
    geometry[mixed] = [only_area(g) for g in geometry[mixed]]
    kept = np.isin(
        shapely.get_type_id(geometry), (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
    ) & ~shapely.is_empty(geometry)
    if len(frame) and not kept.any():
        kinds = sorted({g.geom_type for g in geometry if g is not None})
        raise ProductError(
            f"{what}: holds {', '.join(kinds) or 'no geometry'}; expected polygons. Give the file of outlines, not of"
            " lines or points."
        )
    return frame.set_geometry(geometry, crs=frame.crs)[kept].reset_index(drop=True)


def only_area(geometry: shapely.Geometry) -> shapely.Geometry:
    """Return an overlay's polygons without the lines and points where edges touched; what is polygonal stays as it
    is."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    return shapely.union_all(
        [p for p in shapely.get_parts(geometry) if p.geom_type in ("Polygon", "MultiPolygon")]
        or [shapely.MultiPolygon()]
    )


def to_oggm(frame: geopandas.GeoDataFrame, *, o1region: str = "") -> geopandas.GeoDataFrame:
    """Return outlines as OGGM reads them: an RGI 7 glacier a row, EPSG:4326.

    ``oggm.workflow.init_glacier_directories`` needs one row an identifier and the columns of :data:`OGGM_COLUMNS`.
    Ice that the inventory does not have gets an identifier of its own, ``POLYNYA-REGION-NUMBER``, since OGGM keeps a
    folder an identifier. With such identifiers switch OGGM's download of RGI intersects off:
    ``cfg.PARAMS['use_intersects'] = False``. OGGM keeps the largest part of a glacier in several parts.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Outlines with ``rgi_id``, ``cenlon``, ``cenlat``, ``area_km2``.
    o1region : str
        First-order RGI region, two digits, for glaciers whose identifier does not say; by default that of most of the
        others.

    Raises
    ------
    UsageError
        If a column is missing or an identifier occurs twice.
    NoRegionError
        If no region is known.
    """
    missing = [c for c in ("rgi_id", "cenlon", "cenlat", "area_km2") if c not in frame.columns]
    if missing:
        raise UsageError(
            f"outlines for OGGM: columns {missing} are missing; expected those of polynya's outlines. Add the"
            " attributes first."
        )
    ids = [str(i) if isinstance(i, str) else "" for i in frame["rgi_id"]]
    twice = sorted((i, n) for i, n in Counter(ids).items() if i and n > 1)
    if twice:
        raise UsageError(
            f"outlines for OGGM: {twice[0][0]} occurs {twice[0][1]} times; expected one row per glacier. Dissolve the"
            " parts (GeoDataFrame.dissolve)."
        )
    given = _column(frame, "o1region", "")
    regions = [
        next((g for g in m.groups() if g), "") if (m := _REGION.match(i)) else t if isinstance(t, str) else ""
        for i, t in zip(ids, given, strict=True)
    ]
    usual = o1region or next((r for r, _ in Counter(r for r in regions if r).most_common(1)), "")
    if not all(regions) and not usual:
        raise NoRegionError(
            "outlines for OGGM: no region is known; expected RGI identifiers or a first-order region. Pass o1region,"
            " two digits: 11 is Central Europe."
        )
    regions = [f"{int(r or usual):02d}" for r in regions]
    out = frame.to_crs("EPSG:4326")
    out["o1region"] = regions
    second = [s if isinstance(s, str) else "" for s in _column(frame, "o2region", "")]
    out["o2region"] = [
        s if "-" in s else f"{r}-{int(s) if s.isdigit() else 0:02d}" for s, r in zip(second, regions, strict=True)
    ]
    out["rgi_id"] = [i or f"POLYNYA-{r}-{k + 1:05d}" for k, (i, r) in enumerate(zip(ids, regions, strict=True))]
    for name in ("glims_id", "glac_name"):
        out[name] = [str(v) if isinstance(v, str) else "" for v in _column(frame, name, "")]
    out["src_date"] = [
        str(v)[:19] if isinstance(v, str) and v[:4].isdigit() else _NO_DATE for v in _column(frame, "src_date", "")
    ]
    out["term_type"] = [_terminus(v) for v in _column(frame, "term_type", 9)]
    out["utm_zone"] = (np.floor((out["cenlon"].to_numpy(float) + 180.0) / 6.0).astype(int) % 60) + 1
    out["dem_source"] = pd.Series([None] * len(out), index=out.index, dtype=object)
    for name in OGGM_COLUMNS:
        if name not in out.columns:
            out[name] = np.nan
    return out[[*OGGM_COLUMNS, out.geometry.name]]


def _terminus(value: object) -> int:
    """Return the kind of a terminus as a whole number, 9 (not assigned) for what is none: inventories hold it as a
    number, as text, and with a missing value beside it as a fraction (1.0)."""
    try:
        number = float(str(value))
    except ValueError:
        return 9
    return int(number) if number in (0.0, 1.0, 2.0, 3.0) else 9


def _column(frame: geopandas.GeoDataFrame, name: str, default: object) -> list:
    return frame[name].tolist() if name in frame.columns else [default] * len(frame)
