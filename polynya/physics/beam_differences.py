"""Sea surfaces of a granule's beams compared: a check that needs no other data."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from . import order


@dataclass(frozen=True, kw_only=True)
class BeamDifference:
    """Sea surface of one beam minus another's, at the same along-track positions.

    Attributes
    ----------
    beam_a, beam_b : str
    n : int
        Sections that both beams have.
    mean, sd, median : float
        Of height a minus height b, m; NaN where n is 0 (sd where n < 2).
    expected_sd : float
        Root mean square of the stated uncertainties of the differences, m.
    chi2 : float
        Mean of the squared difference over its stated variance: about 1 where the uncertainties are honest
        and the errors of the two beams are independent.
    """

    beam_a: str
    beam_b: str
    n: int
    mean: float
    sd: float
    median: float
    expected_sd: float
    chi2: float


def beam_differences(
    x: np.ndarray,
    height: np.ndarray,
    *,
    uncertainty: np.ndarray,
    beam: np.ndarray,
    tolerance_m: float = 2_500.0,
) -> tuple[BeamDifference, ...]:
    """Compare the sea surface of every pair of beams: a check that needs no other data.

    Beams see the same sea surface within some millimetres over 3 km, so their differences show the error of
    the retrieval, except what all beams share (tides, atmosphere, orbit).

    Parameters
    ----------
    x : numpy.ndarray
        (n,) along-track distance of section centres, m.
    height : numpy.ndarray
        (n,) sea surface height, m; NaN where there is none.
    uncertainty : numpy.ndarray
        (n,) one standard uncertainty of height, m.
    beam : numpy.ndarray
        (n,) beam names.
    tolerance_m : float
        Sections whose centres are at most so far apart are compared, each with its nearest.

    Returns
    -------
    tuple of BeamDifference
        One for every pair of beams that is present, in order of their names.
    """
    x, height, uncertainty = (np.asarray(a, np.float64) for a in (x, height, uncertainty))
    beam = np.asarray(beam).astype(str)
    tracks = {}
    for name in sorted(set(beam.tolist())):
        rows = np.flatnonzero((beam == name) & np.isfinite(height) & np.isfinite(x))
        tracks[name] = rows[np.argsort(x[rows], kind="stable")]
    names = sorted(tracks)
    return tuple(
        _difference(a, b, x, height, uncertainty, tracks[a], tracks[b], tolerance_m)
        for a, b in itertools.combinations(names, 2)
    )


def _difference(a, b, x, height, uncertainty, rows_a, rows_b, tolerance_m) -> BeamDifference:
    nan = float("nan")
    if rows_a.size == 0 or rows_b.size == 0:
        return BeamDifference(beam_a=a, beam_b=b, n=0, mean=nan, sd=nan, median=nan, expected_sd=nan, chi2=nan)
    upper = np.clip(np.searchsorted(x[rows_b], x[rows_a]), 0, rows_b.size - 1)
    lower = np.maximum(upper - 1, 0)
    closer = np.abs(x[rows_a] - x[rows_b[lower]]) <= np.abs(x[rows_b[upper]] - x[rows_a])
    partner = rows_b[np.where(closer, lower, upper)]
    near = np.abs(x[rows_a] - x[partner]) <= tolerance_m
    if not near.any():
        return BeamDifference(beam_a=a, beam_b=b, n=0, mean=nan, sd=nan, median=nan, expected_sd=nan, chi2=nan)
    d = height[rows_a[near]] - height[partner[near]]
    variance = uncertainty[rows_a[near]] ** 2 + uncertainty[partner[near]] ** 2
    stated = np.isfinite(variance) & (variance > 0)
    return BeamDifference(
        beam_a=a,
        beam_b=b,
        n=int(d.size),
        mean=float(d.mean()),
        sd=float(d.std(ddof=1)) if d.size > 1 else nan,
        median=float(order.median(d)),
        expected_sd=float(np.sqrt(variance[stated].mean())) if stated.any() else nan,
        chi2=float((d[stated] ** 2 / variance[stated]).mean()) if stated.any() else nan,
    )
