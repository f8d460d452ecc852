"""What to know of each pixel of a map, as bits; what makes a whole image doubtful, in words."""

from __future__ import annotations

import numpy as np

from ...schema.optical_ice_maps import BITS, NO_CLASS
from .mapper import Mapper

FULL = 254.0
"""Counts from which a band is full."""
SURE = 0.5
"""Confidence below which a pixel is flagged."""
UNSURE_MEAN = 0.6
COLOURFUL, COLOURFUL_SHARE = 0.6, 0.10
"""Sea ice is nearly grey: share of the pixels whose least band is below 0.4 of their largest."""
WORTH_A_NOTE = 0.02


class Seen:
    """What was counted of an image: pixels by flag, and what tells whether it is like those of the training."""

    def __init__(self) -> None:
        self.bits = dict.fromkeys(BITS, 0)
        self.pixels = self.mapped = self.colourful = self.sure = 0
        self.confidence = 0.0

    def add(self, bits: np.ndarray, rgb: np.ndarray, codes: np.ndarray, confidence: np.ndarray | None) -> None:
        """Count rows of a map."""
        self.pixels += bits.size
        for name, bit in BITS.items():
            self.bits[name] += int(((bits & bit) > 0).sum())
        is_mapped = codes != NO_CLASS
        self.mapped += int(is_mapped.sum())
        values = np.where(is_mapped & np.isfinite(rgb).all(axis=0), rgb, 0.0)
        most = values.max(axis=0)
        self.colourful += int(((most > 60.0) & (values.min(axis=0) < (1.0 - COLOURFUL) * most)).sum())
        if confidence is not None:
            known = is_mapped & np.isfinite(confidence)
            self.confidence += float(confidence[known].sum(dtype=np.float64))
            self.sure += int(known.sum())

    def share(self, flag: str) -> float:
        """Return the share of all pixels with a flag."""
        return self.bits[flag] / max(self.pixels, 1)


def flags(
    rgb: np.ndarray,
    codes: np.ndarray,
    confidence: np.ndarray | None,
    *,
    cloud: np.ndarray | None,
    land: np.ndarray | None,
    is_other_size: bool,
) -> np.ndarray:
    """Return the bits of rows of a map, uint8 (h, w).

    Parameters
    ----------
    rgb : numpy.ndarray, shape (3, h, w)
        Counts.
    codes : numpy.ndarray of uint8, shape (h, w)
        Classes before clouds were taken out.
    confidence : numpy.ndarray, shape (h, w), or None
        Of the class.
    cloud, land : numpy.ndarray of bool, shape (h, w), or None
        Masks that come with the image.
    is_other_size : bool
        The network has not learned from pixels of this size.
    """
    unseen = codes == NO_CLASS
    out = np.where(unseen, BITS["no_data"], 0).astype(np.uint8)
    with np.errstate(invalid="ignore"):
        out[~unseen & (rgb >= FULL).all(axis=0)] |= BITS["saturated"]
        if confidence is not None:
            out[~unseen & (confidence < SURE)] |= BITS["low_confidence"]
    if cloud is not None:
        out[cloud & ~unseen] |= BITS["cloud"]
    if land is not None:
        out[land] |= BITS["land_mask"]
    if is_other_size:
        out[~unseen] |= BITS["pixel_size_not_learned"]
    return out


def is_other_size(mapper: Mapper, pixel_m: float) -> bool:
    """Return whether a network has not learned from pixels of a size; of an unknown size nothing is said."""
    return mapper.pixel_m is not None and np.isfinite(pixel_m) and not _within(pixel_m, mapper.pixel_m)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return 0.99 * limits[0] <= value <= 1.01 * limits[1]


def unlike(seen: Seen) -> list[str]:
    """Return why an image is unlike those of the training, in words; empty where nothing tells."""
    out = []
    if seen.mapped and seen.colourful > COLOURFUL_SHARE * seen.mapped:
        out.append(f"{seen.colourful / seen.mapped:.0%} of the pixels are strongly coloured, which sea ice is not")
    if seen.sure and seen.confidence < UNSURE_MEAN * seen.sure:
        out.append(f"the network's mean confidence is {seen.confidence / seen.sure:.2f}")
    return out


def sentences(seen: Seen, mapper: Mapper, *, pixel_m: float) -> list[str]:
    """Return what a user should know of an image, as sentences.

    Parameters
    ----------
    seen : Seen
        Counts of its pixels.
    mapper : Mapper
        What mapped it.
    pixel_m : float
        Side of a pixel, m; NaN where it is not known.
    """
    out = []
    if mapper.pixel_m is not None and not np.isfinite(pixel_m):
        out.append(
            "The image has no place on the map and no pixel size: all lengths are in pixels, and whether the network"
            " has learned from such pixels is not known. --pixel-m M states the size."
        )
    if is_other_size(mapper, pixel_m):
        low, high = mapper.pixel_m or (0.0, 0.0)
        out.append(
            f"Pixels have {pixel_m:g} m; the network has learned from {low:g} to {high:g} m. Its probabilities mean"
            " less here, and the interval of the ice fraction is wider."
        )
    if seen.share("cloud") > 0:
        out.append(f"{_words(seen.share('cloud'))} of the pixels are cloud by the image's own mask and have no class.")
    if seen.share("saturated") > WORTH_A_NOTE:
        out.append(
            f"{_words(seen.share('saturated'))} of the pixels are saturated (all bands full): ice, snow and cloud"
            " look alike there."
        )
    if seen.share("low_confidence") > WORTH_A_NOTE:
        out.append(f"The network is unsure ({SURE:g} or less) in {_words(seen.share('low_confidence'))} of the pixels.")
    reasons = unlike(seen)
    if reasons:
        out.append(
            f"The image looks unlike those of the training: {'; '.join(reasons)}. Do not rest on its numbers; the"
            " interval of the ice fraction is wider."
        )
    return out


def _words(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "below 1%"
