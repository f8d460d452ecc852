"""Means of freeboard along the track, with errors that averaging does not remove.

A segment's freeboard is f_i = h_i - r_s(i): its height minus the reference sea surface of its section s.
Both hold the same corrections, so with c(x) the error of a correction at x

    error of f_i  =  e_i  +  c(x_i) - [A c]_s(i)  -  v_s(i)

where e_i is the segment's own noise, v_s the noise of the section's reference, and [A c]_s the correction
error that the reference took up from its leads. For a mean with weights w (1/n over a bin) the variance is
wᵀ C w, and the four parts are independent:

random
    Σ w_i² σ_i²: falls as 1/n.
sea surface
    qᵀ R q with q_s = Σ_{i in s} w_i σ_v,i, because one v_s is shared by all segments of a section. R holds
    the correlation between sections. A smoother that replaces each section by the mean of three neighbours is
    a matrix M, and sections that are longer than their spacing share leads, which correlates them by their
    overlap R0; then R = M R0 Mᵀ scaled to a unit diagonal (the stated σ_v is that of the smoothed value). For
    equal sections end to end the lags 1 and 2 correlate by 2/3 and 1/3.
corrections
    For each correction with standard error σ_c and covariance σ_c² exp(-d / L): the bin's mean of c minus what
    its sections' references took up, u = P - S M B, with P the share of the bin's weight in each cell of
    a grid, S its share in each section, and B the box over a section inside which its leads lie. The variance
    is σ_c² uᵀ K u. The rows of u sum to zero, so an error that is constant over bin and sections cancels, as it
    should: what is left are errors that change between the leads and the ice. Since a section has few leads,
    the reference takes up the error at those points and not the box's mean; with k leads at uniformly random
    places this adds σ_c² (1 - κ) / k to the variance of v_s (before the smoother), κ = 2 (L/D)² (D/L - 1 + e^{-D/L})
    being the mean of exp(-d/L) over a section of length D.

common
    (Σ w_i σ_m,i)²: leads that are all ice for one reason (polynya.physics.water_evidence) move every reference of the
    beam alike.

The exponential kernel costs one pass over the grid (its product with a vector is a forward and a backward
recursion), and a few bins are taken at a time, with the sections and cells about them. Segments only enter
through sums, so three million take tenths of a second. That corrections matter for freeboard only where leads
are sparse was shown with real corrections by Ricker et al. (2016, doi 10.3390/rs8040317); the derivation is ours.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from . import order

GRID_M = 500.0
"""Cell of the grid on which correction errors are represented, m: short against every correlation length."""
TOGETHER_M, CELLS_AT_ONCE = 32_000.0, 64
"""Bins of so much track share a matrix, and the exponential kernel runs over so many cells of the grid at once."""


@dataclass(frozen=True, kw_only=True)
class CorrelatedErrors:
    """Errors that neighbouring segments share, and over which lengths.

    The literature gives ranges, by region and model, not one number; the defaults are choices inside
    those ranges for the pack ice away from coasts and should be replaced where something better is known.

    Attributes
    ----------
    mss_m, mss_length_m : float
        Short-wave residual of the mean sea surface: gravity features that the model does not resolve, a few
        centimetres at wavelengths of 10 to 100 km (Skourup et al. 2017, doi 10.1002/2017JC013176, compare
        five Arctic models and find unresolved gravity features the main error of along-track freeboard).
    tide_m, tide_length_m : float
        Ocean tide model: best root-sum-square over constituents below 4 cm in Drake Passage, 5.6 cm in the Ross
        Sea, 18 cm in the Weddell Sea with its ice shelf (Sun et al. 2022, doi 10.3389/feart.2022.757821; for
        all oceans Stammer et al. 2014, doi 10.1002/2014RG000450). Tides change over hundreds of kilometres.
    dac_m, dac_length_m : float
        Dynamic atmosphere correction: a residual of a few centimetres (Carrère and Lyard 2003, doi
        10.1029/2002GL016473), with the size of weather systems.
    section_length_m : float
        Length D of the track over which a section's leads lie.
    section_spacing_m : float
        Distance between section centres where they are not given.
    smoother_sections : int
        Odd number of consecutive sections that the smoother averages; 1 for none.
    leads_per_section : float
        Typical number k of independent lead positions in a section; 1 is the cautious choice.
    is_absorbed : bool
        Whether the reference comes from leads along the same track, so that common errors cancel. False gives
        the error of a height above a fixed mean sea surface.
    """

    mss_m: float = 0.03
    mss_length_m: float = 15_000.0
    tide_m: float = 0.05
    tide_length_m: float = 300_000.0
    dac_m: float = 0.03
    dac_length_m: float = 500_000.0
    section_length_m: float = 10_000.0
    section_spacing_m: float = 10_000.0
    smoother_sections: int = 3
    leads_per_section: float = 1.0
    is_absorbed: bool = True

    def terms(self) -> tuple[tuple[float, float], ...]:
        """Return (standard error, correlation length) of each correction, m."""
        return ((self.mss_m, self.mss_length_m), (self.tide_m, self.tide_length_m), (self.dac_m, self.dac_length_m))


@dataclass(frozen=True, kw_only=True)
class FreeboardMeans:
    """Means over bins of one length along one beam; arrays are (n_bins,), bins without a segment are left out.

    Attributes
    ----------
    length_m : float
        Length of the bins; infinite for the mean of the whole track.
    x : numpy.ndarray
        Mean along-track distance of the bin's segments, m.
    n : numpy.ndarray
        Segments in the bin, int64.
    freeboard : numpy.ndarray
        Mean total freeboard, m.
    uncertainty : numpy.ndarray
        One standard uncertainty of the mean, m: the three parts added in quadrature.
    uncertainty_random, uncertainty_sea_surface, uncertainty_corrections, uncertainty_common : numpy.ndarray
        The parts, m. Only the first falls with the number of segments, and the last falls with nothing.
    """

    length_m: float
    x: np.ndarray
    n: np.ndarray
    freeboard: np.ndarray
    uncertainty: np.ndarray
    uncertainty_random: np.ndarray
    uncertainty_sea_surface: np.ndarray
    uncertainty_corrections: np.ndarray
    uncertainty_common: np.ndarray

    @property
    def uncertainty_correlated(self) -> np.ndarray:
        """Sea surface, corrections and the common part together, m."""
        return np.hypot(np.hypot(self.uncertainty_sea_surface, self.uncertainty_corrections), self.uncertainty_common)


def mean_freeboard(
    x: np.ndarray,
    freeboard: np.ndarray,
    *,
    sigma_random: np.ndarray,
    sigma_sea_surface: np.ndarray,
    sigma_common: np.ndarray | None = None,
    section_x: np.ndarray | None = None,
    lengths_m: tuple[float, ...] = (1_000.0, 10_000.0, 25_000.0, np.inf),
    errors: CorrelatedErrors | None = None,
) -> dict[float, FreeboardMeans]:
    """Average freeboard over bins along one beam, with the correlated errors kept.

    The mean is that of the segments present, each with the same weight; gaps are not filled.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) along-track distance of the segments, m, in any order.
    freeboard : numpy.ndarray
        (n,) total freeboard, m; segments with NaN here or in a sigma are left out.
    sigma_random : numpy.ndarray
        (n,) one standard uncertainty of the segment's height that its neighbours do not share, m.
    sigma_sea_surface : numpy.ndarray
        (n,) one standard uncertainty of the reference sea surface, m.
    sigma_common : numpy.ndarray, optional
        (n,) one standard uncertainty that every segment of the beam shares, m: of the same cause, fully correlated.
    section_x : numpy.ndarray, optional
        (n_sections,) centres of the sea surface sections, m; a segment belongs to the nearest. By default
        sections of ``errors.section_spacing_m`` lie end to end.
    lengths_m : tuple of float
        Bin lengths, m; each a multiple of 500 m, or infinite for one mean over everything. Bin edges are
        multiples of the length.
    errors : CorrelatedErrors, optional
        Correlation lengths and sizes of the errors that segments share.

    Returns
    -------
    dict of float to FreeboardMeans
        By bin length.

    Raises
    ------
    ValueError
        If arrays differ in length or a bin length is not a positive multiple of 500 m.
    """
    errors = errors or CorrelatedErrors()
    shared = np.zeros(np.shape(x)) if sigma_common is None else sigma_common
    x, f, sr, sv, sc = (np.asarray(a, np.float64) for a in (x, freeboard, sigma_random, sigma_sea_surface, shared))
    if not x.shape == f.shape == sr.shape == sv.shape == sc.shape:
        raise ValueError(
            f"mean_freeboard: arrays of shapes {x.shape}, {f.shape}, {sr.shape}, {sv.shape}, {sc.shape}; expected one"
            " shape."
        )
    for length in lengths_m:
        if not length > 0 or (np.isfinite(length) and length % GRID_M):
            raise ValueError(
                f"mean_freeboard: bin length {length} m; expected a multiple of {GRID_M:g} m, or infinity."
            )
    good = np.isfinite(f + sr + sv + sc + x)
    if not good.all():
        x, f, sr, sv, sc = x[good], f[good], sr[good], sv[good], sc[good]
    if x.size == 0:
        empty = np.zeros(0)
        return {
            b: FreeboardMeans(
                length_m=b,
                x=empty,
                n=np.zeros(0, np.int64),
                freeboard=empty,
                uncertainty=empty,
                uncertainty_random=empty,
                uncertainty_sea_surface=empty,
                uncertainty_corrections=empty,
                uncertainty_common=empty,
            )
            for b in lengths_m
        }
    if np.any(np.diff(x) < 0):
        order = np.argsort(x, kind="stable")
        x, f, sr, sv, sc = x[order], f[order], sr[order], sv[order], sc[order]
    pieces = _pieces(x, f, sr, sv, sc, section_x=section_x, errors=errors)
    sections = _sections(pieces.section_x, errors)
    return {length: _means(pieces, length, errors, sections) for length in lengths_m}


@dataclass(frozen=True, kw_only=True)
class _Pieces:
    """Sums over stretches of track that lie in one grid cell and one section."""

    cell: np.ndarray  # grid cell number counted from origin_cell
    section: np.ndarray
    n: np.ndarray
    x: np.ndarray
    f: np.ndarray
    variance: np.ndarray  # sum of sigma_random squared
    sv: np.ndarray  # sum of sigma_sea_surface
    sc: np.ndarray  # sum of sigma_common
    origin_cell: int
    section_x: np.ndarray


def _pieces(x, f, sr, sv, sc, *, section_x, errors) -> _Pieces:
    spacing = errors.section_spacing_m
    if section_x is None:
        centres = (np.arange(np.floor(x[0] / spacing), np.floor(x[-1] / spacing) + 1) + 0.5) * spacing
    else:
        centres = order.distinct(np.asarray(section_x, np.float64)[np.isfinite(section_x)])
        if centres.size == 0:
            centres = np.array([0.5 * (x[0] + x[-1])])
    middle = 0.5 * (centres[1:] + centres[:-1])
    middle = middle[(middle > x[0]) & (middle < x[-1])]
    grid = np.arange(np.floor(x[0] / GRID_M), np.floor(x[-1] / GRID_M) + 2) * GRID_M
    start = order.distinct(np.searchsorted(x, np.sort(np.concatenate([grid, middle])), side="left"))
    start = start[start < x.size]
    if start.size == 0 or start[0] != 0:
        start = np.concatenate([[0], start])
    first = x[start]
    section = np.searchsorted(0.5 * (centres[1:] + centres[:-1]), first, side="right")
    cell = np.floor(first / GRID_M).astype(np.int64)
    x_sum, f_sum, variance, sv_sum, sc_sum = (np.add.reduceat(a, start) for a in (x, f, sr * sr, sv, sc))
    return _Pieces(
        cell=cell - cell[0],
        section=section,
        n=np.diff(np.append(start, x.size)),
        x=x_sum,
        f=f_sum,
        variance=variance,
        sv=sv_sum,
        sc=sc_sum,
        origin_cell=int(cell[0]),
        section_x=centres,
    )


@dataclass(frozen=True, kw_only=True)
class _Sections:
    """How the errors of sections belong together, arrays of shape (sections, sections)."""

    smoother: np.ndarray  # M
    shape: np.ndarray  # covariance shape M R0 Mᵀ of unit section noise
    correlation: np.ndarray


def _sections(centres: np.ndarray, errors: CorrelatedErrors) -> _Sections:
    half = errors.smoother_sections // 2
    inner = np.arange(half, centres.size - half)  # an entry without all its neighbours stays as it is

    def smoothed(rows: np.ndarray) -> np.ndarray:
        out = rows.copy()
        out[inner] = sum(rows[inner + k] for k in range(-half, half + 1)) / (2 * half + 1)
        return out

    overlap = np.maximum(1.0 - np.abs(np.subtract.outer(centres, centres)) / errors.section_length_m, 0.0)
    smoother, shape = smoothed(np.eye(centres.size)), smoothed(smoothed(overlap).T)
    scale = 1.0 / np.sqrt(np.diagonal(shape))
    return _Sections(smoother=smoother, shape=shape, correlation=scale[:, None] * shape * scale)


def _kappa(ratio: float) -> float:
    """Mean of exp(-d / L) over pairs of points of a box D long; ratio = D / L."""
    if ratio < 1e-4:
        return 1.0 - ratio / 3.0
    return 2.0 * (ratio - 1.0 + np.exp(-ratio)) / ratio**2


def _means(pieces: _Pieces, length: float, errors: CorrelatedErrors, sections: _Sections) -> FreeboardMeans:
    if np.isfinite(length):
        per_bin = round(length / GRID_M)
        number = (pieces.cell + pieces.origin_cell) // per_bin
        row = np.cumsum(np.diff(number, prepend=number[0]) != 0)
    else:
        row = np.zeros(pieces.cell.size, np.int64)
    count = int(row.max()) + 1

    def total(a: np.ndarray) -> np.ndarray:
        return np.bincount(row, weights=a, minlength=count)

    n = total(pieces.n)
    random = np.sqrt(total(pieces.variance)) / n
    sea_surface, corrections = np.empty(count), np.empty(count)
    cuts = [0, *(np.flatnonzero(np.diff(row // max(int(TOGETHER_M // length), 1))) + 1), row.size]
    for a, b in pairwise(cuts):
        bins = slice(row[a], row[b - 1] + 1)
        sea_surface[bins], corrections[bins] = _of_bins(
            pieces, slice(a, b), row[a:b] - row[a], n[row[a:b]], sections=sections, errors=errors
        )
    common = total(pieces.sc) / n
    whole = np.sqrt(random**2 + sea_surface + corrections + common**2)
    return FreeboardMeans(
        length_m=float(length),
        x=total(pieces.x) / n,
        n=n.astype(np.int64),
        freeboard=total(pieces.f) / n,
        uncertainty=whole,
        uncertainty_random=random,
        uncertainty_sea_surface=np.sqrt(sea_surface),
        uncertainty_corrections=np.sqrt(corrections),
        uncertainty_common=common,
    )


def _quadratic(rows: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return r C rᵀ for every row r."""
    return np.maximum(np.einsum("ij,ij->i", rows @ middle, rows), 0.0)


