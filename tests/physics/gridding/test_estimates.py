"""Means of cells: closed forms of every part of the uncertainty, and Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import averages, gridding
from polynya.physics.averages import CorrelatedErrors
from polynya.physics.gridding.estimates import FLAGS
from polynya.schema.gridded import GRID_NAMES, GRID_VARIABLES

from .beams import NO_LEADS, beam, sums_of

NO_CORRECTIONS = CorrelatedErrors(mss_m=0.0, tide_m=0.0, dac_m=0.0)


def one(parts, **options) -> dict[str, float]:
    found = gridding.estimates(gridding.merge(parts), **options)
    assert found.cell.size == 1
    return {k: v[0] for k, v in found.values.items()}


def test_every_variable_is_there():
    assert set(one([sums_of(beam())])) == set(GRID_NAMES)


def test_the_parts_of_one_pass_in_closed_form():
    found = one([sums_of(beam(1000))], errors=NO_CORRECTIONS)
    assert found["total_freeboard"] == pytest.approx(0.3, abs=1e-9)
    assert found["total_freeboard_uncertainty_random"] == pytest.approx(np.sqrt(0.05**2 - 0.01**2) / np.sqrt(1000))
    assert found["total_freeboard_uncertainty_track"] == pytest.approx(0.04)
    assert found["total_freeboard_uncertainty_common"] == pytest.approx(0.03)
    parts = [found[f"total_freeboard_uncertainty_{k}"] for k in ("random", "track", "common")]
    assert found["total_freeboard_uncertainty"] == pytest.approx(np.sqrt(np.sum(np.square(parts))))


def test_beams_of_a_pass_count_once_and_passes_are_independent():
    """Six beams of a pass: the sea surface does not average. Four passes: it halves. The common part stays."""
    six_beams = one([sums_of(beam(1000)) for _ in range(6)], errors=NO_CORRECTIONS)
    assert six_beams["total_freeboard_uncertainty_track"] == pytest.approx(0.04)
    assert six_beams["n_tracks"] == 1
    four = [sums_of(beam(1000), track=f"00{k}101") for k in range(4) for _ in range(6)]
    found = one(four, errors=NO_CORRECTIONS)
    assert found["total_freeboard_uncertainty_track"] == pytest.approx(0.02)
    assert found["total_freeboard_uncertainty_common"] == pytest.approx(0.03)
    assert found["total_freeboard_uncertainty_random"] == pytest.approx(np.sqrt(0.0024 / 24_000))
    assert found["n_tracks"] == 4


def test_passes_of_different_length_weigh_by_their_segments():
    found = one([sums_of(beam(300), track="a"), sums_of(beam(700), track="b")], errors=NO_CORRECTIONS)
    assert found["total_freeboard_uncertainty_track"] == pytest.approx(0.04 * np.sqrt(0.3**2 + 0.7**2))


def test_a_pass_that_crosses_midnight_is_one_pass():
    day = np.repeat([18265, 18266], 500)
    found = one([sums_of(beam(day=day))], errors=NO_CORRECTIONS)
    assert found["total_freeboard_uncertainty_track"] == pytest.approx(0.04)
    assert (found["n_tracks"], found["n_days"]) == (1, 2)


def test_corrections_are_not_smaller_than_along_the_track():
    """A mean over 1 km has the largest error of corrections of all bins: ours is at least that."""
    x = np.arange(0.0, 60_000.0, 20.0)
    zero = np.zeros(x.size)
    along = averages.mean_freeboard(
        x,
        zero,
        sigma_random=zero,
        sigma_sea_surface=zero,
        section_x=np.arange(0.0, 60_001.0, 5_000.0),
        lengths_m=(1_000.0, 25_000.0),
        errors=CorrelatedErrors(section_spacing_m=5_000.0),
    )
    silent = beam(sea_surface_uncertainty=np.zeros(1000), sea_surface_common=np.zeros(1000))
    found = one([sums_of(silent)])["total_freeboard_uncertainty_track"]
    assert float(np.median(along[1_000.0].uncertainty_corrections)) < found < 0.03
    assert float(np.max(along[25_000.0].uncertainty_corrections)) < found


def test_errors_that_are_drawn_are_as_large_as_stated():
    """Monte Carlo: noise per segment, one error per pass, one for all; 150 draws."""
    rng = np.random.default_rng(11)
    lengths = {"a": 400, "b": 100, "c": 250}
    draws = []
    for _ in range(150):
        common = rng.normal(0.0, 0.03)
        parts = []
        for track, n in lengths.items():
            board = 1.0 + common + rng.normal(0.0, 0.04) + rng.normal(0.0, np.sqrt(0.0024), n)
            parts.append(sums_of(beam(n, freeboard=board), track=track))
        found = one(parts, errors=NO_CORRECTIONS)
        draws.append(found["total_freeboard"])
    assert np.std(draws) == pytest.approx(found["total_freeboard_uncertainty"], rel=0.16)  # 1 / sqrt(2 n) is 6 %
    assert np.mean(draws) == pytest.approx(1.0, abs=4 * found["total_freeboard_uncertainty"] / np.sqrt(150))


def test_the_random_part_alone_by_monte_carlo():
    rng = np.random.default_rng(12)
    board = 1.0 + rng.normal(0.0, np.sqrt(0.0024), (200, 200))
    means = [one([sums_of(beam(200, freeboard=b))])["total_freeboard"] for b in board]
    found = one([sums_of(beam(200))])["total_freeboard_uncertainty_random"]
    assert np.std(means) == pytest.approx(found, rel=0.1)


def test_the_sea_surface_has_all_of_the_corrections_in_it():
    errors = CorrelatedErrors(mss_m=0.03, tide_m=0.05, dac_m=0.02)
    found = one([sums_of(beam(), track=t) for t in "ab"], errors=errors)
    assert found["sea_surface_height"] == pytest.approx(0.05)
    track = np.sqrt((0.04**2 + 0.05**2 + 0.02**2) / 2)
    assert found["sea_surface_height_uncertainty_track"] == pytest.approx(track)
    # the mean sea surface, late photons and the common part of the leads are the same for both passes
    assert found["sea_surface_height_uncertainty_common"] == pytest.approx(np.sqrt(0.03**2 + 0.03**2 + 0.01**2))


def with_water(n: int, share: float, *, chance: float | None = None):
    classes, probability = np.zeros(n, int), np.zeros((n, 3))
    classes[: round(share * n)] = 2
    chance = share if chance is None else chance
    probability[:, 2], probability[:, 0] = chance, 1.0 - chance
    return beam(n, surface_class=classes, probability=probability)


def test_shares_and_the_doubt_about_classes():
    found = one([sums_of(with_water(1000, 0.05, chance=0.08))])
    assert found["open_water_fraction"] == pytest.approx(0.05)
    assert found["thick_ice_fraction"] == pytest.approx(0.95) and found["thin_ice_fraction"] == 0.0
    assert found["open_water_fraction_uncertainty_common"] == pytest.approx(0.03, abs=1e-6)
    # one pass: the largest variance that a share can have, p̃ = (0.05 + ½) / 2
    assert found["open_water_fraction_uncertainty_random"] == pytest.approx(np.sqrt(0.275 * 0.725))


def test_shares_of_many_passes_scatter_as_stated():
    rng = np.random.default_rng(3)
    draws, stated = [], []
    for _ in range(60):
        shares = rng.beta(2.0, 30.0, 40)
        found = one([sums_of(with_water(200, s), track=f"{k:04d}") for k, s in enumerate(shares)])
        draws.append(found["open_water_fraction"])
        stated.append(found["open_water_fraction_uncertainty_random"])
    # never less than the true scatter, and not much more: one pass of forty is imagined
    assert np.std(draws) < 1.15 * np.mean(stated) and np.mean(stated) < 1.6 * np.std(draws)


@pytest.mark.parametrize("passes", [1, 2, 10])
def test_nothing_found_is_not_certain(passes):
    found = one([sums_of(beam(1000), track=f"{k}") for k in range(passes)])
    assert found["lead_fraction"] == 0.0 and found["lead_fraction_uncertainty"] > 0.02
    if passes == 1:
        assert found["lead_fraction_uncertainty"] > 0.4


def test_no_mean_without_an_uncertainty():
    """One lead, one window, no freeboard: numbers are there, means are not."""
    nothing = np.full(600, np.nan)
    silent = beam(600, freeboard=nothing, sea_surface=nothing, sea_surface_uncertainty=nothing)
    leads = gridding.BeamLeads(x=np.array([1e6 + 600.0]), length=np.array([30.0]))
    found = one([sums_of(silent, leads)])
    assert found["n_leads"] == 1 and found["n_segments"] == 0
    means = [v.name for v in GRID_VARIABLES if f"{v.name}_uncertainty" in GRID_NAMES]
    assert len(means) == 10
    for name in means:
        assert np.isfinite(found[name]) == np.isfinite(found[f"{name}_uncertainty"]), name
    for name in ("total_freeboard", "sea_surface_height", "roughness", "lead_length", "floe_length"):
        assert np.isnan(found[name]), name


def test_chords_have_a_mean_from_two_on():
    x = 1e6 + 2.0 * np.arange(10_000) + 1.0
    leads = gridding.BeamLeads(x=1e6 + np.array([1e3, 3e3, 9e3]), length=np.array([40.0, 20.0, 90.0]))
    found = one([sums_of(beam(10_000, x=x), leads)])
    assert found["lead_length"] == pytest.approx(50.0)
    assert found["lead_length_uncertainty_random"] == pytest.approx(np.std([40, 20, 90], ddof=1), rel=1e-3)
    assert found["lead_length_uncertainty_common"] == 5.5
    assert found["floe_length"] == pytest.approx((1_970 + 5_945) / 2)


def test_spread_of_segments_and_of_passes():
    low, high = beam(500, freeboard=np.full(500, 0.2)), beam(500, freeboard=np.full(500, 0.4))
    found = one([sums_of(low, track="a"), sums_of(high, track="b")])
    assert found["total_freeboard_sd"] == pytest.approx(np.std([0.2] * 500 + [0.4] * 500, ddof=1), rel=1e-5)
    assert found["total_freeboard_between_tracks"] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert np.isnan(one([sums_of(low)])["total_freeboard_between_tracks"])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("a", 0, 1000)], {"few_tracks", "one_day"}),
        ([("a", 0, 200), ("b", 1, 100)], {"few_tracks", "few_segments"}),
        ([("a", 0, 1000), ("b", 0, 1000), ("c", 0, 1000)], {"one_day"}),
        ([("a", 0, 1000), ("b", 0, 1000), ("c", 1, 1000)], set()),
    ],
)
def test_cells_that_rest_on_little_are_flagged(parts, expected):
    made = [sums_of(beam(n, day=np.full(n, 18265 + day)), track=t) for t, day, n in parts]
    flag = int(one(made)["sampling_flag"])
    assert {k for k, bit in FLAGS.items() if flag & bit} == expected


def test_flags_of_what_the_segments_are():
    flag = np.zeros(1000, np.int16)
    flag[:501] = 64 | 1024
    flag[:300] |= 4096
    flag[300:520] |= 16384
    flag[520:] |= 1
    found = one([sums_of(beam(quality_flag=flag))])
    assert {k for k, b in FLAGS.items() if int(found["sampling_flag"]) & b} >= {
        "mostly_filled",
        "melt_season",
        "leads_scatter_or_swell",
    }
    left_out = one([sums_of(beam(quality_flag=np.where(np.arange(1000) < 501, 1, 0)), leave_out=1)])
    assert int(left_out["sampling_flag"]) & FLAGS["mostly_left_out"] and left_out["n_left_out"] == 501


def test_cells_and_periods_come_apart():
    later = beam(300, period=np.full(300, 18293), day=np.full(300, 18300))
    other = beam(200, cell=np.full(200, 3))
    found = gridding.estimates(gridding.merge([sums_of(beam(100)), sums_of(later), sums_of(other)]))
    rows = list(zip(found.period.tolist(), found.cell.tolist(), found.values["n_segments"].tolist(), strict=True))
    assert rows == [(18262, 3, 200), (18262, 7, 100), (18293, 7, 300)]
    assert found.lead_count.shape == (3, 9) and found.floe_count.shape == (3, 11)
    assert NO_LEADS.x.size == 0
