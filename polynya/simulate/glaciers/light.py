"""Light on a glacier scene: sun, cast shadow, surface albedo, and a camera's reflectance at the top of the atmosphere.

Top-of-atmosphere reflectance is path reflectance + transmittance x albedo x illumination. The illumination is direct
light by the cosine of incidence where no terrain hides the sun, diffuse light by the sky view, and light from opposite
slopes (Richter 1998, doi:10.1364/AO.37.004004; Proy et al. 1989, Remote Sensing of Environment 30).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from ...physics import cast_shadow as cast_shadow_physics
from . import presets
from .cover import Cover, Land
from .noise import fractal, gradient, resize, smoothstep
from .presets import BANDS, SPECTRA


@dataclass(frozen=True, kw_only=True)
class Sun:
    """Direction to the sun, degrees; azimuth clockwise from north."""

    elevation: float
    azimuth: float


@dataclass(frozen=True, kw_only=True)
class Clouds:
    """Opacity of clouds, 0 to 1, and their shade on the ground, float32, shape (rows, columns); their share of ice."""

    opacity: np.ndarray
    shade: np.ndarray
    ice: float


def sun_at(latitude: float, day: int, hour: float) -> Sun:
    """Return the sun's direction at a local solar hour, within a degree (Cooper's declination).

    Parameters
    ----------
    latitude : float
        Degrees.
    day : int
        Day of the year.
    hour : float
        Local solar time.
    """
    lat, dec = np.radians(latitude), np.radians(23.45) * np.sin(2.0 * np.pi * (284 + day) / 365.0)
    turn = np.radians(15.0 * (hour - 12.0))
    up = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(turn)
    east, north = -np.cos(dec) * np.sin(turn), np.cos(lat) * np.sin(dec) - np.sin(lat) * np.cos(dec) * np.cos(turn)
    return Sun(elevation=float(np.degrees(np.arcsin(up))), azimuth=float(np.degrees(np.arctan2(east, north)) % 360.0))


def cosine(surface: np.ndarray, pixel_m: float, sun: Sun) -> np.ndarray:
    """Return the cosine of the angle between the surface's normal and the sun, below 0 where it faces away, float32."""
    east, north = gradient(surface, pixel_m)
    e, a = np.radians(sun.elevation), np.radians(sun.azimuth)
    return (
        (np.sin(e) - np.cos(e) * (np.sin(a) * east + np.cos(a) * north)) / np.sqrt(1.0 + east**2 + north**2)
    ).astype(np.float32)


def cast_shadow(surface: np.ndarray, pixel_m: float, sun: Sun) -> np.ndarray:
    """Return each pixel's depth in the shadow of the terrain, m; 0 where the sun is visible.

    Parameters
    ----------
    surface : numpy.ndarray, shape (rows, columns)
        Height, m; row 0 is north.
    pixel_m : float
        Pixel size, m.
    sun : Sun
        Direction to the sun.

    Returns
    -------
    numpy.ndarray, float32
    """
    return cast_shadow_physics.depth_m(
        surface, east_m=pixel_m, south_m=pixel_m, sun_elevation=sun.elevation, sun_azimuth=sun.azimuth
    )


def albedo(cover: Cover, land: Land, *, rocks: tuple[str, ...], plants: str, rng: np.random.Generator) -> np.ndarray:
    """Return the surface's albedo, float32, shape (6, rows, columns).

    Parameters
    ----------
    cover : Cover
        Shares and state of the surfaces.
    land : Land
        Noise and rocks of the ground.
    rocks : tuple of str
        Three rocks of the region.
    plants : str
        Kind of plants, a key of ``SPECTRA``.
    rng : numpy.random.Generator
        Draws the difference of each surface from its spectrum.
    """

    def own(name: str, spread: float = 0.08) -> np.ndarray:
        common = np.exp(rng.normal(0.0, spread))
        return (
            np.array(SPECTRA[name], np.float32)
            * np.float32(common)
            * np.exp(rng.normal(0.0, 0.4 * spread, BANDS)).astype(np.float32)
        )

    def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
        return a[:, None, None] + (b - a)[:, None, None] * share

    first, second, third = (own(r, 0.15) for r in rocks)
    stone = mix(first, second, land.rocks[0])
    stone += (third[:, None, None] - stone) * (0.7 * land.rocks[1])
    grain = np.exp(0.13 * land.fine + 0.10 * land.patches).astype(np.float32)
    stone *= grain
    till = 0.6 * stone + 0.4 * own("till", 0.15)[:, None, None] * grain
    # Debris is the rock of the walls, less weathered, in places wetter.
    debris = (0.68 * stone + 0.32 * own("till", 0.15)[:, None, None]) * np.exp(
        rng.normal(0.0, 0.07) - 0.07 * land.patches
    )
    ice = mix(own("clean_ice"), own("blue_ice"), np.clip(0.5 + 0.4 * land.blobs, 0, 1).astype(np.float32))
    ice += (own("dirty_ice", 0.2)[:, None, None] - ice) * cover.dirt
    snow = mix(own("old_snow", 0.03), np.minimum(own("fresh_snow", 0.02), 0.98), cover.freshness)
    snow += (own("dirty_snow")[:, None, None] - snow) * (0.55 * cover.dirt * (1.0 - cover.freshness))
    water = mix(own("clear_water", 0.2), own("turquoise_water", 0.2), cover.milk)
    if rng.random() < 0.35:
        water += (own("milky_water", 0.2)[:, None, None] - water) * smoothstep(cover.milk, 0.55, 1.0).astype(np.float32)
    if rng.random() < 0.15:
        water += (own("lake_ice", 0.15)[:, None, None] - water) * (
            rng.uniform(0.3, 1.0) * (cover.surface > 5.0)
        ).astype(np.float32)
    green = own(plants, 0.2)[:, None, None] * np.exp(0.15 * land.fine)
    s = cover.shares
    out = (
        s["rock"] * stone
        + s["till"] * till
        + s["debris"] * debris
        + s["bare_ice"] * ice
        + s["snow"] * snow
        + s["water"] * water
        + s["plants"] * green
    )
    return np.clip(out, 0.0, 0.99).astype(np.float32)


