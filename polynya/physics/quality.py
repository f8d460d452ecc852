"""Quality bits of segments; their meanings are in ``schema.QUALITY_BITS``."""

from __future__ import annotations

import numpy as np

from ..schema import QUALITY_BITS, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED

BITS = {name: bit for bit, name in QUALITY_BITS}
FEW_PHOTONS = 3
SATURATED_SHARE = 0.1


def quality_flag(
    *,
    n_photons: np.ndarray,
    is_geoid: np.ndarray,
    first_photon_bias: np.ndarray,
    is_missing: np.ndarray,
    is_contaminated: np.ndarray,
    is_next_to_gap: np.ndarray,
    source: np.ndarray,
    saturated_share: np.ndarray,
) -> np.ndarray:
    """Combine what is known of segments to bits.

    Parameters
    ----------
    n_photons, first_photon_bias, source, saturated_share : numpy.ndarray, shape (n,)
        Photons of the height; the bias, NaN where unknown; sea surface source; share of saturated shots.
    is_geoid, is_missing, is_contaminated, is_next_to_gap : numpy.ndarray of bool, shape (n,)
        Heights above the geoid; a correction missing; background among the photons; at the edge of a gap.

    Returns
    -------
    numpy.ndarray of int16, shape (n,)
        0 is best.
    """
    flags = {
        "few_photons": n_photons < FEW_PHOTONS,
        "geoid_instead_of_mean_sea_surface": is_geoid,
        "no_first_photon_bias_correction": ~np.isfinite(first_photon_bias),
        "correction_missing": is_missing,
        "background_contaminated": is_contaminated,
        "next_to_gap": is_next_to_gap,
        "sea_surface_filled": (source == SOURCE_TWO_SIDED) | (source == SOURCE_ONE_SIDED),
        "saturated_shots": np.nan_to_num(saturated_share) > SATURATED_SHARE,
    }
    out = np.zeros(n_photons.size, np.int16)
    for name, where in flags.items():
        out[where] |= BITS[name]
    return out
