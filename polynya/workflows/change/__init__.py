"""``polynya change``: area change between two sets of outlines, with its uncertainty."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import geopandas as gpd
import numpy as np

from ... import io
from ...errors import PolynyaError, ProductError, UsageError
from ...evaluate import area_change
from ...glaciers import outlines
from ...io import opening, polygons
from ...metrics import Estimate
from ...readers import rgi_outlines


def run(
    old: Path | str, new: Path | str, *, within: Path | str | None = None, position_error_m: float | None = None
) -> area_change.Change:
    """Compare two outline files.

    Parameters
    ----------
    old, new : Path or str
        Outlines: polynya's, RGI 6 or 7, or any polygons; or a folder of ``polynya glaciers``.
    within : Path or str, optional
        Polygons of the ground that both dates cover; by default what the maps among old and new cover (folders of
        ``polynya glaciers``).
    position_error_m : float, optional
        Standard error of the position of outlines that carry no intervals of their own, m.

    Raises
    ------
    ProductError
        If a file is missing, damaged, or has no CRS.
    UsageError
        If the position error is negative.
    """
    if position_error_m is not None and position_error_m < 0:
        raise UsageError(
            f"--position-error-m {position_error_m:g}: is negative; expected metres from 0. Half a pixel is usual."
        )
    ground = polygons.read(within).geometry if within is not None else mapped_ground(old, new)
    before, after = read_outlines(old), read_outlines(new)
    found = area_change.compare(
        before,
        after,
        within=ground,
        position_error_m=position_error_m,
        totals=(drawn_total(old), drawn_total(new)),
    )
    lines = (*before.attrs.get("lines", ()), *after.attrs.get("lines", ()))
    return dataclasses.replace(found, notes=tuple(dict.fromkeys(lines)))


def mapped_ground(*paths: Path | str) -> gpd.GeoSeries | None:
    """Return the ground that the maps among these folders cover, in common: ice beyond a scene's edge is not lost, it
    was not looked at.

    Parameters
    ----------
    *paths : Path or str
        Folders of ``polynya glaciers``; others count as covering everything.

    Raises
    ------
    ProductError
        If they share no ground.
    """
    from shapely import box, difference, segmentize, union_all

    ground = None
    for path in map(Path, paths):
        if (path / "probability.tif").is_file():
            with opening.open_raster(path / "probability.tif") as source:
                here = gpd.GeoSeries(
                    [
                        segmentize(
                            box(*source.bounds), max(source.width, source.height) * abs(source.transform.a) / 20.0
                        )
                    ],
                    crs=source.crs,
                )
            hidden = _not_seen(path, here.crs)
            if len(hidden):
                whole = union_all(hidden.geometry.to_numpy())
                here = gpd.GeoSeries([difference(here.iloc[0], whole)], crs=here.crs)
            if ground is not None and not here.crs.equals(ground.crs):
                here = here.to_crs(ground.crs)
            ground = (
                here if ground is None else gpd.GeoSeries([ground.iloc[0].intersection(here.iloc[0])], crs=ground.crs)
            )
    if ground is not None and ground.iloc[0].is_empty:
        raise ProductError(
            "outlines: the two maps share no ground; expected the same place at two dates. Check the folders."
        )
    return ground


def _not_seen(folder: Path, crs: object) -> gpd.GeoDataFrame:
    """Return the ground that the image of a map does not show, as polygons: ice there is not lost, it was not seen."""
    path = folder / "not_seen.tif"
    if not path.is_file():
        return gpd.GeoDataFrame(geometry=[], crs=crs)
    mask, geobox = outlines.from_raster(path)
    return outlines.vectorise(mask, geobox=geobox, min_area_km2=0.0, is_smoothed=False)


def drawn_total(path: Path | str) -> Estimate | None:
    """Return the total area and its interval that ``polynya glaciers`` wrote beside the outlines, if it did.

    Parameters
    ----------
    path : Path or str
        The outlines, or their folder.
    """
    path = Path(path)
    record = (path if path.is_dir() else path.parent) / "run.json"
    if not record.is_file() or (path.is_file() and path.stem != "outlines"):
        return None
    try:
        held = io.read_json(record)
    except PolynyaError:
        return None  # a record of something else: the outlines are what counts
    if not isinstance(held, dict):
        return None
    numbers = [held.get(k) for k in ("area_km2", "area_low_km2", "area_high_km2")]
    if not all(isinstance(v, (int, float)) and math.isfinite(v) for v in numbers):
        return None
    return Estimate(value=numbers[0], low=numbers[1], high=numbers[2], n=0)


def read_outlines(path: Path | str, *, date: np.datetime64 | None = None) -> gpd.GeoDataFrame:
    """Read outlines of polynya (which may hold no ice at all), or of an inventory with its names brought to those of
    RGI 7.

    A folder is one that ``polynya glaciers`` wrote, or a simulated scene: its ``outlines.gpkg`` is read.

    Parameters
    ----------
    path : Path or str
        The file or folder.
    date : numpy.datetime64, optional
        Of several GLIMS analyses of a glacier the one nearest to it is taken; the newest without it.
    """
    path = Path(path) / "outlines.gpkg" if Path(path).is_dir() else Path(path)
    frame = polygons.read(path)
    is_own = not len(frame) or {"rgi_id", "area_km2"} <= set(frame.columns)
    return frame if is_own else rgi_outlines.read(path, date=date)


def as_json(change: area_change.Change) -> dict[str, object]:
    """Return a change for machines.

    Parameters
    ----------
    change : Change
        Of :func:`run`.
    """

    def estimate(e: object) -> dict[str, object]:
        return {"km2": e.value, "low": e.low, "high": e.high, "n": e.n}

    return {
        "old": estimate(change.old),
        "new": estimate(change.new),
        "change": estimate(change.change),
        "lost_km2": change.lost_km2,
        "gained_km2": change.gained_km2,
        "years": change.years,
        "only_old": change.only_old,
        "only_new": change.only_new,
        "uncertainty": change.uncertainty,
        "notes": list(change.notes),
        "glaciers": change.glaciers.to_dict("records"),
    }


def as_text(change: area_change.Change, *, most: int = 30) -> str:
    """Return a change for reading.

    Parameters
    ----------
    change : Change
        Of :func:`run`.
    most : int
        Glaciers that are listed.
    """

    def line(name: str, e: object, sign: str = "") -> str:
        interval = f"[{e.low:{sign}.3f}, {e.high:{sign}.3f}]" if e.low == e.low else "[unknown]"
        return f"{name:<22}{e.value:>{sign}12.3f} km2  95 % {interval}"

    share = 100.0 * change.change.value / change.old.value if change.old.value else float("nan")
    lines = [
        line("old", change.old),
        line("new", change.new),
        line("change", change.change, "+"),
        *([f"{'':<22}{share:>+12.1f} %"] if share == share else []),
    ]
    if change.years == change.years and change.years != 0:
        rate = f"{share / change.years:+.2f} % " if share == share else ""
        lines.append(
            f"{'per year':<22}{change.change.value / change.years:>+12.4f} km2  {rate}({change.years:.1f} years)"
        )
    lines += [
        f"{'ice lost':<22}{change.lost_km2:>12.3f} km2",
        f"{'ice gained':<22}{change.gained_km2:>12.3f} km2",
        f"uncertainty: {change.uncertainty}",
        *(f"note: {n}" for n in change.notes),
    ]
    if change.uncertainty == "none known":
        lines.append("  give --position-error-m (half a pixel is usual) for outlines without intervals of their own")
    if change.only_old or change.only_new:
        lines.append(
            f"glaciers only in the old outlines {change.only_old}, only in the new ones {change.only_new}: vanished,"
            " new, not mapped, or called otherwise; --within limits both to common ground"
        )
    if len(change.glaciers):
        lines += ["", f"{'glacier':<26}{'old':>10}{'new':>10}{'change':>10}  95 % interval"]
        for row in change.glaciers.sort_values("old_km2", ascending=False).head(most).itertuples():
            interval = f"[{row.low_km2:+.3f}, {row.high_km2:+.3f}]" if row.low_km2 == row.low_km2 else "[unknown]"
            lines.append(
                f"{row.rgi_id:<26}{row.old_km2:>10.3f}{row.new_km2:>10.3f}{row.change_km2:>+10.3f}  {interval}"
            )
        if len(change.glaciers) > most:
            lines.append(f"and {len(change.glaciers) - most} more: --json lists all")
    return "\n".join(lines)
