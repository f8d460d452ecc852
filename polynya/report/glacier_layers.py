"""The layers of the map of glaciers: scene, probability, confidence; outlines, the uncertainty band, inventory and
reference, where map and reference differ, what the image did not see. Legends have the colours of the map."""

from __future__ import annotations

import geopandas as gpd
import numpy as np

from . import grid_picture, layered_map
from .layered_map import Layer, Picture, Shapes
from .polar_map import VIRIDIS

OUTLINE, BAND, INVENTORY, REFERENCE = "#101418", "#ff9d00", "#7b3fa0", "#0057c2"
NOT_SEEN = ("#8a6fb0", "#c9bfd9")
"""Colours of the hatching of pixels that the image does not show."""
NOT_SEEN_TITLE = "not seen by the image"
NOT_SEEN_MARK = (
    f'<span class="sw" style="background:repeating-linear-gradient(135deg,{NOT_SEEN[0]} 0 2px,{NOT_SEEN[1]} 2px'
    ' 4px)"></span>'
)
CONFIDENCE = ("#8c2d04", "#cc4c02", "#ec7014", "#fe9929", "#fec44f", "#fee391", "#fff7bc")
"""Confidence from one half to one: brown where the class is a guess, pale where it is certain."""
LEAST_CONFIDENCE = 0.5
DIFFERENCES = {1: ("#d7301f", "ice only in the map"), 2: ("#0868ac", "ice only in the reference")}
"""Colour and words of each kind of :attr:`polynya.report.glacier_map.MappedScene.differences`."""
CLASSES = {1: ("#7fd3f7", "clean ice"), 2: ("#b0713c", "debris-covered ice")}
"""Colour and words of each class of ice."""
MUCH = 0.5
"""From this share of doubtful pixels on their hatching would hide the image."""


def bases(optical: np.ndarray | None, probability: np.ndarray | None, confidence: np.ndarray | None) -> list[Picture]:
    """Return the pictures of which one is seen at a time.

    Parameters
    ----------
    optical : numpy.ndarray or None, shape (6, h, w)
        Reflectance; NaN where missing.
    probability, confidence : numpy.ndarray or None, shape (h, w)
        NaN where missing.
    """
    out = []
    if optical is not None:
        rgb, words = false_colour(optical)
        out.append(Picture(name="image", title=f"image: {words}", colours=rgb, is_base=True))
    if probability is not None:
        rgb = grid_picture.coloured(probability, low=0.0, high=1.0)
        key = layered_map.ramp((0, 0.25, 0.5, 0.75, 1), low=0.0, high=1.0, colours=VIRIDIS)
        out.append(Picture(name="probability", title="probability of glacier", colours=rgb, key=key, is_base=True))
    if confidence is not None and np.isfinite(confidence).any():
        span = {"low": LEAST_CONFIDENCE, "high": 1.0, "colours": CONFIDENCE}
        rgb = grid_picture.coloured(confidence, **span)
        key = layered_map.ramp((0.5, 0.6, 0.7, 0.8, 0.9, 1), **span)
        out.append(
            Picture(
                name="confidence",
                title="confidence: probability that the class is right",
                colours=rgb,
                key=key,
                is_base=True,
            )
        )
    return out


def not_seen(mask: np.ndarray | None) -> list[Picture]:
    """Return the hatching of what the image does not show; nothing where it shows all.

    Parameters
    ----------
    mask : numpy.ndarray of bool or None, shape (h, w)
        Pixels that the image does not show.
    """
    if mask is None or not mask.any():
        return []
    rgb, _ = hatched(np.zeros((*mask.shape, 3), np.uint8), mask)
    return [Picture(name="not-seen", title=NOT_SEEN_TITLE, colours=rgb, mark=NOT_SEEN_MARK)]


def of_classes(
    values: np.ndarray | None, kinds: dict[int, tuple[str, str]], *, name: str, title: str, is_on: bool = False
) -> list[Picture]:
    """Return a layer of classes; nothing where there are none.

    Parameters
    ----------
    values : numpy.ndarray of uint8 or None, shape (h, w)
        0 is transparent.
    kinds : dict
        Colour and words of each value.
    name, title, is_on
        Of the layer.
    """
    if values is None or not np.isin(values, list(kinds)).any():
        return []
    rgb = np.zeros((*values.shape, 3), np.uint8)
    for value, (colour, _) in kinds.items():
        rgb[values == value] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    key = "".join(layered_map.swatch(c, words) for c, words in kinds.values())
    return [Picture(name=name, title=title, colours=rgb, key=key, is_on=is_on)]


