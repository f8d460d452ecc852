"""Time the features of echoes on one core, beside plain numpy and scipy, on echoes drawn at random.

    python benchmarks/bench_waveforms.py [--echoes 40000] [--gates 128] [--repeat 3] [--json]

Echoes are Brown-like with speckle of 96 looks, with a specular peak in one of ten. The time is that of the processor,
one thread. The plain version computes all features but the width of the leading edge with whole arrays of numpy, peaks
one echo at a time with scipy; it is timed on a tenth of the echoes.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from scipy.signal import find_peaks

from polynya.physics.waveform_features import features


def draw(n: int, gates: int) -> np.ndarray:
    """Return counts, uint16, shape (n, gates)."""
    rng = np.random.default_rng(0)
    k, edge = np.arange(gates)[None, :], rng.uniform(0.3, 0.45, (n, 1)) * gates
    mean = np.exp(-0.0345 * np.maximum(k - edge, 0.0)) / (1.0 + np.exp(-(k - edge)))
    mean += (rng.random((n, 1)) < 0.1) * 10.0 * np.exp(-0.5 * (k - edge) ** 2)
    return np.clip(np.round(450.0 * (mean + 0.01) * rng.gamma(96.0, 1 / 96.0, (n, gates))), 0, 1023).astype(np.uint16)


def plain(counts: np.ndarray) -> None:
    """Compute the same features with numpy and scipy."""
    w, k = counts.astype(np.float64), np.arange(counts.shape[1])[None, :]
    total, peak, top = w.sum(axis=1), w.argmax(axis=1), w.max(axis=1)
    away = k - peak[:, None]
    noise = w[:, 10:20].mean(axis=1)
    with np.errstate(all="ignore"):
        _ = 128.0 * top / total, w.shape[1] * top / total, top / np.nanmean(np.where(w > noise[:, None], w, np.nan), 1)
        squares, fourths = (w**2).sum(axis=1), (w**4).sum(axis=1)
        _ = np.sqrt(fourths / squares), squares**2 / fourths, (k * w**2).sum(axis=1) / squares
        for inside in (away < 0, away > 0, abs(away) <= 3, abs(away) <= 5, away >= 35, away >= 100):
            _ = np.where(inside, w, 0.0).sum(axis=1) / total
        _ = np.nanmean(np.where((away >= 50) & (away <= 70), w, np.nan), axis=1) / top
        apart = w - w.mean(axis=1, keepdims=True)
        _ = (apart**4).mean(axis=1) / (apart**2).mean(axis=1) ** 2, (w >= 1023).sum(axis=1)
        tail = (away > 0) & (away <= 30) & (w > 0)
        x, y = np.where(tail, away, np.nan), np.where(tail, np.log(w), np.nan)
        x = x - np.nanmean(x, axis=1, keepdims=True)
        _ = np.nansum(x * y, axis=1) / np.nansum(x * x, axis=1)
        for share in (0.3, 0.5, 0.7):
            _ = ((w < share * top[:, None]) & (away > 0)).argmax(axis=1)
    for echo, m in zip(w, top, strict=True):
        find_peaks(echo, prominence=0.05 * m, distance=5)


def seconds(function: object, counts: np.ndarray, repeat: int) -> float:
    """Return the shortest processor time of some runs."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function(counts)  # type: ignore[operator]
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--echoes", type=int, default=40_000)
    parser.add_argument("--gates", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    counts = draw(given.echoes, given.gates)
    features(counts[:2])  # compiles
    rate = given.echoes / seconds(lambda c: features(c, saturation=1023), counts, given.repeat)
    few = counts[: max(given.echoes // 10, 1)]
    slow = len(few) / seconds(plain, few, 1)
    found = {
        "echoes": given.echoes,
        "gates": given.gates,
        "echoes_per_s": rate,
        "plain_per_s": slow,
        "ratio": rate / slow,
    }
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"{rate:,.0f} echoes/s of {given.gates} gates; plain numpy {slow:,.0f}: {rate / slow:.0f} times as fast")


if __name__ == "__main__":
    main()
