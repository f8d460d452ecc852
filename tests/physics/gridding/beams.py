"""Beams made of numbers that one knows."""

from __future__ import annotations

import dataclasses

import numpy as np

from polynya.physics import gridding
from polynya.schema import THICK_ICE

NO_LEADS = gridding.BeamLeads(x=np.empty(0), length=np.empty(0))


def beam(n: int = 1000, **changed) -> gridding.BeamSegments:
    """n segments of 2 m in one cell: thick ice of 0.3 m freeboard, on one day, all errors given."""
    full = np.full
    probability = np.zeros((n, 3))
    probability[:, 0] = 1.0
    values = {
        "cell": full(n, 7),
        "period": full(n, 18262),
        "day": full(n, 18265),
        "x": 1e6 + 2.0 * np.arange(n) + 1.0,
        "length_m": 2.0,
        "surface_class": full(n, THICK_ICE),
        "quality_flag": np.zeros(n, np.int16),
        "probability": probability,
        "height": full(n, 0.35),
        "height_uncertainty": full(n, 0.05),
        "first_photon_bias": np.zeros(n),
        "freeboard": full(n, 0.3),
        "sea_surface": full(n, 0.05),
        "sea_surface_uncertainty": full(n, 0.05),
        "sea_surface_common": full(n, 0.03),
    }
    unknown = set(changed) - set(values)
    assert not unknown, unknown
    return gridding.BeamSegments(**{**values, **changed})


def sums_of(segments: gridding.BeamSegments, leads=NO_LEADS, *, track: str = "054306", leave_out: int = 0):
    return gridding.contributions(segments, leads, track=track, leave_out=leave_out)


def only(segments: gridding.BeamSegments, rows) -> gridding.BeamSegments:
    """Some rows of a beam."""
    return dataclasses.replace(
        segments,
        **{f.name: getattr(segments, f.name)[rows] for f in dataclasses.fields(segments) if f.name != "length_m"},
    )
