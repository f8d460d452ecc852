"""Which photons count at all, and which may make heights: quality by release, and filters that a user chooses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..readers import icesat2_atl03

NOT_CONSIDERED = -1
"""Sea-ice confidence of photons that a filter leaves out of heights; they still count in ``photon_rate``."""


@dataclass(frozen=True, kw_only=True)
class PhotonFilter:
    """Photons that may make heights, besides those of enough sea-ice confidence.

    Attributes
    ----------
    signal_class : tuple of int, optional
        Values of ``signal_class_ph`` (release 007) that may; all by default.
    min_weight : int, optional
        Smallest ``weight_ph`` that may; all by default.
    """

    signal_class: tuple[int, ...] | None = None
    min_weight: int | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the photon variables that the filter needs."""
        wanted = {"signal_class_ph": self.signal_class, "weight_ph": self.min_weight}
        return tuple(name for name, value in wanted.items() if value is not None)


def select(photons: dict[str, np.ndarray], chosen: PhotonFilter, *, release: str) -> dict[str, np.ndarray]:
    """Return photons whose quality is 0 where they are of the surface, and whose confidence says what makes heights.

    Parameters
    ----------
    photons : dict of numpy.ndarray, shape (p,)
        As :func:`polynya.readers.icesat2_atl03.photons` gives them.
    chosen : PhotonFilter
        What may make heights.
    release : str
        Of ATL03, three digits; it decides what ``quality_ph`` means.

    Returns
    -------
    dict of numpy.ndarray, shape (p,)
        ``quality_ph`` is 0 for every value that the release gives to the surface. ``signal_conf_ph`` is -1 where the
        filter leaves a photon out of the heights. The rest is as given.
    """
    out = dict(photons)
    quality = photons["quality_ph"]
    for value in icesat2_atl03.surface_quality(release):
        if value and (found := quality == value).any():
            quality = np.where(found, quality.dtype.type(0), quality)
    passes = np.ones(quality.size, bool)
    if chosen.signal_class is not None:
        passes &= np.isin(photons["signal_class_ph"], chosen.signal_class)
    if chosen.min_weight is not None:
        passes &= photons["weight_ph"] >= chosen.min_weight
    out["quality_ph"] = quality
    if chosen.variables:
        confidence = photons["signal_conf_ph"]
        out["signal_conf_ph"] = np.where(
            passes, confidence, np.minimum(confidence, confidence.dtype.type(NOT_CONSIDERED))
        )
    return out
