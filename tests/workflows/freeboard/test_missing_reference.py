"""Holes in the mean sea surface and the tides of a granule: freeboard around them stays, and a sentence says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from polynya import schema
from polynya.physics import gaps
from polynya.physics.quality import BITS
from polynya.readers import icesat2_atl03
from polynya.readers.height_grid import Grid
from polynya.simulate.icesat2.atl03 import simulate
from polynya.tracks import beam_segments
from polynya.workflows.freeboard import BeamSettings, beam_tables, missing_reference
from polynya.workflows.freeboard.missing_reference import MissingReference, sentences

BEAM = "gt1r"


@pytest.fixture(scope="module")
def granule(tmp_path_factory) -> Path:
    """25 km of one strong beam with leads all along; the geoid is moved 0.35 m away from where it was."""
    path = tmp_path_factory.mktemp("holes") / "ATL03_20200115091200_02800603_006_01.h5"
    simulate(path, length_km=25, beams=BEAM, seed=911)
    with h5py.File(path, "r+") as f:
        f[f"{BEAM}/geophys_corr/geoid"][...] = f[f"{BEAM}/geophys_corr/geoid"][...] + 0.35
    return path


def tables(path: Path, settings: BeamSettings | None = None):
    return beam_tables(icesat2_atl03.index(path, beam=BEAM), settings=settings)


def columns(found) -> dict[str, np.ndarray]:
    names = ("x_atc", "total_freeboard", "quality_flag", "mean_sea_surface", "tide_ocean", "height")
    out = {n: schema.to_numpy(found.segments[n]) for n in names}
    return {**out, "x_atc": out["x_atc"] - out["x_atc"][0]}


@pytest.fixture(scope="module")
def usual(granule):
    return columns(tables(granule))


def edited(granule: Path, path: Path, name: str, start_m: float, stop_m: float, value: float) -> Path:
    """Copy the granule with one value over a stretch of a variable."""
    shutil.copy(granule, path)
    with h5py.File(path, "r+") as f:
        x = f[f"{BEAM}/geolocation/segment_dist_x"][:]
        values = f[f"{BEAM}/geophys_corr/{name}"][:]
        values[(x - x[0] >= start_m) & (x - x[0] < stop_m)] = value
        f[f"{BEAM}/geophys_corr/{name}"][...] = values
    return path


@pytest.mark.parametrize(
    ("start_m", "stop_m"),
    [(12_000, 12_020), (12_000, 13_000), (9000, 16_500), (6000, 18_000), (-1, 4000), (21_000, 26_000)],
)
def test_freeboard_beside_a_hole_of_the_mean_sea_surface_stays(granule, usual, tmp_path, start_m, stop_m):
    found = tables(edited(granule, tmp_path / "holed.h5", "dem_flag", start_m, stop_m, 0))
    now = columns(found)
    np.testing.assert_array_equal(now["x_atc"], usual["x_atc"])
    np.testing.assert_allclose(now["total_freeboard"], usual["total_freeboard"], atol=0.02)
    inside = (now["quality_flag"] & BITS["geoid_instead_of_mean_sea_surface"]) > 0
    length = min(stop_m, usual["x_atc"][-1]) - max(start_m, 0)
    is_short = length <= 10_000
    np.testing.assert_array_equal(inside & is_short, (now["quality_flag"] & BITS["correction_interpolated"]) > 0)
    assert np.ptp(usual["x_atc"][inside]) == pytest.approx(length, abs=45)
    assert found.missing.share_bridged == pytest.approx(inside.mean()) and not found.missing.is_cut


def test_nothing_crosses_a_long_hole_of_the_mean_sea_surface(granule, usual, tmp_path, monkeypatch):
    """What lies before the hole is as if nothing came after it; 12 km are long here."""
    monkeypatch.setattr(gaps, "CUT_M", 10_000.0)
    path = edited(granule, tmp_path / "long.h5", "dem_flag", 6000, 18_000, 0)
    found = tables(path)
    now, x = columns(found), usual["x_atc"]
    with h5py.File(granule) as f:
        latitude = f[f"{BEAM}/geolocation/reference_photon_lat"][:]
    box = (-180.0, latitude[:300].min(), 180.0, latitude[:300].max())
    alone = columns(beam_tables(icesat2_atl03.index(path, beam=BEAM, bbox=box)))
    before = alone["x_atc"] < 5800
    assert before.sum() > 2500 and np.isfinite(alone["total_freeboard"][before]).any()
    np.testing.assert_allclose(
        now["total_freeboard"][: before.sum()], alone["total_freeboard"][before], atol=1e-6, equal_nan=True
    )
    assert not np.allclose(now["total_freeboard"][x < 5800], usual["total_freeboard"][x < 5800], atol=1e-3)
    sections = schema.to_numpy(found.sea_surface["x_atc"])
    assert np.all(np.diff(sections) >= 0) and np.ptp(sections) < 35_000  # sections lie where they are
    assert found.missing.is_cut


def test_what_a_cut_takes_has_a_bit(granule, tmp_path):
    """4 km without a lead of their own beside a step: no freeboard, and a bit that says that the reference is why."""
    with h5py.File(granule) as f:
        x = f[f"{BEAM}/geolocation/segment_dist_x"][:]
    path = edited(granule, tmp_path / "cut.h5", "dem_flag", 4000, 4020, 0)
    with h5py.File(path, "r+") as f:
        f[f"{BEAM}/geophys_corr/dem_h"][...] += np.where(x - x[0] < 4000, 0.3, 0.0)
    now = columns(tables(path))
    bare = np.isnan(now["total_freeboard"])
    assert bare.sum() > 500
    assert np.all(now["quality_flag"][bare] & BITS["correction_interpolated"])
    assert not np.any(now["quality_flag"][~bare & (np.abs(now["x_atc"] - 4010) > 40)] & BITS["correction_interpolated"])


def test_what_is_beside_a_cut():
    x = np.arange(0.0, 100_000.0, 1000.0)
    found = missing_reference.is_beside_cut(x, (x >= 30_000).astype(int) + (x >= 31_000) + (x >= 75_000))
    np.testing.assert_array_equal(found, ((x >= 10_000) & (x <= 51_000)) | ((x >= 55_000) & (x <= 95_000)))
    assert not missing_reference.is_beside_cut(x, np.zeros(x.size, int)).any()


def test_a_step_between_two_sources_moves_no_freeboard(granule, usual, tmp_path):
    path = edited(granule, tmp_path / "step.h5", "dem_flag", 10_000, 15_000, 4)
    with h5py.File(path, "r+") as f:
        x = f[f"{BEAM}/geolocation/segment_dist_x"][:]
        dem = f[f"{BEAM}/geophys_corr/dem_h"]
        dem[...] = dem[...] + 0.4 * (x - x[0] >= 15_000)
    now, x = columns(tables(path)), usual["x_atc"]
    outside = (x < 9950) | (x > 15_050)
    difference = now["total_freeboard"][outside] - usual["total_freeboard"][outside]
    assert np.isfinite(difference).all() and abs(difference.mean()) < 0.02 and np.abs(difference).max() < 0.1


def test_without_a_reference_there_is_no_height(granule, usual, tmp_path):
    path = edited(granule, tmp_path / "none.h5", "dem_flag", 8000, 14_000, 0)
    path = edited(path, tmp_path / "nothing.h5", "geoid", -1, 30_000, np.nan)
    found = tables(path)
    assert found.missing.share_none == pytest.approx(6000 / 25_000, abs=0.002)
    now, x = columns(found), usual["x_atc"]
    bare = (x > 8025) & (x < 13_975)
    assert not np.isin(x[bare], now["x_atc"]).any()
    assert np.isin(x[(x < 7975) | (x > 14_025)], now["x_atc"]).all()


def test_a_tide_that_ends_is_held(granule, usual, tmp_path):
    now = columns(tables(edited(granule, tmp_path / "tide.h5", "tide_ocean", 12_500, 30_000, np.nan)))
    np.testing.assert_allclose(now["total_freeboard"], usual["total_freeboard"], atol=0.02)
    gone = (now["quality_flag"] & BITS["correction_missing"]) > 0
    np.testing.assert_array_equal(gone, usual["x_atc"] > usual["x_atc"][gone].min() - 1)
    assert usual["x_atc"][gone].min() == pytest.approx(12_500, abs=25)
    np.testing.assert_allclose(now["tide_ocean"][gone], now["tide_ocean"][~gone][-1], atol=1e-4)


def test_what_of_a_correction_is_missing_is_measured(granule, tmp_path):
    path = edited(granule, tmp_path / "tide.h5", "tide_ocean", 12_500, 30_000, np.nan)
    path = edited(path, tmp_path / "dac.h5", "dac", 2000, 5000, np.nan)
    path = edited(path, tmp_path / "none.h5", "tide_equilibrium", -1, 30_000, np.nan)
    found = tables(path)
    cells = 0.002 * np.count_nonzero(columns(found)["x_atc"] > 12_500)
    assert found.missing.absent == ("tide_equilibrium",)  # said once, with no length
    assert found.missing.missing_km == {"tide_ocean": pytest.approx(cells, abs=0.03)}
    assert found.missing.interpolated_km == {"dac": pytest.approx(3.0, abs=0.2)}


def test_holes_of_a_grid_are_bridged(granule, tmp_path):
    """A grid 0.2 m below the granule's MSS, with a hole of 3 km: nothing of ``dem_h`` enters."""
    with h5py.File(granule) as f:
        latitude = f[f"{BEAM}/geolocation/reference_photon_lat"][:]
        mss = f[f"{BEAM}/geophys_corr/dem_h"][:] - 0.2
    y = np.linspace(latitude.min() - 0.01, latitude.max() + 0.01, 600)
    order = np.argsort(latitude)
    values = np.repeat(np.interp(y, latitude[order], mss[order])[:, None], 3, axis=1)
    middle = 0.5 * (latitude.min() + latitude.max())
    both = []
    for is_holed in (False, True):
        hole = is_holed & (np.abs(y - middle) < 0.0135)
        grid = Grid(
            path=Path("g.tif"),
            values=np.where(hole[:, None], np.nan, values),
            x=np.array([-180.0, 0.0, 180.0]),
            y=y,
            crs="EPSG:4326",
        )
        both.append(columns(tables(granule, BeamSettings(segments=beam_segments.Settings(mss=grid)))))
    whole, holed = both
    for name in ("mean_sea_surface", "total_freeboard"):
        np.testing.assert_allclose(holed[name], whole[name], atol=0.005)
    bridged = (holed["quality_flag"] & BITS["correction_interpolated"]) > 0
    assert 2500 < np.ptp(holed["x_atc"][bridged]) < 3600


