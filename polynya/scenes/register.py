"""Whether a scene's sensors lie on the same ground: images against heights, radar against heights and images.

Sunlit slopes are bright, so are slopes that face a radar: the gradients of the heights explain part of both images at
the right place. A radar image that was never terrain-corrected is matched by one simulated from the heights in the
radar's own geometry. Method and statistics: :mod:`polynya.physics.misregistration`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..physics import misregistration, resample, slope
from ..physics.misregistration import Shift, band_pass
from ..sensors import PASSES, Sensor
from . import scene as glacier_scene
from .scene import Scene, only_sensors

REACH_M = 2000.0
PIXEL_M = 20.0
"""Finer scenes are averaged to about this pixel."""
WINDOW = 512
"""Side of a window in averaged pixels."""
MOST_WINDOWS = 2
"""Windows of a large scene that are compared, those with most relief among nine."""
TOLERANCE_PIXELS = 2.0
INCIDENCES = (33.0, 39.0, 44.0)
"""Incidence angles of simulated radar images: Sentinel-1's interferometric wide swath has 29 to 46 degrees."""
WITH_HEIGHTS = ("swir1", "nir", "red")
"""Bands of an image that are compared with the heights, the best first: short-wave infrared does not saturate on
snow."""
WITH_RADAR = ("green", "nir", "swir1")
"""Bands of an image that radar is compared with."""
SHADING_M, TERRAIN_M = 180.0, 650.0
"""Standard deviations of the Gaussians whose difference is compared: shading is fine, radar needs more of the
terrain."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Where one sensor lies against another.

    Attributes
    ----------
    sensor, band : str
        What may be misregistered.
    reference : str
        The sensor it is compared with: that of heights or that of reflectances.
    east_m, north_m, length_m, pixels : float
        The shift, m and pixels of the scene's grid, at the middle height.
    confidence, score, r_squared : float
        As :class:`polynya.physics.misregistration.Shift` has them.
    is_confident : bool
        Whether the shift is certain enough to act on.
    is_uncorrected : bool
        True where an image in the radar's own geometry fits better than one on the map.
    looks : str
        ``ascending`` or ``descending`` where the image was never terrain-corrected: which way the radar looked by its
        bright slopes.
    is_flagged : bool
        True where the shift is certain and larger than two pixels, or the terrain was never corrected for.
    """

    sensor: str
    band: str
    reference: str
    east_m: float
    north_m: float
    length_m: float
    pixels: float
    confidence: float
    score: float
    r_squared: float
    is_confident: bool
    is_uncorrected: bool
    looks: str
    is_flagged: bool


def compare(scene: Scene, *, reach_m: float = REACH_M) -> tuple[Registration, ...]:
    """Estimate the shifts between a scene's sensors.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    reach_m : float
        Largest shift looked for, m.

    Returns
    -------
    tuple of Registration
        The image against heights; each radar pass against heights, or the image where that is surer. Pairs that the
        scene does not have are left out.

    Raises
    ------
    ProductError
        If a file is missing or damaged.
    UsageError
        If the scene has a swath grid.
    """
    present = _Present.of(scene)
    if not (present.height or present.image) or len(scene.sensors) < 2:
        return ()
    windows, pixel = _windows(scene, present)
    if not windows:
        return ()
    pairs = _Pairs(
        present=present,
        windows=windows,
        pixel=pixel,
        reach=reach_m,
        latitude=float(scene.geobox.geographic_extent.centroid.coords[0][1]),
    )
    out = []
    if present.height and present.image:
        image = scene.table[present.image]
        found = _best((pairs.of_image(image.band_names.index(n)), n) for n in WITH_HEIGHTS if n in image.band_names)
        if found is not None:
            out.append(_record(scene, (present.image, found[1]), present.height, found[0], ""))
    for sensor in scene.table:
        for place, band in enumerate(sensor.bands):
            if sensor.quantity != "backscatter" or not scene.has_band(sensor.name, place):
                continue
            if any(_is_one_image(scene, sensor, band.orbit, r) for r in out):
                continue  # the channels of a pass are one image: the first of the table, the stronger one, says it
            one = pairs.of_radar(sensor.name, place)
            if one is not None:
                out.append(_record(scene, (sensor.name, band.name), one[1], one[0], one[2]))
    return tuple(out)


