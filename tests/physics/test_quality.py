"""Quality bits of segments: each is set by its own cause, at its own limit, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics.quality import quality_flag
from polynya.schema import (
    QUALITY_BITS,
    SOURCE_LEADS,
    SOURCE_NONE,
    SOURCE_ONE_SIDED,
    SOURCE_TWO_SIDED,
)

GOOD = {
    "n_photons": 3,
    "is_geoid": False,
    "first_photon_bias": 0.01,
    "is_missing": False,
    "is_contaminated": False,
    "is_next_to_gap": False,
    "source": SOURCE_LEADS,
    "saturated_share": 0.1,
}


def flags(**changes) -> set[str]:
    """Return the names of the bits of one segment that is good but for the changes."""
    (found,) = quality_flag(**{k: np.array([v]) for k, v in {**GOOD, **changes}.items()})
    return {name for bit, name in QUALITY_BITS if found & bit}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({"n_photons": 2}, "few_photons"),
        ({"is_geoid": True}, "geoid_instead_of_mean_sea_surface"),
        ({"first_photon_bias": np.nan}, "no_first_photon_bias_correction"),
        ({"first_photon_bias": 0.0}, None),
        ({"is_missing": True}, "correction_missing"),
        ({"is_contaminated": True}, "background_contaminated"),
        ({"is_next_to_gap": True}, "next_to_gap"),
        ({"source": SOURCE_ONE_SIDED}, "sea_surface_filled"),
        ({"source": SOURCE_TWO_SIDED}, "sea_surface_filled"),
        ({"source": SOURCE_NONE}, None),
        ({"saturated_share": 0.11}, "saturated_shots"),
        ({"saturated_share": np.nan}, None),
    ],
)
def test_each_cause_sets_its_own_bit(change, expected):
    assert flags(**change) == ({expected} if expected else set())


def test_bits_add_up():
    """Every bit has a cause, and all causes at once set every bit."""
    worst = {
        "n_photons": 1,
        "first_photon_bias": np.nan,
        "source": SOURCE_ONE_SIDED,
        "saturated_share": 1.0,
        **{k: True for k in GOOD if k.startswith("is_")},
    }
    assert flags(**worst) == {name for _, name in QUALITY_BITS}
    assert sorted(bit for bit, _ in QUALITY_BITS) == [1 << k for k in range(len(QUALITY_BITS))]
