"""Land cover of a glacier scene for each pixel: rock, till, plants, lakes, ice, debris, ponds, snow; and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, label, uniform_filter

from .ice import Climate, Ice
from .noise import fractal, gradient, resize, smoothstep
from .routing import debris_share_of_flux
from .terrain import Ground, add_detail, fill

SURFACES = ("rock", "till", "plants", "water", "bare_ice", "debris", "snow")
MIN_THICKNESS_M = 6.0
"""Thinner ice does not count as glacier."""
MIN_AREA_M2 = 2e4
"""Smaller glaciers are removed; inventories stop at 0.01 km2 (Pfeffer et al. 2014, doi:10.3189/2014JoG13J176)."""
OTHER, CLEAN_ICE, DEBRIS_COVERED = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Land:
    """The ground that is the same at all dates.

    Attributes
    ----------
    smooth, bed : numpy.ndarray, float32, shape (rows, columns)
        Bed without and with detail, m above the sea.
    lake : numpy.ndarray, float32
        Water level in basins, m; NaN where there is none.
    old_ice : numpy.ndarray, bool
        Under ice at the end of the Little Ice Age: fresh till where the ice is gone.
    pixel_m : float
        Pixel size, m.
    patches, blobs, fine, rockfall : numpy.ndarray, float32
        Noise with wavelengths of 600 m, 2 km and 80 m; the rockfall of rock walls.
    rocks : numpy.ndarray, float32, shape (2, rows, columns)
        Shares of the second and third rock.
    """

    smooth: np.ndarray
    bed: np.ndarray
    lake: np.ndarray
    old_ice: np.ndarray
    pixel_m: float
    patches: np.ndarray
    blobs: np.ndarray
    fine: np.ndarray
    rockfall: np.ndarray
    rocks: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Snow and melt at one date.

    Attributes
    ----------
    snow_line_m : float
        Height of the seasonal snow line, m above the sea.
    dusting_m : float
        Ground above this height has fresh snow, m; infinite if none fell.
    wet : bool
        Whether the snow is wet for the radar.
    """

    snow_line_m: float
    dusting_m: float
    wet: bool


@dataclass(frozen=True, kw_only=True)
class Cover:
    """The land cover at one date.

    Attributes
    ----------
    surface : numpy.ndarray, float32, shape (rows, columns)
        Height, m above the sea.
    shares : dict of str to numpy.ndarray, float32
        Share of each of ``SURFACES``; their sum is 1.
    truth : numpy.ndarray, uint8
        0 other, 1 clean ice, 2 debris-covered ice.
    speed : numpy.ndarray, float32
        Of the ice, m per year.
    seasonal : numpy.ndarray, bool
        Snow outside the glaciers.
    milk : numpy.ndarray, float32
        Rock flour in the water, 0 to 1.
    dirt : numpy.ndarray, float32
        Impurities of bare ice and old snow, 0 to 1.
    freshness : numpy.ndarray, float32
        Freshness of snow, 0 to 1.
    thinness : numpy.ndarray, float32
        1 where debris is so thin that the ice below cools it.
    """

    surface: np.ndarray
    shares: dict[str, np.ndarray]
    truth: np.ndarray
    speed: np.ndarray
    seasonal: np.ndarray
    milk: np.ndarray
    dirt: np.ndarray
    freshness: np.ndarray
    thinness: np.ndarray


