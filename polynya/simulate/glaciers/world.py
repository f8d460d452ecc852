"""What all dates of a glacier scene share: settings, terrain, ice at every date.

The terrain is wider than the scene, because ice and shadow also come from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ...sensors.glaciers import REGIONS
from . import presets
from .cover import Land, lay_land
from .ice import Climate, Ice, evolve, grow_to_share
from .terrain import Ground, carve, draw_ground, read_ground

CELL_M = (80.0, 110.0)
"""Smallest and largest cell of the ice model, m; a cell is four pixels within these."""
TOPICS = (
    "place",
    "terrain",
    "ice",
    "land",
    "weather",
    "ground",
    "surfaces",
    "camera",
    "radar",
    "thermal",
    "dem",
    "clouds",
)
"""Each has its own random stream, so that an option of one topic does not change the others."""


class Config(BaseModel):
    """What to simulate; ``None`` is drawn from the region's ranges.

    Attributes
    ----------
    region : str
        A key of ``sensors.glaciers.REGIONS``.
    size : int
        Pixels per side.
    pixel_m : float or None
        Pixel size, m; drawn from 10 to 30 m.
    dates : int
        1 or 2.
    years_between : float or None
        Drawn from 8 to 20.
    dem : Path or None
        A real DEM instead of simulated terrain.
    glacier_share, debris_share : float or None
        Share of the scene, and of the ice below the equilibrium line; the share of glacier is reached within some
        hundredths.
    cloud_cover : float or None
        Share of the scene under cloud.
    sun_elevation, sun_azimuth : float or None
        Degrees, for every date.
    camera : str
        ``drawn``, or a key of ``presets.CAMERAS``.
    sar_shift_m : tuple of float
        Misregistration of all radar layers to the east and north, m.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    region: str = "HMA"
    size: int = Field(default=512, ge=96, le=4096)
    pixel_m: float | None = Field(default=None, ge=5.0, le=60.0)
    dates: int = Field(default=1, ge=1, le=2)
    years_between: float | None = Field(default=None, gt=0.0, le=60.0)
    dem: Path | None = None
    glacier_share: float | None = Field(default=None, gt=0.0, lt=0.9)
    debris_share: float | None = Field(default=None, ge=0.0, le=1.0)
    cloud_cover: float | None = Field(default=None, ge=0.0, le=1.0)
    sun_elevation: float | None = Field(default=None, gt=3.0, le=90.0)
    sun_azimuth: float | None = Field(default=None, ge=0.0, lt=360.0)
    camera: Literal["drawn", "sentinel2", "landsat8", "landsat5"] = "drawn"
    sar_shift_m: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class World:
    """Terrain, climate and ice of a scene.

    Attributes
    ----------
    land : Land
    climates : tuple of Climate
        At each date; heights above the sea.
    states : list of Ice
        Of each date.
    dem_ice : Ice
        When the DEM was made.
    pixel_m : float
    inner : tuple of slice
        The scene within the wider terrain.
    place : tuple of float
        Longitude and latitude.
    year : int
        Of the first date.
    years : tuple of float
        From the first date to each.
    """

    land: Land
    climates: tuple[Climate, ...]
    states: list[Ice]
    dem_ice: Ice
    pixel_m: float
    inner: tuple[slice, slice]
    place: tuple[float, float]
    year: int
    years: tuple[float, ...]


def stream(config: Config, seed: int, *key: int) -> np.random.SeedSequence:
    """Return the random stream of a topic; it depends on the seed and the region."""
    return np.random.SeedSequence((seed, list(REGIONS).index(config.region)), spawn_key=key)