def draw_clouds(rng: np.random.Generator, shape: tuple[int, int], pixel_m: float, *, share: float, sun: Sun) -> Clouds:
    """Draw clouds that cover a share of the scene, most of them thick, with their shade away from the sun."""
    zero = np.zeros(shape, np.float32)
    if share <= 0.0:
        return Clouds(opacity=zero, shade=zero, ice=0.0)
    field = fractal(rng, shape, longest=float(rng.uniform(900.0, 4000.0)) / pixel_m, beta=3.2)
    edge = float(np.quantile(field, 1.0 - share))
    thick = rng.random() < 0.7
    opacity = smoothstep(field, edge - 0.12, edge + (0.8 if thick else 2.0)) * (
        0.97 if thick else rng.uniform(0.3, 0.6)
    )
    away, base = np.radians(sun.azimuth + 180.0), rng.uniform(400.0, 1800.0)
    reach = base / np.tan(np.radians(sun.elevation)) / pixel_m
    shade = shift(opacity.astype(np.float32), (-np.cos(away) * reach, np.sin(away) * reach), order=1, mode="nearest")
    return Clouds(opacity=opacity.astype(np.float32), shade=shade, ice=float(rng.uniform(0.0, 1.0)))


def top_of_atmosphere(
    reflecting: np.ndarray,
    cover: Cover,
    pixel_m: float,
    *,
    sun: Sun,
    clouds: Clouds,
    camera: str,
    haze: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the reflectance that the camera measures, and where terrain or slope hides the sun.

    Parameters
    ----------
    reflecting : numpy.ndarray, float32, shape (6, rows, columns)
        Albedo.
    cover : Cover
        With the surface's height.
    pixel_m : float
        Pixel size, m.
    sun : Sun
        Direction to the sun.
    clouds : Clouds
        Opacity and shade.
    camera : str
        A key of ``presets.CAMERAS``.
    haze : float
        Aerosol optical depth at 0.55 um.
    rng : numpy.random.Generator
        Draws calibration errors and noise.

    Returns
    -------
    reflectance : numpy.ndarray, float32, shape (6, rows, columns)
    shadow : numpy.ndarray, bool, shape (rows, columns)
    """
    sensor = presets.CAMERAS[camera]
    mu = float(np.sin(np.radians(sun.elevation)))
    direct = np.maximum(cosine(cover.surface, pixel_m, sun), 0.0)
    lit = 1.0 - smoothstep(cast_shadow(cover.surface, pixel_m, sun), 0.0, 0.5 * pixel_m)
    direct = (direct * lit / mu).astype(np.float32)
    sunlit = direct * (1.0 - clouds.shade)
    east, north = gradient(gaussian_filter(cover.surface, 60.0 / pixel_m), pixel_m)
    sky = 0.5 * (1.0 + 1.0 / np.sqrt(1.0 + east**2 + north**2)) - 0.06
    pressure = np.exp(-float(np.mean(cover.surface)) / 8000.0)
    out = np.empty_like(reflecting)
    for b, wavelength in enumerate(presets.WAVELENGTH):
        rayleigh = 0.008569 * wavelength**-4 * (1.0 + 0.0113 * wavelength**-2) * pressure  # Hansen and Travis 1974
        aerosol = haze * (wavelength / 0.55) ** -1.25
        scattering = 0.75 * (1.0 + mu**2) * rayleigh + 0.9 * _henyey_greenstein(-mu) * aerosol
        path = scattering / (4.0 * mu)
        through = np.exp(-(0.5 * rayleigh + 0.16 * aerosol + (0.02 if b < 4 else 0.05)) * (1.0 / mu + 1.0))
        diffuse = 1.0 - np.exp(-0.75 * (rayleigh + aerosol) / mu)
        around = resize(
            gaussian_filter((reflecting[b] * np.minimum(direct, 1.5))[::4, ::4], 90.0 / pixel_m), direct.shape
        )
        light = (1.0 - diffuse) * sunlit + diffuse * sky + (1.0 - sky) * around + 0.25 * clouds.shade * sky
        signal = path + through * reflecting[b] * light
        white = clouds.ice * presets.CLOUD_ICE[b] + (1.0 - clouds.ice) * presets.CLOUD_WATER[b]
        signal = signal * (1.0 - clouds.opacity) + white * clouds.opacity
        signal = gaussian_filter(signal, sensor.blur[0 if b < 4 else 1] / pixel_m, truncate=2.5)
        signal = signal * (1.0 + rng.normal(0.0, 0.025)) + rng.normal(0.0, 0.003)
        signal = signal + sensor.noise * np.sqrt(np.maximum(signal, 0.02) / 0.2) * rng.standard_normal(
            signal.shape, dtype=np.float32
        )
        if sensor.saturation[b]:
            signal = np.minimum(signal, sensor.saturation[b] / mu)
        out[b] = np.round(signal / sensor.step) * sensor.step
    return out, direct < 0.02


def _henyey_greenstein(cos_angle: float, g: float = 0.65) -> float:
    return (1.0 - g * g) / (1.0 + g * g - 2.0 * g * cos_angle) ** 1.5
