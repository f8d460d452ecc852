"""Polar stereographic maps as inline SVG: coastline, graticule, a track coloured by a value.

The projection is Snyder's ellipsoidal polar stereographic with a latitude of true scale, which is
EPSG:3413 in the north and EPSG:3976 in the south on WGS 84.

References
----------
Snyder, J. P. (1987), Map projections: a working manual, USGS Professional Paper 1395, section 21
(equations 14-15, 15-9, 21-33, 21-34) and equation 3-5 for the inverse. doi:10.3133/pp1395
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise

import numpy as np

from .html import Markup, escape

SEMI_MAJOR_M = 6378137.0
FLATTENING = 1.0 / 298.257223563
E2 = FLATTENING * (2.0 - FLATTENING)
E1 = float(np.sqrt(E2))


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A polar stereographic projection on WGS 84.

    Attributes
    ----------
    name : str
        EPSG code.
    sign : int
        1 north, -1 south.
    true_latitude : float
        Absolute latitude of true scale, degrees.
    central_longitude : float
        Degrees east.
    """

    name: str
    sign: int
    true_latitude: float
    central_longitude: float

    @property
    def scale(self) -> float:
        """Radius in metres for t = 1 (a m_c / t_c, equation 21-34)."""
        phi = np.radians(self.true_latitude)
        return float(SEMI_MAJOR_M * np.cos(phi) / np.sqrt(1.0 - E2 * np.sin(phi) ** 2) / _t(phi))


NORTH = Projection(name="EPSG:3413", sign=1, true_latitude=70.0, central_longitude=-45.0)
SOUTH = Projection(name="EPSG:3976", sign=-1, true_latitude=70.0, central_longitude=0.0)

# Every eighth entry of the viridis table of matplotlib (Smith, van der Walt, Firing 2015, CC0), and its last.
VIRIDIS = (
    "#440154",
    "#470d60",
    "#48186a",
    "#482374",
    "#472d7b",
    "#453781",
    "#424086",
    "#3e4989",
    "#3b528b",
    "#375b8d",
    "#33638d",
    "#2f6b8e",
    "#2c728e",
    "#297a8e",
    "#26828e",
    "#23898e",
    "#21918c",
    "#1f988b",
    "#1fa088",
    "#22a785",
    "#28ae80",
    "#32b67a",
    "#3fbc73",
    "#4ec36b",
    "#5ec962",
    "#70cf57",
    "#84d44b",
    "#98d83e",
    "#addc30",
    "#c2df23",
    "#d8e219",
    "#ece51b",
    "#fde725",
)


def _t(phi: np.ndarray | float) -> np.ndarray | float:
    s = E1 * np.sin(phi)
    return np.tan(np.pi / 4 - np.asarray(phi) / 2) / ((1.0 - s) / (1.0 + s)) ** (E1 / 2)


