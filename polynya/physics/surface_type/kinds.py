"""Kinds of sea-ice surface and how each of them looks to ATLAS: share, rate, width, height, background, length."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...schema import OPEN_WATER, THICK_ICE, THIN_ICE


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of surface: its class, share, and distributions of the four variables.

    Attributes
    ----------
    name : str
    surface_class : int
    share : float
        Prior share of the track.
    rate, rate_spread : float
        Median photons per shot of a strong beam, and standard deviation of its logarithm.
    width, width_spread : float
        Median standard deviation of surface height inside the footprint (m), pulse removed, and of its logarithm.
    height, height_spread : float
        Height above the local water (m), normal.
    background, background_spread : float
        Background relative to its median nearby, by day.
    length : float
        Typical length of one such patch, metres.
    """

    name: str
    surface_class: int
    share: float
    rate: float
    rate_spread: float
    width: float
    width_spread: float
    height: float
    height_spread: float
    background: float
    background_spread: float
    length: float


# Rates: NASA's bounds 0.5, 2.5, 11, 14. Widths: NASA's 0.13 (smooth) and 0.17 m (rough). Heights: thin ice up to
# about 0.3 m thick floats 0 to 0.1 m high (buoyancy), laser freeboard of thick ice 0.1 to 0.8 m and ridges above
# (Kwok et al. 2019, doi:10.1029/2019JC015486; Petty et al. 2020). Lengths: leads of tens to hundreds of metres.
_ROWS = (
    ("specular lead", OPEN_WATER, 0.015, 14.0, 0.20, 0.020, 0.7, 0.00, 0.030, 0.75, 0.25, 40.0),
    ("dark smooth lead", OPEN_WATER, 0.008, 1.3, 0.30, 0.030, 0.7, 0.00, 0.030, 0.70, 0.30, 60.0),
    ("rough lead", OPEN_WATER, 0.003, 1.7, 0.25, 0.080, 0.5, 0.00, 0.040, 0.70, 0.30, 80.0),
    ("nilas", THIN_ICE, 0.025, 3.0, 0.45, 0.030, 0.6, 0.03, 0.025, 0.75, 0.25, 60.0),
    ("grey-white ice", THIN_ICE, 0.025, 5.5, 0.40, 0.040, 0.6, 0.07, 0.040, 0.85, 0.20, 60.0),
    ("shiny thin ice", THIN_ICE, 0.012, 8.5, 0.20, 0.030, 0.6, 0.03, 0.030, 0.80, 0.25, 40.0),
    ("snow-covered ice", THICK_ICE, 0.700, 7.5, 0.25, 0.060, 0.6, 0.35, 0.150, 1.00, 0.12, 500.0),
    ("low floe", THICK_ICE, 0.150, 7.5, 0.25, 0.050, 0.6, 0.16, 0.080, 1.00, 0.12, 500.0),
    ("ridge", THICK_ICE, 0.050, 7.0, 0.35, 0.300, 0.6, 0.90, 0.500, 1.00, 0.15, 20.0),
    ("wet or dark patch on thick ice", THICK_ICE, 0.020, 2.2, 0.60, 0.030, 0.8, 0.25, 0.100, 0.85, 0.20, 30.0),
)
KINDS = tuple(Kind(**dict(zip((f.name for f in fields(Kind)), row, strict=True))) for row in _ROWS)
