"""Geophysical corrections: from ATL03's ellipsoidal height to height above the mean sea surface.

``h_ph`` already has solid-earth, load, pole and ocean-pole tides and the atmosphere removed and is in
the tide-free system. What is left to subtract is the mean sea surface (MSS), the ocean tide, the
long-period equilibrium tide and the dynamic atmosphere correction (DAC, inverted barometer), as
ATL07 does (ATL07/ATL10 ATBD, height corrections). The first-photon bias belongs to segments, not here.

Nothing that is subtracted may step: freeboard is a height above leads kilometres away, and a step between the two
would be freeboard. Where the MSS is missing, the geoid plus the neighbours' MSS - geoid stands in; where a tide is
missing, its neighbours do. Where two sides do not agree the track is cut (``piece``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import gaps

DEM_IS_MSS = 3
MSS_NONE, MSS_DEM, MSS_GRID, MSS_GEOID, MSS_BRIDGED = 0, 1, 2, 3, 4
LOVE_K = 0.3
MSS_REACH_M = 3_000.0
"""Without a geoid the MSS itself is interpolated over this length at most: its shape is not known there."""
LIMITS_M = {"tide_ocean": 15.0, "tide_equilibrium": 0.5, "dac": 2.0}
"""Larger values than these are errors: the highest tides on Earth reach 8 m above and below the mean."""
TERMS = {name: 1 << k for k, name in enumerate(LIMITS_M)}
"""Bit of each correction in ``Corrections.terms_interpolated`` and ``terms_missing``."""


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What is subtracted from ``h_ph``, each of shape (g,) at the 20 m segments, metres.

    Attributes
    ----------
    total : numpy.ndarray
        Sum of everything below that is in use; NaN where there is no MSS and no geoid.
    mean_sea_surface : numpy.ndarray
        Tide-free, above the ellipsoid.
    mss_source : numpy.ndarray of int8
        1 ``dem_h`` where ``dem_flag`` says MSS, 2 the user's grid, 3 the geoid (no MSS anywhere along the beam), 4
        bridged: the geoid plus the neighbours' MSS - geoid, or the MSS between its neighbours; 0 none.
    tide_ocean, tide_equilibrium, dac : numpy.ndarray
        What was subtracted; NaN where switched off, or where no value is there along the whole beam.
    is_interpolated : numpy.ndarray of bool
        True where a correction or the MSS was missing and was bridged over at most ``gaps.REACH_M``.
    terms_interpolated, terms_missing : numpy.ndarray of int8
        Which of ``tide_ocean`` (1), ``tide_equilibrium`` (2) and ``dac`` (4) are switched on and were missing: bridged
        over at most ``gaps.REACH_M``, or missing over more than that. Then they are interpolated between or held at the
        nearest values, and 0 where there is none.
    piece : numpy.ndarray of int64
        Number of the piece of track, not decreasing: nothing may be exchanged between pieces.
    absent : tuple of str
        Corrections that are switched on and have no value along the whole beam.
    """

    total: np.ndarray
    mean_sea_surface: np.ndarray
    mss_source: np.ndarray
    tide_ocean: np.ndarray
    tide_equilibrium: np.ndarray
    dac: np.ndarray
    is_interpolated: np.ndarray
    terms_interpolated: np.ndarray
    terms_missing: np.ndarray
    piece: np.ndarray
    absent: tuple[str, ...]

    @property
    def is_missing(self) -> np.ndarray:
        """Where a correction that is switched on is missing over more than ``gaps.REACH_M``; bool, shape (g,)."""
        return self.terms_missing > 0

    @property
    def is_geoid(self) -> np.ndarray:
        """Where the geoid, as it is or bridged to the MSS around, stands in for the MSS; bool, shape (g,)."""
        return (self.mss_source == MSS_GEOID) | (self.mss_source == MSS_BRIDGED)


@dataclass(frozen=True, kw_only=True)
class _Term:
    """One thing to subtract, arrays of shape (g,): its values, and where they are not the product's."""

    values: np.ndarray
    is_interpolated: np.ndarray
    is_missing: np.ndarray
    is_cut: np.ndarray


def geoid_free_to_mean(latitude: np.ndarray) -> np.ndarray:
    """Return what to add to a tide-free geoid or sea surface to have it mean-tide.

    Parameters
    ----------
    latitude : numpy.ndarray
        Geodetic degrees.

    Returns
    -------
    numpy.ndarray
        Metres: (1 + k)(0.099 - 0.296 sin²φ) with k = 0.3.

    Notes
    -----
    Ekman (1989), Impacts of geodynamic phenomena on systems for height and gravity, Bulletin
    Géodésique 63. It reproduces ``geoid_free2mean`` of a real ATL03 granule at 87.3° N to 1e-4 m.
    """
    return (1 + LOVE_K) * (0.099 - 0.296 * np.sin(np.radians(latitude)) ** 2)