def _table(row: np.ndarray, column: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return a matrix of sums of values by row and column."""
    return np.bincount(row * shape[1] + column, weights=values, minlength=shape[0] * shape[1]).reshape(shape)


def _of_bins(
    pieces: _Pieces, part: slice, row: np.ndarray, n: np.ndarray, *, sections: _Sections, errors: CorrelatedErrors
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances of some bins' means from the errors of the sea surface and of the corrections, m².

    Parameters
    ----------
    pieces : _Pieces
        Of the whole track.
    part : slice
        Of the pieces that make the bins.
    row, n : numpy.ndarray
        Of each of these pieces its bin, counted from 0, and the bin's segments.
    sections : _Sections
        Of the whole track.
    errors : CorrelatedErrors
        Correlation lengths and sizes of the errors.
    """
    reach = errors.smoother_sections // 2
    first = max(int(pieces.section[part].min()) - reach, 0)
    used = slice(first, int(pieces.section[part].max()) + reach + 1)
    centres = pieces.section_x[used]
    shape = (int(row[-1]) + 1, centres.size)
    section = pieces.section[part] - first
    q = _table(row, section, pieces.sv[part] / n, shape)
    share = _table(row, section, pieces.n[part] / n, shape)
    # Cells are counted from an origin that leaves room for the boxes of the first and last sections in use.
    depth = errors.section_length_m
    cell = pieces.cell[part] + pieces.origin_cell
    lowest = min(int(cell[0]), int(np.floor((centres[0] - 0.5 * depth) / GRID_M)))
    highest = max(int(cell[-1]), int(np.ceil((centres[-1] + 0.5 * depth) / GRID_M)))
    u = _table(row, cell - lowest, pieces.n[part] / n, (shape[0], highest - lowest + 1))
    sampling: np.ndarray | float = 0.0
    if errors.is_absorbed:
        u -= share @ sections.smoother[used, used] @ _boxes(centres, depth, lowest, u.shape[1])
        sampling = _quadratic(share, sections.shape[used, used])
    corrections = np.zeros(shape[0])
    for sigma, correlation_m in errors.terms():
        if sigma <= 0:
            continue
        corrections += sigma**2 * _exponential(u, correlation_m)
        lost = (1.0 - _kappa(depth / correlation_m)) / max(errors.leads_per_section, 1e-9)
        corrections += sigma**2 * lost * sampling
    return _quadratic(q, sections.correlation[used, used]), corrections


def _boxes(centres: np.ndarray, depth: float, lowest: int, width: int) -> np.ndarray:
    """Return the box of each section over the grid cells, rows of sum one, shape (sections, width)."""
    cells = max(1, round(depth / GRID_M))
    first = np.rint(centres / GRID_M - 0.5 * cells).astype(np.int64) - lowest
    columns = np.clip(first[:, None] + np.arange(cells), 0, width - 1).ravel()
    rows = np.repeat(np.arange(centres.size), cells)
    return _table(rows, columns, np.full(rows.size, 1.0 / cells), (centres.size, width))


@functools.cache
def _decay(length_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return exp(-d / L) for 0 and more cells, and as an upper triangle from cell to cell."""
    decay = float(np.exp(-GRID_M / length_m)) if length_m > 0 else 0.0
    step = np.arange(CELLS_AT_ONCE)
    powers = decay ** np.arange(CELLS_AT_ONCE + 1)
    return powers, np.triu(powers[np.abs(np.subtract.outer(step, step))])


def _exponential(u: np.ndarray, length_m: float) -> np.ndarray:
    """Return u K uᵀ for every row of u, K = exp(-d / L) between grid cells.

    The product with a row is y[i] = u[i] + decay * y[i - 1] forward, and the same backward; some cells at a time it is
    a small matrix.
    """
    powers, within = _decay(length_m)
    forward, last = np.empty_like(u), np.zeros((u.shape[0], 1))
    for a in range(0, u.shape[1], CELLS_AT_ONCE):
        some = u[:, a : a + CELLS_AT_ONCE]
        size = some.shape[1]
        forward[:, a : a + size] = some @ within[:size, :size] + last * powers[1 : size + 1]
        last = forward[:, a + size - 1 : a + size]
    return np.maximum(np.einsum("ij,ij->i", u, 2.0 * forward - u), 0.0)
