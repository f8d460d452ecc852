"""Features of the shape of radar-altimeter echoes, each definition under its own name.

w is an echo on N gates numbered from 0, p the gate of its largest value m. Gates without a value (NaN or the fill
count) are left out of every sum, mean and count; positions stay those of the whole window. An echo without a value
above zero has no features: all are NaN and its flag says so. Ratios need no scale, so stored counts are enough; what
has a unit is multiplied by the echo's scale.

Sources: Zakharova et al. (2015), doi:10.1080/01490419.2015.1019655 (maximum power, peakiness of AltiKa); Laxon et al.
(2013), doi:10.1002/grl.50193, and the public CPOM sea-ice chain (noise, peakiness); Wingham et al. (1986) (offset
centre of gravity); Helm et al. (2014), doi:10.5194/tc-8-1539-2014, and Ricker et al. (2014),
doi:10.5194/tc-8-1607-2014 (first maximum and leading edge); Rinne and Simila (2016), doi:10.5194/tc-10-121-2016 (late
tail); Zygmuntowska et al. (2013), doi:10.5194/tc-7-1315-2013 (width of the trailing edge).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from . import waveform_kernels as kernels
from .peakiness import CPOM, DELFT_256, PYSIRAL, ZAKHAROVA_128, Peakiness

FEATURES = (
    ("max_power", "m times the scale", "units of the echo"),
    ("max_power_db", "10 log10 of max_power, plus the AGC where it is given", "dB"),
    ("argmax", "p, the first where several are equal", "gate"),
    ("peakiness_zakharova_128", "128 m / sum(w), whatever N", "1"),
    ("peakiness_cpom", "m / mean(w where w > noise)", "1"),
    ("peakiness_pysiral", "N m / sum(w), N the gates with a value", "1"),
    ("peakiness_delft_256", "peakiness_pysiral / 256: m / sum(w) times N / 256", "1"),
    ("noise", "mean(w[10:20]) times the scale", "units of the echo"),
    ("ocog_amplitude", "sqrt(sum(w^4) / sum(w^2)) times the scale", "units of the echo"),
    ("ocog_width", "sum(w^2)^2 / sum(w^4)", "gate"),
    ("ocog_position", "sum(k w^2) / sum(w^2)", "gate"),
    ("leading_edge_width", "from 5 to 95 % of the first maximum, echo smoothed", "gate"),
    ("leading_edge_width_30_70", "the same from 30 to 70 %", "gate"),
    ("first_maximum", "place of the first maximum of the smoothed echo", "gate"),
    ("trailing_edge_slope", "slope of ln w over the 30 gates after p", "1/gate"),
    ("trailing_edge_width", "from 70 to 30 % of m, after p", "gate"),
    ("late_tail_to_peak", "mean(w[p+50:p+71]) / m", "1"),
    ("left_sum", "sum(w before p) / sum(w)", "1"),
    ("right_sum", "sum(w after p) / sum(w)", "1"),
    ("left_to_right", "sum(w before p) / sum(w after p)", "1"),
    ("peak_share_3", "sum(w[p-3:p+4]) / sum(w)", "1"),
    ("peak_share_5", "sum(w[p-5:p+6]) / sum(w)", "1"),
    ("tail_from_35", "sum(w from p+35 on) / m", "1"),
    ("tail_from_100", "sum(w from p+100 on) / m", "1"),
    ("width_at_half", "around p, between the first places where w falls to m / 2", "gate"),
    ("n_peaks", "maxima of prominence 0.05 m and more, at least 5 gates apart", "1"),
    ("kurtosis", "m4 / m2^2 of the values of w about their mean", "1"),
    ("saturated_gates", "gates at or above the saturation count; NaN where it is not given", "1"),
)
"""Name, definition and unit of every feature, in the order of the columns."""
NAMES = tuple(name for name, _, _ in FEATURES)
PLACES = {name: k for k, name in enumerate(NAMES)}
BY_DEFINITION = {
    ZAKHAROVA_128: "peakiness_zakharova_128",
    CPOM: "peakiness_cpom",
    PYSIRAL: "peakiness_pysiral",
    DELFT_256: "peakiness_delft_256",
}
NO_POWER, MASKED_GATES, NEGATIVE_GATES, NO_NOISE, NO_LEADING_EDGE, SATURATED = 1, 2, 4, 8, 16, 32
FLAGS = (
    (NO_POWER, "no_value_above_zero"),
    (MASKED_GATES, "gates_without_a_value"),
    (NEGATIVE_GATES, "values_below_zero"),
    (NO_NOISE, "no_gates_for_the_noise_or_none_above_it"),
    (NO_LEADING_EDGE, "leading_edge_not_in_the_window"),
    (SATURATED, "saturated"),
)
"""Bits of ``Features.flag``; 0 is best."""
MOST_GATES = 8192
CHUNK = 2048
"""Echoes that are worked on at once: what they need stays in the processor's cache."""
ROUNDING = 1e-12
_SUMS = (
    "max_power",
    "argmax",
    "peakiness_zakharova_128",
    "peakiness_cpom",
    "peakiness_pysiral",
    "noise",
    "ocog_amplitude",
    "ocog_width",
    "ocog_position",
    "late_tail_to_peak",
    "left_sum",
    "peak_share_3",
    "peak_share_5",
    "tail_from_35",
    "tail_from_100",
    "kurtosis",
)
"""Columns that the kernel of sums fills."""
_FALLS, _STEPS = np.array([0.5, 0.5, 0.7, 0.3]), np.array([-1, 1, 1, 1])
"""Shares of the largest value at which widths are taken, and the direction from there."""
_EDGES = np.array([0.05, 0.3, 0.7, 0.95])
"""Shares of the first maximum on the leading edge."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of n echoes.

    Attributes
    ----------
    values : numpy.ndarray of float64, shape (n, len(NAMES))
        Columns as :data:`NAMES`; NaN where a feature is not defined.
    flag : numpy.ndarray of uint8, shape (n,)
        Bits of :data:`FLAGS`.
    """

    values: np.ndarray
    flag: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in PLACES:
            raise UsageError(f"feature {name}: there is none; expected one of {', '.join(NAMES)}. Name one of these.")
        return self.values[:, PLACES[name]]

    def peakiness(self, definition: str) -> Peakiness:
        """Return the peakiness of a definition of :data:`polynya.physics.peakiness.DEFINITIONS`.

        Raises
        ------
        UsageError
            If it is none that is computed here.
        """
        if definition not in BY_DEFINITION:
            raise UsageError(
                f"peakiness {definition}: is not computed from echoes; expected one of {', '.join(BY_DEFINITION)}."
                " A product's own peakiness comes with the product."
            )
        return Peakiness(definition=definition, values=self[BY_DEFINITION[definition]])


