"""What the review page draws: binary windows of a beam, the track's course, runs of one label, one segment in words.

The page (``review.html``, ``.css`` and scripts beside this file) asks for one beam and one window at a time. A window
with few segments comes as single segments, a larger one as one record per pixel column, so its size does not grow with
the track.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from .. import schema
from .profile import pack

ASSETS = {
    "/": ("review.html", "text/html; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review_draw.js": ("review_draw.js", "text/javascript; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
}
"""Everything the page is made of: address, file beside this module, type."""
KINDS = (schema.THICK_ICE, schema.THIN_ICE, schema.OPEN_WATER, schema.ANY_ICE, schema.UNCLASSIFIED)
"""Labels in the order of the page's counts and colours."""
NODES = 1500
"""About so many points describe a beam's course."""
GAP_M = 60.0
"""Segments farther apart than this do not belong to one run."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """One beam's segments, ascending in x_atc.

    Attributes
    ----------
    beam : str
    is_strong : bool
    x : numpy.ndarray, shape (n,)
        ``x_atc``, m.
    height, rate : numpy.ndarray, shape (n,)
        Height above the mean sea surface, m; photons per shot.
    easting, northing : numpy.ndarray, shape (n,)
        In the scene's CRS at the labels' own shift, m; NaN without a scene.
    image_value : numpy.ndarray of int16, shape (n,)
    latitude, longitude : numpy.ndarray, shape (n,)
    time : numpy.ndarray of int64, shape (n,)
        Nanoseconds since 1970, UTC.
    label, source, flag : numpy.ndarray of int8, shape (n,)
        As the file has them, before corrections.
    """

    beam: str
    is_strong: bool
    x: np.ndarray
    height: np.ndarray
    rate: np.ndarray
    easting: np.ndarray
    northing: np.ndarray
    image_value: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    time: np.ndarray
    label: np.ndarray
    source: np.ndarray
    flag: np.ndarray


def kinds(label: np.ndarray) -> np.ndarray:
    """Return each label's index in :data:`KINDS`; unknown labels count as unlabelled; uint8."""
    return np.where((label >= 0) & (label <= schema.ANY_ICE), label, len(KINDS) - 1).astype(np.uint8)


def window(track: Track, *, label: np.ndarray, source: np.ndarray, x_from: float, x_to: float, columns: int) -> bytes:
    """Return a window of a beam for drawing.

    Parameters
    ----------
    track : Track
        The beam.
    label, source : numpy.ndarray of int8, shape (n,)
        As they are now, corrections merged.
    x_from, x_to : float
        The window, m.
    columns : int
        Pixel columns over the window; more than three segments a column are merged.

    Returns
    -------
    bytes
        See :func:`framed`. Single: ``x`` (f8), ``height``, ``rate``, ``kind``, ``source``. Columns (occupied ones
        only): ``x`` (middle), ``low``, ``high`` (height), ``n0``..``n4`` and ``mean0``..``mean4`` (segments and mean
        height of each of :data:`KINDS`), ``rate``, ``rate_high``, ``person``.
    """
    a, b = np.searchsorted(track.x, (x_from, x_to))
    x, height, rate = track.x[a:b], track.height[a:b], track.rate[a:b]
    kind, person = kinds(label[a:b]), source[a:b] == schema.LABEL_PERSON
    head: dict[str, object] = {"from": x_from, "to": x_to, "n": int(b - a), "columns": columns}
    if b - a <= 3 * columns:
        arrays = {
            "x": x,
            "height": height.astype(np.float32),
            "rate": rate.astype(np.float32),
            "kind": kind,
            "person": person.astype(np.uint8),
        }
        return framed(head | {"single": True}, arrays)
    wide = (x_to - x_from) / columns
    column = np.minimum(((x - x_from) / wide).astype(np.int64), columns - 1)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    place = np.cumsum(np.diff(column, prepend=-1) > 0) - 1
    m, k = len(first), len(KINDS)
    cell = place * k + kind
    finite = np.isfinite(height)
    n = np.bincount(cell, minlength=m * k).reshape(m, k)
    with_height = np.bincount(cell[finite], minlength=m * k).reshape(m, k)
    total = np.bincount(cell[finite], weights=height[finite], minlength=m * k).reshape(m, k)
    mean = np.where(with_height > 0, total / np.maximum(with_height, 1), np.nan)
    arrays = {
        "x": x_from + (column[first] + 0.5) * wide,
        "low": np.fmin.reduceat(height, first).astype(np.float32),
        "high": np.fmax.reduceat(height, first).astype(np.float32),
        "rate": (
            (
                np.add.reduceat(np.nan_to_num(rate), first)
                / np.maximum(np.add.reduceat(np.isfinite(rate).astype(int), first), 1)
            ).astype(np.float32)
        ),
        "rate_high": np.fmax.reduceat(rate, first).astype(np.float32),
        "person": np.logical_or.reduceat(person, first).astype(np.uint8),
    }
    for i in range(k):
        arrays[f"n{i}"], arrays[f"mean{i}"] = n[:, i].astype(np.uint32), mean[:, i].astype(np.float32)
    return framed(head | {"single": False}, arrays)