def _is_one_image(scene: Scene, sensor: Sensor, orbit: str, other: Registration) -> bool:
    """Return whether a shift that was found is that of another channel of the same pass."""
    same = other.sensor != sensor.name and other.sensor in scene.table.same_acquisition(sensor.name)
    return same and any(b.name == other.band and b.orbit == orbit for b in scene.table[other.sensor].bands)


@dataclass(frozen=True, kw_only=True)
class _Present:
    """The sensors of heights and of reflectances that a scene has, empty where it has none."""

    height: str
    image: str
    image_bands: tuple[int, ...]

    @classmethod
    def of(cls, scene: Scene) -> _Present:
        height, image = (scene.table.of(q) for q in ("height", "reflectance"))
        has_image = image is not None and image.name in scene.sensors
        return cls(
            height=height.name if height is not None and height.name in scene.sensors else "",
            image=image.name if has_image else "",
            image_bands=image.places(*WITH_RADAR) if has_image else (),
        )


def _best(found: Iterator[tuple[Shift | None, str]]) -> tuple[Shift, str] | None:
    """Return the surest shift and what made it."""
    there = [(s, n) for s, n in found if s is not None]
    return max(there, key=lambda f: (f[0].is_confident, f[0].confidence)) if there else None


def _record(scene: Scene, band: tuple[str, str], reference: str, shift: Shift, looks: str) -> Registration:
    east, south = scene.pixel_m
    pixels = max(abs(shift.east_m) / east, abs(shift.north_m) / south)
    return Registration(
        sensor=band[0],
        band=band[1],
        reference=reference,
        east_m=shift.east_m,
        north_m=shift.north_m,
        length_m=shift.length_m,
        pixels=pixels,
        confidence=shift.confidence,
        score=shift.score,
        r_squared=shift.r_squared,
        is_confident=shift.is_confident,
        is_uncorrected=bool(looks),
        looks=looks,
        is_flagged=shift.is_confident and (bool(looks) or pixels > TOLERANCE_PIXELS),
    )