def lay_land(
    rng: np.random.Generator,
    ground: Ground,
    shape: tuple[int, int],
    pixel_m: float,
    *,
    level_m: float,
    old: Ice,
    ela_m: float,
    lakes: float,
) -> Land:
    """Resample the ice model's bed to the scene's pixels and add detail, moraines and lakes.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the detail.
    ground : Ground
        Bed of the ice model.
    shape : tuple of int
        Rows and columns of pixels.
    pixel_m : float
        Pixel size, m.
    level_m : float
        Added to the bed, m.
    old : Ice
        Of the Little Ice Age.
    ela_m : float
        Equilibrium line altitude, m above the sea.
    lakes : float
        Probability that a basin has a lake rather than sediment.

    Returns
    -------
    Land
    """
    coarse = ground.bed + level_m
    smooth = resize(coarse, shape, order=3)
    bed = add_detail(rng, smooth, pixel_m, roughness=float(rng.uniform(0.8, 1.3)))
    filled = fill(coarse)
    pits, count = label(filled - coarse > 4.0)
    wet = np.concatenate([[False], rng.random(count) < lakes])
    # Extended by a cell, so that the shore is where the detailed bed reaches the level, not the edge of a cell.
    away, place = distance_transform_edt(pits == 0, return_indices=True)
    level = resize(filled[tuple(place)] if count else coarse, shape)
    near = resize((away < 1.1).astype(np.float32), shape) > 0.5
    holds_water = resize(wet[pits[tuple(place)]].astype(np.float32), shape) > 0.5
    plain = near & (level > bed)
    fine = fractal(rng, shape, longest=80.0 / pixel_m, beta=2.0)
    bed = np.where(plain & ~holds_water, level + 0.4 * fine, bed).astype(np.float32)
    lake = np.where(plain & holds_water & (level > bed + 1.0), level, np.nan).astype(np.float32)
    old_ice, _ = _outline(old.thickness, smooth, bed, pixel_m)
    # Moraine walls along the old tongues.
    away = np.minimum(distance_transform_edt(old_ice), 60.0) + np.minimum(distance_transform_edt(~old_ice), 60.0) - 1.0
    patches = fractal(rng, shape, longest=600.0 / pixel_m, shortest=3.0, beta=2.4)
    wall = (
        (14.0 + 9.0 * patches) * np.exp(-((away * pixel_m / 45.0) ** 2)) * smoothstep(bed, ela_m + 80.0, ela_m - 80.0)
    )
    bed = (bed + np.clip(wall, 0.0, 40.0) * np.isnan(lake)).astype(np.float32)
    rocks = np.stack(
        [
            smoothstep(fractal(rng, shape, longest=5000.0 / pixel_m, beta=2.8) + rng.normal(0, 0.7), 0.05, 0.35)
            for _ in range(2)
        ]
    )
    return Land(
        smooth=smooth,
        bed=bed,
        lake=lake,
        old_ice=old_ice,
        pixel_m=pixel_m,
        patches=patches,
        blobs=fractal(rng, shape, longest=2000.0 / pixel_m, beta=3.0),
        fine=fine,
        rockfall=np.exp(1.1 * fractal(rng, shape, longest=400.0 / pixel_m, beta=1.5)),
        rocks=rocks.astype(np.float32),
    )