def over(
    outlines: gpd.GeoDataFrame,
    *,
    numbers: tuple[str, ...],
    band: gpd.GeoDataFrame | None = None,
    confident: float = 0.95,
    doubtful: float = 0.0,
    inventory: gpd.GeoDataFrame | None = None,
    reference: gpd.GeoDataFrame | None = None,
) -> list[Layer]:
    """Return the polygons over the pictures, from below to above.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        In the order of the table.
    numbers : tuple of str
        Of the first outlines, as in the table.
    band : geopandas.GeoDataFrame or None
        The uncertainty band.
    confident : float
        Confidence below which a pixel lies in it.
    doubtful : float
        Share of the pixels below; from a half on the band is not shown at first, since it would hide the image.
    inventory, reference : geopandas.GeoDataFrame or None
        Outlines of others.
    """
    out: list[Layer] = []
    if band is not None and len(band):
        title = f"confidence below {confident:g}" + (f", {doubtful:.0%} of the map" if doubtful >= MUCH else "")
        is_on = doubtful < MUCH
        out.append(Shapes(name="band", title=title, frame=band, colour=BAND, width=0.0, is_hatched=True, is_on=is_on))
    for name, frame, colour in (("inventory", inventory, INVENTORY), ("reference", reference, REFERENCE)):
        if frame is not None and len(frame):
            title, white = f"outlines of the {name}", "#ffffff"
            out.append(
                Shapes(name=name, title=title, frame=frame, colour=colour, casing=white, dash="7 4", is_on=False)
            )
    out.append(
        Shapes(
            name="outlines",
            title="outlines, numbered as in the table",
            frame=outlines,
            colour=OUTLINE,
            casing="#ffffff",
            numbers=numbers,
        )
    )
    return out


def false_colour(optical: np.ndarray) -> tuple[np.ndarray, str]:
    """Return a picture of a scene, 0 where nothing is known, and which bands it shows.

    SWIR1, NIR, red (ice turquoise, debris and rock brown) or, without SWIR, NIR, red, green; each band stretched from
    its 2nd to its 98th percentile.

    Parameters
    ----------
    optical : numpy.ndarray, shape (6, h, w)
        Reflectance; NaN where missing.

    Returns
    -------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
    bands : str
    """
    seen = [bool(np.isfinite(b).any()) for b in optical]
    chosen, words = ((4, 3, 2), "SWIR1, NIR, red") if seen[4] else ((3, 2, 1), "NIR, red, green")
    rgb = np.zeros((*optical.shape[1:], 3), np.uint8)
    known = np.isfinite(optical[list(chosen)]).all(axis=0)
    if not known.any():
        return rgb, words
    for k, b in enumerate(chosen):
        low, high = np.quantile(optical[b][known], [0.02, 0.98])
        rgb[..., k] = np.where(
            known, np.clip(1 + 254 * (np.nan_to_num(optical[b]) - low) / max(high - low, 1e-6), 1, 255), 0
        ).astype(np.uint8)
    return rgb, words


def hatched(rgb: np.ndarray, not_seen: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Return a picture hatched where the scene was not seen, and the key to that; empty where all was seen.

    Parameters
    ----------
    rgb : numpy.ndarray of uint8, shape (h, w, 3)
        The picture.
    not_seen : numpy.ndarray of bool or None, shape (h, w)
        Pixels that the image does not show.
    """
    if not_seen is None or not not_seen.any():
        return rgb, ""
    out = rgb.copy()
    line = (np.add.outer(np.arange(rgb.shape[0]), np.arange(rgb.shape[1])) // 3) % 2
    for k, colour in enumerate(NOT_SEEN):
        out[not_seen & (line == k)] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return out, f"<span>{NOT_SEEN_MARK}{NOT_SEEN_TITLE}</span>"