Windows = Sequence[dict[str, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Windows of a scene, their pixel in metres, and how far a shift is looked for."""

    present: _Present
    windows: Windows
    pixel: tuple[float, float]
    reach: float
    latitude: float

    def shift(self, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Shift | None:
        """Estimate the shift of one image against another in all windows."""
        return misregistration.estimate(pairs, pixel_m=self.pixel, reach_m=self.reach)

    def of_image(self, band: int) -> Shift | None:
        """Compare a band of the image with the shading that the heights give."""
        coarse = SHADING_M / np.sqrt(self.pixel[0] * self.pixel[1])
        pairs = []
        for data in self.windows:
            terrain = _terrain(data[self.present.height][0], self.pixel)
            structure = np.stack([band_pass(s, fine=0.7, coarse=coarse) for s in terrain])
            pairs.append((structure, band_pass(_log(data[self.present.image][band]), fine=0.7, coarse=coarse)))
        return self.shift(pairs)

    def of_radar(self, sensor: str, band: int) -> tuple[Shift, str, str] | None:
        """Compare a radar band with heights and image; return the surest shift, its reference, and which way the
        radar looked where the image was never terrain-corrected."""
        responses = [band_pass(_decibel(d[sensor][band]), fine=1.0, coarse=None) for d in self.windows]
        found: list[tuple[Shift | None, str, str]] = []
        if self.present.height:
            terrain = [_smooth(_terrain(d[self.present.height][0], self.pixel)) for d in self.windows]
            found.append((self.shift(list(zip(terrain, responses, strict=True))), self.present.height, ""))
            if found[0][0] is None or not found[0][0].is_confident:  # an image on the map needs no simulated one
                found += self._simulated(responses)
        bands = [b for b in self.present.image_bands if all(self._is_seen(d, b) for d in self.windows)]
        if bands:
            image = [_smooth([_log(d[self.present.image][b]) for b in bands]) for d in self.windows]
            found.append((self.shift(list(zip(image, responses, strict=True))), self.present.image, ""))
        there = [(s, reference, looks) for s, reference, looks in found if s is not None]
        return max(there, key=lambda f: (f[0].is_confident, f[0].confidence)) if there else None

    def _is_seen(self, data: dict[str, np.ndarray], band: int) -> bool:
        return bool(np.isfinite(data[self.present.image][band]).mean() > 0.1)

    def _simulated(self, responses: list[np.ndarray]) -> Iterator[tuple[Shift | None, str, str]]:
        """Compare a radar band with images simulated from the heights, for both passes and several incidences."""
        coarse, pad = TERRAIN_M / np.sqrt(self.pixel[0] * self.pixel[1]), int(self.reach / min(self.pixel) / 2)
        smooth = [band_pass(np.pad(r, pad, constant_values=np.nan), fine=0.5, coarse=coarse) for r in responses]
        heights = [d[self.present.height][0] for d in self.windows]
        for orbit, look in zip(PASSES, misregistration.look_azimuths(self.latitude), strict=True):
            for incidence in INCIDENCES:
                pairs = []
                for height, response in zip(heights, smooth, strict=True):
                    if np.isfinite(height).sum() > 400:
                        drawn = misregistration.radar_image(
                            height, pixel_m=self.pixel, look_azimuth=look, incidence=incidence, pad=pad
                        )
                        pairs.append((band_pass(drawn, fine=0.7, coarse=coarse)[None], response))
                yield self.shift(pairs), self.present.height, orbit


def _smooth(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([band_pass(i, fine=0.7, coarse=None) for i in images])


def _terrain(height: np.ndarray, pixel: tuple[float, float]) -> list[np.ndarray]:
    east, north = slope.gradients(height, east_m=pixel[0], south_m=pixel[1])
    return [east, north, np.hypot(east, north)]


def _log(reflectance: np.ndarray) -> np.ndarray:
    return np.log(np.clip(reflectance, 0.02, None))


def _decibel(sigma: np.ndarray) -> np.ndarray:
    """Return dB, bounded: deep shadow and corner reflectors would rule otherwise."""
    known = sigma[np.isfinite(sigma) & (sigma > 0)]
    if not known.size:
        return np.full(sigma.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 10.0 * np.log10(np.where(sigma > 0, sigma, np.nan))
    low, high = np.quantile(10.0 * np.log10(known), [0.02, 0.98])
    return np.clip(value, low, high)


def _windows(scene: Scene, present: _Present) -> tuple[list[dict[str, np.ndarray]], tuple[float, float]]:
    """Read the windows to compare, averaged; return them and the averaged pixel's size, m."""
    native = scene.pixel_m
    factor = max(int(PIXEL_M / max(native) + 0.25), 1)
    side = WINDOW * factor
    rows, columns = (
        np.unique(np.linspace(0, max(n - side, 0), 3 if n > 1.5 * side else 1).astype(int)) for n in scene.shape
    )
    places = [
        ((int(r), int(min(r + side, scene.shape[0]))), (int(c), int(min(c + side, scene.shape[1]))))
        for r in rows
        for c in columns
    ]
    if len(places) > MOST_WINDOWS:
        key = present.height or present.image
        only = only_sensors(scene, (key,))
        band = 0 if present.height else (scene.table[key].places("red") or (0,))[0]
        spread = []
        for place in places:
            image = glacier_scene.read(only, window=place)[key][band]
            known = np.isfinite(image)
            spread.append(known.mean() * float(np.std(image[known])) if known.any() else 0.0)
        places = [places[i] for i in np.argsort(spread)[::-1][:MOST_WINDOWS] if spread[i] > 0]
    data = [{k: resample.block_mean(v, factor) for k, v in glacier_scene.read(scene, window=p).items()} for p in places]
    return data, (native[0] * factor, native[1] * factor)
