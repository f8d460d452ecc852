"""One scene's sea: ice edge, floes, leads, types, wind, and what they reflect; on cells of 400 m, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import presets
from .fields import smooth
from .floes import Backscatter, Cover
from .presets import CELL_M, REFERENCE_ANGLE, Ranges
from .weather import across, draw_weather, water_db

CELLS_KM = 1000.0 / CELL_M


@dataclass(frozen=True, kw_only=True)
class World:
    """What lies under the swath.

    Attributes
    ----------
    cover : Cover
        The ice.
    backscatter : Backscatter
        What ice and water reflect.
    residue : numpy.ndarray, float64, shape (2, 6)
        True noise over annotated noise, by polarisation and sub-swath; sub-swath 0 is 1.
    about : dict
        What was drawn.
    """

    cover: Cover
    backscatter: Backscatter
    residue: np.ndarray
    about: dict[str, object]


def draw_world(
    seed: int, shape: tuple[int, int], incidence: np.ndarray, *, ranges: Ranges, kind: str | None = None
) -> World:
    """Draw a scene's sea.

    Parameters
    ----------
    seed : int
        The same seed gives the same sea; ice, wind and noise have streams of their own.
    shape : tuple of int
        Rows and columns, cells of 400 m.
    incidence : numpy.ndarray, shape (columns,)
        Degrees.
    ranges : Ranges
        What it is drawn from.
    kind : str, optional
        ``water``, ``edge`` or ``pack``; drawn if left out.
    """
    rng, ice_rng, sky_rng, noise_rng = (np.random.default_rng([seed, 20 + k]) for k in range(4))
    drawn = str(rng.choice(presets.KINDS, p=presets.KIND_SHARES))
    kind = drawn if kind is None else kind
    target, broken, about = _concentration(ice_rng, shape, kind, ranges)
    cover = _cover(ice_rng, target, broken, ranges)
    weather = draw_weather(sky_rng, shape, ranges)
    # Ice shelters the water between it; what counts is the ice around, not a floe.
    wind = np.clip(weather.wind * (1.0 - np.float32(ranges.shelter) * target), *ranges.wind_limits)
    water = water_db(wind, np.broadcast_to(incidence.astype(np.float32), shape)) + weather.rain
    backscatter, types = _backscatter(ice_rng, shape, water, incidence, ranges)
    residue = np.ones((2, 6))
    residue[:, 1:] = noise_rng.uniform(*ranges.residue, (2, 5))
    about = {
        "kind": kind,
        **about,
        **weather.about,
        **types,
        "noise_residue": {p: np.round(r[1:], 3).tolist() for p, r in zip(presets.POLARISATIONS, residue, strict=True)},
    }
    return World(cover=cover, backscatter=backscatter, residue=residue, about=about)


def _concentration(
    rng: np.random.Generator, shape: tuple[int, int], kind: str, ranges: Ranges
) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """Return the concentration that floes are to have, and where waves break them."""
    zero = np.zeros(shape, np.float32)
    if kind == "water":
        return zero, zero, {}
    pack = rng.uniform(*ranges.pack)
    width = rng.uniform(*ranges.miz_km)
    inner = np.full(shape, pack, np.float32) + np.float32(0.02) * smooth(rng, shape, length=30.0 * CELLS_KM)
    openings = int(rng.integers(1, 5)) if rng.random() < 0.35 else 0
    for _ in range(openings):
        inner *= 1.0 - np.float32(rng.uniform(0.5, 1.0)) * _opening(rng, shape)
    inner = np.clip(inner, 0.0, 1.0)
    about: dict[str, object] = {"pack_concentration": round(float(pack), 3), "openings": openings}
    if kind == "pack":
        return inner, zero, about
    inward = across(rng, shape) / np.float32(CELLS_KM)  # km
    for length, size in ((120.0, 0.10), (40.0, 0.12), (15.0, 0.12), (6.0, 0.08)):
        inward += np.float32(length * size + 0.35 * width * size) * smooth(rng, shape, length=length * CELLS_KM)
    place = inward / np.float32(width)
    rise = np.interp(place, (-0.25, 0.0, 1.0, 1.5), (0.0, 0.15, 0.80, 1.0)).astype(np.float32)
    # Wind and eddies gather the marginal ice in bands.
    bands = smooth(rng, shape, length=rng.uniform(3.0, 12.0) * CELLS_KM)
    rise = np.clip(rise * (1.0 + np.float32(1.2) * bands * (1.0 - rise)), 0.0, 1.0)
    broken = np.clip(1.2 - place, 0.0, 1.0).astype(np.float32)
    broken[rise <= 0.0] = 1.0
    target = np.where(rise > 0.02, inner * rise, 0.0).astype(np.float32)
    return target, np.where(target > 0.0, broken, 1.0).astype(np.float32), about | {"miz_width_km": round(width, 1)}


def _opening(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a polynya of 4-25 km, 1 inside, with a ragged rim."""
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(rng.uniform(0.0, shape[0]))
    x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(rng.uniform(0.0, shape[1]))
    radius = np.exp(rng.uniform(np.log(2.0), np.log(12.0))) * CELLS_KM
    angle, stretch = rng.uniform(0.0, np.pi), rng.uniform(1.0, 3.0)
    along = (y * np.sin(angle) + x * np.cos(angle)) / stretch
    distance = np.hypot(along, y * np.cos(angle) - x * np.sin(angle)) / np.float32(radius)
    distance += np.float32(0.25) * smooth(rng, shape, length=max(radius * 0.6, 4.0))
    return np.clip((1.1 - distance) / 0.2, 0.0, 1.0).astype(np.float32)


