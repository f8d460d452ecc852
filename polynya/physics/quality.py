"""Quality bits of segments; their meanings are in ``schema.QUALITY_BITS``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import UsageError
from ..schema import QUALITY_BITS, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED

BITS = {name: bit for bit, name in QUALITY_BITS}
FEW_PHOTONS = 3
SATURATED_SHARE = 0.1


def has_few_photons(n_photons: np.ndarray) -> np.ndarray:
    """Return where fewer than three photons made the height, bool, shape (n,)."""
    return np.asarray(n_photons) < FEW_PHOTONS


def is_filled(source: np.ndarray) -> np.ndarray:
    """Return where neighbouring sections gave the sea surface (source 2 or 3), bool, shape (n,)."""
    source = np.asarray(source)
    return (source == SOURCE_TWO_SIDED) | (source == SOURCE_ONE_SIDED)


def is_saturated(share: np.ndarray) -> np.ndarray:
    """Return where more than a tenth of the shots saturated (NaN: unknown, no), bool, shape (n,)."""
    return np.nan_to_num(np.asarray(share, np.float64)) > SATURATED_SHARE


def quality_flag(causes: Mapping[str, np.ndarray]) -> np.ndarray:
    """Combine causes to bits.

    Parameters
    ----------
    causes : mapping of str to numpy.ndarray of bool, each of shape (n,)
        One entry for every name of ``schema.QUALITY_BITS``: none can be forgotten.

    Returns
    -------
    numpy.ndarray of int16, shape (n,)
        0 is best.

    Raises
    ------
    UsageError
        If a cause is missing or unknown.
    """
    if set(causes) != set(BITS):
        wrong = sorted(set(causes) ^ set(BITS))
        raise UsageError(f"quality: {', '.join(wrong)} is missing or unknown; expected each of {', '.join(BITS)} once.")
    out = np.zeros(np.shape(next(iter(causes.values()))), np.int16)
    for name, where in causes.items():
        out[np.asarray(where, bool)] |= BITS[name]
    return out
