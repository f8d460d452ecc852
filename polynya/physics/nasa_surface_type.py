"""NASA's decision tree for the surface type of a 150-photon segment (ATL07).

Source: ATL07/ATL10 ATBD (doi:10.5067/KPMXUOH7TNIY), surface classification, with the constants that
real granules store in ``ancillary_data/surface_classification``. The tree uses the photon rate, the
width of the height distribution and, by day, the normalised background rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

CLOUD, OTHER, UNTYPED = 0, 1, -1
SPECULAR_TYPES = (2, 3, 4, 5)
"""Mirror-like leads: the only ones that set ``height_segment_ssh_flag`` since release 003."""
DARK_TYPES = (6, 7, 8, 9)
TYPE_NAMES = {
    -1: "not typed",
    0: "cloud",
    1: "snow or ice",
    2: "specular lead, low rate, day",
    3: "specular lead, low rate, night",
    4: "specular lead, high rate, day",
    5: "specular lead, high rate, night",
    6: "smooth dark lead, day",
    7: "smooth dark lead, night",
    8: "rough dark lead, day",
    9: "rough dark lead, night",
}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Constants of the tree; names as the granule stores them are given beside each.

    Rates are photons per shot of a strong beam after division by the spot's gain.
    """

    rate_cloud: float = 0.5  # p1
    rate_dark: float = 2.5  # p2
    rate_specular_low: float = 11.0  # p3
    rate_specular_high: float = 14.0  # p4
    width_smooth_m: float = 0.13  # w1
    width_rough_m: float = 0.17  # w2
    background_hz: float = 4.0e6  # b1, in MHz there
    solar_elevation_deg: float = 15.0  # theta_cntl
    gain: tuple[float, ...] = (1.0, 1.0, 0.82, 1.0, 1.0, 1.0)  # beam_gain, by spot
    weak_ratio: float = 4.0


def surface_type(
    photon_rate: np.ndarray,
    width: np.ndarray,
    *,
    background_norm: np.ndarray,
    solar_elevation: np.ndarray,
    spot: int,
    is_strong: bool | None = None,
    thresholds: Thresholds | None = None,
) -> np.ndarray:
    """Return NASA's surface type of each segment.

    Parameters
    ----------
    photon_rate : array, shape (n,)
        Photons per shot, as stored (not divided by the gain).
    width : array, shape (n,)
        Width of the best-fitting Gaussian, m.
    background_norm : array, shape (n,)
        ``background_r_norm``, Hz; used by day only.
    solar_elevation : array, shape (n,)
        Degrees.
    spot : int
        ATLAS spot, 1-6 (0 unknown: gain 1). The gain 0.82 belongs to spot 3, whichever ground
        track it lies on.
    is_strong : bool, optional
        By default odd spots are strong. Needed where the spot is unknown.
    thresholds : Thresholds, optional
        Constants of the tree; by default those of real granules.

    Returns
    -------
    numpy.ndarray of int8, shape (n,)
        0-9 as in ATL07; -1 where the photon rate or the sun is missing.

    Raises
    ------
    UsageError
        If the spot is not 0-6, or 0 without ``is_strong``.
    """
    limits = thresholds or Thresholds()
    if not 0 <= int(spot) <= 6 or (spot == 0 and is_strong is None):
        raise UsageError(
            f"spot {spot}: no such ATLAS spot; expected 1-6, or 0 with is_strong given. Take it from the beam group's"
            " attributes."
        )
    strong = bool(spot % 2) if is_strong is None else is_strong
    gain = limits.gain[spot - 1] if spot else 1.0
    rate = np.asarray(photon_rate, dtype=np.float64) / gain * (1.0 if strong else limits.weak_ratio)
    # Widths lie on a grid of a millimetre and are stored in 32 bits: compare there, so that 0.13 is not above 0.13.
    width = np.asarray(width, dtype=np.float32)
    smooth = width <= np.float32(limits.width_smooth_m)
    rough = (width <= np.float32(limits.width_rough_m)) & ~smooth
    sun = np.asarray(solar_elevation, dtype=np.float64)
    is_day = sun > limits.solar_elevation_deg
    may_be_lead = ~is_day | (np.asarray(background_norm, dtype=np.float64) < limits.background_hz)
    night = (~is_day).astype(np.int8)

    dim = (rate >= limits.rate_cloud) & (rate < limits.rate_dark)
    bright = (rate >= limits.rate_specular_low) & (rate <= limits.rate_specular_high)
    out = np.full(rate.shape, OTHER, dtype=np.int8)
    out = np.where(rate < limits.rate_cloud, np.int8(CLOUD), out)
    out = np.where(dim & smooth & may_be_lead, 6 + night, out)
    out = np.where(dim & rough & may_be_lead, 8 + night, out)
    out = np.where(bright & smooth & may_be_lead, 2 + night, out)
    out = np.where((rate > limits.rate_specular_high) & may_be_lead, 4 + night, out)
    return np.where(np.isfinite(rate) & np.isfinite(sun), out, UNTYPED).astype(np.int8)
