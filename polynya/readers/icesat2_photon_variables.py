"""The variables of ATL03 that are read: path, units, who may lack them, and the values that are possible.

Sources: the data dictionaries of releases 003-007. Release 007 (nsidc.org/data/ATL03, version summary) gave
``quality_ph`` tens for saturated pulses and new artefacts, added ``signal_class_ph``, and changed the scale of
``weight_ph``.
"""

from __future__ import annotations

from dataclasses import dataclass

SEA_ICE = 2
"""Column of ``signal_conf_ph`` and ``surf_type``: land, ocean, sea ice, land ice, inland water."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One variable of the product: its path below the beam group, units, who may lack it, and the values that are
    possible."""

    name: str
    group: str
    units: str
    kind: str = "f"
    required: bool = True
    column: int | None = None
    about: str = ""
    valid: tuple[float, float] | None = None

    @property
    def path(self) -> str:
        return f"{self.group}/{self.name}"


def _field(
    name: str,
    group: str,
    units: str,
    kind: str = "f",
    *,
    required: bool = True,
    column: int | None = None,
    about: str = "",
    valid: tuple[float, float] | None = None,
) -> Field:
    """Return one row of the product's table."""
    return Field(
        name=name,
        group=group,
        units=units,
        kind=kind,
        required=required,
        column=column,
        about=about,
        valid=valid,
    )


LATITUDES, LONGITUDES, SECONDS_ALLOWED, X_ALLOWED = (-90.0, 90.0), (-180.0, 180.0), (0.0, 4.0e9), (-1.0e5, 4.2e7)
HEIGHTS = (-2.0e4, 2.0e4)
"""m: the telemetry window around the surface of the earth, and noise in it."""
ALONG_SEGMENT = (-100.0, 120.0)
"""m: segments are 20 m long; noise some kilometres above or below the surface lies before or behind its own where the
beam points a few mrad along the track. A real granule holds 0.0 to 20.0."""
PHOTONS = (
    _field(
        "h_ph",
        "heights",
        "m",
        about="height above the WGS 84 ellipsoid, tide-free; solid-earth, load, pole tides and atmosphere removed",
        valid=HEIGHTS,
    ),
    _field(
        "dist_ph_along",
        "heights",
        "m",
        about="along-track distance from the start of the photon's 20 m segment",
        valid=ALONG_SEGMENT,
    ),
    _field("lat_ph", "heights", "degrees_north", valid=LATITUDES),
    _field("lon_ph", "heights", "degrees_east", valid=LONGITUDES),
    _field("delta_time", "heights", "seconds since 2018-01-01T00:00:00Z", valid=SECONDS_ALLOWED),
    _field(
        "signal_conf_ph",
        "heights",
        "1",
        "i",
        column=SEA_ICE,
        about="-2 TEP, -1 not considered, 0 noise, 1 buffer, 2 low, 3 medium, 4 high",
        valid=(-2, 4),
    ),
    _field(
        "quality_ph",
        "heights",
        "1",
        "i",
        about="0 nominal, 1 afterpulse, 2 impulse response, 3 TEP; from release 007 on also 4 noise burst, 5 noise"
        " streak, and plus 10 or 20 in a pulse that is nearly or fully saturated",
    ),
    _field("pce_mframe_cnt", "heights", "1", "i", about="major frame of 200 shots"),
    _field("ph_id_pulse", "heights", "1", "i", about="shot in the major frame, 1-200", valid=(1, 200)),
)
PHOTON_FILTERS = (
    _field(
        "signal_class_ph",
        "heights",
        "1",
        "i",
        required=False,
        about="from release 007 on: -1 ignored, 0 likely noise, 1 likely signal, 2 below and 3 above the surface, 4"
        " primary signal, 5 fitted signal",
    ),
    _field(
        "weight_ph",
        "heights",
        "1",
        "fi",
        required=False,
        about="density of the photons around: 0-255 of a 20 m segment's own scale before release 007, one scale for all"
        " granules from 007 on",
    ),
)
"""Variables of photons that are read only where a filter asks for them."""
GEOSEGMENTS = (
    _field("segment_id", "geolocation", "1", "i", required=False),
    _field("ph_index_beg", "geolocation", "1", "i", about="1-based, 0 for an empty segment"),
    _field("segment_ph_cnt", "geolocation", "1", "i"),
    _field("segment_dist_x", "geolocation", "m", about="along-track distance of the segment's start", valid=X_ALLOWED),
    _field("segment_length", "geolocation", "m", required=False),
    _field("delta_time", "geolocation", "seconds since 2018-01-01T00:00:00Z", valid=SECONDS_ALLOWED),
    _field("reference_photon_lat", "geolocation", "degrees_north", valid=LATITUDES),
    _field("reference_photon_lon", "geolocation", "degrees_east", valid=LONGITUDES),
    _field("solar_elevation", "geolocation", "degree", required=False),
    _field("surf_type", "geolocation", "1", "i", required=False, column=SEA_ICE),
    _field("full_sat_fract", "geolocation", "1", required=False),
    _field(
        "podppd_flag",
        "geolocation",
        "1",
        "i",
        required=False,
        about="0 nominal, 1 orbit degraded, 2 pointing degraded, 3 both; 4-7 the same in a calibration manoeuvre",
    ),
    _field("dem_h", "geophys_corr", "m", required=False),
    _field(
        "dem_flag",
        "geophys_corr",
        "1",
        "i",
        required=False,
        about="0 none, 1 Arctic, 2 global, 3 mean sea surface, 4 Antarctic",
    ),
    _field("geoid", "geophys_corr", "m", required=False, about="tide-free"),
    _field(
        "geoid_free2mean", "geophys_corr", "m", required=False, about="add to a tide-free height to have it mean-tide"
    ),
    _field("tide_ocean", "geophys_corr", "m", required=False, about="not applied to h_ph"),
    _field("tide_equilibrium", "geophys_corr", "m", required=False, about="not applied to h_ph"),
    _field("dac", "geophys_corr", "m", required=False, about="not applied to h_ph"),
)
BACKGROUND = (
    _field("delta_time", "bckgrd_atlas", "seconds since 2018-01-01T00:00:00Z"),
    _field("bckgrd_rate", "bckgrd_atlas", "Hz"),
    _field("bckgrd_counts", "bckgrd_atlas", "1", "i"),
)


def surface_quality(release: str) -> tuple[int, ...]:
    """Return the values of ``quality_ph`` that photons of the surface have.

    Parameters
    ----------
    release : str
        Three digits; empty where the file does not say.

    Returns
    -------
    tuple of int
        0, and from release 007 on 10 and 20: photons of the surface in pulses that saturate the detector nearly or
        fully. No release before 007 writes these, so they are kept where the release is unknown.
    """
    return (0,) if release and release < "007" else (0, 10, 20)
