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
        Of :func:`polynya.scenes.ice_edge.zones`, with ``area_low_km2`` and ``area_high_km2``.
    limits : geopandas.GeoDataFrame
        Lines between which the ice edge lies: ``bound`` is ``inner`` where even the lower ends of the concentration
        are ice, ``outer`` where the upper ends are; ``length_km``.
    ranges : dict of str to (float, float)
        Least and most area of every zone, km².
    band_km2 : float
        Area between the limits.
    """

    edge: geopandas.GeoDataFrame
    zones: geopandas.GeoDataFrame
    limits: geopandas.GeoDataFrame
    ranges: Mapping[str, tuple[float, float]]
    band_km2: float

    @property
    def numbers(self) -> dict[str, float]:
        """Lengths and areas by name, for records."""
        areas = dict(zip(self.zones["zone"], self.zones["area_km2"], strict=True))
        out = {"ice_edge_km": float(self.edge["length_km"].sum()), "ice_edge_band_km2": self.band_km2}
        for name, (low, high) in self.ranges.items():
            out |= {f"{name}_km2": float(areas.get(name, 0.0)), f"{name}_low_km2": low, f"{name}_high_km2": high}
        return out


def ends(concentration: np.ndarray, uncertainty: np.ndarray, intervals: np.ndarray | None) -> np.ndarray:
    """Return the ends of the 95 % interval of every pixel; two standard uncertainties where there is no interval.

    Parameters
    ----------
    concentration, uncertainty : numpy.ndarray, shape (h, w)
        Of the map.
    intervals : numpy.ndarray, shape (4, h, w), or None
        In the order of :data:`polynya.schema.sea_ice_maps.INTERVALS`.

    Returns
    -------
    numpy.ndarray, shape (2, h, w)
        0 to 1.
    """
    if intervals is not None:
        return intervals[2:]
    return np.clip(np.stack([concentration - 2.0 * uncertainty, concentration + 2.0 * uncertainty]), 0.0, 1.0)


def lines(concentration: np.ndarray, bounds: np.ndarray, geobox: GeoBox, *, edge_at: float, pack_at: float) -> Lines:
    """Draw the ice edge and the zones, and say how far they are known.

    Parameters
    ----------
    concentration : numpy.ndarray, shape (h, w)
        NaN where there is none.
    bounds : numpy.ndarray, shape (2, h, w)
        Of :func:`ends`.
    geobox : odc.geo.geobox.GeoBox
        Their grid.
    edge_at, pack_at : float
        Concentrations.

    Notes
    -----
    Areas and edge are drawn from the concentration and from both ends of its intervals. Least and most of the three
    are the range: what comes out if all pixels err alike. Tests on simulated scenes say how often it holds the truth
    (docs/concentration.md).
    """
    import geopandas as gpd
    import pandas as pd

    drawn = []
    for values in (concentration, *bounds):
        field = ice_edge.without_small_parts(ice_edge.smooth(values, geobox), level=edge_at)
        zones = ice_edge.zones(field, edge_at=edge_at, pack_at=pack_at)
        drawn.append((field, ice_edge.edge(field, level=edge_at), zones))
    areas = [dict(zip(z["zone"], z["area_km2"], strict=True)) for _, _, z in drawn]
    ranges = {n: _least_and_most([float(a.get(n, 0.0)) for a in areas]) for n in ice_edge.ZONES}
    (_, edge, zones), (inner, inner_edge, _), (outer, outer_edge, _) = drawn
    for k, name in enumerate(("area_low_km2", "area_high_km2")):
        zones.insert(4 + k, name, [ranges[z][k] for z in zones["zone"]])
    limits = pd.concat([inner_edge.assign(bound="inner"), outer_edge.assign(bound="outer")], ignore_index=True)
    is_between = (outer.values >= edge_at) & ~(inner.values >= edge_at)
    return Lines(
        edge=edge,
        zones=zones,
        limits=gpd.GeoDataFrame(limits[["bound", "length_km", "geometry"]], crs=edge.crs),
        ranges=ranges,
        band_km2=float(pixel_areas_km2(geobox)[is_between].sum()),
    )


def _least_and_most(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def write_lines(folder: Path, drawn: Lines) -> None:
    """Write edge, limits and zones; those without a row are left out.

    Parameters
    ----------
    folder : Path
        Where they go.
    drawn : Lines
        Of :func:`lines`.
    """
    for name, frame in (("ice_edge", drawn.edge), ("ice_edge_limits", drawn.limits), ("ice_zones", drawn.zones)):
        if len(frame):
            polygons.write(frame, folder / f"{name}.gpkg")


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
        most that they can add up to. ``mean_uncertainty`` is of a pixel alone. ``_low_km2`` and ``_high_km2`` are of
        the ends of the 95 % intervals.
    """
    area = pixel_areas_km2(geobox)
    c, sigma = mapped.concentration, mapped.uncertainty
    low, high = ends(c, sigma, mapped.intervals)
    seen = np.isfinite(c)
    found = {
        "mapped_area_km2": float(area[seen].sum()),
        "ice_area_km2": float((c * area)[seen].sum()),
        "ice_area_uncertainty_km2": float((sigma * area)[seen].sum()),
        "ice_extent_km2": float(area[seen & (c >= edge_at)].sum()),
        "ice_extent_low_km2": float(area[seen & (low >= edge_at)].sum()),
        "ice_extent_high_km2": float(area[seen & (high >= edge_at)].sum()),
        "mean_concentration": float((c * area)[seen].sum() / max(area[seen].sum(), 1e-12)) if seen.any() else np.nan,
        "mean_uncertainty": float(sigma[seen].mean()) if seen.any() else np.nan,
    }
    return found | drawn.numbers


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
    write_lines(folder, drawn)


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