def features(
    waveform: np.ndarray,
    *,
    scale: np.ndarray | float = 1.0,
    agc: np.ndarray | float = 0.0,
    fill: int | None = None,
    saturation: float | None = None,
) -> Features:
    """Compute all features of echoes.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, gates)
        Stored counts (uint16, uint32) or powers (float32, float64); other types are converted. NaN is no value.
    scale : numpy.ndarray, shape (n,), or float
        What one count stands for.
    agc : numpy.ndarray, shape (n,), or float
        Automatic gain control, dB, added to ``max_power_db``; 0 for echoes that are in watts.
    fill : int, optional
        Count that means "no value".
    saturation : float, optional
        Count at which the receiver clips.

    Returns
    -------
    Features

    Raises
    ------
    UsageError
        If the echoes are not of two dimensions with 2 to 8192 gates, or scale or AGC have another length.
    """
    counts = _usable(waveform)
    n = len(counts)
    scales, gains = (np.broadcast_to(np.asarray(v, np.float64), (n,)) for v in _fitting(n, scale, agc))
    values, flag = np.full((len(NAMES), n), np.nan).T, np.zeros(n, np.uint8)
    every_gate = np.tile(np.arange(counts.shape[1]), (min(n, CHUNK), 1))
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        stored = counts[rows]
        power = stored.astype(np.float64)
        if fill is not None:
            power[stored == fill] = np.nan
        _fill(power, every_gate, values[rows], flag[rows])
        if saturation is not None:
            _saturated(power, saturation, values[rows], flag[rows])
    for name in ("max_power", "noise", "ocog_amplitude"):
        values[:, PLACES[name]] *= scales
    with np.errstate(divide="ignore", invalid="ignore"):
        values[:, PLACES["max_power_db"]] = 10.0 * np.log10(values[:, PLACES["max_power"]]) + gains
    return Features(values=values, flag=flag)