def corrections(
    segments: dict[str, np.ndarray],
    *,
    mss_grid: np.ndarray | None = None,
    mss_is_mean_tide: bool = True,
    use_tide_ocean: bool = True,
    use_tide_equilibrium: bool = True,
    use_dac: bool = True,
) -> Corrections:
    """Combine the corrections of a beam's 20 m segments.

    Parameters
    ----------
    segments : dict of numpy.ndarray, shape (g,)
        ``segment_dist_x``, ``dem_h``, ``dem_flag``, ``geoid``, ``geoid_free2mean``, ``tide_ocean``,
        ``tide_equilibrium``, ``dac``, ``reference_photon_lat`` of ATL03.
    mss_grid : numpy.ndarray, shape (g,), optional
        A user's mean sea surface at the segments, above the WGS 84 ellipsoid; NaN where it has none.
    mss_is_mean_tide : bool
        Whether the MSS, ``dem_h`` or the user's, is in the mean-tide system (altimetric mean sea
        surfaces are); it is then made tide-free with ``geoid_free2mean``, as ATL07 does.
    use_tide_ocean, use_tide_equilibrium, use_dac : bool
        Switches.

    Returns
    -------
    Corrections
    """
    free2mean = segments["geoid_free2mean"].astype(np.float64)
    unknown = ~np.isfinite(free2mean)
    if unknown.any():
        free2mean = np.where(unknown, geoid_free_to_mean(segments["reference_photon_lat"]), free2mean)
    to_free = free2mean if mss_is_mean_tide else np.zeros_like(free2mean)
    x = np.maximum.accumulate(segments["segment_dist_x"].astype(np.float64))
    if mss_grid is not None:
        mss, code = mss_grid.astype(np.float64) - to_free, MSS_GRID
        is_known = np.isfinite(mss)
    else:
        mss, code = segments["dem_h"].astype(np.float64) - to_free, MSS_DEM
        is_known = (segments["dem_flag"] == DEM_IS_MSS) & np.isfinite(mss)
    surface, source = _mean_sea_surface(
        x, mss, is_known=is_known, geoid=segments["geoid"].astype(np.float64), code=code
    )
    terms = {
        name: _term(x, segments[name].astype(np.float64), limit=LIMITS_M[name])
        for name, is_used in (
            ("tide_ocean", use_tide_ocean),
            ("tide_equilibrium", use_tide_equilibrium),
            ("dac", use_dac),
        )
        if is_used
    }
    total = surface.values.copy()
    for term in terms.values():
        total = total + np.where(np.isfinite(term.values), term.values, 0.0)
    everything = (surface, *terms.values())
    nothing = np.full(x.size, np.nan)
    values = {name: terms[name].values if name in terms else nothing for name in LIMITS_M}
    return Corrections(
        total=total,
        mean_sea_surface=surface.values,
        mss_source=source,
        **values,
        is_interpolated=np.any([t.is_interpolated for t in everything], axis=0),
        terms_interpolated=_terms(x.size, {n: t.is_interpolated for n, t in terms.items()}),
        terms_missing=_terms(x.size, {n: t.is_missing for n, t in terms.items()}),
        piece=gaps.pieces_between(x, total, is_cut=np.any([t.is_cut for t in everything], axis=0)),
        absent=tuple(name for name, term in terms.items() if x.size and not np.isfinite(term.values).any()),
    )


def _terms(size: int, is_there: dict[str, np.ndarray]) -> np.ndarray:
    """Return a bit of :data:`TERMS` for every correction where it is there; int8, shape (size,)."""
    out = np.zeros(size, np.int8)
    for name, mask in is_there.items():
        out[mask] |= TERMS[name]
    return out


def _mean_sea_surface(
    x: np.ndarray, mss: np.ndarray, *, is_known: np.ndarray, geoid: np.ndarray, code: int
) -> tuple[_Term, np.ndarray]:
    """Return the sea surface without steps, and where it comes from (``mss_source``)."""
    no = np.zeros(x.size, bool)
    if not is_known.any():
        source = np.where(np.isfinite(geoid), MSS_GEOID, MSS_NONE).astype(np.int8)
        return _Term(values=geoid.copy(), is_interpolated=no, is_missing=no, is_cut=no), source
    difference = mss - geoid
    is_known = is_known & ~gaps.is_spike(x, difference, is_known=is_known & np.isfinite(geoid))
    surface = np.where(is_known, mss, np.nan)
    source = np.where(is_known, code, MSS_NONE).astype(np.int8)
    is_interpolated, is_cut = no.copy(), no.copy()
    has_both = is_known & np.isfinite(geoid)
    if has_both.any() and not is_known.all():
        bridged = gaps.bridge(x, difference, is_known=has_both)
        use = ~is_known & np.isfinite(geoid)
        surface[use], source[use] = (geoid + bridged.values)[use], MSS_BRIDGED
        is_far = bridged.length > gaps.REACH_M
        is_interpolated, is_cut = use & ~is_far, use & (bridged.is_steep | (bridged.length > gaps.CUT_M))
        level = gaps.bridge(x, mss, is_known=is_known)
        is_level = use & bridged.is_steep & ~level.is_steep & (level.length <= MSS_REACH_M)
        surface[is_level], is_cut[is_level] = level.values[is_level], False  # the geoid steps, not the MSS
    is_found = np.isfinite(surface)
    if not is_found.all():
        level = gaps.bridge(x, surface, is_known=is_found)
        use = level.is_between & (level.length <= MSS_REACH_M)
        surface[use], source[use] = level.values[use], MSS_BRIDGED
        is_interpolated |= use
    return _Term(values=surface, is_interpolated=is_interpolated, is_missing=no, is_cut=is_cut), source


def _term(x: np.ndarray, values: np.ndarray, *, limit: float) -> _Term:
    """Return a correction with its gaps bridged; errors count as missing."""
    is_known = np.isfinite(values) & (np.abs(values) <= limit)
    is_known &= ~gaps.is_spike(x, values, is_known=is_known)
    count = np.count_nonzero(is_known)
    if count in (0, x.size):
        nothing = np.full(x.size, np.nan)
        no = np.zeros(x.size, bool)
        return _Term(values=values if count else nothing, is_interpolated=no, is_missing=~is_known, is_cut=no)
    bridged = gaps.bridge(x, values, is_known=is_known)
    is_near = (bridged.length <= gaps.REACH_M) & (count > 1)
    return _Term(
        values=bridged.values,
        is_interpolated=~is_known & is_near,
        is_missing=~is_known & ~is_near,
        is_cut=bridged.is_steep,
    )
