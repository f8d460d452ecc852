"""First-photon bias: dead time makes the detector favour early photons, so surfaces look too high.

NASA tabulates the bias (CAL-19) against detected strength, apparent width and detector dead time and
stores the table in every full ATL03 granule; ATL07 looks it up per segment (ATL07/10 ATBD, appendix
on the first-photon bias). The correction is positive and is subtracted from height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import compiled

SPEED_OF_LIGHT = 299_792_458.0  # m/s


@dataclass(frozen=True, kw_only=True)
class CalibrationTable:
    """CAL-19 at one beam's dead time.

    Attributes
    ----------
    strength : numpy.ndarray, shape (s,)
        Detected photons per shot, increasing.
    width_ns : numpy.ndarray, shape (w,)
        Apparent 10-90 % width of the detected photons, two-way nanoseconds, increasing.
    bias_m : numpy.ndarray, shape (s, w)
        One-way height bias in metres, positive where the surface looks too high.
    dead_time_ns : float
        Mean dead time of the beam's channels.
    """

    strength: np.ndarray
    width_ns: np.ndarray
    bias_m: np.ndarray
    dead_time_ns: float


def at_dead_time(
    dead_time_ns: np.ndarray,
    *,
    strength: np.ndarray,
    width_ns: np.ndarray,
    correction_ps: np.ndarray,
    beam_dead_time_ns: float,
) -> CalibrationTable:
    """Interpolate the CAL-19 cube to a beam's mean dead time.

    Parameters
    ----------
    dead_time_ns : numpy.ndarray, shape (d,)
        Dead times of the slices, nanoseconds.
    strength : numpy.ndarray, shape (d, s)
        Photons per shot; the axis may differ from slice to slice.
    width_ns : numpy.ndarray, shape (d, w)
        Apparent 10-90 % widths, two-way nanoseconds.
    correction_ps : numpy.ndarray, shape (d, s, w)
        Two-way picoseconds.
    beam_dead_time_ns : float
        Mean dead time of the beam's channels, nanoseconds.

    Returns
    -------
    CalibrationTable
        Linear in dead time between the two slices around it, held at the ends.

    Notes
    -----
    The axes are interpolated together with the values: slice k's own strength and width axes belong
    to its values, and between slices both move linearly.
    """
    order = np.argsort(dead_time_ns)
    axis = dead_time_ns[order]
    t = float(np.clip(beam_dead_time_ns, axis[0], axis[-1]))
    upper = int(np.clip(np.searchsorted(axis, t), 1, max(axis.size - 1, 1))) if axis.size > 1 else 0
    lower = max(upper - 1, 0)
    span = axis[upper] - axis[lower]
    f = (t - axis[lower]) / span if span > 0 else 0.0
    a, b = order[lower], order[upper]

    def mix(x: np.ndarray) -> np.ndarray:
        return (1 - f) * x[a] + f * x[b]

    bias = mix(correction_ps) * 1e-12 * SPEED_OF_LIGHT / 2
    return CalibrationTable(
        strength=mix(strength), width_ns=mix(width_ns), bias_m=bias, dead_time_ns=float(beam_dead_time_ns)
    )


def lookup(table: CalibrationTable, *, strength: np.ndarray, width_m: np.ndarray) -> np.ndarray:
    """Return the bias for detected strengths and widths, bilinear, held at the table's edges.

    Parameters
    ----------
    table : CalibrationTable
        CAL-19 at the beam's dead time.
    strength : numpy.ndarray, shape (n,)
        Detected photons per shot.
    width_m : numpy.ndarray, shape (n,)
        10-90 % width of the photon heights, metres.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Metres, to be subtracted from height; NaN where an input is NaN.
    """
    width_ns = np.asarray(width_m, np.float64) * (2e9 / SPEED_OF_LIGHT)
    bias = np.empty(np.size(strength))
    _bilinear(
        np.ascontiguousarray(table.strength, np.float64),
        np.ascontiguousarray(table.width_ns, np.float64),
        np.ascontiguousarray(table.bias_m, np.float64),
        np.ascontiguousarray(strength, np.float64),
        np.ascontiguousarray(width_ns),
        bias,
    )
    return bias


@compiled.kernel
def _bilinear(xs, ys, table, x, y, out):  # pragma: no cover - compiled
    for k in range(x.size):
        if not (np.isfinite(x[k]) and np.isfinite(y[k])):
            out[k] = np.nan
            continue
        a = min(max(x[k], xs[0]), xs[-1])
        b = min(max(y[k], ys[0]), ys[-1])
        i = min(max(np.searchsorted(xs, a) - 1, 0), max(xs.size - 2, 0))
        j = min(max(np.searchsorted(ys, b) - 1, 0), max(ys.size - 2, 0))
        i1 = min(i + 1, xs.size - 1)
        j1 = min(j + 1, ys.size - 1)
        u = (a - xs[i]) / (xs[i1] - xs[i]) if xs[i1] > xs[i] else 0.0
        v = (b - ys[j]) / (ys[j1] - ys[j]) if ys[j1] > ys[j] else 0.0
        out[k] = (1 - u) * ((1 - v) * table[i, j] + v * table[i, j1]) + u * ((1 - v) * table[i1, j] + v * table[i1, j1])
