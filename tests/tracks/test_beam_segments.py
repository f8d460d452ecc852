"""An empty beam is an error that says why, to programs by a code and to people by a phrase."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from polynya.errors import EmptyBeamError, NoSeaIceError
from polynya.readers import icesat2_atl03
from polynya.tracks import beam_segments


@pytest.fixture
def granule(small_granule, tmp_path) -> Path:
    return Path(shutil.copy(small_granule, tmp_path / small_granule.name))


def first_beam(granule: Path) -> str:
    return next(iter(icesat2_atl03.open_granule(granule).beams))


def change(granule: Path, name: str, value: float, *, column: int | None = None) -> str:
    """Write one value over a variable of the first beam; return the beam."""
    beam = first_beam(granule)
    with h5py.File(granule, "r+") as f:
        data = f[f"{beam}/{name}"][()]
        data[... if column is None else (slice(None), column)] = value
        f[f"{beam}/{name}"][...] = data
    return beam


def test_a_beam_whose_photons_are_noise_has_no_signal(granule):
    beam = change(granule, "heights/signal_conf_ph", 0, column=icesat2_atl03.SEA_ICE)
    with pytest.raises(EmptyBeamError, match=f"{granule.stem}: {beam}: .*expected photons over sea ice") as caught:
        beam_segments.beam_segments(icesat2_atl03.index(granule, beam=beam))
    assert caught.value.code == "no_signal" and caught.value.reason.startswith(f"{beam}: ")


def test_a_beam_without_mean_sea_surface_and_geoid_has_no_reference(granule):
    change(granule, "geophys_corr/dem_h", np.nan)
    beam = change(granule, "geophys_corr/geoid", np.nan)
    with pytest.raises(EmptyBeamError, match="pass --mss GRID") as caught:
        beam_segments.beam_segments(icesat2_atl03.index(granule, beam=beam))
    assert caught.value.code == "no_reference"


def test_a_beam_that_was_not_looked_at_for_sea_ice_says_so(granule):
    beam = change(granule, "heights/signal_conf_ph", -1, column=icesat2_atl03.SEA_ICE)
    with pytest.raises(NoSeaIceError) as caught:
        beam_segments.beam_segments(icesat2_atl03.index(granule, beam=beam))
    assert caught.value.code == "not_sea_ice" and str(caught.value).startswith(f"{granule.name}: {caught.value.reason}")


def test_the_reason_survives_the_way_between_processes():
    error = EmptyBeamError.of("g", code="no_photons", reason="gt1l: no photons")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (EmptyBeamError, str(error))
    assert (copy.code, copy.reason) == ("no_photons", "gt1l: no photons")


def test_what_is_known_of_a_beam_comes_with_its_segments(small_granule):
    data = icesat2_atl03.index(small_granule, beam=first_beam(small_granule))
    found = beam_segments.beam_segments(data)
    assert found.has_cal19 == data.has_cal19 == (data.first_photon is not None)
    assert found.granule_id == small_granule.stem and found.n_photons_read == data.stop - data.start
    blocks = beam_segments.beam_segments(icesat2_atl03.read(small_granule, beam=data.beam.name))
    np.testing.assert_array_equal(found.surface.height, blocks.surface.height)
