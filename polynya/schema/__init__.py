"""The vocabulary: every variable that stages exchange, with dtype, units and meaning.

A table on disk or between stages is a ``pyarrow.Table`` that matches one :class:`TableSpec` here.
Arrow metadata dies in pandas and Spark, so this module is the source of truth and writing casts to
it. Heights are metres, angles degrees, time UTC; missing values are NaN (floating point) or the
flag value that says so.

Records are in :mod:`polynya.schema.records`, functions that build and check tables in
:mod:`polynya.schema.arrow`; all of them are names of this module too.
"""

from __future__ import annotations

import pyarrow as pa

from .arrow import check, from_numpy, table, to_numpy
from .records import DATUM, Estimate, Note, TableSpec, Variable, counted, plural, variable

__all__ = [
    "DATUM",
    "Estimate",
    "Note",
    "TableSpec",
    "Variable",
    "check",
    "counted",
    "from_numpy",
    "plural",
    "table",
    "to_numpy",
    "variable",
]

UTC_NS = pa.timestamp("ns", tz="UTC")
TEXT = pa.string()
BEAM_NAMES = ("gt1l", "gt1r", "gt2l", "gt2r", "gt3l", "gt3r")

# Surface classes. The order is that of the three probabilities.
THICK_ICE, THIN_ICE, OPEN_WATER, UNCLASSIFIED = 0, 1, 2, -1
SURFACE_CLASSES = ((0, "thick_ice"), (1, "thin_ice"), (2, "open_water"), (-1, "unclassified"))
CLASS_NAMES = {value: name for value, name in SURFACE_CLASSES}

# How a segment got its sea surface.
SOURCE_NONE, SOURCE_LEADS, SOURCE_TWO_SIDED, SOURCE_ONE_SIDED = 0, 1, 2, 3
SEA_SURFACE_SOURCES = ((0, "none"), (1, "leads"), (2, "two_sided_fill"), (3, "one_sided_fill"))

# quality_flag: bits, 0 is best.
QUALITY_BITS = (
    (1, "few_photons"),
    (2, "geoid_instead_of_mean_sea_surface"),
    (4, "no_first_photon_bias_correction"),
    (8, "correction_missing"),
    (16, "background_contaminated"),
    (32, "next_to_gap"),
    (64, "sea_surface_filled"),
    (128, "saturated_shots"),
    (256, "degraded_pointing"),
    (512, "correction_interpolated"),
    (1024, "melt_season"),
    (2048, "water_contradicts_ice_concentration"),
    (4096, "leads_scatter"),
    (8192, "leads_only_bright"),
    (16384, "swell"),
)

_GRANULE = variable(
    "granule", pa.dictionary(pa.int32(), TEXT), "", "granule identifier, the file name without its extension"
)
_BEAM = variable("beam", pa.dictionary(pa.int32(), TEXT), "", "ground track group in the granule")
_STRONG = variable("is_strong", pa.bool_(), "", "true for a strong beam at the granule's orientation")
_TIME = variable("time", UTC_NS, "", "time of the laser shots, UTC", standard_name="time")
_LAT = variable("latitude", pa.float64(), "degrees_north", "latitude", standard_name="latitude")
_LON = variable("longitude", pa.float64(), "degrees_east", "longitude", standard_name="longitude")
_X = variable("x_atc", pa.float64(), "m", "along-track distance from the equator crossing")
_WHERE = (_GRANULE, _BEAM, _STRONG, _TIME, _LAT, _LON)
_CLASS = variable("surface_class", pa.int8(), "1", "surface class", flags=SURFACE_CLASSES)

F4 = pa.float32()
_CALIBRATED = "calibrated on simulated granules where a network classified, a score where the rule did"

