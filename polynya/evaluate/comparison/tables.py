"""The tables of a comparison with NASA's products."""

from __future__ import annotations

import pyarrow as pa

from ... import schema
from ...schema import TableSpec, variable

F4, F8, TEXT = pa.float32(), pa.float64(), pa.string()
_REFERENCE = variable("reference", TEXT, "", "NASA's product: ATL07 or ATL10")
_RESOLUTION = variable("resolution", TEXT, "", "length of our segments, or 150ph")
_BEAM = variable("beam", TEXT, "", "ground track group in the granule")
_STRONG = variable("is_strong", pa.bool_(), "", "true for a strong beam at the granule's orientation")
_X = variable("x_atc", F8, "m", "along-track distance from the equator crossing")
_ON_BEAM = (_REFERENCE, _RESOLUTION, _BEAM, _STRONG)

SCORES = TableSpec(
    name="comparison",
    title="Comparison with NASA's products along the track: ours minus NASA's",
    variables=(
        variable("quantity", TEXT, "", "what is compared"),
        variable("statistic", TEXT, "", "which number of it"),
        variable("surface", TEXT, "", "NASA's surface type: all, ice, specular_lead, dark_lead"),
        variable("region", TEXT, "", "beam strength or beam: all, strong, weak, gt1l ... gt3r"),
        _REFERENCE,
        _RESOLUTION,
        variable("value", F8, "", "the value, in the units of the row"),
        variable("uncertainty", F8, "", "one standard uncertainty of a bias, errors shared along the track included"),
        variable("low", F8, "", "lower end of the 95 % interval, NaN where none is given"),
        variable("high", F8, "", "upper end of the 95 % interval"),
        variable("n", pa.int64(), "1", "samples the value rests on"),
        variable("n_sections", pa.int64(), "1", "10 km sections of track that hold one; -1 where they do not matter"),
        variable("uncertainty_from", TEXT, "", "bootstrap of sections, stated (too few sections), or none"),
        variable("units", TEXT, "", "units of the value"),
    ),
)
SEGMENTS = TableSpec(
    name="compared_segments",
    title="NASA's segments, and what our segments inside them say together",
    variables=(
        *_ON_BEAM,
        variable("time", schema.UTC_NS, "", "time of NASA's segment, UTC", standard_name="time"),
        variable("latitude", F8, "degrees_north", "latitude", standard_name="latitude"),
        variable("longitude", F8, "degrees_east", "longitude", standard_name="longitude"),
        _X,
        variable("length", F4, "m", "length of NASA's segment"),
        variable("surface_type", pa.int8(), "1", "height_segment_type of NASA's segment"),
        variable("n_ours", pa.int32(), "1", "our segments with a height inside it"),
        variable("height_theirs", F4, "m", "NASA's height above its mean sea surface"),
        variable("height_ours", F4, "m", "our heights above our mean sea surface, averaged with their photons"),
        variable("height_sd_within", F4, "m", "standard deviation of our heights inside it"),
        variable("height_noise_within", F4, "m", "what their stated uncertainties alone would give"),
        variable("mean_sea_surface_theirs", F4, "m", "NASA's mean sea surface above the ellipsoid"),
        variable("mean_sea_surface_ours", F4, "m", "ours"),
        variable("sea_level_ours", F4, "m", "our local sea surface above our mean sea surface"),
        variable("sea_level_uncertainty_ours", F4, "m", "one standard uncertainty of it"),
        variable("freeboard_theirs", F4, "m", "NASA's total freeboard, NaN for ATL07"),
        variable("freeboard_uncertainty_theirs", F4, "m", "beam_fb_unc"),
        variable("freeboard_ours", F4, "m", "mean of our total freeboards, each at least 0"),
        variable("freeboard_same_scale", F4, "m", "our mean height less our mean sea level, at least 0: as NASA's"),
        variable("surface_class_ours", pa.int8(), "1", "most frequent class of ours", flags=schema.SURFACE_CLASSES),
        variable(
            "surface_class_nearest", pa.int8(), "1", "the same over ours nearest to it", flags=schema.SURFACE_CLASSES
        ),
    ),
)
LEADS = TableSpec(
    name="compared_leads",
    title="Leads that either product has where both have segments",
    variables=(
        *_ON_BEAM,
        _X,
        variable("length", F4, "m", "extent along the track: NASA's, ours where NASA has none"),
        variable("found_by", TEXT, "", "both, ours or theirs"),
        variable("height_theirs", F4, "m", "NASA's lead height above its mean sea surface"),
        variable("height_ours", F4, "m", "height of our nearest lead that overlaps, above our mean sea surface"),
    ),
)
SECTIONS = TableSpec(
    name="compared_sections",
    title="NASA's sea surface sections, and our sea surface there",
    variables=(
        *_ON_BEAM,
        _X,
        variable("n_leads_theirs", pa.int32(), "1", "leads in NASA's section"),
        variable("sea_level_theirs", F4, "m", "NASA's reference surface above its mean sea surface"),
        variable("sea_level_uncertainty_theirs", F4, "m", "NASA's formal uncertainty of it"),
        variable("sea_level_ours", F4, "m", "our local sea surface above our mean sea surface, within 2.5 km"),
        variable("sea_level_uncertainty_ours", F4, "m", "one standard uncertainty of it"),
    ),
)
DISTRIBUTIONS = TableSpec(
    name="distributions",
    title="Distributions on the track that both products cover, in shares of track length",
    variables=(
        variable("quantity", TEXT, "", "height, freeboard, or freeboard_difference"),
        _REFERENCE,
        _RESOLUTION,
        variable("source", TEXT, "", "theirs, ours_averaged over theirs, ours as they are, or ours minus theirs"),
        variable("low", F8, "m", "lower edge of the bin; the first and the last bin are open"),
        variable("high", F8, "m", "upper edge"),
        variable("share", F8, "1", "share of the track"),
    ),
)
TABLES = (SCORES, SEGMENTS, LEADS, SECTIONS, DISTRIBUTIONS)
