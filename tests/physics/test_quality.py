"""Quality bits of segments: each is set by its own cause, at its own limit, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import quality
from polynya.schema import (
    QUALITY_BITS,
    SOURCE_LEADS,
    SOURCE_NONE,
    SOURCE_ONE_SIDED,
    SOURCE_TWO_SIDED,
)

NAMES = [name for _, name in QUALITY_BITS]


def flags(**causes: bool) -> set[str]:
    """Return the names of the bits of one segment with these causes."""
    every = {name: np.array([causes.get(name, False)]) for name in NAMES}
    (found,) = quality.quality_flag(every)
    return {name for bit, name in QUALITY_BITS if found & bit}


@pytest.mark.parametrize("name", NAMES)
def test_each_cause_sets_its_own_bit(name):
    assert flags(**{name: True}) == {name}


def test_bits_add_up():
    """All causes at once set every bit, none sets none, and the bits are the powers of two in order."""
    assert flags(**dict.fromkeys(NAMES, True)) == set(NAMES)
    assert flags() == set()
    assert [bit for bit, _ in QUALITY_BITS] == [1 << k for k in range(len(QUALITY_BITS))]


def test_a_forgotten_or_unknown_cause_is_named():
    every = {name: np.zeros(2, bool) for name in NAMES}
    with pytest.raises(UsageError, match="swell is missing or unknown"):
        quality.quality_flag({k: v for k, v in every.items() if k != "swell"})
    with pytest.raises(UsageError, match="fog is missing or unknown"):
        quality.quality_flag({**every, "fog": np.zeros(2, bool)})


def test_limits():
    """Two photons are few and three are not; more than a tenth of saturated shots is saturated; unknown is not."""
    np.testing.assert_array_equal(quality.has_few_photons(np.array([2, 3])), [True, False])
    np.testing.assert_array_equal(quality.is_saturated(np.array([0.1, 0.11, np.nan])), [False, True, False])
    sources = np.array([SOURCE_NONE, SOURCE_LEADS, SOURCE_ONE_SIDED, SOURCE_TWO_SIDED])
    np.testing.assert_array_equal(quality.is_filled(sources), [False, False, True, True])