SEGMENTS = TableSpec(
    name="segments",
    title="Sea ice along ICESat-2 beams: surface height, class and total freeboard, with uncertainties",
    variables=(
        *_WHERE,
        _X,
        variable("n_photons", pa.int32(), "1", "photons that made height: those inside the window around the surface"),
        variable(
            "height_mean",
            F4,
            "m",
            "mean height of all the segment's signal photons above the ellipsoid, as in h_ph",
            standard_name="height_above_reference_ellipsoid",
        ),
        variable(
            "height_median",
            F4,
            "m",
            "median height of all the segment's signal photons above the ellipsoid",
            standard_name="height_above_reference_ellipsoid",
        ),
        variable("height_sd", F4, "m", "standard deviation of all the segment's signal photons"),
        variable("height", F4, "m", "corrected surface height above the mean sea surface"),
        variable("height_uncertainty", F4, "m", "one standard uncertainty of height"),
        variable("photon_rate", F4, "1", "photons per laser shot"),
        variable("photon_rate_high", F4, "1", "photons of medium or high sea-ice confidence per laser shot"),
        variable("background_rate", F4, "Hz", "background photon rate of the 50-shot block"),
        variable("solar_elevation", F4, "degree", "solar elevation", standard_name="solar_elevation_angle"),
        _CLASS,
        variable("probability_thick", F4, "1", f"probability of thick ice: {_CALIBRATED}"),
        variable("probability_thin", F4, "1", f"probability of thin ice: {_CALIBRATED}"),
        variable("probability_water", F4, "1", f"probability of open water: {_CALIBRATED}"),
        variable("sea_surface_height", F4, "m", "local sea surface height above the mean sea surface"),
        variable("sea_surface_uncertainty", F4, "m", "one standard uncertainty of sea_surface_height"),
        variable(
            "sea_surface_source", pa.int8(), "1", "where sea_surface_height comes from", flags=SEA_SURFACE_SOURCES
        ),
        variable(
            "total_freeboard", F4, "m", "height of the snow or ice surface above the local sea surface, snow included"
        ),
        variable("total_freeboard_uncertainty", F4, "m", "one standard uncertainty of total_freeboard"),
        variable("quality_flag", pa.int16(), "1", "quality bits, 0 is best", flags=QUALITY_BITS, is_bits=True),
        variable("mean_sea_surface", F4, "m", "mean sea surface above the ellipsoid that was subtracted"),
        variable("tide_ocean", F4, "m", "ocean tide that was subtracted, NaN where none was"),
        variable("tide_equilibrium", F4, "m", "long-period equilibrium tide that was subtracted, NaN where none was"),
        variable("dac", F4, "m", "dynamic atmosphere correction that was subtracted, NaN where none was"),
        variable(
            "first_photon_bias", F4, "m", "first-photon bias that was subtracted, NaN where unknown or switched off"
        ),
        variable(
            "sea_surface_uncertainty_common",
            F4,
            "m",
            "part of sea_surface_uncertainty of one cause for all leads: means do not reduce it",
        ),
    ),
)

LEADS = TableSpec(
    name="leads",
    title="Leads along ICESat-2 beams, with uncertainties",
    variables=(
        *_WHERE,
        variable("x_atc", pa.float64(), "m", "along-track distance of the lead's centre"),
        variable("length", F4, "m", "extent of the lead along the track"),
        variable("n_segments", pa.int32(), "1", "water segments in the lead"),
        variable("n_photons", pa.int32(), "1", "photons in the lead"),
        variable("height", F4, "m", "water height above the mean sea surface"),
        variable("height_uncertainty", F4, "m", "one standard uncertainty of height"),
        variable("photon_rate", F4, "1", "mean photons per laser shot"),
        variable(
            "is_specular", pa.bool_(), "", "true where photon_rate is above 11, as for a strong beam: a specular return"
        ),
        variable("probability_water", F4, "1", f"mean probability of open water: {_CALIBRATED}"),
        variable("is_used", pa.bool_(), "", "true where the lead entered a sea surface section"),
    ),
)

SEA_SURFACE = TableSpec(
    name="sea_surface",
    title="Local sea surface along ICESat-2 beams, with uncertainties",
    variables=(
        *_WHERE,
        variable("x_atc", pa.float64(), "m", "along-track distance of the section's centre"),
        variable("section_length", F4, "m", "length of the section along the track"),
        variable("n_leads", pa.int32(), "1", "leads in the section"),
        variable("sea_surface_height", F4, "m", "local sea surface height above the mean sea surface"),
        variable("sea_surface_uncertainty", F4, "m", "one standard uncertainty of sea_surface_height"),
        variable(
            "sea_surface_source", pa.int8(), "1", "where sea_surface_height comes from", flags=SEA_SURFACE_SOURCES
        ),
        variable(
            "sea_surface_uncertainty_common",
            F4,
            "m",
            "part of sea_surface_uncertainty of one cause for all leads: means do not reduce it",
        ),
        variable("height_unsmoothed", F4, "m", "section height before the smoother"),
    ),
)

# Truth of a simulated granule: one row for each 2 m cell, whether or not photons came back.
LEAD_TYPES = ((0, "no_lead"), (1, "specular_lead"), (2, "dark_lead"), (3, "rough_lead"))
TRUTH = TableSpec(
    name="truth",
    title="Truth of a simulated ICESat-2 granule",
    variables=(
        _GRANULE,
        _BEAM,
        _STRONG,
        _LAT,
        _LON,
        variable("x_atc", pa.float64(), "m", "along-track distance of the cell's centre: 2 * (floor(x / 2) + 0.5)"),
        _CLASS,
        variable("lead_type", pa.int8(), "1", "kind of open water", flags=LEAD_TYPES),
        variable(
            "surface_height",
            F4,
            "m",
            "true surface height above the mean sea surface, tides and dac removed, mean over the 2 m cell",
        ),
        variable("surface_height_footprint", F4, "m", "the same, as the 11 m footprint sees it on average"),
        variable("sea_surface_height", F4, "m", "true local sea surface height above the mean sea surface"),
        variable("total_freeboard", F4, "m", "true freeboard, mean over the 2 m cell, 0 over water"),
        variable("total_freeboard_footprint", F4, "m", "the same, as the 11 m footprint sees it on average"),
        variable("cloud_transmission", F4, "1", "two-way transmission of cloud, 1 is clear"),
    ),
)

