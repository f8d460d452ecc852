"""How NASA filled a section: from which sections, and with which height and error.

An end-point fill copies the adjacent section of the list, its error too. The other two fills are
linear between the sections around the gap; so is their variance. In a subset the section that was
copied may lie outside: it is rebuilt from ``leads``, which holds the whole granule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...physics import sea_surface
from ...readers.icesat2_atl10 import Control
from .beams import END_POINT, FILLED, FROM_LEADS, INFERRED, Beam, follows

GROUND_SPEED_MAX = 7500.0
"""Metres per second, generous: turns NASA's limits in time into a distance that no section of the granule exceeds."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A section with leads that a filled one was made from.

    Attributes
    ----------
    height, sigma : float
        Metres, before the smoother; NaN where its leads are not in the file.
    x, time : float
        Along-track distance of its centre, m; seconds, NaN outside the file.
    place : int
        Place in the file's list of sections, -1 outside the file.
    """

    height: float
    sigma: float
    x: float
    time: float = float("nan")
    place: int = -1


@dataclass(frozen=True, kw_only=True)
class Filled:
    """Sections from leads and from fills before the smoother, arrays of shape (k,), NaN where not checkable.

    Attributes
    ----------
    height, sigma : numpy.ndarray
        Metres.
    is_certain : numpy.ndarray of bool
        False where a source lies outside the subset and need not be the one NASA took.
    beyond : dict of (int, int) to float
        Height of the section outside the file on the side (-1 or 1) of a section, where a copy proves it valid.
    looked_up : int
        Filled sections with a source outside the subset.
    """

    height: np.ndarray
    sigma: np.ndarray
    is_certain: np.ndarray
    beyond: dict[tuple[int, int], float]
    looked_up: int


def fill(beam: Beam, control: Control, *, raw_h: np.ndarray, raw_sigma: np.ndarray, way: tuple[str, str]) -> Filled:
    """Fill sections as their stored flags say.

    Parameters
    ----------
    beam : Beam
        Sections (k,), their flags, and the leads.
    control : Control
        NASA's limits.
    raw_h, raw_sigma : float64 array, shape (k,)
        Heights and errors of the sections with leads, m; NaN elsewhere.
    way : (str, str)
        ``time``, ``distance`` or ``list position``: what fills between two sections are linear in; ``nearest``,
        ``previous`` or ``next``: which of two adjacent sections is copied.

    Returns
    -------
    Filled
        A filled section whose source is not in the file is NaN.
    """
    height, sigma = raw_h.copy(), raw_sigma.copy()
    is_certain = np.ones(height.size, bool)
    beyond: dict[tuple[int, int], float] = {}
    looked_up = 0
    is_next = follows(beam)
    for i in np.flatnonzero(np.isin(beam.section_flag, FILLED)).tolist():
        is_copy = beam.section_flag[i] == END_POINT
        sides = [_side(beam, control, (raw_h, raw_sigma), (i, step), is_next=is_next) for step in (-1, 1)]
        if is_copy:
            source, is_certain[i] = _copied(beam, control, sides, i, is_next=is_next, prefer=way[1])
            if source is None:
                continue
            height[i], sigma[i] = source.height, source.sigma
            is_outside = source.place < 0
            if is_outside and is_certain[i]:
                beyond[i, -1 if source.x < beam.section_x[i] else 1] = source.height
        else:
            left, right = sides
            if left is None or right is None:
                continue
            is_outside = left.place < 0 or right.place < 0
            is_certain[i] = not is_outside
            share = _share(beam, left, right, i, axis="distance" if is_outside else way[0])
            height[i] = left.height + share * (right.height - left.height)
            sigma[i] = np.sqrt((1.0 - share) * left.sigma**2 + share * right.sigma**2)
        looked_up += is_outside
    return Filled(height=height, sigma=sigma, is_certain=is_certain, beyond=beyond, looked_up=looked_up)


def _share(beam: Beam, left: Source, right: Source, i: int, *, axis: str) -> float:
    """Return how far section i lies from left (0) to right (1)."""
    if axis == "distance":
        ends, at = (left.x, right.x), beam.section_x[i]
    elif axis == "time":
        ends, at = (left.time, right.time), beam.section_time[i]
    else:
        ends, at = (float(left.place), float(right.place)), float(i)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(at - ends[0]) / np.float64(ends[1] - ends[0]))


def _side(
    beam: Beam,
    control: Control,
    raw: tuple[np.ndarray, np.ndarray],
    start: tuple[int, int],
    *,
    is_next: np.ndarray,
) -> Source | None:
    """Return the next valid section from section ``start[0]`` in direction ``start[1]``, None where there is none or
    where it cannot be known: the adjacent one, for ``INFERRED`` the one behind others of that flag."""
    i, step = start
    is_adjacent = beam.section_flag[i] != INFERRED
    j = i
    while 0 <= j + step < beam.section_h.size and is_next[max(j, j + step)]:
        j += step
        if beam.section_flag[j] == FROM_LEADS:
            return Source(
                height=float(raw[0][j]),
                sigma=float(raw[1][j]),
                x=float(beam.section_x[j]),
                time=float(beam.section_time[j]),
                place=j,
            )
        if is_adjacent or beam.section_flag[j] != INFERRED:
            return None
    reach = control.maxpadtime if is_adjacent else control.maxgaptime
    found = _outside(beam, control, j, step)
    return found if found and abs(found.x - beam.section_x[i]) <= reach * GROUND_SPEED_MAX else None


def _copied(
    beam: Beam, control: Control, sides: list[Source | None], i: int, *, is_next: np.ndarray, prefer: str
) -> tuple[Source | None, bool]:
    """Return the section that an end-point fill copies, and whether it can be no other.

    The flag proves that an adjacent section is valid. A valid one on the other side too, both within ``maxpadtime``,
    would have made it a one-point fill.
    """
    inside = [s for s in sides if s and s.place >= 0 and not abs(s.time - beam.section_time[i]) > control.maxpadtime]
    if len(inside) == 2:
        left, right = inside
        if prefer == "nearest":
            gap = beam.section_time[i] - left.time <= right.time - beam.section_time[i]
            return (left if gap else right), True
        return (left if prefer == "previous" else right), True
    if inside:
        return inside[0], True
    outside = [s for s in sides if s and s.place < 0]
    other_is_known = any(0 <= i + step < beam.section_h.size and is_next[max(i, i + step)] for step in (-1, 1))
    return (outside[0], other_is_known) if len(outside) == 1 else (None, False)


def _outside(beam: Beam, control: Control, j: int, step: int) -> Source | None:
    """Return the section of the nearest lead beyond section j, the file's last on that side, from leads.

    None unless the granule's leads reach beyond it: a subset that cuts leads may have cut some of its own.
    """
    centre, half = beam.section_x[j], control.l / 2.0
    if not np.isfinite(centre) or not beam.lead_x.size or not np.isfinite(beam.lead_x).all():
        return None
    number = np.floor((beam.lead_x - centre + half) / control.l).astype(np.int64) * step
    beyond = number[number > 0]
    if beyond.size == 0 or beyond.min() == beyond.max() or (step < 0 and beam.section_number[j] == 1):
        return None
    x = centre + step * control.l * float(beyond.min())
    k = j + step
    if 0 <= k < beam.section_x.size and (x - beam.section_x[k]) * step > -half:
        return None  # it is in another part of the file
    rows = np.flatnonzero(number == beyond.min())
    h, sigma = sea_surface.combine_leads(beam.lead_h, beam.lead_sigma, first=rows[:1], count=np.array([rows.size]))
    return Source(height=float(h[0]), sigma=float(sigma[0]), x=x)
