"""The vocabulary of maps of tags: counts of imagettes per cell and pass, and occurrences with their intervals."""

from __future__ import annotations

import pyarrow as pa

from .imagettes import TAGS
from .records import TableSpec, Variable, variable

F4, I4, I8 = pa.float32(), pa.int32(), pa.int64()
COUNTS = ("n_imagettes", "n_not_assessed", *(f"n_{t}" for t in TAGS))
TAG_GRID_SUMS = TableSpec(
    name="tag_grid_sums",
    title="Counts of the imagettes of one product per cell, pass and day",
    variables=(
        variable("period", I4, "days since 1970-01-01", "first day of the period; 0 where there is one period"),
        variable("cell", I8, "1", "row of the cell from the north times the number of columns, plus its column"),
        variable("track", pa.string(), "", "pass: satellite and orbit, or the source where the orbit is not known"),
        variable("day", I4, "days since 1970-01-01", "day, UTC"),
        variable("n_imagettes", I8, "1", "assessed imagettes"),
        variable("n_not_assessed", I8, "1", "imagettes that were not assessed"),
        *(variable(f"n_{t}", I8, "1", f"assessed imagettes with the tag {t}") for t in TAGS),
    ),
)
FEW_IMAGETTES, FEW_PASSES, ONE_DAY, MOSTLY_ASIDE = 1, 2, 4, 8
SAMPLING_FLAGS = (
    (FEW_IMAGETTES, "few_imagettes_occurrence_masked"),
    (FEW_PASSES, "fewer_than_three_passes"),
    (ONE_DAY, "one_day"),
    (MOSTLY_ASIDE, "mostly_not_assessed"),
)
"""Bits of ``sampling_flag``: what a reader of a cell should know."""


def occurrence_variables(tag: str) -> tuple[Variable, ...]:
    """Return the variables of a tag: share of imagettes, its interval, and the count."""
    words = tag.replace("_", " ")
    return (
        variable(f"occurrence_{tag}", F4, "1", f"share of assessed imagettes with {words}; masked where few"),
        variable(f"occurrence_low_{tag}", F4, "1", f"lower end of the 95 % interval of the share with {words}"),
        variable(f"occurrence_high_{tag}", F4, "1", f"upper end of the 95 % interval of the share with {words}"),
        variable(f"n_{tag}", I4, "1", f"assessed imagettes with {words}"),
    )


COMMON = (
    variable("n_imagettes", I4, "1", "assessed imagettes, of which the shares are"),
    variable("n_not_assessed", I4, "1", "imagettes that were not assessed: near land, or unlike the training"),
    variable("n_tracks", I4, "1", "passes with assessed imagettes"),
    variable("n_days", I4, "1", "days with assessed imagettes, UTC"),
    variable("sampling_flag", pa.int16(), "1", "what limits the shares", flags=SAMPLING_FLAGS, is_bits=True),
)
TAG_GRID_VARIABLES = (*(v for t in TAGS for v in occurrence_variables(t)), *COMMON)
