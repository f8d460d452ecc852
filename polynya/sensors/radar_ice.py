"""Sensors of radar scenes of sea ice: Sentinel-1 EW beside AMSR2, weather, season and place.

Each polarisation is a sensor of its own, so that a network has a presence plane for each and any subset can be given.
Which quantities AI4Arctic files hold, and their names, is Stokholm et al. 2024 (doi:10.5194/tc-18-3471-2024).
"""

from __future__ import annotations

from . import Band, Sensor, SensorTable

FREQUENCIES = ("18_7", "36_5")
"""AMSR2 channels that most networks of sea ice are given, GHz."""
MORE_FREQUENCIES = ("6_9", "7_3", "10_7", "23_8", "89_0")
SWATH_BORDERS = (28.5, 33.8, 39.0, 43.2)
"""Incidence angles between the sub-swaths EW1 to EW5, degrees, from the geolocation grid of an S1A product (IPF 3.52)
at the borders of its azimuth noise blocks. Their place moves by some tenths of a degree between products."""


def _backscatter(polarisation: str, low: float, high: float) -> Sensor:
    return Sensor(
        name=polarisation,
        quantity="backscatter_db",
        acquisition="radar",
        roles=("sar",),
        names_match="any_word",
        excluded_words=("coherence", "coh"),
        bands=(
            Band(
                name=polarisation,
                units="dB",
                long_name=f"sigma nought of {polarisation.upper()}, thermal noise removed",
                low=low,
                high=high,
                words=(polarisation,),
                stac_names=(polarisation,),
            ),
        ),
    )


def _temperatures(name: str, frequencies: tuple[str, ...]) -> Sensor:
    return Sensor(
        name=name,
        quantity="brightness_temperature",
        acquisition="amsr2",
        names_match="first_word",
        bands=tuple(
            Band(
                name=f"btemp_{frequency}{polarisation}",
                units="K",
                long_name=f"brightness temperature at {frequency.replace('_', '.')} GHz, {polarisation.upper()}",
                low=50.0,
                high=320.0,
                words=(f"btemp_{frequency}{polarisation}",),
            )
            for frequency in frequencies
            for polarisation in ("h", "v")
        ),
    )


def _others(name: str, *bands: tuple[str, str, str, float, float]) -> Sensor:
    return Sensor(
        name=name,
        bands=tuple(
            Band(name=n, units=units, long_name=text, low=low, high=high, words=(n,))
            for n, units, text, low, high in bands
        ),
    )


TABLE = SensorTable(
    name="radar_ice",
    sensors=(
        _backscatter("hh", -35.0, 5.0),
        _backscatter("hv", -45.0, 0.0),
        _others("incidence", ("incidence", "degree", "incidence angle, from the normal of the ellipsoid", 15.0, 50.0)),
        _temperatures("amsr2", FREQUENCIES),
        _temperatures("amsr2_more", MORE_FREQUENCIES),
        _others(
            "weather",
            ("u10m", "m s-1", "wind at 10 m along the swath", -40.0, 40.0),
            ("v10m", "m s-1", "wind at 10 m across the swath", -40.0, 40.0),
            ("t2m", "K", "air temperature at 2 m", 210.0, 310.0),
            ("tcwv", "kg m-2", "total column water vapour", 0.0, 50.0),
            ("tclw", "kg m-2", "total column liquid water", 0.0, 1.5),
        ),
        _others("skin", ("skt", "K", "skin temperature", 210.0, 310.0)),
        _others("land_distance", ("land_distance", "1", "zone of the distance to land, 0 on land", 0.0, 41.0)),
        _others("month", ("month", "1", "2 m / 11 - 1 with m = 0 for January", -1.0, 1.0)),
        _others(
            "position",
            ("latitude", "degree_north", "latitude", -90.0, 90.0),
            ("longitude", "degree_east", "longitude", -180.0, 180.0),
        ),
    ),
)
"""Ten sensors. ``hh`` and ``hv`` are cut to their ranges: noise-free power may be zero or less."""
