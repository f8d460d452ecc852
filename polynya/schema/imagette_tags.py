"""The vocabulary of tags that a network gives imagettes: what ``polynya tags`` writes."""

from __future__ import annotations

import pyarrow as pa

from .imagettes import TAGS, WHERE
from .records import TableSpec, variable

F8, TEXT = pa.float64(), pa.string()
QUALITY = {
    1: "no_tag_reaches_its_threshold",
    2: "far_from_training_images",
    4: "beam_or_incidence_not_in_training",
    8: "size_not_in_training",
    16: "near_land",
    32: "part_of_picture_missing",
    64: "no_calibration",
    128: "beam_and_incidence_not_known",
    256: "place_not_known",
    512: "polarisation_not_in_training",
    1024: "picture_not_readable",
    2048: "pixel_size_not_known",
    4096: "satellite_not_in_training",
}
"""Bits of ``tag_quality``."""
BITS = {name: bit for bit, name in QUALITY.items()}
NOT_ASSESSED = sum(
    BITS[n]
    for n in (
        "far_from_training_images",
        "beam_or_incidence_not_in_training",
        "size_not_in_training",
        "near_land",
        "part_of_picture_missing",
        "no_calibration",
        "polarisation_not_in_training",
        "picture_not_readable",
    )
)
"""Bits with which an imagette gets no tag, whatever its probabilities."""


def probability_name(tag: str) -> str:
    """Return the column of a tag's probability."""
    return f"probability_{tag}"


PROBABILITIES = tuple(probability_name(t) for t in TAGS)
IMAGETTE_TAGS = TableSpec(
    name="imagette_tags",
    title="Tags of wave-mode imagettes: phenomena that a network sees, with probabilities",
    variables=(
        variable("number", pa.int64(), "1", "number of the imagette in the source, from 0"),
        *WHERE,
        variable("file", TEXT, "", "file of the picture in the source; empty for imagettes of a product"),
        *(
            variable(probability_name(t), F8, "1", f"calibrated probability of {t}; NaN: no picture or no such tag")
            for t in TAGS
        ),
        variable("tags", pa.list_(TEXT), "", "tags that reach the threshold of the best F1; none if unknown"),
        variable("precise_tags", pa.list_(TEXT), "", "those that reach the threshold of the wanted precision, too"),
        variable(
            "confidence",
            F8,
            "1",
            "largest probability of the tags; without one the probability that none is there; NaN if not assessed",
        ),
        variable("unknown", pa.bool_(), "1", "whether no tag is stated; tag_quality says why"),
        variable("distance", F8, "1", "distance from the training by the network's features, standard deviations"),
        variable("tag_quality", pa.int32(), "1", "what limits the answer", flags=tuple(QUALITY.items()), is_bits=True),
    ),
)
"""A row per imagette."""
