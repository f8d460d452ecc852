"""ATL07: sea-ice heights and surface types in segments of about 150 photons, releases 003-007.

Checked on real files: release 003 (six beams, one of them with nothing but a histogram's dimension
scale). The other releases' paths follow the data dictionaries; from release 004 on the
``free2mean`` conversions are there, from release 006 on ice concentration comes as
``ice_conc_amsr2`` and ``ice_conc_ssmi``. Heights are above the mean sea surface, tides, dynamic
atmosphere and first-photon bias removed (ATL07/ATL10 ATBD, doi:10.5067/KPMXUOH7TNIY).
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from .icesat2 import Granule, open_granule
from .icesat2_segments import GEOID, SEGMENT_NUMBERS, TIDES, background_rates, read_table, time_and_place, variable

PRODUCT = "ATL07"
RELEASES = ("003", "004", "005", "006", "007")
CHECKED = ("003",)
HISTOGRAM_BINS = 221
HISTOGRAM_BIN_M = 0.025
"""Photon k of ``hist_photon_heights`` lies at ``hist_photon_bottom + (k + 0.5) * 0.025`` m, before the first-photon
correction."""

LAYOUT = {
    "segments": "sea_ice_segments",
    "heights": "sea_ice_segments/heights",
    "stats": "sea_ice_segments/stats",
    "geophysical": "sea_ice_segments/geophysical",
    "geolocation": "sea_ice_segments/geolocation",
}

VARIABLES = (
    *time_and_place("segments"),
    variable(
        "seg_dist_x",
        "segments",
        "m",
        "f8",
        long_name="along-track distance from the equator crossing to the segment's centre",
    ),
    *SEGMENT_NUMBERS,
    variable(
        "height_segment_height",
        "heights",
        "m",
        long_name="height above the mean sea surface, tides and dynamic atmosphere removed",
    ),
    variable("height_segment_type", "heights", "1", "i1"),
    variable("height_segment_ssh_flag", "heights", "1", "i1"),
    variable("height_segment_length_seg", "heights", "m"),
    variable("height_segment_w_gaussian", "heights", "m", long_name="width of the best-fitting Gaussian"),
    variable("height_segment_confidence", "heights", "1", required=False),
    variable(
        "height_segment_surface_error_est",
        "heights",
        "m",
        required=False,
        long_name="error estimate of the surface height",
    ),
    variable("height_segment_quality", "heights", "1", "i1", required=False),
    variable("height_segment_fit_quality_flag", "heights", "1", "i1", required=False),
    variable("height_segment_rms", "heights", "m", required=False),
    variable("height_segment_n_pulse_seg", "heights", "1", "i4", required=False),
    variable("height_segment_asr_calc", "heights", "1", required=False),
    variable("height_segment_htcorr_skew", "heights", "m", required=False),
    variable("across_track_distance", "heights", "m", required=False),
    variable("photon_rate", "stats", "1", long_name="photons per shot"),
    variable("background_r_norm", "stats", "Hz", long_name="background rate normalised to a fixed solar elevation"),
    *background_rates("stats"),
    variable("background_int_height", "stats", "m", required=False),
    variable("n_photons_actual", "stats", "1", "i4", required=False),
    variable("n_photons_used", "stats", "1", "i4", required=False),
    variable(
        "fpb_corr", "stats", "m", required=False, long_name="first-photon bias correction of the segment's height"
    ),
    variable("fpb_strength", "stats", "1", required=False),
    variable("fpb_avg_dt", "stats", "ns", required=False),
    variable("hist_w", "stats", "m", required=False),
    variable("hist_photon_bottom", "stats", "m", required=False, long_name="lower edge of the photon-height histogram"),
    variable("hist_photon_top", "stats", "m", required=False),
    variable("hist_photon_bin_size", "stats", "m", required=False),
    variable(
        "hist_photon_heights",
        "stats",
        "1",
        "i2",
        required=False,
        width=HISTOGRAM_BINS,
        long_name="photons in each height bin",
    ),
    variable("trim_height_bottom", "stats", "m", required=False),
    variable("trim_height_top", "stats", "m", required=False),
    variable("asr_25", "stats", "1", required=False),
    variable("layer_flag", "stats", "1", "i2", required=False),
    variable("cloud_flag_asr", "stats", "1", "i2", required=False),
    variable("ice_conc", "stats", "percent", required=False, other_names=("ice_conc_ssmi",)),
    variable("ice_conc_amsr2", "stats", "percent", required=False),
    variable(
        "height_segment_mss",
        "geophysical",
        "m",
        required=False,
        long_name="mean sea surface above the WGS 84 ellipsoid",
    ),
    *TIDES,
    variable("height_segment_ib", "geophysical", "m", required=False),
    *GEOID,
    variable("height_segment_earth", "geophysical", "m", required=False),
    variable("height_segment_load", "geophysical", "m", required=False),
    variable("height_segment_pole", "geophysical", "m", required=False, other_names=("height_segment_tide_pole",)),
    variable("solar_elevation", "geolocation", "degree", required=False),
    variable("solar_azimuth", "geolocation", "degree", required=False),
    variable("beam_azimuth", "geolocation", "degree", required=False),
    variable("beam_coelev", "geolocation", "degree", required=False),
    variable("sigma_h", "geolocation", "m", required=False),
)


def open_atl07(path: Path | str) -> Granule:
    """Describe an ATL07 granule; another product is rejected with :class:`ProductError`."""
    return open_granule(path, product=PRODUCT)


def read(path: Path | str, *, beam: str) -> pa.Table:
    """Read one beam's segments.

    Parameters
    ----------
    path : Path or str
        An ATL07 granule.
    beam : str
        ``gt1l`` ... ``gt3r``; a beam that the file lacks gives no rows.

    Returns
    -------
    pyarrow.Table
        The columns of :data:`VARIABLES` in the product's names and units, and ``time`` (UTC).
        Floating-point fill is NaN, a missing optional integer null. ``hist_photon_heights`` is a
        list of 221 counts per row.

    Raises
    ------
    ProductError
        If the file is damaged, another product, or a beam with data lacks a required variable.
    """
    return read_table(open_atl07(path), beam=beam, variables=VARIABLES, layout=LAYOUT, name="atl07_segments")
