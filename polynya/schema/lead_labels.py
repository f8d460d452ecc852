"""The vocabulary of leads along altimeter tracks: labels from a map of leads, and what a network or rule answers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .echoes import CLASSES, COLUMNS, ECHOES, MODES
from .records import TableSpec, variable

F8, I1 = pa.float64(), pa.int8()
TEXT = pa.dictionary(pa.int32(), pa.string())

UNLABELLED, NO_LEAD, LEAD_NEAR, AMBIGUOUS = -1, 0, 1, 2
LABELS = ((UNLABELLED, "unlabelled"), (NO_LEAD, "no_lead"), (LEAD_NEAR, "lead"), (AMBIGUOUS, "ambiguous"))
"""Whether a lead of the map is nearer to nadir than the threshold. Ambiguous: up to three thresholds."""
LABELLED, MAP_ENDS, TOO_LATE, FEW_ICE, NO_ECHO = 0, 1, 2, 3, 4
LABEL_FLAGS = (
    (LABELLED, "labelled"),
    (MAP_ENDS, "lead_map_ends_within_5_km"),
    (TOO_LATE, "lead_map_too_long_before_or_after"),
    (FEW_ICE, "sea_ice_concentration_below_limit"),
    (NO_ECHO, "no_echo_or_no_position"),
)
"""Why an echo has no label."""

LABEL_COLUMNS = (
    variable("pass_id", TEXT, "", "pass that the echo is of; a pass is never split between training and test"),
    variable("label", I1, "1", "whether a lead of the map is near nadir", flags=LABELS),
    variable("label_flag", I1, "1", "why the echo has no label", flags=LABEL_FLAGS),
    variable("lead_distance", F8, "m", "distance from nadir to the nearest lead of the map"),
    variable("lead_width_crossed", F8, "m", "length of the track within the lead of the map; NaN outside leads"),
    variable("map_time_lag", F8, "s", "time of the echo minus time of the lead map"),
    variable("drift_x", F8, "m", "displacement of the ice from map to echo that was applied, along x of the map"),
    variable("drift_y", F8, "m", "the same along y"),
)


def labelled(echoes: TableSpec = ECHOES) -> TableSpec:
    """Return the specification of labelled echoes: those of a product's echoes, and the labels' columns.

    Parameters
    ----------
    echoes : TableSpec
        Of the echoes, as :meth:`polynya.schema.echoes.Echoes.to_table` gives them.
    """
    return TableSpec(
        name="lead_labels",
        title="Radar-altimeter echoes with labels from a map of leads",
        variables=(*echoes.variables, *LABEL_COLUMNS),
    )


LEAD_LABELS = labelled()

QUALITY = {
    1: "no_echo",
    2: "off_nadir_lead",
    4: "melt_season",
    8: "open_ocean_or_low_ice_concentration",
    16: "sequence_shorter_than_training",
    32: "mode_or_mission_not_in_training",
    64: "saturated",
    128: "few_sea_echoes_around",
    256: "latitude_not_searched",
}
"""Bits of ``lead_quality``."""

(
    HAS_CLASS,
    CAUSE_NO_ECHO,
    BETWEEN_LIMITS,
    RULE_UNDECIDED,
    INPUT_MISSING,
    NO_NETWORK_OR_RULE,
    NOT_SEA,
) = range(7)
UNKNOWN_CAUSES = (
    (HAS_CLASS, "has_a_class"),
    (CAUSE_NO_ECHO, "no_echo_or_no_position"),
    (BETWEEN_LIMITS, "probability_between_the_limits"),
    (RULE_UNDECIDED, "rule_or_product_undecided"),
    (INPUT_MISSING, "input_of_the_rule_missing"),
    (NO_NETWORK_OR_RULE, "no_network_or_rule_for_the_mission_or_mode"),
    (NOT_SEA, "land_or_continental_ice"),
)
"""Why an echo has no class: unknown echoes are counted by cause, never dropped."""
KEEP_RANGE, OFF_NADIR, EMPTY, RANGE_NOT_CHECKED = 0, 1, 2, 3
RANGE_FLAGS = (
    (KEEP_RANGE, "keep"),
    (OFF_NADIR, "remove_off_nadir_lead"),
    (EMPTY, "remove_no_echo"),
    (RANGE_NOT_CHECKED, "not_checked_no_distance"),
)
"""Whether a user of ranges should remove an echo: those of leads beside nadir are too long."""

_KEPT: Any = ("time", "latitude", "longitude")
LEADS = TableSpec(
    name="altimeter_leads",
    title="Leads along a radar-altimeter track",
    variables=(
        *(ECHOES[n] for n in _KEPT),
        variable("source", TEXT, "", "name of the file"),
        variable("echo", pa.int64(), "1", "number of the echo in the file, from 0"),
        variable("mode", I1, "1", "mode of the radar", flags=MODES),
        variable("surface_class", I1, "1", "class of the echo", flags=CLASSES),
        variable("lead_probability", F8, "1", "probability that a lead is nearer to nadir than the threshold"),
        variable("lead_distance", F8, "m", "distance from nadir to the nearest lead, median of what is likely"),
        variable("lead_distance_low", F8, "m", "lower end of the 68 % interval of the distance"),
        variable("lead_distance_high", F8, "m", "upper end of the 68 % interval of the distance"),
        variable("lead_width", F8, "m", "length of the track whose echoes are of this lead; NaN outside leads"),
        variable(
            "lead_quality",
            pa.int32(),
            "1",
            "what limits the answer",
            flags=tuple(QUALITY.items()),
            is_bits=True,
        ),
        variable("unknown_cause", I1, "1", "why the echo has no class", flags=UNKNOWN_CAUSES),
        variable("range_flag", I1, "1", "whether a user of the range should remove the echo", flags=RANGE_FLAGS),
        variable("range_delay", F8, "m", "how much longer the way to the nearest lead is than that to nadir"),
        variable("maximum_power_db", F8, "dB", "maximum power of the echo with the gain control"),
        variable("peakiness", F8, "1", "peakiness by the definition that the metadata name"),
        variable("rule_class", I1, "1", "class by the published rule that the metadata name", flags=CLASSES),
        variable("product_class", I1, "1", "class that the product gives", flags=CLASSES),
    ),
)
"""What ``polynya leads`` writes."""
BITS = {name: bit for bit, name in QUALITY.items()}

__all__ = [
    "BITS",
    "COLUMNS",
    "LABELS",
    "LABEL_COLUMNS",
    "LABEL_FLAGS",
    "LEADS",
    "LEAD_LABELS",
    "QUALITY",
    "RANGE_FLAGS",
    "UNKNOWN_CAUSES",
    "labelled",
]
