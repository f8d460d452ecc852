"""Maps of leads on the polar grid: the true one, and what a radar sees of it, as GeoTIFFs with nodata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...io import grids
from . import presets
from .lead_track import LeadTrack
from .leads import Leads

if TYPE_CHECKING:  # heavy, and only for the signatures
    from odc.geo.geobox import GeoBox

ICE, LEAD, NODATA = 0, 1, 255
FINEST_M, COARSEST_M = 40.0, 100.0
"""Cells: the narrowest lead is as wide as the largest cell, so none has gaps."""


def grid_of(track: LeadTrack, cell_m: float) -> GeoBox:
    """Return the grid that holds the strip of a track, aligned to whole cells of EPSG:3413.

    Parameters
    ----------
    track : LeadTrack
        Its strip is 9 km to each side, and as far beyond both ends.
    cell_m : float
        Side of a cell on the grid, m.
    """
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox

    far, side = track.length_m + presets.STRIP_M, presets.STRIP_M
    x, y = track.frame.to_grid(np.array([-side, -side, far, far]), np.array([-side, side, -side, side]))
    left, bottom = (cell_m * np.floor(v.min() / cell_m) for v in (x, y))
    right, top = (cell_m * np.ceil(v.max() / cell_m) for v in (x, y))
    return GeoBox.from_bbox(
        BoundingBox(left, bottom, right, top, f"EPSG:{presets.EPSG}"), resolution=cell_m, tight=True
    )


def draw_map(track: LeadTrack, leads: Leads, geobox: GeoBox) -> np.ndarray:
    """Return 1 in cells whose centre is in a lead, 0 elsewhere in the strip, 255 outside, uint8.

    Parameters
    ----------
    track : LeadTrack
        Gives the strip.
    leads : Leads
        What the map shows.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    """
    cell, left, top = float(geobox.resolution.x), float(geobox.affine.c), float(geobox.affine.f)
    rows, columns = (int(n) for n in geobox.shape)
    x, y = left + cell * (np.arange(columns) + 0.5), top - cell * (np.arange(rows) + 0.5)
    far, side = track.length_m + presets.STRIP_M, presets.STRIP_M
    along, across = track.frame.from_grid(x[None, :], y[:, None])
    inside = (along >= -side) & (along <= far) & (np.abs(across) <= side)
    found = np.where(inside, np.uint8(ICE), np.uint8(NODATA))
    for k in range(len(leads)):
        window = _window(track, leads, k, geobox)
        s, n = along[window] - leads.along[k], across[window] - leads.across[k]
        cos, sin = np.cos(leads.direction[k]), np.sin(leads.direction[k])
        beyond = np.maximum(np.abs(s * cos + n * sin) - 0.5 * leads.length[k], 0.0)
        is_lead = np.hypot(beyond, n * cos - s * sin) <= 0.5 * leads.width[k]
        found[window][is_lead & inside[window]] = LEAD
    return found


def _window(track: LeadTrack, leads: Leads, k: int, geobox: GeoBox) -> tuple[slice, slice]:
    """Return rows and columns that hold a lead."""
    cell, left, top = float(geobox.resolution.x), float(geobox.affine.c), float(geobox.affine.f)
    x1, y1, x2, y2 = (float(v[k]) for v in leads.ends())
    x, y = track.frame.to_grid(np.array([x1, x2]), np.array([y1, y2]))
    margin = 0.5 * float(leads.width[k]) * track.frame.scale + cell
    rows, columns = (int(n) for n in geobox.shape)
    row = (int((top - y.max() - margin) // cell), int((top - y.min() + margin) // cell) + 1)
    column = (int((x.min() - margin - left) // cell), int((x.max() + margin - left) // cell) + 1)
    a, b = (slice(max(v[0], 0), min(max(v[1], 0), n)) for v, n in ((row, rows), (column, columns)))
    return a, b


def write_maps(track: LeadTrack, *, cell_m: float, true: Path, radar: Path) -> None:
    """Write the true map and the radar's.

    Parameters
    ----------
    track : LeadTrack
        With its leads.
    cell_m : float
        Side of a cell, m.
    true, radar : Path
        The files.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    geobox = grid_of(track, cell_m)
    hours = float(str(track.about["map_hours_after"]))
    taken = track.time[len(track) // 2] + np.timedelta64(int(hours * 3600.0), "s")
    kinds = (
        (true, track.leads, "true leads", track.time[len(track) // 2]),
        (radar, track.map_leads, "leads as a radar map has them: some missing, and drifted", taken),
    )
    for path, leads, words, time in kinds:
        tags = {
            "long_name": words,
            "flag_values": f"{ICE} {LEAD}",
            "flag_meanings": "ice lead",
            "time": str(time.astype("datetime64[s]")) + "Z",
            "simulated_by": "polynya; no measurement",
        }
        grids.write_cog(draw_map(track, leads, geobox), path, geobox=geobox, name="is_lead", tags=tags, nodata=NODATA)