def course(track: Track) -> bytes:
    """Return where a beam runs in the scene's CRS at the labels' own shift: ``x``, ``east``, ``north`` (f8), at most
    about NODES points."""
    known = np.flatnonzero(np.isfinite(track.easting) & np.isfinite(track.northing))
    if len(known):
        chosen = np.unique(np.linspace(0, len(known) - 1, min(NODES, len(known))).round().astype(int))
        known = known[chosen]
    return framed(
        {"n": len(known)}, {"x": track.x[known], "east": track.easting[known], "north": track.northing[known]}
    )


def framed(head: dict[str, object], arrays: dict[str, np.ndarray]) -> bytes:
    """Return a head and arrays as bytes: length of the head (uint32), head (JSON with where each array lies), arrays
    from a multiple of 8."""
    where, data = pack(arrays)
    text = json.dumps(head | {"arrays": where}, allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return len(text).to_bytes(4, "little") + text + data


def run_at(x: np.ndarray, label: np.ndarray, *, at: float) -> tuple[int, int]:
    """Return the first and the last segment of the run of one label around the segment nearest to a position.

    A run ends at another label and at a hole of more than GAP_M.
    """
    here = nearest(x, at)
    edges = np.flatnonzero((np.diff(label) != 0) | (np.diff(x) > GAP_M)) + 1
    k = int(np.searchsorted(edges, here, "right"))
    first = int(edges[k - 1]) if k else 0
    last = int(edges[k]) - 1 if k < len(edges) else len(x) - 1
    return first, last


def next_run(
    x: np.ndarray, label: np.ndarray, *, at: float, forward: bool, wanted: np.ndarray
) -> tuple[int, int] | None:
    """Return the next run whose segments are wanted after (or before) the run at a position, None where there is none.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, ascending, m.
    label : numpy.ndarray of int8, shape (n,)
        As it is now.
    at : float
        The position, m.
    forward : bool
        After the run, or before it.
    wanted : numpy.ndarray of bool, shape (n,)
        Segments at one of which the run starts.
    """
    first, last = run_at(x, label, at=at)
    rest = np.flatnonzero(wanted[last + 1 :]) + last + 1 if forward else np.flatnonzero(wanted[:first])
    if not len(rest):
        return None
    return run_at(x, label, at=float(x[rest[0] if forward else rest[-1]]))


def nearest(x: np.ndarray, at: float) -> int:
    """Return the segment nearest to a position."""
    k = min(int(np.searchsorted(x, at)), len(x) - 1)
    return k - 1 if k and at - x[k - 1] < x[k] - at else k


def in_words(track: Track, index: int, *, label: np.ndarray, source: np.ndarray, flag: np.ndarray) -> dict[str, object]:
    """Return one segment's values for the page; NaN becomes None."""
    names, sources, flags = dict(schema.LABEL_CLASSES), dict(schema.LABEL_SOURCES), dict(schema.LABEL_FLAGS)

    def number(value: float, digits: int) -> float | None:
        return round(float(value), digits) if np.isfinite(value) else None

    value = int(track.image_value[index])
    time = track.time[index].astype("datetime64[ns]")
    return {
        "x": float(track.x[index]),
        "label": names.get(int(label[index]), str(label[index])),
        "kind": int(kinds(label[index : index + 1])[0]),
        "source": sources.get(int(source[index]), str(source[index])),
        "flag": flags.get(int(flag[index]), str(flag[index])),
        "height": number(track.height[index], 3),
        "rate": number(track.rate[index], 2),
        "image_value": value if value >= 0 else None,
        "latitude": number(track.latitude[index], 5),
        "longitude": number(track.longitude[index], 5),
        "time": None if np.isnat(time) else str(time.astype("datetime64[ms]")),
    }
