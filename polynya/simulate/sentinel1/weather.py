"""Wind over the sea, and what HH and HV of water become of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import smooth
from .presets import CELL_M, REFERENCE_ANGLE, WATER_DB, WATER_SLOPE, WATER_WIND, Ranges


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Wind and rain on the cells.

    Attributes
    ----------
    wind : numpy.ndarray, float32, shape (rows, columns)
        Over open water, m/s.
    rain : numpy.ndarray, float32, shape (2, rows, columns)
        What rain adds to HH and HV of water, dB.
    about : dict
        What was drawn.
    """

    wind: np.ndarray
    rain: np.ndarray
    about: dict[str, object]


def draw_weather(rng: np.random.Generator, shape: tuple[int, int], ranges: Ranges) -> Weather:
    """Draw mean wind, its fields of 50 km and 10 km, and a front, rolls and rain where the scene has them.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws everything.
    shape : tuple of int
        Rows and columns, cells.
    ranges : Ranges
        What it is drawn from.
    """
    cells = 1000.0 / CELL_M
    mean = rng.uniform(*ranges.wind)
    wind = np.full(shape, mean, np.float32)
    for length, sd in zip((50.0, 10.0), ranges.wind_sd, strict=True):
        wind += np.float32(sd) * smooth(rng, shape, length=length * cells)
    step = rng.uniform(*ranges.front_step) if rng.random() < ranges.front_share else 0.0
    if step:
        wind += np.float32(step) * _front(rng, shape)
    modulation = rng.uniform(*ranges.roll_modulation) if rng.random() < ranges.roll_share else 0.0
    if modulation:
        wind *= 1.0 + np.float32(modulation) * _rolls(rng, shape, km=rng.uniform(*ranges.roll_km))
    count = int(rng.integers(ranges.rain_cells[0], ranges.rain_cells[1] + 1)) if rng.random() < ranges.rain_share else 0
    rain = np.zeros((2, *shape), np.float32)
    for _ in range(count):
        shower = _shower(rng, shape)
        for plane, limits in zip(rain, ranges.rain_db, strict=True):
            np.maximum(plane, np.float32(rng.uniform(*limits)) * shower, out=plane)
    about: dict[str, object] = {
        "wind_m_s": round(float(mean), 2),
        "front_step_m_s": round(float(step), 2),
        "roll_modulation": round(float(modulation), 3),
        "rain_cells": count,
    }
    return Weather(wind=wind, rain=rain, about=about)


def water_db(wind: np.ndarray, incidence: np.ndarray) -> np.ndarray:
    """Return HH and HV of wind-roughened water, dB, float32, shape (2, ...).

    Both grow with the logarithm of the wind; the slope with the incidence angle is steep in calm water. Linear between
    the winds and values of :mod:`.presets`; the slope keeps its value beyond them.

    Parameters
    ----------
    wind : numpy.ndarray
        m/s, above 0.
    incidence : numpy.ndarray
        Degrees, same shape.
    """
    low, high = WATER_WIND
    t = (np.log(wind / low) / np.log(high / low)).astype(np.float32)
    t_slope = np.clip(t, 0.0, 1.0)
    angle = incidence.astype(np.float32) - np.float32(REFERENCE_ANGLE)
    return np.stack(
        [
            a + (b - a) * t + (s + (e - s) * t_slope) * angle
            for (a, b), (s, e) in zip(WATER_DB, WATER_SLOPE, strict=True)
        ]
    ).astype(np.float32)


def _front(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return 0 on one side of a curved line and 1 on the other."""
    cells = 1000.0 / CELL_M
    along = across(rng, shape)
    along += np.float32(6.0 * cells) * smooth(rng, shape, length=60.0 * cells)
    width = np.float32(rng.uniform(1.0, 6.0) * cells)
    return 0.5 * (1.0 + np.tanh(along / width))


def across(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return the signed distance from a straight line in a random direction through a random place, cells, float32."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(rng.uniform(0.15, 0.85) * shape[0])
    x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(rng.uniform(0.15, 0.85) * shape[1])
    return (y * np.float32(np.sin(angle)) + x * np.float32(np.cos(angle))).astype(np.float32)


def _rolls(rng: np.random.Generator, shape: tuple[int, int], *, km: float) -> np.ndarray:
    """Return waves of amplitude 1 whose phase wanders and whose strength fades in and out."""
    cells = 1000.0 / CELL_M
    phase = across(rng, shape) * np.float32(2.0 * np.pi / (km * cells))
    phase += np.float32(2.0) * smooth(rng, shape, length=40.0 * cells)
    strength = np.clip(0.7 + 0.5 * smooth(rng, shape, length=60.0 * cells), 0.0, 1.5)
    return strength * np.sin(phase)


def _shower(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a rain cell of strength 1: an ellipse of 5-20 km with a soft edge."""
    cells = 1000.0 / CELL_M
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(rng.uniform(0.0, shape[0]))
    x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(rng.uniform(0.0, shape[1]))
    radius = rng.uniform(2.5, 10.0) * cells
    squared = (y / (radius * rng.uniform(0.7, 1.4))) ** 2 + (x / radius) ** 2
    return np.exp(-(squared**2)).astype(np.float32)