def _fill(power: np.ndarray, every_gate: np.ndarray, out: np.ndarray, flag: np.ndarray) -> None:
    """Fill in the features of a chunk of echoes, in counts."""
    n, gates = power.shape
    size, peak = np.full(n, gates), np.argmax(power, axis=1)
    total = power.sum(axis=1)
    if np.isnan(total).any():
        v, g = np.empty((n, gates)), np.empty((n, gates), np.int64)
        kernels.compact(power, v, g, size, peak, flag)
    else:
        v, g = power, every_gate[:n]
        peak[~(total > 0.0)] = -1
        flag[:] = np.where(peak < 0, NO_POWER, 0) | np.where((power < 0.0).any(axis=1), NEGATIVE_GATES, 0)
    sums, slopes, counted = np.full((n, len(_SUMS)), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    falls, edges = np.full((n, _FALLS.size), np.nan), np.full((n, 1 + _EDGES.size), np.nan)
    kernels.sums(v, g, size, peak, sums)
    kernels.slopes(v, g, size, peak, slopes)
    kernels.crossings(v, g, size, peak, _FALLS, _STEPS, falls)
    kernels.leading_edges(v, g, size, peak, _EDGES, np.empty((2, 10 * gates + 1)), edges)
    kernels.peaks(
        v, size, peak, np.fmin.reduce(power, axis=1), np.empty(gates, np.int64), np.empty(gates, np.int64), counted
    )
    found = {name: sums[:, k] for k, name in enumerate(_SUMS)}
    found["peakiness_delft_256"] = found["peakiness_pysiral"] / 256.0
    found["right_sum"] = 1.0 - found["left_sum"] - found["peakiness_zakharova_128"] / 128.0
    with np.errstate(divide="ignore", invalid="ignore"):
        right = np.where(found["right_sum"] > ROUNDING, found["right_sum"], np.nan)
    found["left_to_right"] = found["left_sum"] / right
    found["trailing_edge_slope"], found["n_peaks"] = slopes, counted
    found["width_at_half"] = falls[:, 1] - falls[:, 0]
    found["trailing_edge_width"] = falls[:, 3] - falls[:, 2]
    found["first_maximum"] = edges[:, 0]
    found["leading_edge_width"] = edges[:, 4] - edges[:, 1]
    found["leading_edge_width_30_70"] = edges[:, 3] - edges[:, 2]
    for name, column in found.items():
        out[:, PLACES[name]] = column
    has_power = peak >= 0
    flag[has_power & np.isnan(found["peakiness_cpom"])] |= NO_NOISE
    flag[has_power & np.isnan(found["leading_edge_width"])] |= NO_LEADING_EDGE


def _saturated(power: np.ndarray, saturation: float, out: np.ndarray, flag: np.ndarray) -> None:
    count = (power >= saturation).sum(axis=1)
    out[:, PLACES["saturated_gates"]] = np.where(flag & NO_POWER, np.nan, count)
    flag[count > 0] |= SATURATED


def _usable(waveform: np.ndarray) -> np.ndarray:
    found = np.asarray(waveform)
    if found.ndim != 2 or not 2 <= found.shape[1] <= MOST_GATES or found.dtype.kind not in "iuf":
        raise UsageError(
            f"echoes of the shape {found.shape} and type {found.dtype}; expected (n, gates) with 2 to {MOST_GATES}"
            " gates of numbers. Give one row per echo."
        )
    return found


def _fitting(n: int, *columns: np.ndarray | float) -> tuple[np.ndarray | float, ...]:
    for values in columns:
        if np.ndim(values) and np.shape(values) != (n,):
            raise UsageError(f"scale or AGC of the shape {np.shape(values)} for {n} echoes; expected one per echo.")
    return columns


def cropped(waveform: np.ndarray, *, gates: int = 128, peak_gate: int = 50) -> np.ndarray:
    """Cut a window around the largest gate of each echo, as CPOM's chain does with SARIn echoes.

    Parameters
    ----------
    waveform : numpy.ndarray, shape (n, N)
        Echoes.
    gates, peak_gate : int
        Gates of the window, and the place of the largest one in it.

    Returns
    -------
    numpy.ndarray of float64, shape (n, gates)
        NaN where the window leaves the echo.
    """
    found = np.asarray(waveform, np.float64)
    peak = np.argmax(np.where(np.isnan(found), -np.inf, found), axis=1)
    place = peak[:, None] + np.arange(gates) - peak_gate
    inside = (place >= 0) & (place < found.shape[1])
    return np.where(inside, np.take_along_axis(found, np.clip(place, 0, found.shape[1] - 1), axis=1), np.nan)


@dataclass(frozen=True, kw_only=True)
class StackStatistics:
    """Statistics of the power over the looks of a stack, arrays of shape (n,).

    Attributes
    ----------
    mean, std : numpy.ndarray
        In looks, weighted with the power.
    skewness, kurtosis : numpy.ndarray
        Third and fourth standardised moments; a Gaussian has 0 and 3.
    peakiness : numpy.ndarray
        Largest power over the mean power.
    """

    mean: np.ndarray
    std: np.ndarray
    skewness: np.ndarray
    kurtosis: np.ndarray
    peakiness: np.ndarray


def stack_statistics(power: np.ndarray) -> StackStatistics:
    """Compute statistics of range-integrated power profiles; where a product gives its own, take those.

    Parameters
    ----------
    power : numpy.ndarray, shape (n, looks)
        Power of each look, noise taken off; NaN is left out.

    Returns
    -------
    StackStatistics
        NaN where a profile has no power.
    """
    looks, weight = np.arange(power.shape[1], dtype=np.float64), np.where(np.isfinite(power), power, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = weight.sum(axis=1)
        mean = (weight * looks).sum(axis=1) / total
        apart = looks[None, :] - mean[:, None]
        second, third, fourth = ((weight * apart**k).sum(axis=1) / total for k in (2, 3, 4))
        peak = weight.max(axis=1) * np.isfinite(power).sum(axis=1) / total
        return StackStatistics(
            mean=mean, std=np.sqrt(second), skewness=third / second**1.5, kurtosis=fourth / second**2, peakiness=peak
        )