def place_ice(land: Land, ice: Ice) -> tuple[np.ndarray, np.ndarray]:
    """Return the ice mask and the height of the surface with ice.

    Returns
    -------
    mask : numpy.ndarray, bool, shape (rows, columns)
    surface : numpy.ndarray, float32
    """
    mask, thickness = _outline(ice.thickness, land.smooth, land.bed, land.pixel_m)
    surface = np.where(
        mask, np.maximum(land.bed, land.smooth + thickness), np.where(np.isnan(land.lake), land.bed, land.lake)
    )
    return mask, surface.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What decides the land cover at one date, besides ground and ice.

    Attributes
    ----------
    climate : Climate
        With the equilibrium line above the sea.
    debris : float
        Share of the ice below the equilibrium line under debris.
    weather : Weather
        Snow and melt.
    noon_azimuth : float
        Of the midday sun, degrees: slopes that face away keep their snow.
    plants_m : float
        Upper limit of plants, m above the sea.
    has_coast : bool
        Whether ground below the sea level is water.
    """

    climate: Climate
    debris: float
    weather: Weather
    noon_azimuth: float
    plants_m: float
    has_coast: bool


def cover_ground(land: Land, ice: Ice, conditions: Conditions, *, rng: np.random.Generator) -> Cover:
    """Return the land cover at one date.

    Parameters
    ----------
    land : Land
        The ground.
    ice : Ice
        At the date.
    conditions : Conditions
        Climate, debris, weather, sun, plants and coast.
    rng : numpy.random.Generator
        Draws the rock flour of the lakes.
    """
    climate = conditions.climate
    mask, surface = place_ice(land, ice)
    pixel = land.pixel_m
    east, north = gradient(surface, pixel)
    slope = np.degrees(np.arctan(np.hypot(east, north)))
    speed = np.where(mask, np.maximum(resize(ice.speed, mask.shape), 0.0), 0.0).astype(np.float32)
    buried, thin = _debris(land, mask, surface, slope, climate, conditions.debris)
    # Hummocks, and blocks of crevassed ice.
    rough = np.where(
        mask,
        4.0 * buried * (0.6 * land.fine + 0.5 * land.patches)
        + 2.0 * smoothstep(slope, 14.0, 28.0) * (1.0 - buried) * land.fine,
        0.0,
    )
    surface = (surface + rough).astype(np.float32)

    shares = {name: np.zeros(mask.shape, np.float32) for name in SURFACES}
    water = ~mask & ~np.isnan(land.lake)
    if conditions.has_coast:
        water |= ~mask & (surface < 0.0)
        surface = np.maximum(surface, 0.0)
    ponds = mask & (buried > 0.6) & (slope < 9.0) & (land.fine + 0.4 * land.patches > 2.1)
    cliffs = mask & (buried > 0.6) & ~ponds & (uniform_filter(ponds.astype(np.float32), 5) > 0.08) & (land.fine < 1.9)
    shares["water"][:] = water | ponds
    free = 1.0 - shares["water"]
    on_ice = mask * free
    shares["debris"][:] = on_ice * np.where(cliffs, 0.35, buried)
    shares["bare_ice"][:] = on_ice - shares["debris"]
    off = (1.0 - mask) * free
    young = land.old_ice & ~mask
    plants_m = conditions.plants_m
    sown = (
        0.9
        * smoothstep(surface + 130.0 * land.patches + 90.0 * land.blobs, plants_m + 150.0, plants_m - 250.0)
        * smoothstep(slope, 46.0, 30.0)
        * ~young
    )
    scree = np.maximum(young * 0.9, 0.8 * smoothstep(slope + 4.0 * land.patches, 36.0, 26.0))
    shares["plants"][:] = off * sown
    shares["till"][:] = off * (1.0 - sown) * scree
    shares["rock"][:] = off * (1.0 - sown) * (1.0 - scree)

    snow, freshness = _snow(land, mask, surface, (slope, east, north), conditions, water | ponds)
    for name in SURFACES:
        shares[name] *= 1.0 - snow
    shares["snow"][:] = snow
    truth = np.where(mask, np.where((buried > 0.5) | (ponds & mask), DEBRIS_COVERED, CLEAN_ICE), OTHER).astype(np.uint8)
    near_ice = np.exp(-distance_transform_edt(~mask) * pixel / 900.0)
    milk = np.clip(near_ice + 0.35 * land.blobs + rng.normal(0.0, 0.2), 0.0, 1.0).astype(np.float32)
    dirt = np.clip(
        0.35
        + 0.22 * land.patches
        + 0.8 * buried
        + smoothstep(surface, climate.ela_m, climate.ela_m - 500.0) * 0.35
        - 0.2,
        0.0,
        1.0,
    ).astype(np.float32)
    return Cover(
        surface=surface,
        shares=shares,
        truth=truth,
        speed=speed,
        seasonal=(snow > 0.5) & ~mask,
        milk=milk,
        dirt=dirt,
        freshness=freshness,
        thinness=thin.astype(np.float32),
    )


def _outline(
    thickness: np.ndarray, smooth: np.ndarray, bed: np.ndarray, pixel_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return mask and thickness above the smooth bed at the pixels; thickness is extended below zero outside, which
    gives smooth margins."""
    cell = pixel_m * smooth.shape[0] / thickness.shape[0]
    outside = distance_transform_edt(thickness < 3.0) * cell
    extended = gaussian_filter(np.where(thickness < 3.0, -0.3 * outside, thickness), 0.6)
    fine = resize(np.maximum(extended, -60.0), smooth.shape, order=3)
    mask = fine - gaussian_filter(bed - smooth, 25.0 / pixel_m) * 0.7 > MIN_THICKNESS_M
    smallest, hole = MIN_AREA_M2 / pixel_m**2, 0.3 * MIN_AREA_M2 / pixel_m**2
    for wanted, size in ((True, smallest), (False, hole)):
        parts, count = label(mask == wanted)
        if count:
            small = np.bincount(parts.ravel(), minlength=count + 1) < size
            small[0] = False
            mask = np.where(small[parts], not wanted, mask)
    return mask, np.maximum(fine, 0.0)


