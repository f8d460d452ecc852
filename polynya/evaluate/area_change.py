"""Area change between two sets of outlines, with its uncertainty."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..errors import ProductError
from ..io.polygons import only_area
from ..metrics import Estimate
from ..scenes.areas import area_km2
from .scene_rows import BLOCK_M

IN_FILE = "intervals in the file"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What changed between two sets of outlines.

    Attributes
    ----------
    glaciers : pandas.DataFrame
        One row per glacier that both have (by ``rgi_id``): ``rgi_id``, ``old_km2``, ``new_km2``, ``change_km2``,
        ``low_km2``, ``high_km2``, ``years``.
    old, new, change : metrics.Estimate
        km², of everything compared; ``n`` is the number of outlines. NaN limits where no uncertainty is known.
    lost_km2, gained_km2 : float
        Ground that was ice before and is none after, and the other way round.
    years : float
        Between the dates, weighted by area; NaN where a date is missing.
    only_old, only_new : int
        Identifiers that the other set does not have: vanished, new, or outside what was mapped.
    uncertainty : str
        Where the intervals come from.
    notes : tuple of str
        What was chosen and cut of the files, in words.
    """

    glaciers: pd.DataFrame
    old: Estimate
    new: Estimate
    change: Estimate
    lost_km2: float
    gained_km2: float
    years: float
    only_old: int
    only_new: int
    uncertainty: str
    notes: tuple[str, ...] = ()


def compare(
    old: gpd.GeoDataFrame,
    new: gpd.GeoDataFrame,
    *,
    within: gpd.GeoSeries | None = None,
    position_error_m: float | None = None,
    totals: tuple[Estimate | None, Estimate | None] = (None, None),
) -> Change:
    """Return the change of area from old to new outlines.

    Uncertainty. Where a set has ``area_low_km2`` and ``area_high_km2`` (polynya's outlines) these are its intervals;
    else, with ``position_error_m``, its outlines are moved out and in by 1.96 times that distance (the buffer method of
    Granshaw and Fountain 2006, doi:10.3189/172756506781828782; Paul et al. 2017, doi:10.1016/j.rse.2017.08.038); else
    it has none and neither has the change. The errors of the two dates are taken as independent, those of glaciers in
    one block of 3.2 km as the same, those of different blocks as independent; where ``totals`` says how sure the sum of
    a set is, that is taken instead. Errors that both dates share (one DEM, the same debris) make the true interval of
    the change narrower.

    Parameters
    ----------
    old, new : geopandas.GeoDataFrame
        Polygons in any CRS; ``rgi_id`` and ``src_date`` are used where they are there.
    within : geopandas.GeoSeries, optional
        Ground that both dates cover; ice elsewhere does not count. Outlines that it cuts lose their intervals' shares
        with their area.
    position_error_m : float, optional
        Standard error of the position of an outline, m.
    totals : (Estimate or None, Estimate or None)
        km² of all old and all new outlines with their intervals, from maps that drew them (``polynya glaciers``); not
        used where outlines were cut or changed since.

    Raises
    ------
    ProductError
        If one of them has no CRS, or nothing is left on the common ground.
    """
    for what, frame in (("old outlines", old), ("new outlines", new)):
        if frame.crs is None:
            raise ProductError(
                f"{what}: have no coordinate reference system; expected one. Assign it before comparing."
            )
    if (
        len(old)
        and len(new)
        and not shapely.box(*old.to_crs(new.crs).total_bounds).intersects(shapely.box(*new.total_bounds))
    ):
        raise ProductError(
            "outlines: old and new lie in different places; expected the same ground at two dates. Check the files."
        )
    crs = old.crs if old.crs.is_projected else new.crs if new.crs.is_projected else old.estimate_utm_crs()
    old, source_old = _prepared(old, crs, within, position_error_m)
    new, source_new = _prepared(new, crs, within, position_error_m)
    if not len(old) and not len(new):
        raise ProductError(
            "outlines: neither set has ice on the ground compared; expected some. Check that they cover the same place."
        )
    before, after = (shapely.union_all(f.geometry.to_numpy(), grid_size=1e-3) for f in (old, new))
    lost, gained = (
        float(area_km2(gpd.GeoDataFrame(geometry=[only_area(shapely.difference(a, b, grid_size=1e-3))], crs=crs))[0])
        for a, b in ((before, after), (after, before))
    )
    sums = [
        _total(f, drawn if source == IN_FILE else None)
        for f, drawn, source in zip((old, new), totals, (source_old, source_new), strict=True)
    ]
    change = _difference(sums[0], sums[1], n=len(old) + len(new))
    glaciers = _by_glacier(old, new)
    ids = [set(f["rgi_id"]) - {""} for f in (old, new)]
    years = _years(old, new)
    source = source_old if source_old == source_new else f"old: {source_old}; new: {source_new}"
    return Change(
        glaciers=glaciers,
        old=sums[0],
        new=sums[1],
        change=change,
        lost_km2=lost,
        gained_km2=gained,
        years=years,
        only_old=len(ids[0] - ids[1]),
        only_new=len(ids[1] - ids[0]),
        uncertainty=source,
    )