def build(config: Config, region: presets.Region, rngs: dict[str, np.random.Generator]) -> World:
    """Build a scene's world from random generators, one for each of ``TOPICS``.

    Raises
    ------
    ProductError
        If the DEM cannot be read or is too small.
    """
    place, ice = rngs["place"], rngs["ice"]
    pixel = config.pixel_m or float(place.choice([10.0, 15.0, 20.0, 20.0, 25.0, 30.0, 30.0]))
    pad = max(40, config.size // 8)
    side = config.size + 2 * pad
    cells = max(round(side * pixel / float(np.clip(4.0 * pixel, *CELL_M))), 48)
    cell = side * pixel / cells
    edge = round(pad * pixel / cell)
    core = (slice(edge, cells - edge),) * 2
    share = config.glacier_share or float(ice.uniform(*region.glacier_share))
    relief = float(ice.uniform(*region.relief_m))
    climate = Climate(
        ela_m=0.0,
        melt_gradient=float(ice.uniform(0.005, 0.009)),
        snow_gradient=float(ice.uniform(0.004, 0.008)),
        max_accumulation=float(ice.uniform(*region.accumulation)),
        max_melt=float(ice.uniform(*region.melt_limit)),
    )
    enhancement = float(ice.uniform(1.0, 2.0))
    is_plateau = ice.random() < region.plateau
    if config.dem is not None:
        ground = read_ground(config.dem, rngs["terrain"], (cells, cells), cell)
    else:
        plateau, steepness = (
            (float(ice.uniform(0.45, 0.9)) if is_plateau else 0.0),
            float(ice.uniform(*region.steepness)),
        )
        ground = draw_ground(
            rngs["terrain"], (cells, cells), cell, relief_m=relief, plateau=plateau, steepness=steepness
        )
        greatest, _ = grow_to_share(
            ground.bed,
            cell,
            settle_years=0.0,
            climate=climate,
            share=min(2.0 * share, 0.75),
            inner=core,
            enhancement=enhancement,
        )
        ground = carve(ground, greatest.thickness, depth=float(ice.uniform(0.2, 0.45)))
    old, climate = grow_to_share(
        ground.bed,
        cell,
        settle_years=20.0,
        climate=climate,
        share=min(1.2 * share, 0.7),
        inner=core,
        enhancement=enhancement,
    )
    level = _level(ground, climate, region, ice)
    height = float(np.ptp(np.percentile(ground.bed, (0.5, 99.5))))
    warmer = replace(climate, ela_m=climate.ela_m + float(ice.uniform(0.015, 0.05)) * height)
    between = config.years_between or float(ice.uniform(8.0, 20.0))
    dem_before = float(ice.uniform(0.0, 16.0))
    since = float(ice.uniform(25.0, 80.0))
    year = int(ice.integers(2014, 2024)) - (round(between) if config.dates == 2 else 0)
    dem_ice = evolve(old, ground.bed, cell, climate=warmer, years=since, enhancement=enhancement)
    warmer = replace(warmer, ela_m=warmer.ela_m + float(ice.uniform(0.0, 0.02)) * height)
    states = [evolve(dem_ice, ground.bed, cell, climate=warmer, years=max(dem_before, 0.5), enhancement=enhancement)]
    dem_ice, states, warmer = _settle(
        ground,
        dem_ice,
        states,
        warmer,
        share=share,
        core=core,
        years=max(dem_before, 0.5),
        enhancement=enhancement,
    )
    # Glaciers lag behind the climate, most of all where debris protects the tongues: today's equilibrium line is higher
    # than the one that their length is in balance with.
    lines = [warmer.ela_m + level + float(ice.uniform(*region.ahead)) * height]
    if config.dates == 2:
        rise = float(ice.uniform(0.015, 0.05)) * height
        before = np.mean(states[0].thickness[core] > 8.0)
        for _ in range(5):  # ice that was still growing needs more warming
            later = evolve(
                states[0],
                ground.bed,
                cell,
                climate=replace(warmer, ela_m=warmer.ela_m + rise),
                years=between,
                enhancement=enhancement,
            )
            if np.mean(later.thickness[core] > 8.0) < 0.995 * before:
                break
            rise *= 1.9
        lines.append(lines[0] + rise)
        states.append(later)
    land = lay_land(
        rngs["land"],
        ground,
        (side, side),
        pixel,
        level_m=level,
        old=old,
        ela_m=lines[0],
        lakes=float(rngs["land"].uniform(0.25, 0.7)),
    )
    at = region.places[int(place.integers(len(region.places)))]
    where = (at[0] + float(place.uniform(-1.0, 1.0)), at[1] + float(place.uniform(-0.5, 0.5)))
    inner = (slice(pad, pad + config.size),) * 2
    return World(
        land=land,
        climates=tuple(replace(warmer, ela_m=line) for line in lines),
        states=states,
        dem_ice=dem_ice,
        pixel_m=pixel,
        inner=inner,
        place=where,
        year=year,
        years=(0.0, between),
    )


def _settle(
    ground: Ground,
    dem_ice: Ice,
    states: list[Ice],
    climate: Climate,
    *,
    share: float,
    core: tuple[slice, slice],
    years: float,
    enhancement: float,
) -> tuple[Ice, list[Ice], Climate]:
    """Change climate and time until the retreat leaves the given share of ice; return the closest result."""
    bed, cell = ground.bed, ground.cell_m
    height = float(np.ptp(np.percentile(bed, (0.5, 99.5))))
    pace, before = 0.4, 0.0
    best = (np.inf, dem_ice, states, climate)
    for turn in range(6):
        miss = float(np.mean(states[0].thickness[core] > 8.0)) - share
        if abs(miss) < best[0]:
            best = (abs(miss), dem_ice, states, climate)
        if abs(miss) < 0.2 * share or turn == 5:
            break
        pace *= 0.5 if miss * before < 0.0 else 1.0
        before = miss
        climate = replace(climate, ela_m=climate.ela_m + float(np.clip(pace * miss, -0.06, 0.06)) * height)
        dem_ice = evolve(
            states[0], bed, cell, climate=climate, years=40.0 if abs(miss) < 0.1 else 80.0, enhancement=enhancement
        )
        states = [evolve(dem_ice, bed, cell, climate=climate, years=years, enhancement=enhancement)]
    return best[1:]


def _level(ground: Ground, climate: Climate, region: presets.Region, rng: np.random.Generator) -> float:
    """Return what to add to the bed so that the equilibrium line has the region's altitude; 0 for a real DEM."""
    wanted = float(rng.uniform(*region.ela_m))
    if ground.is_real:
        return 0.0
    level = wanted - climate.ela_m
    if region.coast:  # at most a third of the scene is sea
        return max(level, -float(np.quantile(ground.bed, rng.uniform(0.0, 0.33))))
    return max(level, 40.0 - float(ground.bed.min()))
