"""The annotation of a product that never was: geometry of an orbit, sub-swaths and noise as a processor writes them.

Levels and steps between sub-swaths are set to what was measured on real EW products; nothing is copied from one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pyproj import Geod

from .annotation import Annotation, Block, Calibration, NoiseVector, Orbit, Points
from .presets import PLACES

LINES, SAMPLES = 10708, 10487
"""Of a whole scene."""
PIXEL_M = 40.0
EARTH_M, SPEED_OF_LIGHT = 6371.0e3, 299792458.0
FIRST_ORBIT = 900000
"""Added to every orbit: no real product has such a number."""
INCLINATION = 98.18
"""Of the orbit, degrees."""
NOISE_STEP = 167
"""Lines between two noise or calibration vectors: one second."""
BURST_LINES = 506.0
"""Lines between two bursts of a sub-swath."""
BORDERS = (3112, 5013, 7084, 8959)
"""First samples of EW2 to EW5, near which they are drawn."""
LEVEL_DB = {"HH": (38.6, 34.8, 33.0, 29.8, 29.8), "HV": (37.6, 33.4, 31.4, 28.3, 28.8)}
"""Least range noise of each sub-swath, dB of DN squared at a gain of 1087 (beta nought)."""
RISE_DB = ((6.5, 4.2), (2.1, 2.9), (4.6, 3.8), (4.6, 6.6), (2.1, 3.4))
"""From there to the near and the far border of each sub-swath."""
SCALLOP = (0.23, 0.22, 0.19, 0.173, 0.147)
"""How far the azimuth noise rises between bursts."""
BETA = 1087.0


def draw_annotation(
    seed: int, *, hemisphere: str = "north", centre: tuple[float, float] | None = None
) -> tuple[Annotation, str]:
    """Draw a whole scene's annotation and the name of the place it lies at.

    Parameters
    ----------
    seed : int
        The same seed gives the same annotation.
    hemisphere : str
        ``north`` or ``south``.
    centre : tuple of float, optional
        Latitude and longitude of the middle, degrees, in place of what is drawn; nothing else changes.
    """
    rng = np.random.default_rng([seed, 10])
    places = PLACES[hemisphere]
    place = list(places)[int(rng.integers(len(places)))]
    latitude, longitude = places[place]
    latitude += rng.uniform(-0.4, 0.4)
    longitude += rng.uniform(-0.4, 0.4) / np.cos(np.radians(latitude))
    if centre is not None:
        place, (latitude, longitude) = "", centre
    ascending = bool(rng.random() < 0.5)
    points, heading = _points(rng, latitude, longitude, ascending=ascending)
    number = FIRST_ORBIT + int(rng.integers(20000, 60000))
    orbit = Orbit(
        mission="S1A",
        start=_time(rng, hemisphere),
        line_s=6.0047e-3 * rng.uniform(0.998, 1.002),
        number=number,
        data_take=int((number - FIRST_ORBIT) * 7.85),
        heading=heading,
        ascending=ascending,
        software="003.71",
    )
    calibration = _calibration(rng, points)
    blocks, starts, stop = _blocks(rng)
    annotation = Annotation(
        lines=LINES,
        samples=SAMPLES,
        orbit=orbit,
        blocks=blocks,
        noise=_noise(rng, blocks, starts, stop, calibration.beta),
        calibration=calibration,
        points=points,
    )
    return annotation, place


def _time(rng: np.random.Generator, hemisphere: str) -> str:
    """Draw a time between autumn and spring, when nothing melts."""
    month = int(rng.choice((10, 11, 12, 1, 2, 3, 4) if hemisphere == "north" else (4, 5, 6, 7, 8, 9, 10)))
    start = np.datetime64(f"{int(rng.integers(2016, 2025))}-{month:02d}-01", "us")
    return str(start + np.timedelta64(int(rng.uniform(0.0, 28.0 * 86400.0) * 1e6), "us"))


def _points(rng: np.random.Generator, latitude: float, longitude: float, *, ascending: bool) -> tuple[Points, float]:
    """Lay the grid: lines along the track in the middle of the swath, pixels to the right of it."""
    lines = np.append(np.arange(0.0, LINES - 1, 500.0), LINES - 1.0)
    pixels = np.append(np.arange(0.0, SAMPLES - 1, 525.0), SAMPLES - 1.0)
    turn = np.clip(np.cos(np.radians(INCLINATION)) / np.cos(np.radians(latitude)), -0.95, 0.95)
    heading = float(np.degrees(np.arcsin(turn))) if ascending else 180.0 - float(np.degrees(np.arcsin(turn)))
    geod = Geod(ellps="WGS84")
    along = (lines - 0.5 * (LINES - 1)) * PIXEL_M
    backward = along < 0.0
    ahead = np.where(backward, heading + 180.0, heading)
    n = np.ones_like(along)
    mid_lon, mid_lat, back = geod.fwd(longitude * n, latitude * n, ahead, np.abs(along))
    # Azimuth of the track at each line, forward: fwd gives the direction back to the centre.
    course = np.where(backward, back, np.asarray(back) + 180.0)
    across = (pixels - 0.5 * (SAMPLES - 1)) * PIXEL_M
    shape = (len(lines), len(pixels))
    side = np.where(across < 0.0, -90.0, 90.0)
    grid_lon, grid_lat, _ = geod.fwd(
        np.broadcast_to(np.asarray(mid_lon)[:, None], shape).ravel(),
        np.broadcast_to(np.asarray(mid_lat)[:, None], shape).ravel(),
        (course[:, None] + side[None, :]).ravel(),
        np.broadcast_to(np.abs(across)[None, :], shape).ravel(),
    )
    altitude = rng.uniform(700e3, 712e3)
    first = first_arc(np.radians(18.9 + rng.uniform(-0.25, 0.25)), altitude)
    # The altitude changes by some 100 m along a scene, and the angle with it.
    drift = (lines[:, None] / LINES - 0.5) * rng.uniform(-600.0, 600.0)
    angle, elevation, slant = look(pixels[None, :] * PIXEL_M, altitude + drift, first=first)
    points = Points(
        lines=lines,
        pixels=pixels,
        latitude=np.asarray(grid_lat).reshape(shape),
        longitude=np.asarray(grid_lon).reshape(shape),
        height=np.zeros(shape),
        incidence=np.degrees(angle),
        elevation=np.degrees(elevation),
        slant_range_time=2.0 * slant / SPEED_OF_LIGHT,
    )
    return points, (heading + 180.0) % 360.0 - 180.0


def look(ground: np.ndarray, altitude: np.ndarray, *, first: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return incidence and elevation angle, radians, and slant range, m, on a spherical Earth.

    Parameters
    ----------
    ground : numpy.ndarray
        Distance along the ground from the first pixel, m.
    altitude : numpy.ndarray
        Of the satellite, m; broadcasts with ``ground``.
    first : float
        Angle at the Earth's centre between the satellite and the first pixel, radians.
    """
    arc = first + ground / EARTH_M
    high = EARTH_M + altitude
    slant = np.sqrt(EARTH_M**2 + high**2 - 2.0 * EARTH_M * high * np.cos(arc))
    angle = np.arcsin(high * np.sin(arc) / slant)
    return angle, angle - arc, slant


