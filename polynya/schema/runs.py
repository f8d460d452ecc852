"""The table of a folder's batches: one row per granule, pair or scene."""

from __future__ import annotations

import pyarrow as pa

from .records import TableSpec, variable

TEXT, F8 = pa.string(), pa.float64()
UTC_S = pa.timestamp("s", tz="UTC")
DONE, FAILED = "done", "failed"

RUNS = TableSpec(
    name="runs",
    title="Items of the batches of one folder: what became of each, and what it gave",
    variables=(
        variable("command", TEXT, "", "polynya's command"),
        variable("name", TEXT, "", "where the item's result lies in the folder, with or without a result"),
        variable("item", TEXT, "", "the item as it was given"),
        variable("state", TEXT, "", "done or failed"),
        variable("reason", TEXT, "", "the error of a failed item, or what to know of a result"),
        variable("report", TEXT, "", "its page, relative to the folder; empty where it has none"),
        variable("data_time", UTC_S, "", "time of the first data, UTC; null where nothing says"),
        variable("finished", UTC_S, "", "when the result was written, UTC; of a failure, when it failed"),
        variable("seconds", F8, "s", "how long it took"),
        variable("batch", UTC_S, "", "when the batch that last worked on it ended, UTC"),
        variable("started", pa.timestamp("ms", tz="UTC"), "", "when a worker began it, UTC; null where it did not say"),
        variable("worker", TEXT, "", "computer and process that worked on it"),
        variable("tries", pa.int32(), "1", "how often it was begun in its batch"),
        variable("quantity", TEXT, "", "what value is"),
        variable("units", TEXT, "", "units of value and its uncertainties"),
        variable("value", F8, "", "the result in one number; NaN without one"),
        variable("weight", F8, "1", "its weight in a mean over items; 1 for a sum"),
        variable("uncertainty_random", F8, "", "one standard uncertainty of value, the part that averaging reduces"),
        variable("uncertainty_correlated", F8, "", "the part that items may share: averaging does not reduce it"),
        variable("is_simulated", pa.bool_(), "", "whether the data are simulated"),
        variable("polynya", TEXT, "", "version that made the result"),
        variable("versions", TEXT, "", "versions of the libraries, as JSON"),
        variable("numbers", TEXT, "", "counts and times of the result, as JSON"),
        variable(
            "track_latitude", pa.list_(pa.float32()), "degrees_north", "of the track, or the corners of the scene"
        ),
        variable("track_longitude", pa.list_(pa.float32()), "degrees_east", "likewise"),
        variable("is_area", pa.bool_(), "", "true where they are corners of an area, false for a track"),
    ),
)
