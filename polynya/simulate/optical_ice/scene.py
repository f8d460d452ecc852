"""A simulated optical image of sea ice: counts of four bands, the class of every pixel, and labels as people draw
them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...errors import UsageError
from . import light, surface
from .polygons import polygons, unit
from .presets import CLASSES, KINDS, STANDARD, THICK, THIN, WATER, Ranges


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An image with its truth.

    Attributes
    ----------
    counts : numpy.ndarray of uint8, shape (4, h, w)
        Red, green, blue, near infrared.
    classes : numpy.ndarray of uint8, shape (h, w)
        Codes of :mod:`polynya.simulate.optical_ice.presets`: the truth.
    labels : numpy.ndarray of uint8, shape (h, w)
        What a person would draw: smoother, and wrong in a few polygons.
    about : dict
        What was drawn.
    """

    counts: np.ndarray
    classes: np.ndarray
    labels: np.ndarray
    about: dict[str, object]


def draw_scene(
    seed: int, *, size: tuple[int, int] = (512, 512), kind: str | None = None, ranges: Ranges = STANDARD
) -> Scene:
    """Draw an image.

    Parameters
    ----------
    seed : int
        The same seed gives the same image.
    size : tuple of int
        Rows and columns.
    kind : str, optional
        One of ``pack``, ``marginal``, ``coast``, ``melt``, ``water``; drawn by default, water rarely.
    ranges : Ranges
        From where to where numbers are drawn.

    Raises
    ------
    UsageError
        If there is no such kind, or the size is under 64 pixels.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"kind is {kind}; expected one of {', '.join(KINDS)}.")
    if min(size) < 64:
        raise UsageError(f"size is {size[0]} x {size[1]}; expected at least 64 pixels a side.")
    rng = np.random.default_rng([seed, 17])
    kind = kind or str(rng.choice(KINDS, p=(0.27, 0.22, 0.25, 0.23, 0.03)))
    pixel_m = float(np.exp(rng.uniform(*np.log(ranges.pixel_m))))
    ground = surface.draw(rng, size, kind=kind, ranges=ranges)
    counts, about = light.seen(rng, ground, ranges=ranges)
    about = {"seed": seed, "kind": kind, "pixel_m": pixel_m, **ground.about, **about}
    return Scene(counts=counts, classes=ground.classes, labels=labels(rng, ground.classes), about=about)


def labels(rng: np.random.Generator, classes: np.ndarray, *, wrong: float = 0.03) -> np.ndarray:
    """Return classes as a person draws them.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws how coarse and where wrong.
    classes : numpy.ndarray of uint8, shape (h, w)
        The truth.
    wrong : float
        Share of the area whose ice type is the other one.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        Simplified by 0 to 2 pixels.
    """
    steps = int(rng.integers(0, 3))
    out = classes.copy()
    if steps:
        side = 2 * steps + 1
        votes = [ndimage.uniform_filter((classes == k).astype(np.float32), side) for k in range(len(CLASSES))]
        out = np.argmax(votes, axis=0).astype(np.uint8)
    y, x = np.mgrid[: classes.shape[0], : classes.shape[1]]
    piece = polygons(y, x, size=40.0, key=int(rng.integers(2**40)))
    swapped = unit(piece.own) < wrong
    turned = np.where(out == THIN, THICK, np.where(out == THICK, THIN, out))
    return np.where(swapped & (out != WATER), turned, out).astype(np.uint8)
