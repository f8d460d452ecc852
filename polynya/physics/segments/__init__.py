"""Photons to along-track segments: fixed cells (2 m by default) or runs of a fixed number of photons.

One compiled pass sorts a beam's photons into segments and takes every statistic; nothing is filtered
or smoothed across segments here. A segment's heights are kept, sorted, so that later steps can take
statistics inside a window without touching the photons again.
"""

from __future__ import annotations

from .joining import concatenate, select
from .records import Geosegments, PhotonRuns, Reference, Segments
from .resampling import BLOCK_SECONDS, MAX_EMPTY_SHOTS, MEDIUM, resample
from .statistics import window_statistics

__all__ = [
    "BLOCK_SECONDS",
    "MAX_EMPTY_SHOTS",
    "MEDIUM",
    "Geosegments",
    "PhotonRuns",
    "Reference",
    "Segments",
    "concatenate",
    "resample",
    "select",
    "window_statistics",
]
