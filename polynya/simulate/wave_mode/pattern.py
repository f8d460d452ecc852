"""A pattern that a phenomenon lays over the sea."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Pattern:
    """What a phenomenon changes.

    Attributes
    ----------
    log : numpy.ndarray of float32, shape (400, 400)
        Added to the natural logarithm of the roughness.
    support : numpy.ndarray of bool, shape (400, 400)
        Where the pattern is.
    damping : numpy.ndarray of float32, shape (400, 400), optional
        Factor of the sea's own texture and of other patterns of the sea: below 1 where nothing ruffles the surface.
    """

    log: np.ndarray
    support: np.ndarray
    damping: np.ndarray | None = None

    @property
    def rms(self) -> float:
        """Root mean square over the support; 0 without support."""
        return float(np.sqrt(np.mean(self.log[self.support] ** 2))) if self.support.any() else 0.0