def _debris(
    land: Land, mask: np.ndarray, surface: np.ndarray, slope: np.ndarray, climate: Climate, share: float
) -> tuple[np.ndarray, np.ndarray]:
    below = mask & (surface < climate.ela_m)
    if share <= 0.0 or below.sum() < 50:
        return np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    d = surface - climate.ela_m
    gain = np.where(
        d > 0.0,
        np.minimum(d * climate.snow_gradient, climate.max_accumulation),
        np.maximum(d * climate.melt_gradient, -0.4 * climate.max_melt),
    )
    rockfall = land.rockfall * smoothstep(slope, 30.0, 48.0) * ~mask
    level = gaussian_filter(surface, 1.0)
    carried = debris_share_of_flux(
        level, mask, pixel_m=land.pixel_m, rockfall=rockfall.astype(np.float32), gain=gain.astype(np.float32)
    )
    carried = gaussian_filter(np.log(carried + 1e-3), 40.0 / land.pixel_m)
    # Debris melts out below the equilibrium line and accumulates towards the terminus.
    score = (
        0.55 * carried
        + 2.2 * smoothstep(-d, 0.0, max(float(-d[below].min()), 300.0) * 0.8)
        + 0.25 * land.patches
        + 0.10 * land.fine
        + 0.25 * land.blobs
    )
    limit = float(np.quantile(score[below], 1.0 - share))
    buried = smoothstep(score, limit - 0.22, limit + 0.22) * mask * smoothstep(d, 60.0, -60.0)
    thin = 1.0 - smoothstep(score, limit, limit + 1.0)
    return buried.astype(np.float32), thin


def _snow(
    land: Land,
    mask: np.ndarray,
    surface: np.ndarray,
    tilt: tuple[np.ndarray, np.ndarray, np.ndarray],
    conditions: Conditions,
    water: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of snow and its freshness; ``tilt`` is the slope (degrees) and its east and north parts."""
    weather, (slope, east, north) = conditions.weather, tilt
    pixel = land.pixel_m
    hollow = np.clip((gaussian_filter(surface, 110.0 / pixel) - surface) / 12.0, -1.2, 1.6)
    a = np.radians(conditions.noon_azimuth)
    # Positive: falls away from the sun.
    shaded = (east * np.sin(a) + north * np.cos(a)) / np.sqrt(1.0 + east**2 + north**2)
    height = (surface - weather.snow_line_m) / 150.0
    off = (
        np.minimum(height, 1.3)
        - 0.35
        + 0.6 * hollow
        + 0.8 * shaded
        + 0.5 * land.patches
        + 0.35 * land.blobs
        - 3.0 * smoothstep(slope, 27.0, 47.0)
    )
    on = (
        height * 1.3
        + 0.3
        + 0.35 * shaded
        + 0.4 * land.patches
        + 0.3 * land.blobs
        + 0.25 * hollow
        - 1.2 * smoothstep(slope, 42.0, 58.0)
    )
    lies = smoothstep(np.where(mask, on, off), -0.3, 0.3)
    dust = smoothstep(
        (surface - weather.dusting_m) / 120.0 + 0.5 * land.patches + 0.4 * hollow - 2.0 * smoothstep(slope, 42.0, 60.0),
        -0.5,
        0.8,
    )
    snow = np.maximum(lies, 0.9 * dust) * np.where(water, 0.25 * dust, 1.0)
    freshness = np.clip(np.maximum(0.25 + 0.35 * height, dust), 0.0, 1.0)
    return snow.astype(np.float32), freshness.astype(np.float32)