def first_arc(incidence: float, altitude: float) -> float:
    """Return the angle at the Earth's centre between the satellite and a pixel, radians.

    Parameters
    ----------
    incidence : float
        At the pixel, radians.
    altitude : float
        Of the satellite, m.
    """
    return incidence - float(np.arcsin(EARTH_M / (EARTH_M + altitude) * np.sin(incidence)))


def _calibration(rng: np.random.Generator, points: Points) -> Calibration:
    """Return gains that follow from one radar brightness gain and the incidence angle."""
    lines = np.append(np.arange(0, LINES - 1, NOISE_STEP), LINES - 1)
    pixels = np.append(np.arange(0, SAMPLES - 1, 40), SAMPLES - 1)
    # One angle for all lines, as in real products, whose gains do not change along the track.
    angle = np.radians(np.interp(pixels, points.pixels, points.incidence[0]))
    beta = BETA * rng.uniform(0.97, 1.03)
    shape = (len(lines), len(pixels))
    return Calibration(
        lines=lines,
        pixels=pixels,
        sigma=np.broadcast_to(beta / np.sqrt(np.sin(angle)), shape),
        gamma=np.broadcast_to(beta / np.sqrt(np.tan(angle)), shape),
        beta=beta,
    )


def _blocks(rng: np.random.Generator) -> tuple[tuple[Block, ...], np.ndarray, int]:
    """Draw the staggered sub-swaths.

    Each sub-swath starts later than the one before. Until the next starts it reaches some pixels further, and where the
    echo window moves, all borders shift.

    Returns
    -------
    tuple of Block
    starts : numpy.ndarray
        First line of each sub-swath.
    stop : int
        Last sample that has noise.
    """
    starts = np.zeros(5, np.int64)
    starts[1] = rng.integers(60, 220)
    starts[1:] = starts[1] + np.cumsum(np.append(0, rng.integers(94, 103, 3)))
    shift = int(rng.integers(900, 6000))
    below = np.array(BORDERS) + rng.integers(-60, 61, 4)
    above = below + rng.integers(4, 11, 4)
    stop = SAMPLES - int(rng.integers(8, 60))
    bursts = _scallop(rng)
    blocks = []
    for k in range(5):
        first_above, first_below = (int(above[k - 1]), int(below[k - 1])) if k else (0, 0)
        last_above, last_below = (int(above[k]) - 1, int(below[k]) - 1) if k < 4 else (SAMPLES - 1, SAMPLES - 1)
        alone = int(starts[k + 1]) if k < 4 else int(starts[k])
        if alone > starts[k]:
            further, middle = int(rng.integers(10, 16)), int(rng.integers(starts[k] + 10, alone - 10))
            blocks.append(bursts(k, (int(starts[k]), middle - 1), (first_above, last_above + further)))
            blocks.append(bursts(k, (middle, alone - 1), (first_above, last_above + further - 1)))
        blocks.append(bursts(k, (alone, shift - 1), (first_above, last_above)))
        blocks.append(bursts(k, (shift, LINES - 1), (first_below, last_below)))
    return tuple(blocks), starts, stop


