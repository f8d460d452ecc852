"""``polynya info`` for charts, concentration grids, AI4Arctic scenes and AMSR2 channels of sea ice."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import io
from ...errors import ProductError
from ...io import opening
from ...readers import ai4arctic, amsr2_swath, ice_concentration, sigrid3_chart
from ...schema import counted
from .extent import in_words

VECTORS = (".gpkg", ".shp", ".geojson", ".fgb", ".parquet", ".geoparquet")
GRIDS = (".nc", ".nc4", ".cdf")


def is_sea_ice(paths: Sequence[Path | str]) -> bool:
    """Return whether a path names a vector file, a NetCDF file, or a GeoTIFF of sea-ice concentration.

    Parameters
    ----------
    paths : sequence of Path or str
        As given.
    """
    if len(paths) != 1 or "=" in str(paths[0]):
        return False
    path = Path(paths[0])
    ending = path.suffix.lower()
    if ending in ice_concentration.RASTERS:
        return ice_concentration.is_concentration(path)
    return ending in (*VECTORS, *GRIDS) and not path.is_dir()


def run(path: Path | str) -> dict[str, object]:
    """Describe one file.

    Parameters
    ----------
    path : Path or str
        Of :func:`is_sea_ice`.

    Returns
    -------
    dict
        Plain data; ``kind`` is ``ice chart``, ``ai4arctic``, ``amsr2`` or ``concentration``.

    Raises
    ------
    ProductError
        If the file is missing, damaged, or none of these.
    """
    path = Path(path)
    if path.suffix.lower() in VECTORS:
        return io.plain(_chart(path))
    if path.suffix.lower() in ice_concentration.RASTERS:
        return io.plain(_grid(path))
    with opening.open_netcdf(path) as data:
        names = [str(v) for v in data.variables]
    if ai4arctic.is_scene(path):
        return io.plain(_scene(path))
    if any(n.startswith("btemp_") for n in names):
        return io.plain(_amsr2(path))
    if ice_concentration.is_concentration(path):
        return io.plain(_grid(path))
    raise ProductError(
        f"{path.name}: holds {', '.join(names[:8]) or 'no variable'}; expected sea-ice concentration, an AI4Arctic"
        " scene or AMSR2 channels. Give one of these."
    )


def _chart(path: Path) -> dict[str, object]:
    from ...scenes.areas import area_km2

    chart = sigrid3_chart.read(path)
    ice = chart[chart["POLY_TYPE"] == "I"]
    flat, round_earth = sigrid3_chart.areas_by_concentration(chart), area_km2(ice)
    kinds = chart["POLY_TYPE"].value_counts()
    areas = [
        {
            "CT": code,
            "polygons": int((ice["CT"] == code).sum()),
            "area_chart_km2": round(area, 2),
            "area_km2": round(float(round_earth[(ice["CT"] == code).to_numpy()].sum()), 2),
        }
        for code, area in sorted(flat.items())
    ]
    return {
        "kind": "ice chart",
        "name": path.name,
        "time": chart.attrs["time"],
        "polygons": len(chart),
        "polygons_by_type": {sigrid3_chart.POLY_TYPES.get(k, k or "unknown"): int(n) for k, n in kinds.items()},
        "crs": chart.crs.name,
        "extent": _extent(chart.to_crs(4326).total_bounds),
        "areas": areas,
        "next_commands": [f"polynya evaluate CONCENTRATION -r {shlex.quote(str(path))}"],
    }


def _scene(path: Path) -> dict[str, object]:
    scene = ai4arctic.open_scene(path)
    about: dict[str, object] = {
        "kind": "ai4arctic",
        "name": path.name,
        "form": scene.form,
        "scene": scene.name,
        "time": scene.time,
        "service": scene.service,
        "shape": list(scene.shape),
        "cells": list(scene.cells),
        "pixel_m": scene.pixel_m,
        "variables": list(scene.variables),
        "reference": scene.reference.name if scene.reference else "",
    }
    if scene.swath is not None:
        latitude, longitude = scene.swath.latitude, scene.swath.longitude
        about["extent"] = _extent((longitude.min(), latitude.min(), longitude.max(), latitude.max()))
    has_charts = "SIC" in scene.variables
    about["next_commands"] = [f"polynya evaluate CONCENTRATION -r {shlex.quote(str(path))}"] if has_charts else []
    return about


def _amsr2(path: Path) -> dict[str, object]:
    data = amsr2_swath.read(path)
    channels = [n for n in amsr2_swath.CHANNELS if n in data]
    ranges = {n: [round(float(np.nanmin(data[n])), 2), round(float(np.nanmax(data[n])), 2)] for n in channels}
    known = np.mean([np.isfinite(data[n]).mean() for n in channels])
    return {
        "kind": "amsr2",
        "name": path.name,
        "scene": data.attrs["scene"],
        "time": data.attrs["time"],
        "shape": [data.sizes["y"], data.sizes["x"]],
        "channels_k": ranges,
        "known": round(float(known), 4),
        "swaths": data.attrs["swaths"],
        "delays_s": data.attrs["delays_s"],
        "next_commands": [],
    }


def _grid(path: Path) -> dict[str, object]:
    from pyproj import CRS, Transformer

    data = ice_concentration.read(path)
    box, percent = ice_concentration.geobox_of(data), data[ice_concentration.NAME].to_numpy()
    crs = CRS.from_user_input(str(box.crs))
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    _, latitude = to_degrees.transform(*np.meshgrid(data["x"].to_numpy(), data["y"].to_numpy()))
    known = np.isfinite(percent)
    return {
        "kind": "concentration",
        "name": path.name,
        "product": data.attrs["product"],
        "time": data.attrs["time"],
        "crs": _system(crs),
        "shape": list(percent.shape),
        "cell": [abs(float(box.affine.a)), abs(float(box.affine.e))],
        "cell_units": "degree" if crs.is_geographic else "m",
        "latitude": [round(float(latitude.min()), 4), round(float(latitude.max()), 4)],
        "known": round(float(known.mean()), 4),
        "mean_percent": round(float(percent[known].mean()), 3) if known.any() else None,
        "share_of_ice_15": round(float((percent[known] >= 15.0).mean()), 4) if known.any() else None,
        "has_uncertainty": ice_concentration.SIGMA in data,
        "next_commands": [f"polynya evaluate {shlex.quote(str(path))} -r REFERENCE"],
    }


def _system(crs: Any) -> str:
    """Return the name of a coordinate system; its projection and ellipsoid where it has none."""
    if crs.name not in ("undefined", "unknown") or crs.coordinate_operation is None:
        return crs.name
    return f"{crs.coordinate_operation.method_name}, semi-major axis {crs.ellipsoid.semi_major_metre:.0f} m"


def _extent(bounds: Sequence[float]) -> list[float]:
    return [round(float(v), 4) for v in bounds]


def as_text(about: dict[str, object]) -> str:
    """Return the description for people."""
    rows: Callable[[dict], list[tuple[str, str]]] = {
        "ice chart": _chart_rows,
        "ai4arctic": _scene_rows,
        "amsr2": _amsr2_rows,
        "concentration": _grid_rows,
    }[str(about["kind"])]
    lines = [f"{about['name']}: {_title(about)}", f"  {'time':<12}{about['time'] or 'unknown'}"]
    lines += [f"  {label:<12}{words}" for label, words in rows(about)]
    for i, command in enumerate(about["next_commands"]):  # type: ignore[arg-type, var-annotated]
        lines.append(f"  {'next' if i == 0 else '':<12}{command}")
    return "\n".join(lines)


def _title(about: dict) -> str:
    if about["kind"] == "ice chart":
        return f"ice chart of {counted(about['polygons'], 'polygon')}"
    size = f"{about['shape'][0]} x {about['shape'][1]}"
    if about["kind"] == "ai4arctic":
        return f"AI4Arctic scene, {about['form']}, {size} pixels of {about['pixel_m']:g} m"
    if about["kind"] == "amsr2":
        return f"AMSR2 on {size} cells of a Sentinel-1 image"
    return f"sea-ice concentration ({about['product']}), {size} cells"


def _chart_rows(about: dict) -> list[tuple[str, str]]:
    rows = [
        ("polygons", ", ".join(f"{k} {n}" for k, n in about["polygons_by_type"].items())),
        ("crs", about["crs"]),
        ("extent", in_words(about["extent"])),
        ("areas", f"{'CT':>4}{'polygons':>10}{'km2 in the chart':>20}{'km2 on the ellipsoid':>24}"),
    ]
    return rows + [
        ("", f"{a['CT']:>4}{a['polygons']:>10}{a['area_chart_km2']:>20,.1f}{a['area_km2']:>24,.1f}")
        for a in about["areas"]
    ]


def _scene_rows(about: dict) -> list[tuple[str, str]]:
    rows = [("scene", about["scene"]), ("service", about["service"] or "unknown")]
    if "extent" in about:
        rows.append(("extent", in_words(about["extent"])))
    rows.append(("cells", f"{about['cells'][0]} x {about['cells'][1]} of 2 km"))
    rows.append(("variables", ", ".join(about["variables"])))
    charts = f"in {about['reference']}" if about["reference"] else "inside" if "SIC" in about["variables"] else "none"
    return [*rows, ("charts", charts)]


def _amsr2_rows(about: dict) -> list[tuple[str, str]]:
    rows = [("scene", about["scene"] or "unknown"), ("known", f"{100 * about['known']:.1f} % of the cells")]
    if about["swaths"]:
        delays = [f"{d:.0f} s from the image" for d in about["delays_s"]] + ["time unknown"] * len(about["swaths"])
        rows.append(("swaths", ", ".join(f"{s} ({d})" for s, d in zip(about["swaths"], delays, strict=False))))
    words = [f"{n} {low:.0f}-{high:.0f}" for n, (low, high) in about["channels_k"].items()]
    return [*rows, ("channels", ", ".join(words) + " K")]


def _grid_rows(about: dict) -> list[tuple[str, str]]:
    wide, high = about["cell"]
    rows = [
        ("crs", about["crs"]),
        ("cell", f"{wide:g} x {high:g} {about['cell_units']}"),
        ("latitude", f"{about['latitude'][0]:.4f} to {about['latitude'][1]:.4f}"),
        ("known", f"{100 * about['known']:.1f} % of the cells"),
    ]
    if about["mean_percent"] is not None:
        rows.append(("mean", f"{about['mean_percent']:.1f} %; 15 % or more in {100 * about['share_of_ice_15']:.1f} %"))
    return [*rows, ("uncertainty", "yes" if about["has_uncertainty"] else "none")]
