"""What lies between the ice and Sentinel-2: sun, haze, clouds and their shadows, and the camera's blur and noise.

Top-of-atmosphere reflectance is divided by the cosine of the sun's zenith angle, as in Level-1C. A low sun still
changes it: the longer path through haze darkens snow and brightens water, and snow scatters forward. Clouds are grey
layers in the two-stream approximation, ``R = g t / (1 + g t)`` with ``g = 0.13`` for droplets that scatter forward
(asymmetry 0.85).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ..sea_ice.picture import Surfaces
from ..sea_ice.presets import CIRRUS_BY_HEIGHT, IMAGE, SPECTRA, SUN_REFERENCE
from .frame import PIXEL

CLEAR, THIN_CLOUD, THICK_CLOUD, SHADOW = 0, 1, 2, 3
CLOUD_NAMES = ((0, "clear"), (1, "thin_cloud"), (2, "thick_cloud"), (3, "cloud_shadow"))
_FORWARD = 0.13
_BRIGHT = 0.85
"""Reflectance of a cloud of infinite optical depth."""


@dataclass(frozen=True, kw_only=True)
class Sky:
    """One scene's sky.

    Attributes
    ----------
    sun_elevation, sun_azimuth : float
        Degrees.
    haze_depth : float
        Effective optical depth.
    cloud_cover : float
        Share of the scene under cloud.
    cloud_depth : float
        Scale of the clouds' optical depth.
    cloud_height : float
        Height of the clouds, m.
    """

    sun_elevation: float
    sun_azimuth: float
    haze_depth: float
    cloud_cover: float
    cloud_depth: float
    cloud_height: float


@dataclass(frozen=True, kw_only=True)
class Light:
    """What the camera receives, float32, shape (rows, columns): the sum of the terms, each times its band's factor.

    Attributes
    ----------
    snow, thin, water : numpy.ndarray
        Light of the surfaces through cloud, blue band.
    cloud : numpy.ndarray
        The clouds' own reflectance.
    mask : numpy.ndarray of uint8
        0 clear, 1 thin cloud, 2 thick cloud, 3 cloud shadow.
    """

    snow: np.ndarray
    thin: np.ndarray
    water: np.ndarray
    cloud: np.ndarray
    mask: np.ndarray


def draw_sky(rng: np.random.Generator, *, sun: tuple[float, float], cloud_cover: float | None) -> Sky:
    """Draw a sky from :class:`~polynya.simulate.sea_ice.presets.Image`.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws everything but the sun.
    sun : tuple of float
        Elevation and azimuth, degrees.
    cloud_cover : float or None
        0 to 1; drawn if None.
    """
    haze = np.exp(rng.uniform(*np.log(IMAGE.depth)))
    kind, thin_cover, thick_cover = rng.random(), rng.uniform(*IMAGE.thin_cover), rng.uniform(*IMAGE.thick_cover)
    thin_depth, thick_depth = (
        np.exp(rng.uniform(*np.log(IMAGE.thin_depth))),
        np.exp(rng.uniform(*np.log(IMAGE.thick_depth))),
    )
    height, coin = rng.uniform(*IMAGE.cloud_height), rng.random()
    if cloud_cover is None:
        is_thin = kind < IMAGE.clear_chance + IMAGE.thin_chance
        cover = 0.0 if kind < IMAGE.clear_chance else thin_cover if is_thin else thick_cover
    else:
        is_thin, cover = coin < 0.5 and cloud_cover < 1.0, cloud_cover
    return Sky(
        sun_elevation=sun[0],
        sun_azimuth=sun[1],
        haze_depth=float(haze),
        cloud_cover=float(cover),
        cloud_depth=float(thin_depth if is_thin else thick_depth),
        cloud_height=float(height),
    )


def air_mass(elevation: float) -> float:
    """Return the relative optical air mass, 1 at the zenith (Kasten and Young, 1989, doi:10.1364/AO.28.004735)."""
    return 1.0 / (np.sin(np.radians(elevation)) + 0.50572 * (elevation + 6.07995) ** -1.6364)


def dimming(sky: Sky) -> float:
    """Return the factor on a surface's reflectance under this sun and haze: 1 at a sun elevation of 30 degrees."""
    longer = max(air_mass(sky.sun_elevation) - air_mass(SUN_REFERENCE), -1.0)
    lower = np.sin(np.radians(SUN_REFERENCE)) - np.sin(np.radians(sky.sun_elevation))
    return float(
        np.exp(-sky.haze_depth * longer)
        * (1.0 - IMAGE.anisotropy * max(lower, 0.0) / np.sin(np.radians(SUN_REFERENCE)))
    )


def haze(sky: Sky) -> float:
    """Return the blue reflectance of haze: 0.002-0.012 at a sun elevation of 30 degrees, several times more at 5."""
    return float(0.03 * sky.haze_depth * air_mass(sky.sun_elevation))