def _cover(rng: np.random.Generator, target: np.ndarray, broken: np.ndarray, ranges: Ranges) -> Cover:
    """Draw floe sizes, types, crooked borders and leads."""
    shape = target.shape
    exponent = rng.uniform(*ranges.floe_exponent)
    largest = np.exp(rng.uniform(*np.log(ranges.floe_km))) * CELLS_KM
    levels = max(int(np.ceil(np.log2(largest))) + 1, 2)  # down to about one cell
    sizes = largest * 0.5 ** np.arange(levels)
    # Numbers fall as size ** -exponent, so the area that sizes cover goes with size ** (2 - exponent).
    area = sizes ** (2.0 - exponent)
    kept = area / np.cumsum(area[::-1])[::-1]
    warp = np.stack([_warp(rng, shape) for _ in range(2)])
    leads = np.array([_network(rng, km) for km in ((15.0, 60.0), (5.0, 15.0))])
    shares = np.array(presets.OTHER_SHARES) * (1.0 - rng.uniform(*ranges.dominant))
    shares[int(rng.choice(4, p=presets.DOMINANT_SHARES))] += 1.0 - shares.sum()
    return Cover(
        key=np.uint64(rng.integers(1 << 62)),
        sizes=sizes,
        kept=kept,
        target=target,
        broken=broken,
        mixed=float(rng.uniform(*ranges.mixed_share)),
        warp=warp,
        leads=leads,
        refrozen=ranges.refrozen_share,
        odds=np.cumsum(shares),
    )


def _network(rng: np.random.Generator, km: tuple[float, float]) -> tuple[float, ...]:
    """Draw a network of leads as a row of :attr:`.floes.Cover.leads`, its polygons between two sizes."""
    size = np.exp(rng.uniform(*np.log(km))) * CELLS_KM
    stretch, direction = rng.uniform(1.0, 3.0), rng.uniform(0.0, np.pi)
    widths = (0.06 * CELLS_KM, rng.uniform(0.5, 2.5) * CELLS_KM)
    c, s = np.cos(direction), np.sin(direction)
    return size, rng.uniform(0.1, 0.5), *widths, c, -s, s / stretch, c / stretch


def _warp(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a displacement in cells, of 3-km and 12-km waves."""
    return 0.9 * smooth(rng, shape, length=8.0) + 2.5 * smooth(rng, shape, length=30.0)


def _backscatter(
    rng: np.random.Generator, shape: tuple[int, int], water: np.ndarray, incidence: np.ndarray, ranges: Ranges
) -> tuple[Backscatter, dict[str, object]]:
    """Draw the scene's offsets and slopes of each ice type, and the texture."""
    spread = rng.uniform(-1.0, 1.0, (4, 2)) if ranges.type_is_even else rng.standard_normal((4, 2))
    ice = np.array(presets.ICE_DB) + ranges.type_db * spread
    slope = np.array(presets.ICE_SLOPE) + np.array(presets.ICE_SLOPE_SD) * rng.standard_normal((4, 2))
    sd = rng.uniform(*ranges.texture_db)
    texture = np.float32(sd) * rng.standard_normal((2, *shape), dtype=np.float32)
    backscatter = Backscatter(
        water=water.astype(np.float32),
        texture=texture,
        incidence=(incidence - REFERENCE_ANGLE).astype(np.float32),
        ice=ice,
        slope=slope,
        floe_db=ranges.floe_db,
    )
    named = {name: np.round(db, 2).tolist() for name, db in zip(presets.TYPES, ice, strict=True)}
    return backscatter, {"ice_db": named, "texture_db": round(float(sd), 2)}
