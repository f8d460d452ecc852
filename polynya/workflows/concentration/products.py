"""A map as files: cloud-optimised GeoTIFFs, CF NetCDF, ice edge and zones; and its totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...io import grids, polygons
from ...scenes import ice_edge
from ...schema import Variable
from ...schema.sea_ice_maps import CONCENTRATION, FLAGS, INTERVALS, NO_CLASS, QUALITY, UNCERTAINTY
from .mapped import Mapped

if TYPE_CHECKING:
    import geopandas
    import xarray
    from odc.geo.geobox import GeoBox


BANDS = "sea_ice_concentration_intervals"
"""Name of the file with the ends of the intervals, a band each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """What is drawn from a map.

    Attributes
    ----------
    edge : geopandas.GeoDataFrame
        Of :func:`polynya.scenes.ice_edge.edge`.
    zones : geopandas.GeoDataFrame
        Of :func:`polynya.scenes.ice_edge.zones`.
    """

    edge: geopandas.GeoDataFrame
    zones: geopandas.GeoDataFrame


def lines(concentration: np.ndarray, geobox: GeoBox, *, edge_at: float, pack_at: float) -> Lines:
    """Draw the ice edge and the zones.

    Parameters
    ----------
    concentration : numpy.ndarray, shape (h, w)
        NaN where there is none.
    geobox : odc.geo.geobox.GeoBox
        Its grid.
    edge_at, pack_at : float
        Concentrations.
    """
    field = ice_edge.smooth(concentration, geobox)
    field = ice_edge.without_small_parts(field, level=edge_at)
    return Lines(
        edge=ice_edge.edge(field, level=edge_at), zones=ice_edge.zones(field, edge_at=edge_at, pack_at=pack_at)
    )


def totals(mapped: Mapped, geobox: GeoBox, drawn: Lines, *, edge_at: float) -> dict[str, float]:
    """Return areas and lengths of a map.

    Parameters
    ----------
    mapped : Mapped
        The map.
    geobox : odc.geo.geobox.GeoBox
        Its grid.
    drawn : Lines
        Of :func:`lines`.
    edge_at : float
        Concentration from which a pixel counts to the extent.

    Returns
    -------
    dict
        km² and km on the ellipsoid. ``ice_area_uncertainty_km2`` takes the errors of all pixels as one: it is the
        most that they can add up to. ``mean_uncertainty`` is of a pixel alone.
    """
    area = pixel_areas_km2(geobox)
    c, sigma = mapped.concentration, mapped.uncertainty
    seen = np.isfinite(c)
    found = {
        "mapped_area_km2": float(area[seen].sum()),
        "ice_area_km2": float((c * area)[seen].sum()),
        "ice_area_uncertainty_km2": float((sigma * area)[seen].sum()),
        "ice_extent_km2": float(area[seen & (c >= edge_at)].sum()),
        "mean_concentration": float((c * area)[seen].sum() / max(area[seen].sum(), 1e-12)) if seen.any() else np.nan,
        "mean_uncertainty": float(sigma[seen].mean()) if seen.any() else np.nan,
        "ice_edge_km": float(drawn.edge["length_km"].sum()),
    }
    zones = dict(zip(drawn.zones["zone"], drawn.zones["area_km2"], strict=True))
    return found | {f"{name}_km2": float(zones.get(name, 0.0)) for name in ice_edge.ZONES}


def pixel_areas_km2(geobox: GeoBox) -> np.ndarray:
    """Return the area of every pixel on the ellipsoid, km², float64 (h, w)."""
    from pyproj import CRS, Proj, Transformer

    crs = CRS.from_user_input(str(geobox.crs))
    x, y = _middles(geobox)
    longitude, latitude = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(*np.meshgrid(x, y))
    scale = np.asarray(Proj(crs).get_factors(longitude, latitude, errcheck=False).areal_scale)
    return abs(geobox.affine.a * geobox.affine.e) * 1e-6 / scale


