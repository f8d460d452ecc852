"""The share of ice in an image, with an interval that takes errors of all pixels as having one cause.

Millions of pixels do not make a share of ice certain to a thousandth: haze, sun and stretch move all of them together.
If one cause moves the log odds of every pixel by the same amount, so that each probability is right over many images,
that amount follows the logistic distribution: a pixel is ice where its probability is above one and the same random
number. The share is then between the share of pixels above 0.975 and that above 0.025 in 95 % of the images. It is the
widest interval that calibrated probabilities allow for equal shifts; independent pixels would give one of no width.
Where conditions are doubtful log odds are halved first: a network is too sure of what it did not learn.
"""

from __future__ import annotations

import numpy as np

LEVEL = 0.95
DOUBT = 2.0
"""What log odds are divided by where conditions are doubtful."""
BINS = 4001
REACH = 20.0
"""Log odds of the last bins."""


class Shares:
    """Probabilities of ice, counted; add pixels, then ask for the share.

    Attributes
    ----------
    area : numpy.ndarray of float64, shape (2, bins)
        Area by log odds, of certain and of doubtful pixels.
    expected : float
        Sum of probability times area.
    """

    def __init__(self) -> None:
        self.area = np.zeros((2, BINS))
        self.expected = 0.0

    def add(self, probability: np.ndarray, area: np.ndarray, doubtful: np.ndarray) -> None:
        """Count pixels.

        Parameters
        ----------
        probability : numpy.ndarray, shape (n,)
            Of ice, 0 to 1.
        area : numpy.ndarray, shape (n,)
            Of each pixel.
        doubtful : numpy.ndarray of bool, shape (n,)
            Where conditions are doubtful.
        """
        p = np.clip(np.asarray(probability, np.float64), 1e-9, 1.0 - 1e-9)
        odds = np.log(p) - np.log1p(-p)
        k = np.clip(np.rint((odds / REACH + 1.0) * (BINS // 2)), 0, BINS - 1).astype(int)
        for row, chosen in enumerate((~doubtful, doubtful)):
            self.area[row] += np.bincount(k[chosen], area[chosen], BINS)
        self.expected += float((p * area).sum())

    def fraction(self, *, all_doubtful: bool = False) -> tuple[float, float, float]:
        """Return the expected share of ice, and the ends of its interval; NaN without pixels.

        Parameters
        ----------
        all_doubtful : bool
            Conditions of the whole image are doubtful.
        """
        total = float(self.area.sum())
        if not total > 0:
            return (float("nan"),) * 3
        odds = (np.arange(BINS) / (BINS // 2) - 1.0) * REACH
        ends = []
        for side in (1.0, -1.0):
            limit = side * np.log((0.5 + LEVEL / 2) / (0.5 - LEVEL / 2))
            above = [odds > limit * (DOUBT if all_doubtful or row else 1.0) for row in range(2)]
            ends.append(sum(float(self.area[row][above[row]].sum()) for row in range(2)) / total)
        value = self.expected / total
        return value, min(ends[0], value), max(ends[1], value)
