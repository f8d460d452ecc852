"""Season products: segments to exact sums per cell and pass, and sums to means with their uncertainty.

``cells``
    The grid, and which cell a place is in.
``sums``
    Integers that count a small quantum: added in any order and grouping they give the same bits.
``contributions``
    What one beam adds to each cell: freeboard, classes, sea surface, roughness, chords of leads and floes.
``estimates``
    Means over cells, their random and correlated errors kept apart, and the flags.
"""

from __future__ import annotations

from .cells import Grid, cell_of, nsidc_grid
from .contributions import BeamLeads, BeamSegments, contributions
from .estimates import Estimates, estimates
from .sums import Sums, merge

__all__ = [
    "BeamLeads",
    "BeamSegments",
    "Estimates",
    "Grid",
    "Sums",
    "cell_of",
    "contributions",
    "estimates",
    "merge",
    "nsidc_grid",
]
