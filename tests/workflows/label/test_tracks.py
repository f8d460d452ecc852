"""Tracks for labels: the same photons as freeboard takes, and one bad beam does not refuse the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from polynya.errors import ProductError
from polynya.readers import icesat2_atl03
from polynya.workflows.label.tracks import read_tracks

WEAK, STRONG = "gt1l", "gt1r"


@pytest.fixture
def granule(small_granule, tmp_path) -> Path:
    return Path(shutil.copy(small_granule, tmp_path / small_granule.name))


def tracks(granule: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    found, notes = read_tracks(icesat2_atl03.open_granule(granule), beams="all")
    return {t.name: t.x for t in found}, notes


def test_degraded_stretches_get_no_label(granule):
    with h5py.File(granule, "r+") as f:
        x = f[f"{STRONG}/geolocation/segment_dist_x"][()]
        f[f"{STRONG}/geolocation/podppd_flag"][50:70] = 2
    found, notes = tracks(granule)
    inside = (found[STRONG] > x[50]) & (found[STRONG] < x[70])
    assert not inside.any() and found[STRONG].size > 500
    assert [n for n in notes if n.startswith(f"{STRONG}: 20 geosegments (0.4 km) with podppd_flag 2 (20)")]
    with h5py.File(granule, "r+") as f:
        f[f"{STRONG}/geolocation/podppd_flag"][...] = 4
    found, notes = tracks(granule)
    assert set(found) == {WEAK} and any("podppd_flag 4" in n for n in notes)


def test_one_bad_beam_does_not_refuse_the_other(granule):
    whole, _ = tracks(granule)
    with h5py.File(granule, "r+") as f:
        f[f"{WEAK}/heights/lat_ph"].resize(100, axis=0)
    found, notes = tracks(granule)
    np.testing.assert_array_equal(found[STRONG], whole[STRONG])
    assert set(found) == {STRONG} and any(n.startswith(f"{WEAK} was left out: ") for n in notes)
    with h5py.File(granule, "r+") as f:
        f[f"{STRONG}/heights/lat_ph"].resize(100, axis=0)
    with pytest.raises(ProductError, match="heights/lat_ph has shape"):
        tracks(granule)
