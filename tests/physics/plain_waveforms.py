"""Features of one echo written plainly, gate by gate, from their definitions: slow, and independent of the kernels."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import find_peaks


def _fall(gates: list[float], values: list[float], level: float) -> float:
    """Where a line through points first falls to a level, from its first point."""
    for (a, x), (b, y) in zip(zip(gates, values, strict=True), list(zip(gates, values, strict=True))[1:], strict=False):
        if y <= level:
            return a + (x - level) / (x - y) * (b - a)
    return math.nan


def _smoothed(gates: list[int], values: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """The echo at tenths of a gate, and the mean of up to eleven of them."""
    place = np.arange(10 * (gates[-1] - gates[0]) + 1) / 10.0 + gates[0]
    fine = np.interp(place, gates, values)
    return place, np.array([fine[max(k - 5, 0) : k + 6].mean() for k in range(fine.size)])


def _edge(gates: list[int], values: list[float], peak: int) -> dict[str, float]:
    """First maximum and widths of the leading edge."""
    last = max(
        k
        for k in range(len(gates))
        if k == peak or gates[k] <= next((g for g in gates[peak:] if g - gates[peak] >= 3), gates[-1])
    )
    place, smooth = _smoothed(gates[: last + 1], values[: last + 1])
    top = None
    for k in range(1, len(smooth) - 1):
        rises, falls = smooth[k] - smooth[k - 1] > 1e-9, smooth[k + 1] - smooth[k] < 1e-9
        if smooth[k] >= 0.15 * values[peak] and rises and falls:
            top = k
            break
    names = ("first_maximum", "leading_edge_width", "leading_edge_width_30_70")
    if top is None:
        return dict.fromkeys(names, math.nan)
    back = [-p for p in place[top::-1]], list(smooth[top::-1])
    at = {share: -_fall(*back, share * smooth[top]) for share in (0.05, 0.3, 0.7, 0.95)}
    return dict(zip(names, (place[top], at[0.95] - at[0.05], at[0.7] - at[0.3]), strict=True))


def features(echo: np.ndarray, *, scale: float = 1.0, agc: float = 0.0, saturation: float | None = None) -> dict:
    """All features of one echo of float64 with NaN at missing gates; NaN everywhere where it has no power."""
    gates = [k for k in range(len(echo)) if not math.isnan(echo[k])]
    w = [float(echo[k]) for k in gates]
    total = math.fsum(w)
    peak = w.index(max(w))
    m, p = w[peak], gates[peak]
    noise_gates = [x for k, x in zip(gates, w, strict=True) if 10 <= k < 20]
    noise = sum(noise_gates) / len(noise_gates) if noise_gates else math.nan
    above = [x for x in w if x > noise]
    squares, fourths = math.fsum(x**2 for x in w), math.fsum(x**4 for x in w)
    after = [(k - p, x) for k, x in zip(gates, w, strict=True) if k > p]
    before = [(p - k, x) for k, x in zip(gates, w, strict=True) if k < p]
    logs = [(d, math.log(x)) for d, x in after if d <= 30 and x > 0]
    late = [x for d, x in after if 50 <= d <= 70]
    mean = total / len(w)
    left, right = sum(x for _, x in before), sum(x for _, x in after)
    falling = [g - p for g in gates[peak:]], w[peak:]
    rising = [p - g for g in gates[peak::-1]], w[peak::-1]
    second = sum((x - mean) ** 2 for x in w) / len(w)
    out = {
        "max_power": m * scale,
        "max_power_db": 10 * math.log10(m * scale) + agc,
        "argmax": p,
        "peakiness_zakharova_128": m * 128 / total,
        "peakiness_cpom": m / (sum(above) / len(above)) if above else math.nan,
        "peakiness_pysiral": m / total * len(w),
        "peakiness_delft_256": m / total * (len(w) / 256),
        "noise": noise * scale,
        "ocog_amplitude": math.sqrt(fourths / squares) * scale,
        "ocog_width": squares**2 / fourths,
        "ocog_position": math.fsum(k * x**2 for k, x in zip(gates, w, strict=True)) / squares,
        "trailing_edge_slope": np.polyfit(*zip(*logs, strict=True), 1)[0] if len(logs) >= 3 else math.nan,
        "trailing_edge_width": _fall(*falling, 0.3 * m) - _fall(*falling, 0.7 * m),
        "late_tail_to_peak": sum(late) / len(late) / m if late else math.nan,
        "left_sum": left / total,
        "right_sum": right / total,
        "left_to_right": left / right if right > 0 else math.nan,
        "peak_share_3": (m + sum(x for d, x in before + after if d <= 3)) / total,
        "peak_share_5": (m + sum(x for d, x in before + after if d <= 5)) / total,
        "tail_from_35": sum(x for d, x in after if d >= 35) / m,
        "tail_from_100": sum(x for d, x in after if d >= 100) / m,
        "width_at_half": _fall(*rising, 0.5 * m) + _fall(*falling, 0.5 * m),
        "n_peaks": len(find_peaks(np.array(w) / m, prominence=0.05, distance=5)[0]),
        "kurtosis": sum((x - mean) ** 4 for x in w) / len(w) / second**2 if second > 0 else math.nan,
        "saturated_gates": math.nan if saturation is None else sum(x >= saturation for x in w),
    }
    return out | _edge(gates, w, peak)