def project(latitude: np.ndarray, longitude: np.ndarray, projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return easting and northing in metres from latitude and longitude in degrees (any shape)."""
    sign = projection.sign
    rho = projection.scale * _t(np.radians(np.clip(sign * np.asarray(latitude, np.float64), -89.0, 90.0)))
    turn = np.radians(np.asarray(longitude, np.float64) - projection.central_longitude)
    return rho * np.sin(turn), -sign * rho * np.cos(turn)


def unproject(x: np.ndarray, y: np.ndarray, projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude in degrees (longitude in -180..180) from metres."""
    chi = np.pi / 2 - 2.0 * np.arctan(np.hypot(x, y) / projection.scale)
    a, b, c, d = SERIES
    phi = chi + a * np.sin(2 * chi) + b * np.sin(4 * chi) + c * np.sin(6 * chi) + d * np.sin(8 * chi)
    turn = np.degrees(np.arctan2(x, -projection.sign * np.asarray(y))) + projection.central_longitude
    return projection.sign * np.degrees(phi), (turn + 180.0) % 360.0 - 180.0


SERIES = (
    E2 / 2 + 5 * E2**2 / 24 + E2**3 / 12 + 13 * E2**4 / 360,
    7 * E2**2 / 48 + 29 * E2**3 / 240 + 811 * E2**4 / 11520,
    7 * E2**3 / 120 + 81 * E2**4 / 1120,
    4279 * E2**4 / 161280,
)
"""Coefficients of sin 2chi, 4chi, 6chi, 8chi in equation 3-5."""


@functools.cache
def _land_points(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of one hemisphere's land rings, (n, 2) metres, and where each ring starts, and the end.

    The file is Natural Earth 1:50m land, public domain; its provenance lies beside it in ``polynya/data``.
    """
    with (
        as_file(files("polynya") / "data" / "coastline_natural_earth_50m.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        latitude, longitude, start = data["latitude"], data["longitude"], data["start"]
    mine = projection.sign * latitude[start[:-1]].astype(np.int64) > 0
    taken = np.repeat(mine, np.diff(start))
    x, y = project(latitude[taken] * (90.0 / 32767.0), longitude[taken] * (180.0 / 32767.0), projection)
    return np.column_stack([x, y]), np.concatenate([[0], np.cumsum(np.diff(start)[mine])])


def coastline(projection: Projection) -> tuple[np.ndarray, ...]:
    """Return the projected land rings of one hemisphere, each (n, 2) metres."""
    points, start = _land_points(projection)
    return tuple(points[i:j] for i, j in pairwise(start))


def clip_ring(ring: np.ndarray, *, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """Return a ring cut to a box (Sutherland and Hodgman 1974, doi:10.1145/360767.360802), (m, 2), perhaps empty."""
    for axis in (0, 1):
        for bound, side in ((low[axis], 1.0), (high[axis], -1.0)):
            if len(ring) == 0:
                return ring
            distance = side * (ring[:, axis] - bound)
            inside = distance >= 0
            if inside.all():
                continue
            following, d2, inside2 = np.roll(ring, -1, 0), np.roll(distance, -1), np.roll(inside, -1)
            crossing = inside != inside2
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.where(crossing, distance / (distance - d2), 0.0)[:, None]
            slots = np.stack([ring + share * (following - ring), following], axis=1)
            keep = np.stack([crossing, inside2], axis=1)
            ring = slots[keep]
    return ring


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A rectangle of the projection plane drawn as ``width`` by ``height`` pixels.

    Attributes
    ----------
    projection : Projection
    left, top : float
        Metres at the upper left corner.
    scale : float
        Pixels a metre.
    width, height : int
        Pixels.
    """

    projection: Projection
    left: float
    top: float
    scale: float
    width: int
    height: int

    def pixels(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixel positions of points in metres."""
        return (np.asarray(x) - self.left) * self.scale, (self.top - np.asarray(y)) * self.scale


def frame_around(
    x: np.ndarray,
    y: np.ndarray,
    projection: Projection,
    *,
    width: int,
    height: int,
    margin: float = 0.12,
    least_m: float = 4000.0,
) -> Frame:
    """Return the frame that holds all points with a margin on each side."""
    middle_x, middle_y = (x.max() + x.min()) / 2, (y.max() + y.min()) / 2
    per_pixel = max((x.max() - x.min()) / width, (y.max() - y.min()) / height, least_m / min(width, height)) / (
        1.0 - 2.0 * margin
    )
    return Frame(
        projection=projection,
        left=middle_x - per_pixel * width / 2,
        top=middle_y + per_pixel * height / 2,
        scale=1.0 / per_pixel,
        width=width,
        height=height,
    )


def path(x: np.ndarray, y: np.ndarray, *, close: bool = False) -> str:
    """Return SVG path commands through pixel points, repeats at 0.1 pixel left out."""
    text = paths(x, y, [(0, len(x))])[0]
    return text + "Z" if close else text


def paths(x: np.ndarray, y: np.ndarray, parts: Sequence[tuple[int, int]]) -> list[str]:
    """Return SVG path commands through some runs of pixel points, repeats at 0.1 pixel left out.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        Pixels.
    parts : sequence of (first, stop)
        The points of each path; they may overlap.
    """
    a, b = (np.rint(np.asarray(v) * 10.0).astype(np.int64) for v in (x, y))
    is_new = ((np.diff(a) != 0) | (np.diff(b) != 0)).tolist()
    texts = [f"{p / 10:g} {q / 10:g}" for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    out = []
    for first, stop in parts:
        points = [texts[k] for k in range(first, stop) if k == first or is_new[k - 1]]
        out.append("M" + "L".join(points) + ("h0" if len(points) == 1 else ""))
    return out


def land(frame: Frame) -> str:
    """Return the path of the land in a frame."""
    pad = 20.0 / frame.scale
    low = (frame.left - pad, frame.top - frame.height / frame.scale - pad)
    high = (frame.left + frame.width / frame.scale + pad, frame.top + pad)
    points, start = _land_points(frame.projection)
    least, most = np.minimum.reduceat(points, start[:-1]), np.maximum.reduceat(points, start[:-1])
    is_inside = ((least <= high) & (most >= low)).all(axis=1)
    is_seen = (most - least).max(axis=1) * frame.scale >= 2.0
    out = []
    for k in np.flatnonzero(is_inside & is_seen).tolist():
        cut = clip_ring(points[start[k] : start[k + 1]], low=low, high=high)
        if len(cut) > 2:
            px, py = frame.pixels(cut[:, 0], cut[:, 1])
            gone = np.cumsum(np.hypot(np.diff(px, prepend=px[0]), np.diff(py, prepend=py[0])))
            keep = np.diff(np.floor(gone / 1.6), prepend=-1.0) > 0  # a point every 1.6 pixels of coast
            out.append(path(px[keep], py[keep], close=True) if keep.sum() > 2 else "")
    return "".join(out)


_STEPS = (30.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


def _step(span: float, wanted: int) -> float:
    return next((s for s in _STEPS if span / s >= wanted), _STEPS[-1])


def graticule(frame: Frame, *, meridians: float = 0.0, parallels: float = 0.0, labels: bool = True) -> str:
    """Return the meridians and parallels of a frame, with labels where they leave it.

    Parameters
    ----------
    frame : Frame
        The rectangle that is drawn.
    meridians, parallels : float
        Spacing in degrees, 0 to choose it.
    labels : bool
        Whether meridians and parallels are labelled.
    """
    gx, gy = np.meshgrid(np.linspace(0, frame.width, 41), np.linspace(0, frame.height, 41))
    x, y = frame.left + gx / frame.scale, frame.top - gy / frame.scale
    latitude, longitude = unproject(x, y, frame.projection)
    holds_pole = x.min() < 0 < x.max() and y.min() < 0 < y.max()
    middle = longitude[20, 20]
    turned = (longitude - middle + 180.0) % 360.0 - 180.0
    lat_low, lat_high = float(latitude.min()), float(latitude.max())
    if holds_pole:
        lat_low, lat_high = (lat_low, 90.0) if frame.projection.sign > 0 else (-90.0, lat_high)
    lon_low, lon_high = (-180.0, 179.99) if holds_pole else (float(turned.min()) + middle, float(turned.max()) + middle)
    d_lat = parallels or _step(lat_high - lat_low, 3)
    d_lon = meridians or (30.0 if holds_pole else _step(lon_high - lon_low, 3))
    lines: list[str] = []
    words: list[str] = []
    taken: list[tuple[float, float]] = []
    along_lon = np.linspace(lon_low - 1e-9, lon_high, 361 if holds_pole else 121)
    top_of = 90.0 - d_lat if holds_pole else 90.0
    for value in _multiples(lat_low, lat_high, d_lat):
        if abs(value) < 90.0:
            px, py = frame.pixels(*project(np.full(along_lon.shape, value), along_lon, frame.projection))
            lines.append(path(px, py))
            words += (
                _label(frame, px, py, taken, f"{abs(value):g}\u00b0{'N' if value > 0 else 'S'}", edge="left")
                if labels
                else []
            )
    along_lat = np.clip(np.linspace(lat_low - 1, lat_high + 1, 121), -top_of, top_of)
    for value in _multiples(lon_low, lon_high, d_lon):
        px, py = frame.pixels(*project(along_lat, np.full(along_lat.shape, value), frame.projection))
        lines.append(path(px, py))
        east = (value + 180.0) % 360.0 - 180.0
        name = (
            "180\u00b0"
            if abs(abs(east) - 180) < 1e-6
            else f"{abs(round(east, 4)):g}\u00b0{'E' if east > 0 else 'W' if east < 0 else ''}"
        )
        words += _label(frame, px, py, taken, name, edge="bottom") if labels else []
    return f'<path class="grid" d="{"".join(lines)}"/>' + "".join(words)


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [round(k * step, 6) for k in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def _label(
    frame: Frame, px: np.ndarray, py: np.ndarray, taken: list[tuple[float, float]], name: str, *, edge: str
) -> list[str]:
    inside = (px >= 2) & (px <= frame.width - 40) & (py >= 14) & (py <= frame.height - 4)
    inside &= (px < frame.width * 0.64) | (py < frame.height - 34)  # the scale bar's corner
    for x, y in taken:
        inside &= (np.abs(px - x) > 46) | (np.abs(py - y) > 14)
    if not inside.any():
        return []
    where = np.flatnonzero(inside)
    k = where[np.argmin(px[where])] if edge == "left" else where[np.argmax(py[where])]
    taken.append((float(px[k]), float(py[k])))
    return [f'<text class="gridlabel" x="{px[k] + 3:.1f}" y="{py[k] - 3:.1f}">{escape(name)}</text>']


def coloured_track(
    frame: Frame, pieces: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], *, low: float, high: float, width: float
) -> str:
    """Return track pieces coloured by a value, grey where it is NaN.

    Parameters
    ----------
    frame : Frame
        The rectangle that is drawn.
    pieces : sequence of (x, y, value)
        Points in metres; the colour of a point holds to the next one.
    low, high : float
        Values of the first and last colour.
    width : float
        Line width in pixels; a piece too short to be a line is a dot of twice that.
    """
    groups: dict[tuple[int, float], list[str]] = {}
    for x, y, value in pieces:
        px, py = frame.pixels(x, y)
        wide = width if max(np.ptp(px), np.ptp(py)) > 4.0 else 2.0 * width
        with np.errstate(invalid="ignore"):
            share = np.clip((value - low) / (high - low), 0.0, 1.0)
        index = np.where(np.isfinite(value), np.rint(np.nan_to_num(share) * (len(VIRIDIS) - 1)), -1).astype(int)
        start = np.flatnonzero(np.concatenate([[True], np.diff(index) != 0]))
        stop = np.append(start[1:], len(index))
        lines = paths(px, py, list(zip(start.tolist(), np.minimum(stop + 1, len(index)).tolist(), strict=True)))
        for colour_index, line in zip(index[start].tolist(), lines, strict=True):
            groups.setdefault((colour_index, wide), []).append(line)
    out = []
    for (index, wide), commands in sorted(groups.items()):
        colour = "#9aa0a6" if index < 0 else VIRIDIS[index]
        out.append(f'<path d="{"".join(commands)}" stroke="{colour}" stroke-width="{wide:g}"/>')
    return f'<g class="track">{"".join(out)}</g>'


def colour_bar(
    *,
    low: float,
    high: float,
    label: str,
    width: int = 240,
    decimals: int = 2,
    missing: str = "no sea surface",
    missing_colour: str = "#9aa0a6",
) -> Markup:
    """Return a horizontal colour bar with five ticks.

    Parameters
    ----------
    low, high : float
        Values of the first and last colour.
    label : str
        Under the bar.
    width : int
        Length of the bar, pixels.
    decimals : int
        Digits after the point of the ticks.
    missing : str
        What grey means; empty where nothing is grey.
    missing_colour : str
        That grey, #rrggbb.
    """
    cell = width / len(VIRIDIS)
    boxes = "".join(
        f'<rect x="{12 + k * cell:.2f}" y="4" width="{cell + 0.3:.2f}" height="12" fill="{c}"/>'
        for k, c in enumerate(VIRIDIS)
    )
    ticks = "".join(
        f'<text x="{12 + width * k / 4:.1f}" y="29" text-anchor="middle">'
        f"{low + (high - low) * k / 4:.{decimals}f}</text>"
        for k in range(5)
    )
    grey = (
        f'<rect x="{width + 60}" y="4" width="22" height="12" fill="{missing_colour}"/><text x="{width + 88}" y="14">'
        f"{escape(missing)}</text>"
        if missing
        else ""
    )
    return Markup(
        f'<svg class="bar" viewBox="-30 0 {width + 220} 48" width="{width + 220}" height="48" role="img"'
        f' aria-label="{escape(label)}">{boxes}{ticks}<text x="{12 + width / 2:.1f}" y="44"'
        f' text-anchor="middle">{escape(label)}</text>{grey}</svg>'
    )


def scale_bar(frame: Frame) -> str:
    """Return a scale bar; lengths hold at the frame's middle."""
    x = frame.left + frame.width / frame.scale / 2
    y = frame.top - frame.height / frame.scale / 2
    latitude, _ = unproject(np.array([x]), np.array([y]), frame.projection)
    stretch = _point_scale(float(latitude[0]), frame.projection)
    wanted = frame.width / frame.scale / stretch / 4
    length = (
        next(v * 10.0**p for p in range(6, 0, -1) for v in (5, 2, 1) if v * 10.0**p <= wanted) if wanted >= 10 else 10.0
    )
    pixels = length * stretch * frame.scale
    name = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    left, base = frame.width - pixels - 14, frame.height - 12
    return (
        f'<path class="scalebar" d="M{left:.1f} {base - 5}v5h{pixels:.1f}v-5"/>'
        f'<text class="gridlabel" x="{left + pixels / 2:.1f}" y="{base - 7}" text-anchor="middle">{name}</text>'
    )


def _point_scale(latitude: float, projection: Projection) -> float:
    """Return the scale factor k = rho / (a m) at a latitude (equation 21-32)."""
    phi = np.radians(min(abs(latitude), 89.999))
    m = np.cos(phi) / np.sqrt(1.0 - E2 * np.sin(phi) ** 2)
    return float(projection.scale * _t(phi) / (SEMI_MAJOR_M * m))


def svg(frame: Frame, inside: Sequence[str], *, identifier: str, label: str) -> Markup:
    """Return a frame as an SVG element; its data attributes tell the script where metres lie."""
    return Markup(
        f'<svg id="{identifier}" class="map" viewBox="0 0 {frame.width} {frame.height}" data-left="{frame.left:.1f}"'
        f' data-top="{frame.top:.1f}" data-scale="{frame.scale:.9g}" role="img" aria-label="{escape(label)}"><rect'
        f' class="sea" width="{frame.width}" height="{frame.height}"/>{"".join(inside)}<circle class="here" r="5"'
        f' cx="-99" cy="-99"/><rect class="edge" width="{frame.width}" height="{frame.height}"/></svg>'
    )
