"""Glacier areas at many dates: one series per glacier, its rate of change, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..errors import ProductError
from ..metrics import Estimate
from .area_change import _prepared, _total

SHARED = 0.5
"""Share of the error variance of an area that all dates of one network have in common, where nothing is known."""
HIDDEN = 0.01
"""Share of a glacier's ground that a date may leave unseen and still count."""
TOTAL = "total"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A line through areas.

    Attributes
    ----------
    n : int
        Dates.
    span : float
        Years from the first to the last.
    per_year, sigma : float
        km² per year and its standard error; NaN with fewer than two dates, or without intervals.
    area, area_sigma : float
        km² at the middle of the series, on the line.
    chi2 : float
        Scatter about the line over what the intervals make expect, per degree of freedom; NaN with two dates.
    shared_sigma : float
        Part of ``sigma`` that more dates do not make smaller.
    """

    n: int
    span: float
    per_year: float
    sigma: float
    area: float
    area_sigma: float
    chi2: float
    shared_sigma: float


def fit(years: np.ndarray, areas: np.ndarray, sigmas: np.ndarray, *, shared: float = 0.0) -> Rate:
    """Fit a line to areas by least squares with weights 1 / sigma².

    Gaps are no matter: what is not finite is left out. The standard error of the slope has two parts, added in
    quadrature. One is that of the weighted regression, times the root of the scatter per degree of freedom where that
    exceeds 1 (Birge 1932, doi:10.1103/PhysRev.40.207). The other is a common cause (the same network, DEM and debris
    at all dates): ``sqrt(shared)`` of the mean sigma may drift by its own size over the series, so it adds that over
    the span, however many dates there are; to the level it adds all of itself. A common error that stays the same
    cancels in the rate, so the rate's interval is on the wide side.

    Parameters
    ----------
    years : numpy.ndarray, shape (n,)
        Dates as years with fractions.
    areas, sigmas : numpy.ndarray, shape (n,)
        km²; without sigmas (NaN or 0 everywhere) all dates count alike and nothing is said of the error.
    shared : float
        Share of the error variance that all dates have in common, 0 to 1.

    Returns
    -------
    Rate
    """
    is_known = np.isfinite(sigmas) & (sigmas > 0)
    has_errors = bool(is_known.any())
    used = np.isfinite(years) & np.isfinite(areas) & (is_known if has_errors else True)
    t, a, s = years[used], areas[used], sigmas[used] if has_errors else np.ones(int(used.sum()))
    nan, span = float("nan"), float(np.ptp(t)) if t.size else 0.0
    if t.size < 2 or span == 0.0:
        return Rate(
            n=int(t.size), span=span, per_year=nan, sigma=nan, area=nan, area_sigma=nan, chi2=nan, shared_sigma=nan
        )
    w = s**-2.0
    middle = float((w * t).sum() / w.sum())
    moment = float((w * (t - middle) ** 2).sum())
    level, slope = float((w * a).sum() / w.sum()), float((w * (t - middle) * a).sum() / moment)
    chi2 = float((w * (a - level - slope * (t - middle)) ** 2).sum() / (t.size - 2)) if t.size > 2 else nan
    wider = max(chi2, 1.0) if has_errors and t.size > 2 else 1.0
    common = float(np.sqrt(shared) * s.mean()) if has_errors else nan
    return Rate(
        n=int(t.size),
        span=span,
        per_year=slope,
        sigma=float(np.sqrt(wider / moment + (common / span) ** 2)) if has_errors else nan,
        area=level,
        area_sigma=float(np.sqrt(wider / w.sum() + common**2)) if has_errors else nan,
        chi2=chi2 if has_errors else nan,
        shared_sigma=common / span,
    )


@dataclass(frozen=True, kw_only=True)
class DateOutlines:
    """Outlines of one date.

    Attributes
    ----------
    name : str
    outlines : geopandas.GeoDataFrame
    ground : geopandas.GeoSeries or None
        What the map of the date covers and saw; None for all.
    total : metrics.Estimate or None
        km² of all, with the interval of the map that drew it.
    """

    name: str
    outlines: gpd.GeoDataFrame
    ground: gpd.GeoSeries | None = None
    total: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """Areas at several dates.

    Attributes
    ----------
    areas : pandas.DataFrame
        One row per glacier and date, in the order of time: ``rgi_id`` (``total`` for all ice on the ground that all
        dates cover), ``date`` (the result), ``year``, ``area_km2``, ``low_km2``, ``high_km2``, ``is_gap``.
    rates : pandas.DataFrame
        One row per glacier with two dates or more: the fields of :class:`Rate`.
    shared : float
    notes : tuple of str
    """

    areas: pd.DataFrame
    rates: pd.DataFrame
    shared: float
    notes: tuple[str, ...]


def compare(dates: Sequence[DateOutlines], *, position_error_m: float | None = None, shared: float = SHARED) -> Series:
    """Return the areas of glaciers at several dates with their rates.

    The total is that of the ground that all dates cover. A glacier (by ``rgi_id``) has a gap at a date that leaves
    more than :data:`HIDDEN` of its ground (all its outlines together) unseen, or that has no outline of it.

    Parameters
    ----------
    dates : sequence of DateOutlines
        In any order.
    position_error_m : float, optional
        Standard error of the position of outlines without intervals, m.
    shared : float
        See :func:`fit`.

    Raises
    ------
    ProductError
        If a set has no CRS, a date is not known, or the dates share no ground.
    """
    for d in dates:
        if d.outlines.crs is None:
            raise ProductError(f"{d.name}: has no coordinate reference system; expected one. Assign it before.")
    first = next((d.outlines for d in dates if d.outlines.crs.is_projected), dates[0].outlines)
    crs = first.crs if first.crs.is_projected else first.estimate_utm_crs()
    grounds = [None if d.ground is None else shapely.union_all(d.ground.to_crs(crs).to_numpy()) for d in dates]
    known = [g for g in grounds if g is not None]
    common = None if not known else gpd.GeoSeries([shapely.intersection_all(known)], crs=crs)
    if common is not None and common.iloc[0].is_empty:
        raise ProductError("outlines: the dates share no ground; expected the same place. Check the folders.")
    whole = [_prepared(d.outlines, crs, None, position_error_m) for d in dates]
    years = [_year(d.name, f) for d, (f, _) in zip(dates, whole, strict=True)]
    rows = []
    for d, year, (_, source) in zip(dates, years, whole, strict=True):
        cut, _ = _prepared(d.outlines, crs, common, position_error_m)
        rows.append((TOTAL, d.name, year, _total(cut, d.total if source == "intervals in the file" else None), False))
    names = sorted({n for f, _ in whole for n in f["rgi_id"]} - {""})
    for name in names:
        parts = [f[f["rgi_id"] == name] for f, _ in whole]
        ground = shapely.union_all([g for p in parts for g in p.geometry])
        for d, year, part, seen in zip(dates, years, parts, grounds, strict=True):
            hidden = 0.0 if seen is None else shapely.difference(ground, seen).area / ground.area
            area, below, above = (float(part[c].sum(skipna=False)) for c in ("area", "below", "above"))
            found = Estimate(value=area, low=area - below, high=area + above, n=len(part))
            rows.append((name, d.name, year, found, not len(part) or hidden > HIDDEN))
    areas = pd.DataFrame(
        [
            (n, d, y, *((np.nan,) * 3 if is_gap else (e.value, e.low, e.high)), is_gap)
            for n, d, y, e, is_gap in sorted(rows, key=lambda r: (r[0] != TOTAL, r[0], r[2]))
        ],
        columns=["rgi_id", "date", "year", "area_km2", "low_km2", "high_km2", "is_gap"],
    )
    rates = []
    for name, group in areas.groupby("rgi_id", sort=False):
        sigma = (group["high_km2"] - group["low_km2"]).to_numpy(float) / (2 * 1.96)
        rate = fit(group["year"].to_numpy(float), group["area_km2"].to_numpy(float), sigma, shared=shared)
        rates.append({"rgi_id": name, **rate.__dict__})
    gaps = int(areas["is_gap"].sum())
    notes = (f"{gaps} areas are gaps: their date did not see the glacier, or has no outline of it",) if gaps else ()
    return Series(areas=areas, rates=pd.DataFrame(rates), shared=shared, notes=notes)


def _year(name: str, frame: gpd.GeoDataFrame) -> float:
    year = float(np.average(frame["date"], weights=frame["area"])) if len(frame) else float("nan")
    if not np.isfinite(year):
        raise ProductError(
            f"{name}: its date is not known (src_date is missing, or it has no ice); expected a date for each set. Give"
            " --date to polynya glaciers, or add the column src_date."
        )
    return year