# Sentences


def test_nothing_missing_nothing_said():
    assert sentences({"gt1l": MissingReference(), "gt1r": MissingReference()}) == []


def test_one_sentence_names_the_corrections_that_are_missing():
    found = sentences({"gt1l": MissingReference(absent=("tide_ocean", "dac")), "gt1r": MissingReference()})
    assert found == [
        "The granule has no ocean tide and dynamic atmosphere correction on gt1l: heights above the mean sea surface"
        " contain the ocean tide (decimetres, near some coasts metres) and the answer of the sea to air pressure and"
        " wind (up to about 0.5 m) (bit 8). Freeboard is a height above the water nearby and hardly changes; it is NaN"
        " where that water is then more than 0.5 m from the mean sea surface."
    ]


def test_a_correction_that_is_missing_in_part_is_said_with_its_length():
    beams = {
        "gt1r": MissingReference(missing_km={"dac": 12.54}, interpolated_km={"tide_ocean": 0.02}),
        "gt1l": MissingReference(missing_km={"dac": 10.9}),
    }
    found = sentences(beams)
    assert [f.split(":")[0] for f in found] == [
        "The ocean tide is missing on under 0.1 km of gt1r",
        "The dynamic atmosphere correction is missing on 10.9 km of gt1l, 12.5 km of gt1r",
    ]
    assert "(bit 512)" in found[0] and "(bit 8)" in found[1] and "air pressure" in found[1]


def test_a_grid_that_was_given_is_named():
    for beam in (MissingReference(has_mean_sea_surface=False), MissingReference(share_none=0.24)):
        (found,) = sentences({"gt1l": beam}, mss="mine.nc:mss")
        assert found.endswith("Check that --mss mine.nc:mss covers the track, or pass another grid.")


def test_what_stands_in_for_the_mean_sea_surface_is_said():
    none = sentences({"gt1l": MissingReference(has_mean_sea_surface=False)})
    assert len(none) == 1 and "above the geoid" in none[0] and none[0].endswith("Pass --mss GRID.")
    holes = sentences({"gt1l": MissingReference(share_bridged=0.0402), "gt1r": MissingReference(share_bridged=1e-5)})
    assert len(holes) == 1 and "(up to 4.0% of a beam's segments)" in holes[0] and "gt1" not in holes[0]
    nothing = sentences({"gt1l": MissingReference(share_none=0.24)})
    assert nothing == [
        "24.0% of the track has neither a mean sea surface nor a geoid: there is no height there. Pass --mss GRID."
    ]
    cut = sentences({"gt1l": MissingReference(is_cut=True), "gt1r": MissingReference()})
    assert len(cut) == 1 and cut[0].startswith("The track is cut on gt1l ")
