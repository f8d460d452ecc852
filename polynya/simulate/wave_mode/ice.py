"""Sea ice and icebergs."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from . import fields
from .pattern import Pattern
from .presets import DECIBEL, PIXEL_M, SIZE, Ranges


def sea_ice(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Sea ice: floes of two to four types, leads between some of them, thin bright ridges. It has no sea around it."""
    limits = ranges.others["SI"]
    types = int(rng.integers(limits["types"][0], limits["types"][1] + 1))
    total = DECIBEL * rng.uniform(*limits["range_db"])
    levels = total * (np.sort(rng.uniform(0.0, 1.0, types)) - 0.5)
    levels[[0, -1]] = -0.5 * total, 0.5 * total
    lines, samples = fields.grid()
    size = float(np.exp(rng.uniform(np.log(250.0), np.log(limits["floe_m"][1])))) / PIXEL_M
    strong = rng.uniform(0.1, 1.0) * min(size, 40.0)
    down, across = (lines + strong * fields.red(rng, longest_m=6000.0, slope=1.7) for _ in range(2))
    across = across - lines + samples
    seeds = _seeds(rng, size, limits["floe_m"][0] / PIXEL_M)
    distance, owner = cKDTree(seeds).query(np.stack([down.ravel(), across.ravel()], 1), k=2)
    gap = (distance[:, 1] - distance[:, 0]).reshape(SIZE, SIZE)
    of = _types(rng, seeds, types)
    log = levels[of[owner[:, 0]]].reshape(SIZE, SIZE) + 0.1 * total * rng.standard_normal(len(seeds))[
        owner[:, 0]
    ].reshape(SIZE, SIZE)
    log += rng.uniform(0.02, 0.08) * fields.red(rng, longest_m=1500.0, slope=1.2)
    if rng.random() < 0.7:
        opened = fields.smooth(rng, 4000.0) > rng.uniform(-0.5, 1.0)
        lead = (gap < rng.uniform(1.0, 5.0)) & opened
        log[lead] = rng.choice([-0.5, -0.5, 0.5]) * total * rng.uniform(0.8, 1.2)
    if rng.random() < 0.7:
        ridge = np.exp(-((fields.red(rng, longest_m=4000.0, slope=1.4) / rng.uniform(0.02, 0.06)) ** 2))
        log += DECIBEL * rng.uniform(1.0, 4.0) * ridge * fields.soft(3.0 * fields.smooth(rng, 3000.0))
    log = np.clip(log - log.mean(), -0.6 * total, 0.6 * total)
    return Pattern(log=log.astype(np.float32), support=np.ones(log.shape, bool))


def _seeds(rng: np.random.Generator, size: float, smallest: float) -> np.ndarray:
    """Return middles of floes, denser in some parts, shape (n, 2), pixels from the image's middle."""
    half = 0.6 * SIZE
    wanted = int(np.clip((2.0 * half / size) ** 2, 12, 6000))
    large = rng.uniform(-half, half, (wanted, 2))
    about = large[rng.integers(0, wanted, min(2 * wanted, 2500))]
    small = about + rng.standard_normal(about.shape) * max(0.5 * size, smallest)
    return np.concatenate([large, small]) if rng.random() < 0.6 else large


def _types(rng: np.random.Generator, seeds: np.ndarray, types: int) -> np.ndarray:
    """Return the type of each floe; neighbours are often of one type."""
    region = fields.smooth(rng, 6000.0)
    row, column = np.clip(seeds + 0.5 * SIZE, 0, SIZE - 1).astype(np.int64).T
    value = region[row, column] + rng.uniform(0.2, 1.5) * rng.standard_normal(len(seeds))
    edges = np.quantile(value, np.sort(rng.uniform(0.15, 0.85, types - 1)))
    return np.searchsorted(edges, value)


def icebergs(rng: np.random.Generator, ranges: Ranges, wind: float) -> Pattern:
    """Icebergs: bright spots of all sizes, on the sea or in the ice."""
    limits = ranges.others["IB"]
    lines, samples = fields.grid()
    log = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(round(float(np.exp(rng.uniform(*np.log(limits["number"])))))):
        row, column = rng.uniform(-190.0, 190.0, 2)
        radius = 0.5 * float(np.exp(rng.uniform(*np.log(limits["size_m"])))) / PIXEL_M
        reach = int(4.0 * radius) + 6
        top, left = (int(np.clip(v + 0.5 * SIZE - reach, 0, SIZE - 1)) for v in (row, column))
        part = slice(top, min(top + 2 * reach, SIZE)), slice(left, min(left + 2 * reach, SIZE))
        y, x = lines[part[0]] - row, samples[:, part[1]] - column
        turn, ratio = rng.uniform(0.0, np.pi), rng.uniform(0.5, 1.0)
        far = np.hypot(x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / ratio)
        height = DECIBEL * rng.uniform(*limits["height_db"])
        rough = 1.0 + 0.25 * rng.standard_normal(far.shape)
        spot = height * np.exp(-((far / max(radius, 0.7)) ** 4)) * np.clip(rough, 0.3, 1.7)
        log[part] = np.maximum(log[part], spot)
    return Pattern(log=log, support=log > DECIBEL)
