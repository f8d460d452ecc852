"""Cut a window out of an annotation, so that it says of every pixel left what it said before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import RectBivariateSpline

from .annotation import Annotation, Block, Calibration, NoiseVector, Points, range_noise
from .orbit import time_of

POLARISATIONS = ("HH", "HV")


def crop(annotation: Annotation, *, line: int, sample: int, lines: int, samples: int) -> Annotation:
    """Return the annotation of a part of the image.

    Parameters
    ----------
    annotation : Annotation
        The whole.
    line, sample : int
        First of the part.
    lines, samples : int
        Its size; must fit.
    """
    if (line, sample, lines, samples) == (0, 0, annotation.lines, annotation.samples):
        return annotation
    blocks = [_block(b, line, sample, lines, samples) for b in annotation.blocks]
    return Annotation(
        lines=lines,
        samples=samples,
        orbit=replace(annotation.orbit, start=time_of(annotation.orbit, line)),
        blocks=tuple(b for b in blocks if b is not None),
        noise=_noise(annotation, line, sample, lines, samples),
        calibration=_calibration(annotation.calibration, line, sample, lines, samples),
        points=_points(annotation.points, line, sample, lines, samples),
    )


def _block(block: Block, line: int, sample: int, lines: int, samples: int) -> Block | None:
    first_line, last_line = max(block.first_line, line), min(block.last_line, line + lines - 1)
    first_sample, last_sample = max(block.first_sample, sample), min(block.last_sample, sample + samples - 1)
    if first_line > last_line or first_sample > last_sample:
        return None
    at = block.lines
    if len(at):
        inside = at[(at > first_line) & (at < last_line)]
        at = np.unique(np.concatenate([[first_line], inside, [last_line]]))
    return Block(
        swath=block.swath,
        first_line=first_line - line,
        last_line=last_line - line,
        first_sample=first_sample - sample,
        last_sample=last_sample - sample,
        lines=at - line,
        factors={p: np.interp(at, block.lines, f) if len(at) else f for p, f in block.factors.items()},
    )


def _noise(annotation: Annotation, line: int, sample: int, lines: int, samples: int) -> tuple[NoiseVector, ...]:
    """Return the vectors inside, and one at the first and the last line that holds what the noise is there."""
    last_line, last = line + lines - 1, sample + samples - 1
    inside = [_vector(v, sample, last) for v in annotation.noise if line < v.line < last_line]
    vectors = [_vector_at(annotation, line, sample, last), *inside]
    if lines > 1:
        vectors.append(_vector_at(annotation, last_line, sample, last))
    return tuple(NoiseVector(line=v.line - line, pixels=v.pixels - sample, values=v.values) for v in vectors)


def _vector(vector: NoiseVector, first: int, last: int) -> NoiseVector:
    """Cut a vector; at the cut stands what lies between its neighbours, or 0 next to a 0."""
    inside = vector.pixels[(vector.pixels > first) & (vector.pixels < last)]
    at = np.unique(np.concatenate([[first], inside, [last]]))
    values = {}
    for name, value in vector.values.items():
        has = np.interp(at, vector.pixels, (value > 0.0).astype(float)) == 1.0
        values[name] = np.where(has, np.interp(at, vector.pixels, value), 0.0)
    return NoiseVector(line=vector.line, pixels=at, values=values)


def _vector_at(annotation: Annotation, line: int, first: int, last: int) -> NoiseVector:
    """Return a vector for a line between others, by the rule of the blocks."""
    before = [v for v in annotation.noise if v.line <= line][-1:]
    after = [v for v in annotation.noise if v.line >= line][:1]
    nodes = [v.pixels for v in before + after]
    edges = [(b.first_sample, b.last_sample) for b in annotation.blocks if b.first_line <= line <= b.last_line]
    at = np.unique(np.concatenate([*nodes, *edges, [first, last]])).astype(np.int64)
    at = at[(at >= first) & (at <= last)]
    where = np.array([line], np.float64)
    values = {p: np.nan_to_num(range_noise(annotation, p, where, at)[0].astype(float)) for p in POLARISATIONS}
    return NoiseVector(line=line, pixels=at, values=values)


def _calibration(c: Calibration, line: int, sample: int, lines: int, samples: int) -> Calibration:
    rows, columns = _nodes(c.lines, line, lines), _nodes(c.pixels, sample, samples)
    sigma, gamma = (_linear(c.lines, c.pixels, grid, rows, columns) for grid in (c.sigma, c.gamma))
    return Calibration(lines=rows - line, pixels=columns - sample, sigma=sigma, gamma=gamma, beta=c.beta)


def _nodes(nodes: np.ndarray, first: int, count: int) -> np.ndarray:
    last = first + count - 1
    return np.unique(np.concatenate([[first], nodes[(nodes > first) & (nodes < last)], [last]])).astype(np.int64)


def _linear(
    rows: np.ndarray, columns: np.ndarray, grid: np.ndarray, at_rows: np.ndarray, at_columns: np.ndarray
) -> np.ndarray:
    narrow = np.stack([np.interp(at_columns, columns, row) for row in grid])
    return np.stack([np.interp(at_rows, rows, column) for column in narrow.T], axis=1)


def _points(p: Points, line: int, sample: int, lines: int, samples: int) -> Points:
    """Return a grid of about the same spacing; positions as directions from the Earth's centre."""
    rows, columns = _spaced(lines, 500), _spaced(samples, 525)
    at = (line + rows, sample + columns)

    def spline(grid: np.ndarray) -> np.ndarray:
        return RectBivariateSpline(p.lines, p.pixels, grid)(*at)

    latitude, longitude = np.radians(p.latitude), np.radians(p.longitude)
    x = spline(np.cos(latitude) * np.cos(longitude))
    y = spline(np.cos(latitude) * np.sin(longitude))
    z = spline(np.sin(latitude))
    return Points(
        lines=rows,
        pixels=columns,
        latitude=np.degrees(np.arctan2(z, np.hypot(x, y))),
        longitude=np.degrees(np.arctan2(y, x)),
        height=spline(p.height),
        incidence=spline(p.incidence),
        elevation=spline(p.elevation),
        slant_range_time=spline(p.slant_range_time),
    )


def _spaced(count: int, step: int) -> np.ndarray:
    """Return whole numbers from 0 to the last, four or more, about a step apart."""
    return np.unique(np.rint(np.linspace(0, count - 1, max(round((count - 1) / step) + 1, 4)))).astype(np.float64)
