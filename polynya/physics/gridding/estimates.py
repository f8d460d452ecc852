"""Means over cells and periods, with random and correlated errors kept apart.

For a mean over n segments of the passes t = 1 ... T, each segment with weight 1/n,

random
    √(Σ σ_i²) / n: what each segment has for itself.
track
    √(Σ_t [ (Σ_{i in t} σ_v,i)² + (n_t σ_c)² ]) / n: the sea surface σ_v and the corrections σ_c. All sections and all
    beams of a pass are taken as fully correlated, so that a pass counts once; passes are independent.
common
    Σ σ_m,i / n: of one cause for all passes (thin ice on all leads, the first-photon bias); means do not reduce it.

σ_c of freeboard is the error of a correction that changes between the ice and its leads: two places inside a section
of D = 10 km, σ_c² = Σ_c 2 σ_c² (1 − κ(D / L_c)), of :mod:`polynya.physics.averages` with one lead per section. A
sea surface height has all of tide and atmosphere (per pass) and of the mean sea surface (common) in it.

Shares of classes, roughness and chords have no error model of their segments. Their random part is what passes or
windows differ by. A share p lies in 0 ... 1, so a pass cannot vary by more than p (1 − p): one pass more with this
variance is added to those that are there, and with one pass it is all there is,

    s² = [ Σ_t (n_t T / n) (p_t − p)² + p̃ (1 − p̃) ] / T,   p̃ = (p T + ½) / (T + 1),   σ² = s² Σ_t (n_t / n)²

so that a share of 0 in two passes is never certain. Windows, leads and floes of one pass count as one sample:
σ = sd / √T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...schema.gridded import N_FLOE_BINS, N_LEAD_BINS, QUANTUM, SAMPLING_FLAGS
from ..averages import CorrelatedErrors
from ..heights import HeightErrors
from .sums import Sums

FEW_TRACKS, FEW_SEGMENTS = 3, 500
"""Cells with fewer passes or ice segments are flagged."""
HALF_FOOTPRINT_M = 5.5
"""How uncertain the two ends of a chord are together: half of the 11 m that ATLAS sees."""
NOISE_SHARE = 0.2
"""Share to which the noise variance that roughness loses is known."""
FLAGS = {name: bit for bit, name in SAMPLING_FLAGS}


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """Means of m cells and periods.

    Attributes
    ----------
    period, cell : numpy.ndarray of int64, shape (m,)
        Sorted, each pair once.
    values : mapping of str to numpy.ndarray, shape (m,)
        Every name of ``schema.gridded.GRID_VARIABLES``; NaN where there is none. No mean is there without its
        uncertainty.
    lead_count, floe_count : numpy.ndarray of int64, shape (m, bins)
        Chords in each length bin.
    """

    period: np.ndarray
    cell: np.ndarray
    values: Mapping[str, np.ndarray]
    lead_count: np.ndarray
    floe_count: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Groups:
    """Rows of sums by cell, and by cell and pass."""

    sums: Sums
    cell_start: np.ndarray
    pass_start: np.ndarray
    cell_of_pass: np.ndarray

    def total(self, name: str) -> np.ndarray:
        """Return a sum per cell, in counts, int64."""
        return _reduce(self.sums.values[name], self.cell_start)

    def of_passes(self, name: str) -> np.ndarray:
        """Return a sum per cell and pass, in counts, int64."""
        return _reduce(self.sums.values[name], self.pass_start)

    def over_passes(self, values: np.ndarray) -> np.ndarray:
        """Return a sum of something per pass over the passes of each cell, float64, in the order of the passes."""
        return np.bincount(self.cell_of_pass, weights=values, minlength=self.cell_start.size)


def _reduce(counts: np.ndarray, start: np.ndarray) -> np.ndarray:
    return np.add.reduceat(counts, start) if start.size else np.zeros(0, np.int64)


def estimates(sums: Sums, *, errors: CorrelatedErrors | None = None) -> Estimates:
    """Turn merged sums into means with their uncertainties.

    Parameters
    ----------
    sums : Sums
        Of :func:`polynya.physics.gridding.merge`.
    errors : CorrelatedErrors, optional
        Sizes and correlation lengths of the errors of corrections.

    Returns
    -------
    Estimates
    """
    errors = errors or CorrelatedErrors()
    g = _groups(sums)
    values: dict[str, np.ndarray] = {}
    between = _correction_error(errors)
    tide_m = float(np.hypot(errors.tide_m, errors.dac_m))
    static_m = float(np.hypot(errors.mss_m, HeightErrors.tail_m))
    for name, column, per_pass, fixed_m in (
        ("total_freeboard", "freeboard", between, 0.0),
        ("total_freeboard_all", "freeboard_all", between, 0.0),
        ("sea_surface_height", "sea_surface", tide_m, static_m),
    ):
        values |= _of_heights(g, name, column, per_pass_m=per_pass, common_m=fixed_m)
    values |= _spread(g)
    values |= _shares(g)
    values |= _of_windows(g)
    for name in ("lead", "floe"):
        values |= _of_chords(g, name)
    values |= _numbers(g)
    return Estimates(
        period=sums.period[g.cell_start],
        cell=sums.cell[g.cell_start],
        values=values,
        lead_count=_bins(g, "lead", N_LEAD_BINS),
        floe_count=_bins(g, "floe", N_FLOE_BINS),
    )


def _groups(sums: Sums) -> _Groups:
    n = sums.cell.size
    new_cell, new_pass = np.ones(n, bool), np.ones(n, bool)
    if n:
        new_cell[1:] = (np.diff(sums.period) != 0) | (np.diff(sums.cell) != 0)
        new_pass[1:] = new_cell[1:] | (sums.track[1:] != sums.track[:-1])
    pass_start = np.flatnonzero(new_pass)
    return _Groups(
        sums=sums,
        cell_start=np.flatnonzero(new_cell),
        pass_start=pass_start,
        cell_of_pass=(np.cumsum(new_cell) - 1)[pass_start],
    )


def _correction_error(errors: CorrelatedErrors) -> float:
    """Return the error of a freeboard by what corrections change between the ice and a lead of its section, m."""
    variance = 0.0
    for sigma, length in errors.terms():
        ratio = errors.section_length_m / length
        kappa = 2.0 / ratio**2 * (ratio - 1.0 + np.exp(-ratio)) if ratio > 1e-4 else 1.0 - ratio / 3.0
        variance += 2.0 * sigma**2 * (1.0 - kappa)
    return float(np.sqrt(variance))


def _quantities(name: str, parts: Mapping[str, np.ndarray], value: np.ndarray, is_there: np.ndarray) -> dict:
    """Return a mean with all parts of its uncertainty, NaN where it is not there."""
    total = np.sqrt(sum(p**2 for p in parts.values()))
    is_there = is_there & np.isfinite(value) & np.isfinite(total) & (total > 0)
    out = {name: value, f"{name}_uncertainty": total, **{f"{name}_uncertainty_{k}": p for k, p in parts.items()}}
    return {k: np.where(is_there, v, np.nan) for k, v in out.items()}


def _of_heights(g: _Groups, name: str, column: str, *, per_pass_m: float, common_m: float) -> dict:
    n = np.maximum(g.total(f"n_{column}"), 1).astype(np.float64)
    shared = g.of_passes(f"{column}_track") * QUANTUM[f"{column}_track"]
    constant = g.of_passes(f"n_{column}") * per_pass_m
    parts = {
        "random": np.sqrt(g.total(f"{column}_random") * QUANTUM[f"{column}_random"]) / n,
        "track": np.sqrt(g.over_passes(shared**2 + constant**2)) / n,
        "common": np.hypot(g.total(f"{column}_common") * QUANTUM[f"{column}_common"] / n, common_m),
    }
    if column == "sea_surface":
        del parts["random"]
    return _quantities(name, parts, g.total(column) * QUANTUM[column] / n, g.total(f"n_{column}") > 0)


def _spread(g: _Groups) -> dict:
    """Return how far ice segments, and how far the means of passes, scatter."""
    n = g.total("n_freeboard").astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = g.total("freeboard") * QUANTUM["freeboard"] / n
        square = g.total("freeboard_squares") * QUANTUM["freeboard_squares"] / n
        sd = np.sqrt(np.maximum(square - mean**2, 0.0) * n / (n - 1.0))
        per_pass = g.of_passes("n_freeboard")
        of_pass = g.of_passes("freeboard") * QUANTUM["freeboard"] / per_pass
        has = per_pass > 0
        count = g.over_passes(has.astype(np.float64))
        centre = g.over_passes(np.where(has, of_pass, 0.0)) / count
        squares = g.over_passes(np.where(has, (of_pass - centre[g.cell_of_pass]) ** 2, 0.0))
        between = np.sqrt(squares / (count - 1.0))
    return {
        "total_freeboard_sd": np.where(n > 1, sd, np.nan),
        "total_freeboard_between_tracks": np.where(count > 1, between, np.nan),
    }


def _shares(g: _Groups) -> dict:
    names = ("n_thick", "n_thin", "n_water")
    n = sum(g.total(k) for k in names).astype(np.float64)
    n_pass = sum(g.of_passes(k) for k in names).astype(np.float64)
    count = g.over_passes((n_pass > 0).astype(np.float64))
    out: dict[str, np.ndarray] = {}
    for name, column, chance in (
        ("thick_ice_fraction", "n_thick", "p_thick"),
        ("thin_ice_fraction", "n_thin", "p_thin"),
        ("open_water_fraction", "n_water", "p_water"),
        ("lead_fraction", "n_in_lead", "p_water"),
    ):
        own = "n_water" if column == "n_in_lead" else column
        with np.errstate(divide="ignore", invalid="ignore"):
            share = g.total(column) / n
            of_pass = np.where(n_pass > 0, g.of_passes(column) / n_pass, 0.0)
            weight = n_pass / n[g.cell_of_pass]
            scatter = g.over_passes(weight * (of_pass - share[g.cell_of_pass]) ** 2) * count
            guess = (share * count + 0.5) / (count + 1.0)
            variance = (scatter + guess * (1.0 - guess)) / count
            random = np.sqrt(variance * g.over_passes(weight**2))
            classes = np.abs(g.total(own) - g.total(chance) * QUANTUM[chance]) / n
        out |= _quantities(name, {"random": random, "common": classes}, share, n > 0)
    return out


def _of_windows(g: _Groups) -> dict:
    n = g.total("n_windows").astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = g.total("variance") * QUANTUM["variance"] / n
        square = g.total("variance_squares") * QUANTUM["variance_squares"] / n
        sd = np.sqrt(np.maximum(square - variance**2, 0.0) * n / (n - 1.0))
        count = g.over_passes((g.of_passes("n_windows") > 0).astype(np.float64))
        random = sd / np.sqrt(count)
        noise = NOISE_SHARE * g.total("noise") * QUANTUM["noise"] / n
    root = np.sqrt(np.maximum(variance, 0.0))
    # One standard error of the variance, brought to its root on the upper side: a root near zero has one too.
    parts = {k: np.sqrt(root**2 + v) - root for k, v in (("random", random), ("common", noise))}
    return _quantities("roughness", parts, root, n > 1)


def _of_chords(g: _Groups, name: str) -> dict:
    n = g.total(f"n_{name}s").astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = g.total(f"{name}_length") * QUANTUM[f"{name}_length"] / n
        square = g.total(f"{name}_length_squares") * QUANTUM[f"{name}_length_squares"] / n
        sd = np.sqrt(np.maximum(square - mean**2, 0.0) * n / (n - 1.0))
        count = g.over_passes((g.of_passes(f"n_{name}s") > 0).astype(np.float64))
        parts = {"random": sd / np.sqrt(count), "common": np.full(n.size, HALF_FOOTPRINT_M)}
    return _quantities(f"{name}_length", parts, mean, n > 1)


def _count_days(g: _Groups) -> np.ndarray:
    """Return the days with an ice segment that has a freeboard."""
    cell = np.repeat(np.arange(g.cell_start.size), np.diff(np.append(g.cell_start, g.sums.cell.size)))
    has = g.sums.values["n_freeboard"] > 0
    pairs = np.unique(np.column_stack([cell, g.sums.day])[has], axis=0)
    return np.bincount(pairs[:, 0], minlength=g.cell_start.size)


def _numbers(g: _Groups) -> dict:
    n_days = _count_days(g)
    passes = g.over_passes((g.of_passes("n_freeboard") > 0).astype(np.float64)).astype(np.int64)
    n = g.total("n_freeboard")
    classified = g.total("n_thick") + g.total("n_thin") + g.total("n_water")
    left_out, cloud = g.total("n_left_out"), g.total("n_unclassified")
    out = {
        "n_segments": n,
        "n_classified": classified,
        "n_left_out": left_out,
        "n_unclassified": cloud,
        "n_tracks": passes,
        "n_days": n_days,
        "n_sea_surface_filled": g.total("n_filled"),
        **{k: g.total(k) for k in ("n_melt_season", "n_leads_scatter", "n_swell", "n_windows")},
        **{k: g.total(k) for k in ("n_leads", "n_floes", "n_floes_cut")},
    }
    doubtful = g.total("n_leads_scatter") + g.total("n_swell")
    causes = {
        "few_tracks": passes < FEW_TRACKS,
        "one_day": n_days < 2,
        "few_segments": n < FEW_SEGMENTS,
        "mostly_left_out": 2 * (left_out + cloud) > left_out + cloud + classified,
        "mostly_filled": 2 * out["n_sea_surface_filled"] > n,
        "melt_season": 2 * out["n_melt_season"] > n,
        "leads_scatter_or_swell": 2 * doubtful > n,
    }
    out["sampling_flag"] = sum(where * FLAGS[name] for name, where in causes.items())
    return out


def _bins(g: _Groups, name: str, count: int) -> np.ndarray:
    columns = [g.total(f"{name}_bin_{k:02d}") for k in range(count)]
    return np.column_stack(columns) if columns else np.empty((g.cell_start.size, 0), np.int64)