def _scallop(rng: np.random.Generator) -> Callable[[int, tuple[int, int], tuple[int, int]], Block]:
    """Draw the azimuth noise of all sub-swaths; return the function that gives a block its part."""
    period = BURST_LINES * rng.uniform(0.99, 1.01)
    phase = rng.uniform(0.0, period) + 0.2 * period * np.arange(5) + rng.normal(0.0, 3.0, 5)
    height = {p: np.array(SCALLOP) * rng.uniform(0.85, 1.15) * rng.uniform(0.96, 1.04, 5) for p in ("HH", "HV")}

    def block(k: int, lines: tuple[int, int], samples: tuple[int, int]) -> Block:
        peaks = np.round(phase[k] + period * np.arange(-1, LINES / period + 1)).astype(np.int64)
        at = np.unique(np.concatenate([lines, np.arange(-(-lines[0] // 10) * 10, lines[1], 10), peaks, peaks + 1]))
        at = at[(at >= lines[0]) & (at <= lines[1])]
        # -1 to 1 between two bursts; the gain of the antenna element falls from the middle of a burst to its ends.
        u = 2.0 * (((at - phase[k]) / period) % 1.0) - 1.0
        shape = 0.6 * u**2 + 0.4 * u**4
        return Block(
            swath=k + 1,
            first_line=lines[0],
            last_line=lines[1],
            first_sample=samples[0],
            last_sample=samples[1],
            lines=at,
            factors={p: 1.0 + h[k] * shape for p, h in height.items()},
        )

    return block


def _noise(
    rng: np.random.Generator, blocks: tuple[Block, ...], starts: np.ndarray, stop: int, beta: float
) -> tuple[NoiseVector, ...]:
    """Draw the range noise: one shape per sub-swath, which changes slowly along the track."""
    lines = np.unique(np.append(np.arange(0, LINES - 1, NOISE_STEP), [int(starts[-1]), LINES - 1]))
    offset = rng.normal(0.0, 0.5)
    profiles = [_profile(rng, k, offset=offset + 20.0 * np.log10(beta / BETA)) for k in range(5)]
    drift = 0.1 * np.sin(2.0 * np.pi * (lines / LINES * rng.uniform(0.5, 2.0) + rng.uniform()))  # dB
    jitter = rng.normal(0.0, 0.04, (5, len(lines)))
    vectors = []
    for i, line in enumerate(lines):
        pixels: list[np.ndarray] = []
        values: dict[str, list[np.ndarray]] = {"HH": [], "HV": []}
        begin = 0
        for k in range(5):
            block = next((b for b in blocks if b.swath == k + 1 and b.first_line <= line <= b.last_line), None)
            # A sub-swath that has not started keeps its nodes, with zeros.
            end = block.last_sample if block else int(BORDERS[k]) - 1 if k < 4 else SAMPLES - 1
            nodes = np.append(np.arange(begin, end, 40), end)
            u = 2.0 * (nodes - begin) / (end - begin) - 1.0
            here = (nodes <= stop) & (block is not None)
            for p in values:
                level = profiles[k][p](u) + drift[i] + jitter[k, i]
                values[p].append(np.where(here, 10.0 ** (0.1 * level), 0.0))
            pixels.append(nodes)
            begin = end + 1
        vectors.append(
            NoiseVector(
                line=int(line),
                pixels=np.concatenate(pixels),
                values={p: np.concatenate(v) for p, v in values.items()},
            )
        )
    return tuple(vectors)


def _profile(rng: np.random.Generator, k: int, *, offset: float) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Draw the range noise of one sub-swath, dB, as functions of the place across it, -1 to 1."""
    near, far = (r * rng.uniform(0.9, 1.1) for r in RISE_DB[k])
    least, power = rng.uniform(-0.2, 0.0), rng.uniform(1.9, 2.2)
    hump, middle = rng.uniform(2.8, 3.6), rng.uniform(-0.12, 0.0)

    def shape(u: np.ndarray) -> np.ndarray:
        if k:
            low = np.abs(np.minimum(u - least, 0.0) / (1.0 + least)) ** power
            return near * low + far * np.abs(np.maximum(u - least, 0.0) / (1.0 - least)) ** power
        # EW1 has two minima, with a hump between them where the antenna's beam is widest.
        low, high = np.maximum(-u - 0.35, 0.0) / 0.65, np.maximum(u - 0.45, 0.0) / 0.55
        return near * low**2.5 + far * high**1.8 + hump * np.exp(-(((u - middle) / 0.28) ** 2))

    levels = {p: LEVEL_DB[p][k] + offset + rng.normal(0.0, 0.25) for p in LEVEL_DB}
    return {p: lambda u, base=base: base + shape(u) for p, base in levels.items()}