# What a track network sees of a 2 m segment: no label, no class and no truth enters any of these.
FEATURES = TableSpec(
    name="features",
    title="What a track network sees of segments along ICESat-2 beams",
    variables=(
        variable("height", F4, "m", "corrected surface height above the mean sea surface"),
        variable("height_uncertainty", F4, "m", "one standard uncertainty of height"),
        variable("height_sd", F4, "m", "standard deviation of all the segment's signal photons"),
        variable("mean_minus_median", F4, "m", "mean less median height of all the segment's signal photons"),
        variable("height_above_low", F4, "m", "height above the running 2 % quantile within 10 km, no classes needed"),
        variable(
            "height_above_water",
            F4,
            "m",
            "height above the first guess of the local water level: mirror-like returns within 25 km, else a low"
            " quantile",
        ),
        variable("n_photons", pa.int32(), "1", "photons that made height: those inside the window around the surface"),
        variable("photon_rate", F4, "1", "photons per laser shot"),
        variable("photon_rate_high", F4, "1", "photons of medium or high sea-ice confidence per laser shot"),
        variable("photon_rate_change", F4, "1", "photon_rate_high less that of the segment before, 0 after a gap"),
        variable("background_count", F4, "1", "background photons of the 50-shot block"),
        variable("background_rate", F4, "Hz", "background photon rate of the 50-shot block"),
        variable("background_rate_change", F4, "Hz", "background_rate less that of the segment before, 0 after a gap"),
        variable("background_relative", F4, "1", "background_rate over its median nearby, 1 by night"),
        variable("rate_clear", F4, "1", "photons per shot that a strong beam would get without cloud"),
        variable("transmission", F4, "1", "how much the stretch is dimmed against snow under a clear sky"),
        variable("rate_pooled", F4, "1", "rate_clear pooled over half an ATL07 segment on either side"),
        variable(
            "width_pooled",
            F4,
            "m",
            "surface height spread pooled over half an ATL07 segment on either side, pulse removed",
        ),
        variable("solar_elevation", F4, "degree", "solar elevation", standard_name="solar_elevation_angle"),
    ),
)

# Labels of 2 m segments, with where they come from, and the features they are learnt from.
ANY_ICE = 3
LABEL_CLASSES = (*SURFACE_CLASSES[:3], (ANY_ICE, "ice_thick_or_thin"), (-1, "unlabelled"))
LABEL_NONE, LABEL_IMAGE, LABEL_PERSON, LABEL_SIMULATION, LABEL_ATL07 = 0, 1, 2, 3, 4
LABEL_SOURCES = ((0, "none"), (1, "image"), (2, "person"), (3, "simulation_truth"), (4, "atl07_surface_type"))
LABEL_FLAGS = (
    (0, "labelled"),
    (1, "class_transition"),
    (2, "cloud_or_shadow"),
    (3, "outside_scene"),
    (4, "shift_unsure"),
    (5, "no_class"),
    (6, "set_aside_by_person"),
)
LABELS = TableSpec(
    name="labels",
    title="Labels of segments along ICESat-2 beams, and their features",
    variables=(
        *_WHERE,
        _X,
        variable("easting", pa.float64(), "m", "easting in the scene's CRS, drift shift added; NaN without a scene"),
        variable("northing", pa.float64(), "m", "northing in the scene's CRS, drift shift added; NaN without a scene"),
        variable(
            "image_value", pa.int16(), "1", "V (0-255) of the scene's pixel under the segment, -1 where there is none"
        ),
        variable("label", pa.int8(), "1", "label of the surface", flags=LABEL_CLASSES),
        variable("label_source", pa.int8(), "1", "who gave the label", flags=LABEL_SOURCES),
        variable("label_flag", pa.int8(), "1", "why a segment carries no label", flags=LABEL_FLAGS),
        *FEATURES.variables,
    ),
)

# One tidy row per number that evaluate prints.
EVALUATION = TableSpec(
    name="evaluation",
    title="Scores of a result, with intervals",
    variables=(
        variable("metric", TEXT, "", "what was measured"),
        variable("class", TEXT, "", "surface class, 'all', or the pair of a confusion cell"),
        variable("region", TEXT, "", "beam strength or beam: strong, weak, all"),
        variable("value", pa.float64(), "", "the value, in the metric's units"),
        variable("low", pa.float64(), "", "lower end of the 95 % interval, NaN where none is given"),
        variable("high", pa.float64(), "", "upper end of the 95 % interval"),
        variable("n", pa.int64(), "1", "samples the value rests on"),
        variable("units", TEXT, "", "units of the value"),
        variable("reference", TEXT, "", "what the value was measured against"),
    ),
)

TABLES = {spec.name: spec for spec in (SEGMENTS, LEADS, SEA_SURFACE, TRUTH, FEATURES, LABELS, EVALUATION)}