def write(
    folder: Path, mapped: Mapped, bits: np.ndarray, data: xarray.Dataset, geobox: GeoBox, drawn: Lines, *, title: str
) -> None:
    """Write all files of a map but report and record.

    Parameters
    ----------
    folder : Path
        Where they go.
    mapped : Mapped
        The map.
    bits : numpy.ndarray of uint8
        Quality flags.
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    drawn : Lines
        Edge and zones.
    title : str
        Of the NetCDF file.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    layers = layers_of(mapped, bits)
    for spec, values in layers:
        tags = {k: str(v) for k, v in spec.attributes().items()}
        if spec is QUALITY:
            tags = {"flag_masks": " ".join(str(b) for b, _ in FLAGS), "flag_meanings": " ".join(n for _, n in FLAGS)}
        if spec not in INTERVALS:
            missing = NO_CLASS if _is_class(spec) else None
            path = folder / f"{spec.name}.tif"
            grids.write_cog(values, path, geobox=geobox, name=spec.name, tags=tags, nodata=missing)
    if mapped.intervals is not None:
        names = [v.name for v in INTERVALS]
        tags = {
            "units": "1",
            "long_name": "ends of the intervals of 68 and 95 % of the concentration",
        }
        grids.write_cog(mapped.intervals, folder / f"{BANDS}.tif", geobox=geobox, name=names, tags=tags)
    grids.write_netcdf(dataset(layers, geobox, data.attrs, title=title), folder / "concentration.nc")
    if len(drawn.edge):
        polygons.write(drawn.edge, folder / "ice_edge.gpkg")
    if len(drawn.zones):
        polygons.write(drawn.zones, folder / "ice_zones.gpkg")


def layers_of(mapped: Mapped, bits: np.ndarray) -> tuple[tuple[Variable, np.ndarray], ...]:
    """Return all that a map holds, each with its specification.

    Parameters
    ----------
    mapped : Mapped
        The map.
    bits : numpy.ndarray of uint8
        Quality flags.
    """
    ends = () if mapped.intervals is None else tuple(zip(INTERVALS, mapped.intervals, strict=True))
    classes = tuple(pair for c in mapped.classes for pair in zip(c.specs, (c.codes, c.probability), strict=True))
    return ((CONCENTRATION, mapped.concentration), (UNCERTAINTY, mapped.uncertainty), *ends, *classes, (QUALITY, bits))


def _is_class(spec: Variable) -> bool:
    return bool(spec.flags) and not spec.is_bits


def _attributes(spec: Variable, names: Sequence[str]) -> dict[str, object]:
    """Return the CF attributes of a variable beside the others of its file."""
    out: dict[str, object] = {**spec.attributes(), "grid_mapping": "crs"}
    if spec.flags:
        out["flag_masks" if spec.is_bits else "flag_values"] = np.array([v for v, _ in spec.flags], np.uint8)
    if spec is CONCENTRATION:
        ends = [v.name for v in INTERVALS if v.name in names]
        out["ancillary_variables"] = " ".join([UNCERTAINTY.name, QUALITY.name, *ends])
    if _is_class(spec):
        out["ancillary_variables"] = f"{spec.name}_probability"
    if spec in INTERVALS:
        end, percent = spec.name.split("_")[-2:]
        out |= {"interval_of": CONCENTRATION.name, "interval_end": end, "interval_percent": np.int32(percent)}
    return out


def dataset(layers, geobox: GeoBox, about: Mapping[str, str], *, title: str) -> xarray.Dataset:
    """Return a map as a CF dataset with dimensions ``time``, ``y``, ``x``."""
    import xarray as xr

    x, y = _middles(geobox)
    crs = geobox.crs.proj
    mapping = {k: v for k, v in crs.to_cf().items() if v is not None}
    mapping["latitude_of_projection_origin"] = 90.0 if int(geobox.crs.epsg or 0) == 3413 else -90.0
    out, names = {}, [spec.name for spec, _ in layers]
    for spec, values in layers:
        encoding = {"_FillValue": np.uint8(NO_CLASS)} if _is_class(spec) else {}
        out[spec.name] = (("time", "y", "x"), values[None], _attributes(spec, names), encoding)
    edges = [np.datetime64(about[f"time_coverage_{n}"].rstrip("Z"), "ns") for n in ("start", "end")]
    space = {"units": "m"}
    return xr.Dataset(
        {**out, "time_bnds": (("time", "bnds"), np.array([edges]))},
        coords={
            "time": (
                ("time",),
                np.array([edges[0] + (edges[1] - edges[0]) // 2]),
                {"standard_name": "time", "axis": "T", "bounds": "time_bnds", "units_metadata": "leap_seconds: utc"},
            ),
            "y": (("y",), y, {"standard_name": "projection_y_coordinate", "axis": "Y", **space}),
            "x": (("x",), x, {"standard_name": "projection_x_coordinate", "axis": "X", **space}),
            "crs": ((), np.int32(0), mapping),
        },
        attrs={"title": title, **{k: v for k, v in about.items() if k != "Conventions"}},
    )


def _middles(geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    t, (rows, columns) = geobox.affine, geobox.shape
    return t.c + t.a * (np.arange(columns) + 0.5), t.f + t.e * (np.arange(rows) + 0.5)
