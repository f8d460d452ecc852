"""Simulate a glacier scene: terrain, ice and its retreat, land cover at one or two dates, six sensors, and the truth.

Nothing here is a measurement. docs/glacier_simulator.md has the sources.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from ...errors import UsageError
from ...sensors.glaciers import REGIONS, TABLE
from . import presets
from .cover import Conditions, Cover, Weather, cover_ground, place_ice
from .light import Clouds, Sun, albedo, draw_clouds, sun_at, top_of_atmosphere
from .noise import fractal, gradient, resize
from .radar import Acquisition, observe
from .routing import basins
from .thermal import brightness_temperature
from .world import TOPICS, Config, World, build, stream

SNOW, SHADOW, CLOUD, WATER, LAYOVER = 1, 2, 4, 8, 16
"""Bits of the strata."""


@dataclass(frozen=True, kw_only=True)
class SimulatedScene:
    """One date of a scene; arrays on the optical grid, row 0 in the north.

    Attributes
    ----------
    name : str
    sensors : dict of str to numpy.ndarray, float32, shape (bands, rows, columns)
        In the units of ``sensors.glaciers.TABLE``.
    truth : numpy.ndarray, uint8, shape (rows, columns)
        0 other, 1 clean ice, 2 debris-covered ice.
    strata : numpy.ndarray, uint8
        Bits: 1 seasonal snow, 2 cast shadow, 4 cloud, 8 water, 16 layover in a radar pass.
    glaciers : numpy.ndarray, int32
        Number of the glacier, 0 outside the ice.
    surface : numpy.ndarray, float32
        True height at the date, m above the sea.
    pixel_m : float
    epsg : int
    left, top : float
        Of the grid's corner, m.
    about : dict
        Region, time, sun, camera, equilibrium line, seed, settings.
    """

    name: str
    sensors: dict[str, np.ndarray]
    truth: np.ndarray
    strata: np.ndarray
    glaciers: np.ndarray
    surface: np.ndarray
    pixel_m: float
    epsg: int
    left: float
    top: float
    about: dict[str, object]


def simulate_scene(config: Config, *, seed: int) -> SimulatedScene:
    """Simulate a scene of one date, whatever ``config.dates`` says.

    Raises
    ------
    UsageError
        If the region does not exist.
    ProductError
        If the DEM cannot be read or is too small.
    """
    return simulate_scenes(config.model_copy(update={"dates": 1}), seed=seed)[0]


def simulate_scenes(config: Config, *, seed: int) -> tuple[SimulatedScene, ...]:
    """Simulate every date of a scene: the same glaciers, smaller some years later; sun, snow, cloud and camera differ.

    Parameters
    ----------
    config : Config
        What to simulate.
    seed : int
        The same seed gives the same scene.

    Raises
    ------
    UsageError
        If the region does not exist.
    ProductError
        If the DEM cannot be read or is too small.
    """
    if config.region not in REGIONS:
        raise UsageError(
            f"region {config.region!r} does not exist; expected one of {', '.join(REGIONS)}. Choose one of them."
        )
    region = presets.PRESETS[config.region]
    root = stream(config, seed)
    streams = dict(zip(TOPICS, root.spawn(len(TOPICS)), strict=True))
    world = build(config, region, {n: np.random.default_rng(s) for n, s in streams.items()})
    out = []
    for index in range(config.dates):
        rngs = {n: np.random.default_rng(stream(config, seed, 100 + index, i)) for i, n in enumerate(TOPICS)}
        out.append(_observe(config, region, world, index, rngs, seed))
    return tuple(out)


def _observe(
    config: Config, region: presets.Region, world: World, index: int, rngs: dict[str, np.random.Generator], seed: int
) -> SimulatedScene:
    weather_rng, land, pixel = rngs["weather"], world.land, world.pixel_m
    month = _month(region.month, weather_rng)
    time = dt.datetime(world.year + round(world.years[index]), month, int(weather_rng.integers(1, 29)), tzinfo=dt.UTC)
    hour = float(weather_rng.uniform(9.9, 11.0))
    sun = sun_at(world.place[1], time.timetuple().tm_yday, hour)
    sun = Sun(
        elevation=config.sun_elevation or max(sun.elevation, 8.0),
        azimuth=sun.azimuth if config.sun_azimuth is None else config.sun_azimuth,
    )
    time += dt.timedelta(hours=(hour - world.place[0] / 15.0) % 24.0)
    climate = world.climates[index]
    line = climate.ela_m
    snow_line = line + float(weather_rng.uniform(*region.snow_line))
    if weather_rng.random() < 0.25:  # early in the season, like many scenes
        snow_line -= float(weather_rng.uniform(60.0, 280.0))
    dusted = weather_rng.random() < 0.12
    weather = Weather(
        snow_line_m=snow_line,
        dusting_m=line - float(weather_rng.uniform(100.0, 900.0)) if dusted else np.inf,
        wet=bool(weather_rng.random() < 0.6),
    )
    # The share of debris is drawn per scene, not per date; it grows slightly on a retreating glacier.
    share = (
        config.debris_share
        if config.debris_share is not None
        else float(np.random.default_rng(stream(config, seed, 99)).uniform(*region.debris_share))
    )
    share = min(share * (1.0 + 0.06 * index), 1.0)
    cover = cover_ground(
        land,
        world.states[index],
        Conditions(
            climate=climate,
            debris=share,
            weather=weather,
            noon_azimuth=180.0 if world.place[1] > 0 else 0.0,
            plants_m=line + region.vegetation,
            has_coast=region.coast,
        ),
        rng=rngs["ground"],
    )
    kinds = list(presets.CAMERA_ODDS)
    camera = (
        config.camera
        if config.camera != "drawn"
        else str(rngs["camera"].choice(kinds, p=list(presets.CAMERA_ODDS.values())))
    )
    cloudy = rngs["clouds"].random() < 0.5
    cloud = (
        config.cloud_cover if config.cloud_cover is not None else float(rngs["clouds"].uniform(*region.cloud)) * cloudy
    )
    clouds = draw_clouds(rngs["clouds"], land.bed.shape, pixel, share=cloud, sun=sun)
    fixed = np.random.default_rng(stream(config, seed, 98))  # the rock is the same at both dates
    rocks = tuple(fixed.choice(region.rocks, 3, replace=len(region.rocks) < 3))
    plants = str(fixed.choice(("alpine_grass", "dry_tundra", "forest")))
    reflecting = albedo(cover, land, rocks=rocks, plants=plants, rng=rngs["surfaces"])
    haze = float(np.exp(rngs["camera"].normal(np.log(0.06), 0.6)))
    optical, shadow = top_of_atmosphere(
        reflecting, cover, pixel, sun=sun, clouds=clouds, camera=camera, haze=min(haze, 0.4), rng=rngs["camera"]
    )
    r = rngs["radar"]
    acquisition = Acquisition(
        looks=float(r.uniform(4.0, 25.0)),
        coherence_looks=float(r.uniform(12.0, 60.0)),
        memory_m=float(r.uniform(18.0, 80.0)),
        melt_loss=float(r.uniform(0.05, 0.45)),
        shift_m=config.sar_shift_m,
    )
    passes = observe(cover, pixel, weather=weather, acquisition=acquisition, rng=r)
    warm = brightness_temperature(
        cover,
        pixel,
        reflecting=reflecting,
        sun=sun,
        clouds=clouds,
        air_k=float(rngs["thermal"].uniform(270.5, 279.0)),
        level_m=line,
        rng=rngs["thermal"],
    )
    dem = _dem(world, np.random.default_rng(stream(config, seed, 97)), has_coast=region.coast)
    inner = world.inner
    planes = {
        "optical": optical,
        "dem": dem,
        "co_pol_sar": passes.co_pol,
        "cross_pol_sar": passes.cross_pol,
        "in_sar": passes.coherence,
        "thermal": warm[None],
    }
    sensors = {name: np.ascontiguousarray(planes[name][(slice(None), *inner)], np.float32) for name in TABLE.names}
    strata = _strata(cover, shadow, clouds, passes.layover)[inner]
    glaciers = basins(cover.surface, cover.truth > 0, smooth=max(60.0 / pixel, 1.0))[inner]
    glaciers = np.searchsorted(np.unique(glaciers[glaciers > 0]), glaciers) + 1
    epsg, left, top = _grid(world.place, config.size, pixel)
    truth = np.ascontiguousarray(cover.truth[inner])
    glaciers = np.where(truth > 0, glaciers, 0).astype(np.int32)
    about: dict[str, object] = {
        "simulated": "polynya; no measurement",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": config.region,
        "sun_elevation": round(sun.elevation, 3),
        "sun_azimuth": round(sun.azimuth, 3),
        "camera": camera,
        "channels": list(region.channels),
        "equilibrium_line_m": round(line, 1),
        "snow_line_m": round(snow_line, 1),
        "fresh_snow": bool(dusted),
        "wet_snow": weather.wet,
        "haze": round(haze, 3),
        "cloud_cover": round(float((strata & CLOUD > 0).mean()), 4),
        "glacier_share": round(float((truth > 0).mean()), 4),
        "debris_covered_share": round(float((truth == 2).sum() / max((truth > 0).sum(), 1)), 4),
        "date_index": index,
        "seed": seed,
        "config": config.model_dump(mode="json", exclude={"dem"}) | {"dem": config.dem.name if config.dem else None},
    }
    name = f"{config.region}-{seed}-{index + 1}"
    return SimulatedScene(
        name=name,
        sensors=sensors,
        truth=truth,
        strata=strata,
        glaciers=glaciers,
        surface=np.ascontiguousarray(cover.surface[inner]),
        pixel_m=pixel,
        epsg=epsg,
        left=left,
        top=top,
        about=about,
    )


def _dem(world: World, rng: np.random.Generator, *, has_coast: bool) -> np.ndarray:
    """Return height and slope of a 30 m DEM of an earlier year: smoothed, shifted, with errors that grow with slope."""
    pixel = world.pixel_m
    _, surface = place_ice(world.land, world.dem_ice)
    surface = np.maximum(surface, 0.0) if has_coast else surface
    side = tuple(max(round(n * pixel / 30.0), 8) for n in surface.shape)
    blurred = gaussian_filter(surface, max(rng.uniform(14.0, 26.0) / pixel, 0.3))
    coarse = resize(blurred, side, order=1)
    step = pixel * surface.shape[0] / side[0]
    east, north = gradient(coarse, step)
    tilt = np.hypot(east, north)
    wide = fractal(rng, side, longest=1500.0 / step, beta=2.0)
    narrow = gaussian_filter(rng.standard_normal(side, dtype=np.float32), 0.6)
    coarse = (
        coarse
        + rng.uniform(0.6, 2.5) * (1.0 + 2.0 * tilt) * wide
        + rng.uniform(0.2, 1.0) * (1.0 + 3.0 * tilt) * narrow / narrow.std()
    )
    coarse = shift(coarse, rng.normal(0.0, 6.0, 2) / step, order=1, mode="nearest")
    east, north = gradient(coarse, step)
    return np.stack(
        [resize(coarse, surface.shape), resize(np.degrees(np.arctan(np.hypot(east, north))), surface.shape)]
    ).astype(np.float32)


def _strata(cover: Cover, shadow: np.ndarray, clouds: Clouds, layover: np.ndarray) -> np.ndarray:
    bits = (
        (cover.seasonal, SNOW),
        (shadow, SHADOW),
        (clouds.opacity > 0.3, CLOUD),
        (cover.shares["water"] > 0.5, WATER),
        (layover, LAYOVER),
    )
    return sum((mask.astype(np.uint8) * np.uint8(bit) for mask, bit in bits), start=np.zeros(shadow.shape, np.uint8))


def _month(months: tuple[int, int], rng: np.random.Generator) -> int:
    first, last = months
    return (first - 1 + int(rng.integers(0, (last - first) % 12 + 1))) % 12 + 1


def _grid(place: tuple[float, float], size: int, pixel_m: float) -> tuple[int, float, float]:
    from pyproj import Transformer

    epsg = (32600 if place[1] >= 0 else 32700) + int((place[0] + 180.0) // 6.0) % 60 + 1
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(*place)
    return epsg, round((x - 0.5 * size * pixel_m) / 60.0) * 60.0, round((y + 0.5 * size * pixel_m) / 60.0) * 60.0
