"""Scores of maps of sea-ice concentration, gathered scene by scene; intervals by drawing scenes."""

from __future__ import annotations

import numpy as np
from affine import Affine
from concentration_scenes import CELL_M, Radar
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation, binary_erosion

from polynya.evaluate.concentration import edges, scores
from polynya.predict.halo import Uncertain
from polynya.scenes import ice_edge
from polynya.sensors.radar_ice import SWATH_BORDERS
from polynya.workflows.concentration import products

SIDE = 12
"""Cells of 400 m along a square of about 5 km."""
ICE, MARGINAL = 0.15, (0.15, 0.80)
DRAWS = 500
SIGMA_BINS = np.geomspace(1e-4, 1.0, 401)
N_BINS = 8


class Tally:
    """Sums of one method over scenes."""

    def __init__(self) -> None:
        self.cells: list[np.ndarray] = []
        self.first_swath: list[np.ndarray] = []
        self.coarse: list[np.ndarray] = []
        self.distances: list[np.ndarray] = []
        self.held: dict[int, np.ndarray] = {}
        self.held_marginal: dict[int, np.ndarray] = {}
        self.held_of_scenes: dict[int, list[float]] = {}
        self.ranges: dict[str, list[bool]] = {name: [] for name in ice_edge.ZONES}
        self.edge_cells = np.zeros(2, np.int64)
        self.left_out = np.zeros(2, np.int64)
        self.edges = np.zeros(2, np.int64)
        self.by_sigma = np.zeros((SIGMA_BINS.size + 1, 3))

    def add(self, scene: Radar, value: np.ndarray, more: Uncertain | None, *, good: np.ndarray) -> None:
        """Take a scene.

        Parameters
        ----------
        scene : Radar
            With its truth.
        value : numpy.ndarray, shape (h, w)
            Concentration by the method.
        more : Uncertain or None
            Its uncertainty.
        good : numpy.ndarray of bool, shape (h, w)
            Cells that are scored.
        """
        self.left_out += [int((good & ~np.isfinite(value)).sum()), int(good.sum())]
        good = good & np.isfinite(value)
        truth, found = scene.truth[good].astype(np.float64), value[good].astype(np.float64)
        self.cells.append(_sums(truth, found))
        near = scene.incidence[good] < SWATH_BORDERS[0]
        self.first_swath.append(_sums(truth[near], found[near]))
        means = [scores.coarse_means(v, good, cells=SIDE) for v in (scene.truth, value)]
        there = np.isfinite(means[0])
        marginal = (means[0] >= MARGINAL[0]) & (means[0] <= MARGINAL[1])
        ours = means[1] >= ICE
        right = (ours == (means[0] >= ICE)) & there
        self.coarse.append(
            np.concatenate(
                [_sums(means[0][there], means[1][there]), _sums(means[0][marginal], means[1][marginal]), [right.sum()]]
            )
        )
        points = [edges.edge_points(np.where(good, 100.0 * v, np.nan), cell_m=CELL_M) for v in (value, scene.truth)]
        self.edges += [bool(len(points[1])), bool(len(points[1])) and not len(points[0])]
        self.distances.append(np.concatenate(edges.distances_km(*points, cell_m=CELL_M)))
        if more is not None:
            self._uncertainty(scene.truth, value, more, good=good, marginal=marginal)
            self._ranges(scene.truth, value, more, good=good)

    def _ranges(self, truth: np.ndarray, value: np.ndarray, more: Uncertain, *, good: np.ndarray) -> None:
        """Note which zones have their true area within the range, and which cells of the true edge its limits hold."""
        box = GeoBox(truth.shape, Affine(CELL_M, 0, 0, 0, -CELL_M, -2.2e6), "EPSG:3413")
        known, low, high = (np.where(good, v, np.nan) for v in (truth, more.lower[-1], more.upper[-1]))
        levels = {"edge_at": ice_edge.EDGE, "pack_at": ice_edge.PACK}
        found = products.lines(np.where(good, value, np.nan), np.stack([low, high]), box, **levels)
        true = products.lines(known, np.stack([known, known]), box, **levels).ranges
        for name, (least, most) in found.ranges.items():
            self.ranges[name].append(least - 1e-6 <= true[name][0] <= most + 1e-6)
        inner, outer, field = (
            ice_edge.without_small_parts(ice_edge.smooth(v, box)).values >= ice_edge.EDGE for v in (low, high, known)
        )
        rim = field & ~binary_erosion(field | ~good, border_value=1)
        self.edge_cells += [(rim & binary_dilation(outer & ~inner)).sum(), rim.sum()]

    def _uncertainty(
        self, truth: np.ndarray, value: np.ndarray, more: Uncertain, *, good: np.ndarray, marginal: np.ndarray
    ) -> None:
        wide = np.zeros(good.shape, bool)
        spread = np.repeat(np.repeat(marginal, SIDE, axis=0), SIDE, axis=1)
        wide[: spread.shape[0], : spread.shape[1]] = spread
        for k, level in enumerate(more.levels):
            inside = (truth >= more.lower[k]) & (truth <= more.upper[k])
            if good.any():
                self.held_of_scenes.setdefault(round(100 * level), []).append(float(inside[good].mean()))
            for where, chosen in ((self.held, good), (self.held_marginal, good & wide)):
                where.setdefault(round(100 * level), np.zeros(2))
                where[round(100 * level)] += (inside[chosen].sum(), chosen.sum())
        sigma, error = more.spread[good].astype(np.float64), (value - truth)[good].astype(np.float64)
        at = np.searchsorted(SIGMA_BINS, sigma)
        for k, weight in enumerate((None, sigma**2, error**2)):
            self.by_sigma[:, k] += np.bincount(at, weight, SIGMA_BINS.size + 1)

    def result(self) -> dict[str, object]:
        """Return the scores, shares from 0 to 1, distances in km."""
        cells, coarse = np.array(self.cells), np.array(self.coarse)
        draws = np.random.default_rng(1).integers(len(cells), size=(DRAWS, len(cells)))
        drawn = [_scores(cells[d].sum(axis=0))["r2"] for d in draws]
        own, five, marginal = (_scores(s.sum(axis=0)) for s in (cells, coarse[:, :6], coarse[:, 6:12]))
        distances = np.concatenate(self.distances)
        out: dict[str, object] = {
            "scenes": len(cells),
            **own,
            "r2_interval": [float(v) for v in np.percentile(drawn, (2.5, 97.5))],
            "r2_first_sub_swath": _scores(np.sum(self.first_swath, axis=0))["r2"],
            "r2_5_km": five["r2"],
            "rmse_5_km": five["rmse"],
            "rmse_miz_5_km": marginal["rmse"],
            "bias_miz_5_km": marginal["bias"],
            "share_miz_5_km": float(coarse[:, 6].sum() / max(coarse[:, 0].sum(), 1)),
            "ice_or_water_5_km": float(coarse[:, 12].sum() / max(coarse[:, 0].sum(), 1)),
            "edge_km_median": float(np.median(distances)) if distances.size else float("nan"),
            "edge_km_mean": float(distances.mean()) if distances.size else float("nan"),
            "scenes_with_edge": int(self.edges[0]),
            "scenes_with_edge_missed": int(self.edges[1]),
            "share_without_prediction": float(self.left_out[0] / max(self.left_out[1], 1)),
        }
        if self.held:
            out["coverage"] = {k: float(a / max(n, 1)) for k, (a, n) in self.held.items()}
            out["coverage_miz_5_km_cells"] = {k: float(a / max(n, 1)) for k, (a, n) in self.held_marginal.items()}
            out["coverage_of_scenes"] = {
                k: [float(q) for q in np.quantile(v, (0.1, 0.9))] for k, v in self.held_of_scenes.items()
            }
            out["zone_areas_in_range"] = {k: float(np.mean(v)) for k, v in self.ranges.items()}
            out["edge_within_limits"] = float(self.edge_cells[0] / max(self.edge_cells[1], 1))
            out["sigma_bins"] = bins = self._bins()
            ratios = [b["rms_error"] / b["sigma"] for b in bins]
            out["rms_error_over_sigma"] = [min(ratios), max(ratios)]
        return out

    def _bins(self) -> list[dict[str, float]]:
        """Return eight bins of the stated uncertainty with about as many cells each."""
        share = np.cumsum(self.by_sigma[:, 0]) / max(self.by_sigma[:, 0].sum(), 1)
        of = np.minimum((share * N_BINS - 1e-9).astype(int), N_BINS - 1)
        out = []
        for k in range(N_BINS):
            n, sigma, error = self.by_sigma[of == k].sum(axis=0)
            if n:
                out.append({"n": int(n), "sigma": float(np.sqrt(sigma / n)), "rms_error": float(np.sqrt(error / n))})
        return out


def _sums(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return n, the truth's sum and squares, and the errors' sum, squares and absolute values."""
    error = found - truth
    return np.array([truth.size, truth.sum(), (truth**2).sum(), error.sum(), (error**2).sum(), np.abs(error).sum()])


def _scores(s: np.ndarray) -> dict[str, float]:
    n = max(s[0], 1.0)
    variance = s[2] - s[1] ** 2 / n
    return {
        "n": int(s[0]),
        "r2": float(1.0 - s[4] / variance) if variance > 0 else float("nan"),
        "rmse": float(np.sqrt(s[4] / n)),
        "mae": float(s[5] / n),
        "bias": float(s[3] / n),
    }
