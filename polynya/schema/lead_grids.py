"""The vocabulary of maps of leads from radar altimeters: counts per cell and pass, and shares with their intervals."""

from __future__ import annotations

import pyarrow as pa

from .records import TableSpec, variable

F4, I4 = pa.float32(), pa.int32()
COUNTS = ("n_lead", "n_sea_ice", "n_ocean", "n_unknown", "n_left_out")
LEAD_GRID_SUMS = TableSpec(
    name="lead_grid_sums",
    title="Counts of the echoes of one file per cell, pass and day",
    variables=(
        variable("period", I4, "days since 1970-01-01", "first day of the period; 0 where there is one period"),
        variable("cell", pa.int64(), "1", "row of the cell times the number of columns, plus its column"),
        variable("track", pa.string(), "", "pass: the file"),
        variable("day", I4, "days since 1970-01-01", "day, UTC"),
        variable("n_lead", pa.int64(), "1", "echoes of leads"),
        variable("n_sea_ice", pa.int64(), "1", "echoes of sea ice"),
        variable("n_ocean", pa.int64(), "1", "echoes of open ocean"),
        variable("n_unknown", pa.int64(), "1", "echoes without a class"),
        variable("n_left_out", pa.int64(), "1", "echoes left out by their quality bits"),
    ),
)
FEW_PASSES, ONE_DAY, FEW_ECHOES, MOSTLY_UNKNOWN = 1, 2, 4, 8
SAMPLING_FLAGS = (
    (FEW_PASSES, "fewer_than_three_passes"),
    (ONE_DAY, "one_day"),
    (FEW_ECHOES, "few_echoes_share_masked"),
    (MOSTLY_UNKNOWN, "mostly_unknown"),
)
"""Bits of ``sampling_flag``: what a reader of a cell's share should know."""
LEAD_GRID_VARIABLES = (
    variable("lead_fraction", F4, "1", "share of lead echoes among lead and sea-ice echoes; masked where few"),
    variable("lead_fraction_low", F4, "1", "lower end of the 95 % interval of the share, between passes"),
    variable("lead_fraction_high", F4, "1", "upper end of the 95 % interval of the share, between passes"),
    variable("unknown_share", F4, "1", "share of echoes without a class among all that were not left out"),
    variable("n_echoes", I4, "1", "lead and sea-ice echoes, of which the share is"),
    variable("n_lead", I4, "1", "lead echoes"),
    variable("n_ocean", I4, "1", "echoes of open ocean"),
    variable("n_unknown", I4, "1", "echoes without a class"),
    variable("n_left_out", I4, "1", "echoes left out by their quality bits"),
    variable("n_tracks", I4, "1", "passes with lead or sea-ice echoes"),
    variable("n_days", I4, "1", "days with lead or sea-ice echoes, UTC"),
    variable("sampling_flag", pa.int16(), "1", "what limits the share", flags=SAMPLING_FLAGS, is_bits=True),
)