def _prepared(
    frame: gpd.GeoDataFrame, crs: object, within: gpd.GeoSeries | None, position_error_m: float | None
) -> tuple[gpd.GeoDataFrame, str]:
    """Return outlines in a CRS, cut to the ground, with rgi_id, date, area and the half-widths of its interval below
    and above."""
    frame = frame.to_crs(crs)
    geometry = np.array([only_area(g) for g in shapely.make_valid(frame.geometry.to_numpy())], object)
    whole = area_km2(frame)
    out = gpd.GeoDataFrame(
        {"rgi_id": _text(frame, "rgi_id"), "date": [_date(t) for t in _text(frame, "src_date")]},
        geometry=geometry,
        crs=crs,
    )
    if within is not None:
        ground = shapely.union_all(within.to_crs(crs).to_numpy())
        out = out.set_geometry([only_area(shapely.intersection(g, ground)) for g in geometry], crs=crs)
    out["area"] = area_km2(out)
    if {"area_low_km2", "area_high_km2"} <= set(frame.columns) and frame["area_low_km2"].notna().all():
        source = IN_FILE
        share = np.divide(out["area"], whole, out=np.zeros(len(out)), where=whole > 0)
        mapped = frame["area_km2"].to_numpy(float) if "area_km2" in frame.columns else whole
        out["below"] = np.maximum(mapped - frame["area_low_km2"].to_numpy(float), 0.0) * share
        out["above"] = np.maximum(frame["area_high_km2"].to_numpy(float) - mapped, 0.0) * share
    elif position_error_m is not None:
        source = f"outlines moved by 1.96 x {position_error_m:g} m"
        for name, sign in (("below", -1.0), ("above", 1.0)):
            moved = gpd.GeoDataFrame(geometry=out.geometry.buffer(sign * 1.96 * position_error_m), crs=crs)
            out[name] = np.abs(area_km2(moved) - out["area"])
    else:
        source = "none known"
        out["below"] = out["above"] = np.nan
    return out[out["area"] > 0].reset_index(drop=True), source


def _text(frame: gpd.GeoDataFrame, name: str) -> list[str]:
    return (
        [
            (
                str(v)
                if isinstance(v, str)
                else v.isoformat()
                if isinstance(v, (dt.date, pd.Timestamp)) and not pd.isna(v)
                else ""
            )
            for v in frame[name]
        ]
        if name in frame.columns
        else [""] * len(frame)
    )


def _date(text: str) -> float:
    """Return an ISO date, or RGI 6's YYYYMMDD with 99 for an unknown month or day, as a year with fraction; NaN where
    there is none."""
    digits = text[:10].replace("-", "")
    if len(digits) < 4 or not digits[:4].isdigit() or text.startswith("-"):
        return float("nan")
    year, month, day = int(digits[:4]), digits[4:6], digits[6:8]
    month = int(month) if month.isdigit() and 1 <= int(month) <= 12 else 0
    if not month:
        return year + 0.5
    day = int(day) if day.isdigit() and 1 <= int(day) <= 31 else 15
    return year + (month - 1 + (day - 0.5) / 30.6) / 12.0


def _years(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> float:
    mean = [float(np.average(f["date"], weights=f["area"])) if len(f) else float("nan") for f in (old, new)]
    return mean[1] - mean[0]


def _total(frame: gpd.GeoDataFrame, drawn: Estimate | None) -> Estimate:
    """Sum areas; half-widths are the map's own where these are all of its outlines and whole, else they add up inside a
    block and in quadrature between blocks."""
    area = float(frame["area"].sum())
    if (
        drawn is not None
        and np.isfinite(drawn.low)
        and np.isfinite(drawn.high)
        and np.isclose(area, drawn.value, rtol=1e-3)
    ):
        return Estimate(
            value=area,
            low=max(area - (drawn.value - drawn.low), 0.0),
            high=area + (drawn.high - drawn.value),
            n=len(frame),
        )
    if frame[["below", "above"]].isna().any(axis=None) or not len(frame):
        return (
            Estimate(value=area, low=np.nan, high=np.nan, n=len(frame))
            if len(frame)
            else Estimate(value=0.0, low=0.0, high=0.0, n=0)
        )
    at = frame.geometry.representative_point()
    block = pd.MultiIndex.from_arrays([np.floor(at.x / BLOCK_M), np.floor(at.y / BLOCK_M)]).factorize()[0]
    below, above = (float(np.hypot.reduce(np.bincount(block, weights=frame[c]))) for c in ("below", "above"))
    return Estimate(value=area, low=max(area - below, 0.0), high=area + above, n=len(frame))


def _difference(old: Estimate, new: Estimate, *, n: int) -> Estimate:
    change = new.value - old.value
    low = change - float(np.hypot(new.value - new.low, old.high - old.value))
    high = change + float(np.hypot(new.high - new.value, old.value - old.low))
    return Estimate(value=change, low=low, high=high, n=n)


def _by_glacier(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> pd.DataFrame:
    columns = ["rgi_id", "old_km2", "new_km2", "change_km2", "low_km2", "high_km2", "years"]
    rows = []
    groups = [dict(tuple(f[f["rgi_id"] != ""].groupby("rgi_id"))) for f in (old, new)]
    for name in sorted(set(groups[0]) & set(groups[1])):
        pair = [g[name] for g in groups]
        # parts of one glacier share its errors
        a, b = (
            Estimate(
                value=f["area"].sum(),
                low=f["area"].sum() - f["below"].sum(skipna=False),
                high=f["area"].sum() + f["above"].sum(skipna=False),
                n=len(f),
            )
            for f in pair
        )
        change = _difference(a, b, n=2)
        rows.append((name, a.value, b.value, change.value, change.low, change.high, _years(*pair)))
    return pd.DataFrame(rows, columns=columns)
