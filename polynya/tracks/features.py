"""What a track network sees of each 2 m segment: the columns of ``schema.FEATURES``.

No label, no class and no truth enters: the published notebook's third feature, height above the lowest
nearby *open water*, is computed from the labels it is to predict. Here its place is taken by two surrogates
that every track has: height above a running low quantile, and height above the water level that
mirror-like returns suggest before anything is classified (:func:`polynya.physics.surface_type.first_water_level`).
"""

from __future__ import annotations

import numpy as np

from ..physics import surface_type, tracks
from .beam_segments import BeamSegments, evidence

LOW_WINDOW_M, LOW_QUANTILE, LOW_BLOCK_M = 10_000.0, 0.02, 20.0
"""The running low level: this quantile of the medians of 20 m blocks within ± the window."""


def features(beam: BeamSegments, gathered: surface_type.Evidence | None = None) -> dict[str, np.ndarray]:
    """Compute the features of a beam's segments.

    Parameters
    ----------
    beam : BeamSegments
        n segments of 2 m.
    gathered : surface_type.Evidence, optional
        Of :func:`polynya.tracks.beam_segments.evidence`, where it is available.

    Returns
    -------
    dict of str to numpy.ndarray, each of shape (n,)
        The names and units of ``schema.FEATURES``; NaN where a quantity does not exist.
    """
    e = evidence(beam) if gathered is None else gathered
    found, surface, starts = beam.statistics, beam.surface, beam.starts
    low = tracks.block_quantile(
        e.x, e.height, block_m=LOW_BLOCK_M, window_m=LOW_WINDOW_M, inner=0.5, outer=LOW_QUANTILE
    )
    high, background = found.photon_rate_high, found.background_rate
    columns = {
        "height": e.height,
        "height_uncertainty": surface.uncertainty,
        "height_sd": found.sd,
        "mean_minus_median": found.mean - found.median,
        "height_above_low": e.height - low,
        "height_above_water": e.height - e.water_level,
        "n_photons": surface.n_photons,
        "photon_rate": found.photon_rate,
        "photon_rate_high": high,
        "photon_rate_change": _change(high, starts),
        "background_count": found.background_counts,
        "background_rate": background,
        "background_rate_change": _change(background, starts),
        "background_relative": np.where(np.isfinite(e.background), e.background, 1.0),
        "rate_clear": e.rate,
        "transmission": e.transmission,
        "rate_pooled": e.rate_pooled,
        "width_pooled": e.width_pooled,
        "solar_elevation": beam.solar_elevation,
    }
    return {k: np.asarray(v, np.int32 if k == "n_photons" else np.float32) for k, v in columns.items()}


def _change(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Difference to the segment before, 0 for the first of a piece."""
    out = np.diff(values, prepend=values[:1]) if values.size else np.zeros(0)
    out[starts[:-1]] = 0.0
    return out
