"""CMOD5.N: C-band backscatter in VV of the sea under an equivalent neutral wind at 10 m.

Hersbach (2010), J. Atmos. Oceanic Technol. 27, 721-736, doi:10.1175/2009JTECHA1698.1; form and coefficients as in
ECMWF Technical Memorandum 554 (2008).
"""

from __future__ import annotations

import numpy as np

# fmt: off
C = (
    -0.6878, -0.7957, 0.3380, -0.1728, 0.0000, 0.0040, 0.1103, 0.0159, 6.7329, 2.7713, -2.2885, 0.4971, -0.7250, 0.0450,
    0.0066, 0.3222, 0.0120, 22.7000, 2.0813, 3.0000, 8.3659, -3.3428, 1.3236, 6.2437, 2.3893, 0.3249, 4.1590, 1.6930,
)
# fmt: on
"""The coefficients c1 to c28."""
REFERENCE_SPEED, REFERENCE_ANGLE = 10.0, 45.0
"""Wind speed, m/s, and angle between wind and look, degrees, to which roughness is referred."""


def sigma_nought(
    incidence_deg: np.ndarray | float, speed: np.ndarray | float, angle_deg: np.ndarray | float
) -> np.ndarray:
    """Return sigma nought in VV.

    Parameters
    ----------
    incidence_deg : numpy.ndarray or float
        Incidence angle, degrees; the model was fitted from 16 to 66.
    speed : numpy.ndarray or float
        Equivalent neutral wind speed at 10 m, m/s.
    angle_deg : numpy.ndarray or float
        Angle between the direction that the wind comes from and the radar's look direction, degrees; 0 is upwind.

    Returns
    -------
    numpy.ndarray of float64
        Linear; of the shape that the three have together.
    """
    incidence, wind, angle = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (incidence_deg, speed, angle_deg))
    )
    x = (incidence - 40.0) / 25.0
    isotropic = _isotropic(x, wind)
    upwind = _upwind_crosswind_difference(x, wind)
    second = _second_harmonic(x, wind)
    phi = np.radians(angle)
    return isotropic * (1.0 + upwind * np.cos(phi) + second * np.cos(2.0 * phi)) ** 1.6


def _isotropic(x: np.ndarray, wind: np.ndarray) -> np.ndarray:
    """Return B0."""
    a0 = C[0] + C[1] * x + C[2] * x**2 + C[3] * x**3
    a1, a2 = C[4] + C[5] * x, C[6] + C[7] * x
    gamma, s0 = C[8] + C[9] * x + C[10] * x**2, C[11] + C[12] * x
    s = a2 * wind
    at_s0 = 1.0 / (1.0 + np.exp(-s0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low = at_s0 * (s / s0) ** (s0 * (1.0 - at_s0))
    growth = np.where(s < s0, low, 1.0 / (1.0 + np.exp(-s)))
    return growth**gamma * 10.0 ** (a0 + a1 * wind)


def _upwind_crosswind_difference(x: np.ndarray, wind: np.ndarray) -> np.ndarray:
    """Return B1."""
    bent = C[14] * wind * (0.5 + x - np.tanh(4.0 * (x + C[15] + C[16] * wind)))
    return (C[13] * (1.0 + x) - bent) / (1.0 + np.exp(0.34 * (wind - C[17])))


def _second_harmonic(x: np.ndarray, wind: np.ndarray) -> np.ndarray:
    """Return B2."""
    y0, n = C[18], C[19]
    a, b = y0 - (y0 - 1.0) / n, 1.0 / (n * (y0 - 1.0) ** (n - 1.0))
    v0 = C[20] + C[21] * x + C[22] * x**2
    d1, d2 = C[23] + C[24] * x + C[25] * x**2, C[26] + C[27] * x
    v = wind / v0 + 1.0
    v = np.where(v < y0, a + b * (v - 1.0) ** n, v)
    return (-d1 + d2 * v) * np.exp(-v)


def roughness(sigma0: np.ndarray, incidence_deg: np.ndarray | float) -> np.ndarray:
    """Return sigma nought over that of a wind of 10 m/s at 45 degrees: it hardly depends on the incidence angle.

    Parameters
    ----------
    sigma0 : numpy.ndarray
        Linear, VV.
    incidence_deg : numpy.ndarray or float
        Incidence angle of its pixels, degrees.

    Returns
    -------
    numpy.ndarray, shape of sigma0
        1 is the model's sea.
    """
    return sigma0 / sigma_nought(incidence_deg, REFERENCE_SPEED, REFERENCE_ANGLE)