def light(surfaces: Surfaces, sky: Sky, seed: np.random.SeedSequence) -> Light:
    """Return the light that reaches the camera, blurred by its point spread function.

    Parameters
    ----------
    surfaces : Surfaces
        Reflectance of the ground.
    sky : Sky
        Sun, haze and cloud.
    seed : numpy.random.SeedSequence
        Of the clouds.

    Returns
    -------
    Light
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    depth = cloud_depth(surfaces.snow.shape, sky, rng)
    reflected = (_FORWARD * depth / (1.0 + _FORWARD * depth)).astype(np.float32)
    distance = min(sky.cloud_height / np.tan(np.radians(max(sky.sun_elevation, 2.0))), 6000.0) / PIXEL
    towards = np.radians(sky.sun_azimuth)
    # The cloud that shades a pixel lies towards the sun: north is up, so the row changes by minus the cosine.
    step = (round(distance * np.cos(towards)), round(-distance * np.sin(towards)))
    shading = np.roll(reflected, step, axis=(0, 1))
    lit = 1.0 - 0.75 * shading * min(1.0 / np.sin(np.radians(max(sky.sun_elevation, 8.0))) / 2.0, 1.6)
    np.clip(lit, 0.15, 1.0, out=lit)
    mask = np.full(depth.shape, CLEAR, np.uint8)
    mask[lit < 0.88] = SHADOW
    mask[reflected > 0.008] = THIN_CLOUD
    mask[reflected > 0.35] = THICK_CLOUD
    through = (1.0 - reflected) * lit * np.float32(dimming(sky))
    planes = {"snow": surfaces.snow, "thin": surfaces.thin, "water": surfaces.water}
    blurred = {name: gaussian_filter(s * through, IMAGE.psf, truncate=4.0) for name, s in planes.items()}
    return Light(**blurred, cloud=_BRIGHT * reflected, mask=mask)


def cloud_depth(shape: tuple[int, int], sky: Sky, rng: np.random.Generator) -> np.ndarray:
    """Draw the optical depth of cloud: a field with a red spectrum, periodic at the scene's edges, 0 where clear."""
    if sky.cloud_cover <= 0.0:
        return np.zeros(shape, np.float32)
    small = tuple(max(n // 4, 8) for n in shape)
    rows, columns = np.fft.fftfreq(small[0])[:, None], np.fft.rfftfreq(small[1])[None, :]
    frequency = np.hypot(rows, columns)
    shape_of = (frequency + 1.0 / 400.0) ** -1.5
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(small)) * shape_of, s=small)
    row = np.minimum(np.arange(shape[0]) * small[0] // shape[0], small[0] - 1)
    column = np.minimum(np.arange(shape[1]) * small[1] // shape[1], small[1] - 1)
    field = gaussian_filter(field[row[:, None], column[None, :]].astype(np.float32), 3.0, mode="wrap")
    field = (field - field.mean()) / field.std()
    if sky.cloud_cover >= 1.0:
        return 10.0 * sky.cloud_depth * np.maximum(1.5 + 0.2 * field, 0.7)  # no gap in the cloud
    return sky.cloud_depth * np.maximum(field - np.quantile(field, 1.0 - sky.cloud_cover), 0.0)


def band_reflectance(part: Light, sky: Sky, band: str, *, step: int, rng: np.random.Generator) -> np.ndarray:
    """Return one band's top-of-atmosphere reflectance with noise, float32.

    Parameters
    ----------
    part : Light
        What the camera receives.
    sky : Sky
        Haze and height of the clouds.
    band : str
        ``B01`` ... ``B12``, ``B8A``.
    step : int
        Side of the band's pixel in pixels of 10 m: 1, 2 or 6; they are averaged.
    rng : numpy.random.Generator
        Draws the noise.
    """
    snow, thin, water, cloud = SPECTRA[band]
    total = snow * part.snow + thin * part.thin + water * part.water
    if band == "B10":
        cloud = CIRRUS_BY_HEIGHT * sky.cloud_height / 1000.0
    total += cloud * part.cloud
    if step > 1:
        total = total.reshape(total.shape[0] // step, step, total.shape[1] // step, step).mean(axis=(1, 3))
    total += np.float32(haze(sky) * (0.1 if band in ("B09", "B10", "B11", "B12") else 1.0))
    constant, share = IMAGE.noise
    total += np.sqrt(constant**2 + (share * total) ** 2).astype(np.float32) * rng.standard_normal(
        total.shape, dtype=np.float32
    )
    return np.clip(total, 0.0, 2.0)


def surface_reflectance(top: np.ndarray, sky: Sky, band: str) -> np.ndarray:
    """Return the reflectance without haze and dimming, as in Level-2A for a flat scene; clouds are kept."""
    return np.clip(
        (top - np.float32(haze(sky) * (0.1 if band in ("B09", "B11", "B12") else 1.0))) / np.float32(dimming(sky)),
        0.0,
        2.0,
    )
