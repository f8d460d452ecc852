"""Which shipped network maps a scene where the user names none: it depends on what the image shows.

One network is for images with short-wave infrared and for unsaturated ones. Where an image has no short-wave infrared
and its snow is saturated, another is better on real ground that neither was trained on (docs/glacier_networks.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...glaciers import agreement
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene, only_sensors

AUTO = "auto"
"""The network that fits the image."""
GENERAL = "glavitu-narrow"
SATURATED = "glacier-saturated"
LEAST_SATURATED = 0.05
"""From this share of pixels at the largest value of their band on an image counts as saturated."""
SWIR = ("swir1", "swir2")


def candidates(names: Sequence[str]) -> tuple[str, ...]:
    """Return the networks that may map a scene: those named, or all that ``auto`` chooses from.

    Parameters
    ----------
    names : sequence of str
        Of :class:`polynya.workflows.glaciers.Config`.
    """
    return (GENERAL, SATURATED) if tuple(names) == (AUTO,) else tuple(names)


def chosen(scene: Scene, names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the networks that map a scene, and in words why, where that is not the usual one.

    Parameters
    ----------
    scene : Scene
        The scene as it was opened: resampled pixels hide what is saturated. Its grid must be affine.
    names : sequence of str
        Of :class:`polynya.workflows.glaciers.Config`.

    Raises
    ------
    ProductError
        If a file of the scene is damaged.
    """
    if tuple(names) != (AUTO,):
        return tuple(names), ""
    image = scene.table.of("reflectance")
    if image is None or image.name not in scene.sensors:
        return (GENERAL,), ""
    bands = _sampled(scene, image.name)
    has_swir = any(np.isfinite(b).any() for b, name in zip(bands, image.band_names, strict=True) if name in SWIR)
    share = saturated_share(bands)
    if has_swir or share < LEAST_SATURATED:
        return (GENERAL,), ""
    return (SATURATED,), (
        f"the image has no short-wave infrared and {share:.0%} of it is saturated: mapped by {SATURATED}, which was"
        f" better than {GENERAL} and the classical rule on held-out halves of the one real image of this kind;"
        f" --network {GENERAL} takes the other"
    )


def saturated_share(bands: np.ndarray) -> float:
    """Return the share of pixels that have the largest value of their band, in the second most saturated band.

    One band alone is no proof, and a constant one is not saturated.

    Parameters
    ----------
    bands : numpy.ndarray, shape (bands, n)
        Reflectances; NaN where missing.
    """
    shares = []
    for band in bands:
        seen = band[np.isfinite(band)]
        if seen.size and seen.min() < seen.max():
            shares.append(float(np.mean(seen == seen.max())))
    return sorted(shares)[-2] if len(shares) > 1 else 0.0


def _sampled(scene: Scene, image: str) -> np.ndarray:
    """Return the bands of an image, (bands, n): all of it or, where that is large, pieces spread over it."""
    only, (height, width) = only_sensors(scene, (image,)), scene.shape
    pieces, side = 1, max(height, width)
    if height * width > agreement.CHOICE_PIXELS:
        pieces = agreement.CHOICE_PIECES
        side = max(1, round((agreement.CHOICE_PIXELS / pieces**2) ** 0.5))
    parts = [
        glacier_scene.read(only, window=((top, min(top + side, height)), (left, min(left + side, width))))[image]
        for top in np.linspace(0, max(height - side, 0), pieces).astype(int).tolist()
        for left in np.linspace(0, max(width - side, 0), pieces).astype(int).tolist()
    ]
    return np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1)
