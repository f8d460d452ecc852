"""GLIMS outlines: one row per glacier, of one analysis, without its internal rocks.

A GLIMS file holds lines of several types and every analysis of a glacier that was ever sent in, each with its date.
Internal rocks (nunataks) are polygons of their own, not holes of the boundary (GLIMS data submission guide,
https://www.glims.org/MapsAndDocs/guides.html).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import geopandas
    import pandas

BOUNDARY, ROCK = "glac_bound", "intrnl_rock"


@dataclass(frozen=True, kw_only=True)
class Analyses:
    """What is left of a GLIMS file.

    Attributes
    ----------
    frame : geopandas.GeoDataFrame
        One row per glacier.
    rocks : int
        Internal rocks that were cut out.
    several : int
        Glaciers with more than one analysis.
    dates : tuple of str
        The first and the last date of those that were taken of such glaciers; empty where none is known.
    """

    frame: geopandas.GeoDataFrame
    rocks: int
    several: int
    dates: tuple[str, ...]

    def lines(self, name: str, date: np.datetime64 | None) -> tuple[str, ...]:
        """Return in words what was done.

        Parameters
        ----------
        name : str
            Of the file.
        date : numpy.datetime64 or None
            To which the analyses are nearest.
        """
        out = []
        if self.several:
            which = (
                "the newest is" if date is None else f"the one nearest to {np.datetime_as_string(date, unit='D')} is"
            )
            span = " to ".join(dict.fromkeys(self.dates))
            out.append(
                f"{name}: {self.several} of its glaciers have several analyses; {which} taken"
                f"{f' ({span})' if span else ''}; --reference-date chooses another"
            )
        if self.rocks:
            out.append(f"{name}: {self.rocks} internal rocks are cut out of its glaciers")
        return tuple(out)


def whole(frame: geopandas.GeoDataFrame, columns: dict[str, str], *, date: np.datetime64 | None = None) -> Analyses:
    """Return the glaciers of a GLIMS file: of each one analysis, its parts together, its internal rocks cut out.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Valid polygons of all line types.
    columns : dict of str to str
        Its columns by their names in small letters; ``glac_id`` is among them.
    date : numpy.datetime64, optional
        The analysis nearest to it is taken; the newest without it.

    Returns
    -------
    Analyses
    """
    import pandas as pd
    import shapely

    blank = pd.Series([""] * len(frame), index=frame.index)
    glacier, kind, number, when = (
        frame[columns[c]].astype(str).str.strip() if c in columns else blank
        for c in ("glac_id", "line_type", "anlys_id", "src_date")
    )
    key = glacier + "|" + (number if "anlys_id" in columns else when.str[:10])
    is_boundary = kind.eq(BOUNDARY) if "line_type" in columns else pd.Series(data=True, index=frame.index)
    days = pd.to_datetime(when.str[:10], errors="coerce", format="%Y-%m-%d")
    table = pd.DataFrame({"glacier": glacier, "key": key, "days": days})[is_boundary]
    taken, several = _chosen(table, date)
    kept = frame[is_boundary & key.isin(taken)]
    kept = kept.assign(_key=key[kept.index]).dissolve(by="_key", sort=False)
    is_rock = kind.eq(ROCK)
    loose = is_rock & ~key.isin(set(table["key"]))  # of no analysis that is here: cut out of what it lies in
    inner = frame.geometry.representative_point()
    shapes, cut = [], 0
    for name, shape in zip(kept.index, kept.geometry, strict=True):
        rocks = frame.geometry[is_rock & (key.eq(name) | (loose & inner.within(shape)))]
        cut += len(rocks)
        shapes.append(shapely.difference(shape, shapely.union_all(rocks.to_numpy())) if len(rocks) else shape)
    kept = kept.set_geometry(shapes, crs=frame.crs)
    dates = [d for d in days[is_boundary & key.isin(taken) & glacier.isin(several)] if not pd.isna(d)]
    span = (min(dates), max(dates)) if dates else ()
    return Analyses(
        frame=kept.reset_index(drop=True),
        rocks=cut,
        several=len(several),
        dates=tuple(f"{d:%Y-%m-%d}" for d in span),
    )


def _chosen(table: pandas.DataFrame, date: np.datetime64 | None) -> tuple[set[str], set[str]]:
    """Return the keys of the analyses that are taken, and the glaciers that have several."""
    import pandas as pd

    once = table.groupby(["glacier", "key"], sort=False, as_index=False)["days"].max()
    wanted = None if date is None else pd.Timestamp(date)
    taken, several = set(), set()
    for glacier, rows in once.groupby("glacier", sort=False):
        known = rows[rows["days"].notna()].sort_values("days")
        if len(rows) > 1:
            several.add(str(glacier))
        if not len(known):
            taken.add(rows["key"].iloc[-1])
        elif wanted is None:
            taken.add(known["key"].iloc[-1])
        else:
            taken.add(known["key"].loc[(known["days"] - wanted).abs()[::-1].idxmin()])
    return taken, several
