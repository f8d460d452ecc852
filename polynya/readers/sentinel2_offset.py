"""Whether the counts of a Sentinel-2 image still carry the offset of processing baseline 04.00 and later.

The agency's counts carry 1000 more than reflectance times 10000. Some catalogues take it off when they write the images
anew, and say so; the flag is known to be wrong for some dates
(https://github.com/cirrus-geo/cirrus-earth-search/issues/33). The counts tell where they can. Over ice, rock, water or
shade some band is dark everywhere (snow in the short-wave infrared): with the offset left in, counts begin at about
1000; with the offset taken off twice, a large part of a band would have a negative reflectance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEGATIVE = -0.02
"""Reflectance below which no surface is: atmospheric correction errs by less over most ground."""
MOST_NEGATIVE = 0.10
"""Share of a band's pixels below :data:`NEGATIVE` from which the offset was taken off before."""
BEGINS = (-0.005, 0.04)
"""Reflectance at which the darkest of the bands begins where the offset is right."""
DARKEST, LEAST_NEGATIVE = 0.002, 0.001
"""Quantile that is a band's beginning; share of negative pixels up to which there are none."""
LEAST_VALUES = 16
"""A band with fewer different counts says nothing."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the counts say of an offset.

    Attributes
    ----------
    is_in_counts : bool or None
        Whether the counts still carry it; None where they cannot tell.
    negative_share : float
        Largest share of a band's pixels with a reflectance below :data:`NEGATIVE` if the offset is added.
    """

    is_in_counts: bool | None
    negative_share: float


def look(samples: Sequence[np.ndarray], *, scale: float, offset: float, has_dark_band: bool) -> Evidence:
    """Look at the counts of the bands of one image.

    Parameters
    ----------
    samples : sequence of numpy.ndarray, shape (n,)
        Counts of each band where it has data; zeros are left out.
    scale : float
        Reflectance of one count.
    offset : float
        Reflectance that would be added, -0.1 for example.
    has_dark_band : bool
        Whether a band in the short-wave infrared is among them, in which snow is dark.

    Returns
    -------
    Evidence
    """
    negative, begins = [], []
    for sample in samples:
        values = sample[sample > 0] * scale + offset
        if values.size and np.unique(values).size >= LEAST_VALUES:
            negative.append(float(np.mean(values < NEGATIVE)))
            begins.append(float(np.quantile(values, DARKEST)))
    if not negative:
        return Evidence(is_in_counts=None, negative_share=0.0)
    most = max(negative)
    if most > MOST_NEGATIVE:
        return Evidence(is_in_counts=False, negative_share=most)
    starts_there = most <= LEAST_NEGATIVE and BEGINS[0] <= min(begins) <= BEGINS[1]
    return Evidence(is_in_counts=True if starts_there and has_dark_band else None, negative_share=most)
