"""Phenomena of the air over the sea: wind streaks, convective cells, rain cells, atmospheric fronts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from . import fields
from .fields import Lobe
from .ocean import front_line
from .pattern import Pattern
from .presets import DECIBEL, PIXEL_M, SIZE, Ranges


def wind_streaks(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Wind streaks: wavy stripes within 15 degrees of the wind."""
    limits = ranges.others["WS"]
    across = wind + 0.5 * np.pi + np.radians(rng.uniform(*limits["off_wind_deg"]))
    peak = Lobe(
        wavelength_m=float(np.exp(rng.uniform(*np.log(limits["spacing_m"])))),
        width=rng.uniform(0.25, 0.45),
        direction=across,
        spread=np.radians(rng.uniform(7.0, 14.0)),
    )
    bend = rng.uniform(2.0, 8.0) * fields.smooth(rng, 5000.0)
    stripes = fields.warped(fields.lobe(rng, peak), bend * np.sin(across), bend * np.cos(across))
    sd = DECIBEL * rng.uniform(*limits["amplitude_db"]) / np.sqrt(2.0)
    log = np.float32(sd) * stripes * (1.0 + 0.3 * fields.smooth(rng, 6000.0)).clip(0.2, 2.0)
    return Pattern(log=log.astype(np.float32), support=np.ones(log.shape, bool))


def cells(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Micro-convective cells: bright walls around darker middles, and mottles drawn out along the wind."""
    limits = ranges.others["MCC"]
    size = float(np.exp(rng.uniform(*np.log(limits["size_m"]))))
    ratio = rng.uniform(*limits["ratio"])
    share = rng.uniform(0.2, 0.8)
    log = share * _walls(rng, size, ratio, wind) + (1.0 - share) * _mottles(rng, size, ratio, wind)
    log -= log.mean()
    # from the walls to the middles: about two standard deviations
    log *= DECIBEL * rng.uniform(*limits["amplitude_db"]) / 2.2 / max(float(log.std()), 1e-9)
    return Pattern(log=log.astype(np.float32), support=np.ones(log.shape, bool))


def _walls(rng: np.random.Generator, size: float, ratio: float, wind: float) -> np.ndarray:
    """Return bright lines between cells, standard deviation 1."""
    step = size / PIXEL_M
    reach = SIZE * 0.75
    count = int((2.0 * reach / step) ** 2 / ratio) + 4
    seeds = rng.uniform(-reach, reach, (count, 2)) / (1.0, ratio)
    lines, samples = fields.grid()
    bend = 0.12 * step
    along = samples * np.cos(wind) + lines * np.sin(wind) + bend * fields.smooth(rng, 0.6 * size)
    across = lines * np.cos(wind) - samples * np.sin(wind) + bend * fields.smooth(rng, 0.6 * size)
    distance, _ = cKDTree(seeds).query(np.stack([across[::2, ::2].ravel(), along[::2, ::2].ravel() / ratio], 1), k=2)
    gap = ndimage.zoom((distance[:, 1] - distance[:, 0]).reshape(SIZE // 2, SIZE // 2), 2, order=1)
    walls = np.exp(-((gap / (0.28 * step / np.sqrt(ratio))) ** 2))
    return (walls - walls.mean()) / max(float(walls.std()), 1e-9)


def _mottles(rng: np.random.Generator, size: float, ratio: float, wind: float) -> np.ndarray:
    peak = Lobe(wavelength_m=size, width=0.35, direction=wind + 0.5 * np.pi, spread=1.6 / ratio**1.5)
    found = fields.lobe(rng, peak)
    found = found + 0.35 * found**2  # bright spots on a darker ground
    return (found - found.mean()) / found.std()


def rain_cells(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Rain cells: discs with a bright rim or a dark middle, and an arc where the gust front runs ahead."""
    limits = ranges.others["RC"]
    lines, samples = fields.grid()
    log = np.zeros((SIZE, SIZE), np.float32)
    support = np.zeros((SIZE, SIZE), bool)
    for _ in range(int(rng.integers(limits["number"][0], limits["number"][1] + 1))):
        row, column = rng.uniform(-170.0, 170.0, 2)
        radius = 0.5 * float(np.exp(rng.uniform(*np.log(limits["diameter_m"])))) / PIXEL_M
        ragged = 1.0 + 0.16 * fields.red(rng, longest_m=1.2 * radius * PIXEL_M, slope=1.6, shortest_m=400.0)
        far = np.hypot(lines - row, samples - column) / radius * np.clip(ragged, 0.4, 1.6)
        angle = np.arctan2(lines - row, samples - column)
        log += _rain_cell(rng, far, angle, DECIBEL * rng.uniform(*limits["amplitude_db"]))
        support |= far < 1.2
    return Pattern(log=log.astype(np.float32), support=support)


def _rain_cell(rng: np.random.Generator, far: np.ndarray, angle: np.ndarray, height: float) -> np.ndarray:
    """Return one cell from the distance to its middle, in radii, and the direction from it."""
    rim = np.exp(-(((far - 0.95) / rng.uniform(0.06, 0.16)) ** 2))
    heading, half = rng.uniform(-np.pi, np.pi), rng.uniform(0.8, 2.6)
    turned = np.abs((angle - heading + np.pi) % (2.0 * np.pi) - np.pi)
    arc = rim * fields.soft((half - turned) / 0.3)
    middle = np.exp(-((far / rng.uniform(0.3, 0.6)) ** 4))
    inside = fields.soft((0.95 - far) / 0.1)
    core = rng.choice([-1.0, -1.0, 1.0]) * rng.uniform(0.3, 1.0)
    texture = 0.25 * fields.red(rng, longest_m=1500.0, slope=1.0) * inside
    return height * (rng.uniform(0.5, 1.0) * arc + core * middle + rng.uniform(-0.2, 0.4) * inside + texture)


def atmospheric_front(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Atmospheric front: a step or a ridge of brightness along a ragged line, with another texture behind it."""
    limits = ranges.others["AF"]
    across, _ = front_line(rng, bend_m=(300.0, 2500.0), along_m=(8000.0, 16_000.0), rag_m=(80.0, 450.0))
    width = float(np.exp(rng.uniform(*np.log(limits["width_m"])))) / PIXEL_M
    height = DECIBEL * rng.uniform(*limits["step_db"]) * rng.choice([-1.0, 1.0])
    side = fields.soft(across / (0.35 * width))
    kind = rng.choice(["step", "ridge", "both"])
    log = np.zeros(across.shape)
    if kind != "ridge":
        log += height * (side - 0.5)
    if kind != "step":
        log += abs(height) * np.exp(-((across / (0.5 * width)) ** 2))
    near = np.abs(across) < width
    if rng.random() < 0.7:
        size = float(np.exp(rng.uniform(np.log(500.0), np.log(2500.0))))
        peak = Lobe(wavelength_m=size, width=0.4, direction=wind + 0.5 * np.pi, spread=rng.uniform(0.2, 1.5))
        log += side * rng.uniform(0.08, 0.2) * fields.lobe(rng, peak)
    return Pattern(log=log.astype(np.float32), support=near)
