"""What a simulated imagette is drawn from. A pair is the limits of an even distribution; decibels are of sigma nought.

Ranges are those of the method's description, with what ``benchmarks/score_wave_simulator.py`` showed to be needed so
that a classical classifier finds the pictures neither easy nor hopeless. They are no measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Pair = tuple[float, float]

SIZE = 400
"""Pixels on a side."""
PIXEL_M = 50.0
DECIBEL = 0.2302585
"""Natural logarithm of one decibel."""
CAN_BE_WEAK = ("WS", "MCC", "RC", "BS", "AF", "OF")
"""Phenomena whose pattern may drown in the sea's own texture."""
INVISIBLE = 0.5
"""A pattern whose rms over its own support is below this times the background's standard deviation is not seen."""
WEAK = 1.0
"""Below this it is weak."""
SEA_ICE_JOINS = ("IB", "POW")
"""Only these are drawn together with sea ice."""
BEAMS = {"wv1": (23.8, 1.0), "wv2": (36.8, 0.7)}
"""Incidence angle, degrees, and how strong patterns are, by beam."""


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Ranges of all phenomena.

    Attributes
    ----------
    level_db : Pair
        Wind level of an image.
    ramp_db : Pair
        Change over the samples that the antenna's pattern leaves.
    looks : Pair
        Equivalent number of looks of the speckle.
    turbulence, waves : Pair
        Standard deviations of the sea's own texture, relative, in images whose tag is not POW.
    turbulence_m, turbulence_slope : Pair
        Longest wavelength of the turbulence, and slope of its amplitudes.
    modulation : Pair
        Standard deviation of pure ocean waves, relative, after the azimuth cut-off.
    peak_m, spread_deg, cutoff_m : Pair
        Of the waves: wavelength of the peak, directional spread, azimuth cut-off.
    others : dict of str to dict of str to Pair
        Ranges of the other phenomena by their short names; see :mod:`.ocean`, :mod:`.atmosphere` and :mod:`.ice`.
    counts : tuple of float
        Shares of images with none, one, two and three tags.
    weak : float
        Share of images with a pattern that is made weak.
    land : float
        Share of images with a corner of land, which is masked.
    """

    level_db: Pair = (-5.0, 3.0)
    ramp_db: Pair = (-1.0, 1.0)
    looks: Pair = (40.0, 90.0)
    turbulence: Pair = (0.05, 0.15)
    waves: Pair = (0.03, 0.20)
    turbulence_m: Pair = (2000.0, 10_000.0)
    turbulence_slope: Pair = (1.0, 1.7)
    modulation: Pair = (0.25, 0.45)
    peak_m: Pair = (120.0, 450.0)
    spread_deg: Pair = (15.0, 35.0)
    cutoff_m: Pair = (150.0, 300.0)
    others: dict[str, dict[str, Pair]] = field(default_factory=lambda: {k: dict(v) for k, v in OTHERS.items()})
    counts: tuple[float, ...] = (0.10, 0.33, 0.50, 0.07)
    weak: float = 0.10
    land: float = 0.02


OTHERS: dict[str, dict[str, Pair]] = {
    "WS": {"spacing_m": (800.0, 3000.0), "amplitude_db": (0.6, 2.0), "off_wind_deg": (-15.0, 15.0)},
    "MCC": {"size_m": (800.0, 5000.0), "ratio": (1.0, 2.0), "amplitude_db": (1.5, 4.0)},
    "RC": {"number": (1.0, 4.0), "diameter_m": (3000.0, 15_000.0), "amplitude_db": (1.0, 5.0)},
    "BS": {"number": (3.0, 40.0), "width_m": (100.0, 600.0), "depth_db": (3.0, 10.0)},
    "SI": {"types": (2.0, 4.0), "floe_m": (50.0, 8000.0), "range_db": (2.5, 8.0)},
    "IB": {"number": (1.0, 30.0), "size_m": (50.0, 800.0), "height_db": (5.0, 15.0)},
    "LWA": {"share": (0.15, 0.80), "depth_db": (3.0, 10.0)},
    "AF": {"width_m": (1000.0, 5000.0), "step_db": (1.0, 3.0)},
    "OF": {"width_m": (100.0, 1000.0), "height_db": (1.5, 5.0)},
}
STANDARD = Ranges()
