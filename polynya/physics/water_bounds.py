"""NASA's bounds on rate and width, as evidence besides a network's.

A network is as good as its training, and that holds few real leads. NASA's surface-type tree (ATL07/ATL10 ATBD,
doi:10.5067/KPMXUOH7TNIY) uses two properties of a surface that any track gives: how many photons per shot it returns,
and how wide their heights scatter. Here that becomes odds of water, which a network's probability is held to where its
training does not reach.

``docs/decisions/0013-a-u-net-along-the-track.md`` says what was chosen on which data.
"""

from __future__ import annotations

import numpy as np

from .surface_type import RATE_SPECULAR, WIDTH_ROUGH, WIDTH_SMOOTH, Evidence, Rule

DIM = 0.5
"""Two-way transmission below which a network's water must be as bright as NASA's rate makes it."""
LIGHT_A_LOGIT = 0.01
"""Every hundredth of transmission above that leaves a network one unit of log odds more room."""
RATE_STEEPNESS, WIDTH_PENALTY = 13.0, 15.0
"""Log odds of water of a smooth surface: the first times ln(rate / 11 photons per shot), less the second times its
width in metres. Even odds are at NASA's bound of 11."""
LEAST_BY_RATE, MOST_BY_RATE = 0.4, 0.54
"""Rate and width alone make water no more probable than the second, which is the share of simulated segments of 15.5 to
17 photons per shot that are water; ponds, smooth floes and bright thin ice are the rest. It is below what a lead needs
to enter a sea surface: brightness alone names a class and is no evidence for a level. Below the first they decide no
class, and the network's calibrated probability stays."""
WIDE_IS_WATER = 5e-5
"""What a width beyond NASA's bound leaves of water."""


def within(probability: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Hold a network's probabilities to what NASA's bounds say of rate and width, where its training knows too little.

    NASA calls a smooth surface of more than 11 photons per shot (as measured, pooled over half a segment of ATL07)
    water; here its odds grow with the rate and fall with the width. A surface within NASA's bound of smoothness is
    water at least as probably as that, up to 0.54: real tracks whose snow is brighter, or whose first level is
    decimetres off, mislead a network there. Under thick cloud, which training hardly
    holds, it is no more probable than that either, from 4.5 photons per shot on (below, it may be a dark lead) or where
    it is wide.

    Parameters
    ----------
    probability : numpy.ndarray of float32, shape (n, 3)
        Of thick ice, thin ice, water.
    evidence : Evidence
        Of the same segments.

    Returns
    -------
    numpy.ndarray of float32, shape (n, 3)
        Where water was moved, thick and thin ice keep their ratio.
    """
    rule = Rule()
    rate = np.maximum(np.nan_to_num(evidence.rate_pooled * np.maximum(evidence.transmission, rule.bright_least)), 0.05)
    by_rate = RATE_STEEPNESS * np.log(rate / RATE_SPECULAR)
    least = np.minimum(by_rate - WIDTH_PENALTY * evidence.width_pooled, _logit(MOST_BY_RATE))
    least = np.where((evidence.width_pooled < WIDTH_SMOOTH) & (least >= _logit(LEAST_BY_RATE)), least, -np.inf)
    is_wide = evidence.width_pooled > WIDTH_ROUGH
    most = np.where(is_wide, np.minimum(by_rate, _logit(WIDE_IS_WATER)), by_rate)
    most = np.where(
        is_wide | (rate >= rule.rate_ice), most + np.maximum(evidence.transmission - DIM, 0.0) / LIGHT_A_LOGIT, np.inf
    )
    floor, ceiling = _chance(least), _chance(np.maximum(most, least))
    water = np.clip(probability[:, 2], floor, ceiling)
    ice = probability[:, :2].sum(axis=1)
    thick = np.divide(probability[:, 0], ice, out=np.full(ice.size, 0.5, ice.dtype), where=ice > 1e-6)
    moved = water != probability[:, 2]
    held = np.column_stack([thick * (1.0 - water), (1.0 - thick) * (1.0 - water), water])
    return np.where(moved[:, None], held, probability).astype(np.float32)


def _logit(chance: float) -> float:
    return float(np.log(chance / (1.0 - chance)))


def _chance(log_odds: np.ndarray) -> np.ndarray:
    return (1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0)))).astype(np.float32)
