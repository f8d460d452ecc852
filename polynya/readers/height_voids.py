"""Voids of a DEM that its file does not declare: heights that no ground has, and one exact value that its neighbours
contradict."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..io import opening
from .scene_layer import geobox_of, pixel_metres

LOWEST_M, HIGHEST_M = -1000.0, 9000.0
"""Heights outside are marks of missing data: -32768, -9999, 32767, 3.4e38."""
WHOLE_PX = 4096 * 4096
"""A DEM of up to so many pixels is looked at whole, a larger one in :data:`PIECES` squared pieces of ``PIECE_PX`` a
side."""
PIECES, PIECE_PX = 14, 256
STEEP = 2.1
"""Slope of 65 degrees: a coast or a lake shore that is as steep as this along half of its length is none."""
JUMP_M = (50.0, 400.0)
"""Least and largest median jump that makes a value a void, m; between them ``STEEP`` times the pixel size decides."""
LEAST_PX = 4
CANDIDATES = 3


@dataclass(frozen=True, kw_only=True)
class Voids:
    """Undeclared voids of a band of heights.

    Attributes
    ----------
    counts : tuple of float
        Values, as stored, that mean missing.
    share : float
        Of the pixels looked at.
    jump_m : float
        Median difference to the heights beside them, m.
    beyond : float
        Share of heights below ``LOWEST_M`` or above ``HIGHEST_M``.
    example : float
        One of these.
    """

    counts: tuple[float, ...]
    share: float
    jump_m: float
    beyond: float
    example: float

    @property
    def any(self) -> bool:
        """Whether something was found."""
        return bool(self.counts) or self.beyond > 0

    @property
    def lines(self) -> list[str]:
        """What was found, in words."""
        out = []
        if self.counts:
            marks = " and ".join(f"{c:g}" for c in self.counts)
            out.append(
                f"undeclared voids: {_percent(self.share)} of the heights are exactly {marks}, {self.jump_m:.0f} m away"
                " from those beside them: taken as missing"
            )
        if self.beyond > 0:
            out.append(
                f"undeclared voids: {_percent(self.beyond)} of the heights are beyond {LOWEST_M:.0f} to"
                f" {HIGHEST_M:.0f} m (such as {self.example:.4g}): taken as missing"
            )
        return out


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1%"


def find(path: Path, index: int, *, scale: float = 1.0, offset: float = 0.0) -> Voids:
    """Look for undeclared voids.

    A value is a void where it occurs again and again, exactly, and half of the heights beside it lie further from it
    than ground of 65 degrees would. Other values than 0 must also be flat, most of its pixels lie among their like, and
    cover less than half of the DEM.

    Parameters
    ----------
    path : Path
        A raster.
    index : int
        Band, from 1.
    scale, offset : float
        Make metres of what is stored.

    Returns
    -------
    Voids

    Raises
    ------
    ProductError
        If it cannot be read.
    """
    about = path.stat()
    return _find(path, about.st_mtime_ns, about.st_size, index, scale, offset)


@functools.lru_cache(maxsize=64)
def _find(path: Path, changed_ns: int, size: int, index: int, scale: float, offset: float) -> Voids:
    pieces, pixel = _pieces(path, index)
    n = sum(p.size for p in pieces) or 1
    beyond, example = 0, math.nan
    for piece in pieces:
        is_beyond = _is_beyond(piece, scale=scale, offset=offset)
        if is_beyond.any():
            known = piece[is_beyond & np.isfinite(piece)]
            beyond += known.size
            example = float(known[0]) * scale + offset if math.isnan(example) and known.size else example
            piece[is_beyond] = np.nan
    sample = np.concatenate([p[np.isfinite(p)] for p in pieces]) if pieces else np.zeros(0, np.float32)
    n_known = sample.size
    values, times = _repeated(sample)
    del sample
    common = values[np.argsort(-times)[:CANDIDATES]].tolist()
    found, jumps, void = [], [], 0
    limit = max(STEEP * pixel, JUMP_M[0])
    if limit > JUMP_M[1]:  # in pixels this long, coasts of fjords jump as voids do
        common, values = [], np.zeros(0)
    for value in dict.fromkeys([*([0.0] if 0.0 in values else []), *common]):
        times_of, inner, jump = _border(pieces, value, scale=scale, offset=offset)
        is_patch = value == 0.0 or (inner > 0.5 * times_of and 2 * times_of < n_known)
        if times_of >= LEAST_PX and jump > limit and is_patch:
            found.append(float(value))
            jumps.append(jump)
            void += times_of
    return Voids(
        counts=tuple(found),
        share=void / n,
        jump_m=float(np.median(jumps)) if jumps else math.nan,
        beyond=beyond / n,
        example=example,
    )


def _is_beyond(stored: np.ndarray, *, scale: float, offset: float) -> np.ndarray:
    """Return which heights are no ground's, in pieces as stored: no copy in metres is made."""
    if scale == 0:
        return np.full(stored.shape, not LOWEST_M <= offset <= HIGHEST_M)
    low, high = sorted(((LOWEST_M - offset) / scale, (HIGHEST_M - offset) / scale))
    return (stored < low) | (stored > high)


def _repeated(sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort a sample in place; return the values that occur :data:`LEAST_PX` times or more, and how often. Others can be
    no void, and a list of all values would be as large as the sample."""
    sample.sort()
    last = LEAST_PX - 1
    if sample.size <= last:
        return np.zeros(0), np.zeros(0, np.int64)
    is_first = sample[last:] == sample[:-last]
    is_first[1:] &= sample[1:-last] != sample[: -last - 1]
    values = sample[:-last][is_first]
    times = np.searchsorted(sample, values, side="right") - np.searchsorted(sample, values, side="left")
    return values, times


def _border(pieces: list[np.ndarray], value: float, *, scale: float, offset: float) -> tuple[int, int, float]:
    """Return how often a value occurs, how often with its like on all four sides, and the median difference of the
    heights beside it, m; NaN where nothing lies beside it."""
    times = inner = 0
    jumps = []
    for piece in pieces:
        own = piece == value
        if not own.any():
            continue
        times += int(own.sum())
        wide = np.pad(own, 1, mode="edge")
        inner += int((own & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]).sum())
        for a, b in ((piece[1:], piece[:-1]), (piece[:, 1:], piece[:, :-1])):
            at = ((a == value) != (b == value)) & np.isfinite(a) & np.isfinite(b)
            step = np.abs(a[at] - b[at]) * abs(scale)
            jumps.append(step[step < HIGHEST_M])
    every = np.concatenate(jumps) if jumps else np.zeros(0)
    return times, inner, float(np.median(every)) if every.size else math.nan


def _pieces(path: Path, index: int) -> tuple[list[np.ndarray], float]:
    """Return heights as stored, NaN where the file declares them missing, and the pixel size, m."""
    from rasterio.windows import Window

    with opening.open_raster(path) as source:
        east, south = pixel_metres(geobox_of(source), np.array([source.height / 2]))
        if source.height * source.width <= WHOLE_PX:
            windows = [Window(0, 0, source.width, source.height)]
        else:
            rows, columns = (np.unique(np.linspace(0, max(n - PIECE_PX, 0), PIECES).astype(int)) for n in source.shape)
            windows = [Window(int(c), int(r), PIECE_PX, PIECE_PX) for r in rows for c in columns]
        exact = np.float64 if np.dtype(source.dtypes[index - 1]).itemsize > 4 else np.float32
        return [source.read(index, window=w, masked=True).astype(exact).filled(np.nan) for w in windows], float(
            min(east[0], south[0])
        )
