"""Which photons count and which make heights: values of quality_ph by release, and filters."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.readers.icesat2_atl03 import surface_quality
from polynya.tracks.photon_filter import PhotonFilter, select

CODES = [0, 1, 2, 3, 4, 5, 10, 11, 12, 14, 15, 20, 21, 22, 24, 25]


def photons(**columns: object) -> dict[str, np.ndarray]:
    out = {k: np.asarray(v) for k, v in columns.items()}
    n = len(next(iter(out.values())))
    return {"quality_ph": np.zeros(n, np.int8), "signal_conf_ph": np.full(n, 4, np.int8), **out}


@pytest.mark.parametrize(
    ("release", "kept"),
    [("003", {0}), ("006", {0}), ("007", {0, 10, 20}), ("008", {0, 10, 20}), ("", {0, 10, 20})],
)
def test_surface_returns_of_saturated_pulses_count_from_release_007_on(release, kept):
    """Tens say how saturated the pulse is, units which artefact the photon is: only photons without one are surface."""
    given = photons(quality_ph=np.array(CODES, np.int8))
    found = select(given, PhotonFilter(), release=release)["quality_ph"]
    assert {c for c, q in zip(CODES, found, strict=True) if q == 0} == kept == set(surface_quality(release))
    np.testing.assert_array_equal(given["quality_ph"], CODES)  # what was given stays


def test_without_a_filter_nothing_is_copied_before_release_007():
    given = photons(quality_ph=np.array([0, 1, 10], np.int8))
    found = select(given, PhotonFilter(), release="006")
    assert all(found[k] is given[k] for k in given) and PhotonFilter().variables == ()


@pytest.mark.parametrize(
    ("chosen", "variables", "passing"),
    [
        (PhotonFilter(signal_class=(4, 5)), ("signal_class_ph",), [3, 4]),
        (PhotonFilter(min_weight=100), ("weight_ph",), [1, 2, 4]),
        (PhotonFilter(signal_class=(5, 1), min_weight=100), ("signal_class_ph", "weight_ph"), [2, 4]),
    ],
)
def test_a_filter_takes_photons_out_of_heights_only(chosen, variables, passing):
    given = photons(
        signal_class_ph=np.array([-1, 0, 1, 4, 5, 2], np.int8),
        weight_ph=np.array([0, 100, 255, 99, 60000, 0], np.uint16),
    )
    given["signal_conf_ph"] = np.array([4, 3, 4, 4, 3, -2], np.int8)
    found = select(given, chosen, release="007")
    expected = np.array([-1, -1, -1, -1, -1, -2])  # -2: the transmitter echo stays what it is
    expected[passing] = given["signal_conf_ph"][passing]
    np.testing.assert_array_equal(found["signal_conf_ph"], expected)
    assert (found["quality_ph"] == 0).all() and chosen.variables == variables
