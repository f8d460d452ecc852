"""What lies between the ice and Sentinel-2: sun, haze, cloud, its shadow, and the camera's blur and noise.

Top-of-atmosphere reflectance is divided by the cosine of the sun's zenith angle, as Level-1C is. Low sun still changes
it: a longer way through haze darkens snow and lifts water, and snow mirrors forward. Clouds are grey layers of a
two-stream form, ``R = g t / (1 + g t)`` with ``g = 0.13`` for droplets that scatter forward (asymmetry 0.85).
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
"""Reflectance of a cloud of endless depth."""


@dataclass(frozen=True)
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
        m.
    """

    sun_elevation: float
    sun_azimuth: float
    haze_depth: float
    cloud_cover: float
    cloud_depth: float
    cloud_height: float


@dataclass(frozen=True)
class Light:
    """What the camera gets, float32, shape (rows, columns): multiply by a band's spectral factors and add up.

    Attributes
    ----------
    snow, thin, water : numpy.ndarray
        The surfaces' light through cloud, blue.
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
    """Draw a sky from :class:`~polynya.simulate.sea_ice.presets.Image`; a given cloud cover holds, the rest is drawn.

    Parameters
    ----------
    rng : numpy.random.Generator
    sun : tuple of float
        Elevation and azimuth, degrees.
    cloud_cover : float or None
        0 to 1.
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
    return Sky(*sun, float(haze), float(cover), float(thin_depth if is_thin else thick_depth), float(height))


def air_mass(elevation: float) -> float:
    """Return the relative length of the way through air, 1 at the zenith (Kasten and Young, 1989,
    doi:10.1364/AO.28.004735)."""
    return 1.0 / (np.sin(np.radians(elevation)) + 0.50572 * (elevation + 6.07995) ** -1.6364)


def dimming(sky: Sky) -> float:
    """Return what multiplies a surface's reflectance under this sun and haze; 1 at 30 degrees of sun, where presets
    hold."""
    longer = max(air_mass(sky.sun_elevation) - air_mass(SUN_REFERENCE), -1.0)
    lower = np.sin(np.radians(SUN_REFERENCE)) - np.sin(np.radians(sky.sun_elevation))
    return float(
        np.exp(-sky.haze_depth * longer)
        * (1.0 - IMAGE.anisotropy * max(lower, 0.0) / np.sin(np.radians(SUN_REFERENCE)))
    )


def haze(sky: Sky) -> float:
    """Return the blue reflectance that haze adds: 0.002-0.012 at 30 degrees of sun, several times that at 5."""
    return float(0.03 * sky.haze_depth * air_mass(sky.sun_elevation))


def light(surfaces: Surfaces, sky: Sky, seed: np.random.SeedSequence) -> Light:
    """Shine through the sky and blur as the camera does.

    Parameters
    ----------
    surfaces : Surfaces
    sky : Sky
    seed : numpy.random.SeedSequence

    Returns
    -------
    Light
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    depth = cloud_depth(surfaces.snow.shape, sky, rng)
    reflected = (_FORWARD * depth / (1.0 + _FORWARD * depth)).astype(np.float32)
    distance = min(sky.cloud_height / np.tan(np.radians(max(sky.sun_elevation, 2.0))), 6000.0) / PIXEL
    towards = np.radians(sky.sun_azimuth)
    # The cloud that shades a place stands towards the sun: north is up, so row minus cosine.
    step = (round(distance * np.cos(towards)), round(-distance * np.sin(towards)))
    shading = np.roll(reflected, step, axis=(0, 1))
    lit = 1.0 - 0.75 * shading * min(1.0 / np.sin(np.radians(max(sky.sun_elevation, 8.0))) / 2.0, 1.6)
    np.clip(lit, 0.15, 1.0, out=lit)
    mask = np.full(depth.shape, CLEAR, np.uint8)
    mask[lit < 0.88] = SHADOW
    mask[reflected > 0.008] = THIN_CLOUD
    mask[reflected > 0.35] = THICK_CLOUD
    through = (1.0 - reflected) * lit * np.float32(dimming(sky))
    planes = [
        gaussian_filter(s * through, IMAGE.psf, truncate=4.0) for s in (surfaces.snow, surfaces.thin, surfaces.water)
    ]
    return Light(*planes, _BRIGHT * reflected, mask)


def cloud_depth(shape: tuple[int, int], sky: Sky, rng: np.random.Generator) -> np.ndarray:
    """Draw the optical depth of cloud, 0 over the clear share; a field with a red spectrum that wraps round the scene's
    edges."""
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
        return 10.0 * sky.cloud_depth * np.maximum(1.5 + 0.2 * field, 0.7)  # no hole in it
    return sky.cloud_depth * np.maximum(field - np.quantile(field, 1.0 - sky.cloud_cover), 0.0)


def band_reflectance(part: Light, sky: Sky, band: str, *, step: int, rng: np.random.Generator) -> np.ndarray:
    """Return one band's top-of-atmosphere reflectance with noise, float32.

    Parameters
    ----------
    part : Light
    sky : Sky
    band : str
        ``B01`` ... ``B12``, ``B8A``.
    step : int
        10 m pixels along a side of one of the band's: 1, 2 or 6; they are averaged.
    rng : numpy.random.Generator
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
    """Take haze and dimming out again, as Level-2A does for a flat scene; clouds stay."""
    return np.clip(
        (top - np.float32(haze(sky) * (0.1 if band in ("B09", "B11", "B12") else 1.0))) / np.float32(dimming(sky)),
        0.0,
        2.0,
    )
