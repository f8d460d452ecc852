"""Whether a scene's sensors lie on the same ground: optical against heights, radar against heights and optical.

Sunlit slopes are bright, so are slopes that face a radar: the gradients of the heights explain part of both images at
the right place. A radar image that was never terrain-corrected is matched by one simulated from the heights in the
radar's own geometry. Method and statistics: :mod:`polynya.physics.misregistration`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..physics import misregistration, resample, slope
from ..physics.misregistration import Shift, band_pass
from ..sensors import band_names
from . import scene as glacier_scene
from .scene import Scene

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
OPTICAL = ((4, "swir1"), (3, "nir"), (2, "red"))
"""Bands compared with the heights, the best first: short-wave infrared does not saturate on snow."""
SHADING_M, TERRAIN_M = 180.0, 650.0
"""Standard deviations of the Gaussians whose difference is compared: shading is fine, radar needs more of the
terrain."""


@dataclass(frozen=True)
class Registration:
    """Where one sensor lies against another.

    Attributes
    ----------
    sensor, band : str
        What may be off.
    reference : str
        Against what: ``dem`` or ``optical``.
    east_m, north_m, length_m, pixels : float
        The shift, m and pixels of the scene's grid, at the middle height.
    confidence, score, r_squared : float
        As :class:`polynya.physics.misregistration.Shift` has them.
    is_confident : bool
        Whether the shift is believed.
    is_uncorrected : bool
        True where an image in the radar's own geometry fits better than one on the map.
    looks : str
        ``ascending`` or ``descending`` where the image was never terrain-corrected: which way the radar looked by its
        bright slopes.
    is_flagged : bool
        True where it is believed and larger than two pixels, or the terrain was never corrected for.
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
    reach_m : float
        Largest shift looked for, m.

    Returns
    -------
    tuple of Registration
        Optical against heights; each radar pass against heights, or optical where that is surer. Pairs that the scene
        does not have are left out.

    Raises
    ------
    ProductError
        If a file is missing or damaged.
    """
    if not {"dem", "optical"} & set(scene.sensors) or len(scene.sensors) < 2:
        return ()
    windows, pixel = _windows(scene)
    if not windows:
        return ()
    latitude = float(scene.geobox.geographic_extent.centroid.coords[0][1])
    out = []
    if {"dem", "optical"} <= set(scene.sensors):
        found = _best((_of_optical(windows, i, pixel, reach_m), name) for i, name in OPTICAL)
        if found is not None:
            out.append(_record(scene, "optical", found[1], "dem", found[0], ""))
    for sensor in ("co_pol_sar", "cross_pol_sar"):
        for i, name in enumerate(band_names(sensor)):
            if sensor == "cross_pol_sar" and any(r.band == name.replace("cross", "co") for r in out):
                continue  # the passes are one image: its stronger channel says it
            if sensor in scene.sensors and scene.source(sensor).bands[i] is not None:
                one = _of_radar(scene, windows, sensor, i, pixel, reach_m, latitude)
                if one is not None:
                    out.append(one)
    return tuple(out)


def _best(found: Iterator[tuple[Shift | None, str]]) -> tuple[Shift, str] | None:
    """Return the surest shift and what made it."""
    there = [(s, n) for s, n in found if s is not None]
    return max(there, key=lambda f: (f[0].is_confident, f[0].confidence)) if there else None


def _record(scene: Scene, sensor: str, band: str, reference: str, shift: Shift, looks: str) -> Registration:
    east, south = scene.pixel_m
    pixels = max(abs(shift.east_m) / east, abs(shift.north_m) / south)
    flagged = shift.is_confident and (bool(looks) or pixels > TOLERANCE_PIXELS)
    return Registration(
        sensor,
        band,
        reference,
        shift.east_m,
        shift.north_m,
        shift.length_m,
        pixels,
        shift.confidence,
        shift.score,
        shift.r_squared,
        shift.is_confident,
        bool(looks),
        looks,
        flagged,
    )


def _of_optical(
    windows: list[dict[str, np.ndarray]], band: int, pixel: tuple[float, float], reach: float
) -> Shift | None:
    pairs = []
    for data in windows:
        coarse = SHADING_M / np.sqrt(pixel[0] * pixel[1])
        structure = np.stack([band_pass(s, fine=0.7, coarse=coarse) for s in _terrain(data["dem"][0], pixel)])
        pairs.append((structure, band_pass(_log(data["optical"][band]), fine=0.7, coarse=coarse)))
    return misregistration.estimate(pairs, pixel_m=pixel, reach_m=reach)


def _of_radar(
    scene: Scene,
    windows: list[dict[str, np.ndarray]],
    sensor: str,
    band: int,
    pixel: tuple[float, float],
    reach: float,
    latitude: float,
) -> Registration | None:
    coarse = TERRAIN_M / np.sqrt(pixel[0] * pixel[1])
    responses = [band_pass(_decibel(d[sensor][band]), fine=1.0, coarse=None) for d in windows]
    found: list[tuple[Shift, str, str]] = []

    def add(pairs: list[tuple[np.ndarray, np.ndarray]], reference: str, looks: str) -> None:
        shift = misregistration.estimate(pairs, pixel_m=pixel, reach_m=reach)
        if shift is not None:
            found.append((shift, reference, looks))

    if "dem" in scene.sensors:
        terrain = [
            np.stack([band_pass(s, fine=0.7, coarse=None) for s in _terrain(d["dem"][0], pixel)]) for d in windows
        ]
        add(list(zip(terrain, responses, strict=True)), "dem", "")
    if "dem" in scene.sensors and not (
        found and found[0][0].is_confident
    ):  # an image on the map needs no simulated one
        pad = int(reach / min(pixel) / 2)
        smooth = [band_pass(np.pad(r, pad, constant_values=np.nan), fine=0.5, coarse=coarse) for r in responses]
        heights = [d["dem"][0] for d in windows]
        for orbit, look in zip(("ascending", "descending"), misregistration.look_azimuths(latitude), strict=True):
            for incidence in INCIDENCES:
                drawn = [
                    (
                        misregistration.radar_image(h, pixel_m=pixel, look_azimuth=look, incidence=incidence, pad=pad)
                        if np.isfinite(h).sum() > 400
                        else None
                    )
                    for h in heights
                ]
                add(
                    [
                        (band_pass(d, fine=0.7, coarse=coarse)[None], s)
                        for d, s in zip(drawn, smooth, strict=True)
                        if d is not None
                    ],
                    "dem",
                    orbit,
                )
    if "optical" in scene.sensors:
        bands = [
            i for i in range(6) if all(np.isfinite(d["optical"][i]).mean() > 0.1 for d in windows) and i in (1, 3, 4)
        ]
        if bands:
            add(
                [
                    (np.stack([band_pass(_log(d["optical"][i]), fine=0.7, coarse=None) for i in bands]), r)
                    for d, r in zip(windows, responses, strict=True)
                ],
                "optical",
                "",
            )
    if not found:
        return None
    shift, reference, looks = max(found, key=lambda f: (f[0].is_confident, f[0].confidence))
    return _record(scene, sensor, band_names(sensor)[band], reference, shift, looks)


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


def _windows(scene: Scene) -> tuple[list[dict[str, np.ndarray]], tuple[float, float]]:
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
        key = "dem" if "dem" in scene.sensors else "optical"
        only = replace(scene, sources=(scene.source(key),), sensors=(key,))
        spread = []
        for place in places:
            image = glacier_scene.read(only, window=place)[key][0 if key == "dem" else 2]
            known = np.isfinite(image)
            spread.append(known.mean() * float(np.std(image[known])) if known.any() else 0.0)
        places = [places[i] for i in np.argsort(spread)[::-1][:MOST_WINDOWS] if spread[i] > 0]
    data = [{k: resample.block_mean(v, factor) for k, v in glacier_scene.read(scene, window=p).items()} for p in places]
    return data, (native[0] * factor, native[1] * factor)
