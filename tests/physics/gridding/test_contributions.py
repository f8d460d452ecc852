"""What a beam adds: which segments count, roughness of a known surface, chords of known leads."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import gridding
from polynya.physics.quality import BITS
from polynya.schema import OPEN_WATER, THIN_ICE, UNCLASSIFIED
from polynya.schema.gridded import QUANTUM

from .beams import beam, only, sums_of


def value(sums: gridding.Sums, name: str) -> float:
    return float(sums.values[name].sum() * QUANTUM[name])


def test_which_segments_count():
    classes = np.full(1000, 0)
    classes[:100], classes[100:150], classes[150:200] = THIN_ICE, OPEN_WATER, UNCLASSIFIED
    flag = np.zeros(1000, np.int16)
    flag[:30] = BITS["few_photons"]
    flag[900:] = BITS["sea_surface_filled"]  # not among those left out
    sums = sums_of(beam(surface_class=classes, quality_flag=flag), leave_out=BITS["few_photons"])
    found = {k: int(sums.values[k].sum()) for k in ("n_left_out", "n_unclassified", "n_thick", "n_thin", "n_water")}
    assert found == {"n_left_out": 30, "n_unclassified": 50, "n_thick": 800, "n_thin": 70, "n_water": 50}
    assert value(sums, "n_freeboard") == 870 and value(sums, "n_freeboard_all") == 920
    assert value(sums, "n_filled") == 100


def test_a_segment_without_sea_surface_has_a_class_and_no_freeboard():
    board = np.full(1000, 0.3)
    board[:400] = np.nan
    sums = sums_of(beam(freeboard=board, sea_surface=board, sea_surface_uncertainty=board))
    assert value(sums, "n_thick") == 1000 and value(sums, "n_freeboard") == 600 == value(sums, "n_sea_surface")


def test_the_error_is_split():
    sums = sums_of(beam())
    n = 1000
    # height: 0.05² less 0.010² of late photons; sea surface: 0.05² less its common 0.03²
    assert value(sums, "freeboard_random") == pytest.approx(n * (0.05**2 - 0.010**2), rel=1e-6)
    assert value(sums, "freeboard_track") == pytest.approx(n * 0.04, rel=1e-6)
    assert value(sums, "freeboard_common") == pytest.approx(n * 0.03, rel=1e-6)
    assert value(sums, "sea_surface_random") == 0.0


def test_cells_periods_and_days_are_kept_apart_and_outside_is_dropped():
    cell = np.repeat([7, 8, -1, 7], 250)
    day = np.repeat([18265, 18265, 18265, 18266], 250)
    sums = sums_of(beam(cell=cell, day=day))
    assert list(zip(sums.cell.tolist(), sums.day.tolist(), strict=True)) == [(7, 18265), (7, 18266), (8, 18265)]
    assert sums.values["n_freeboard"].tolist() == [250, 250, 250]


def test_cutting_the_table_of_a_beam_changes_no_sum_of_segments():
    whole, rng = beam(freeboard=np.random.default_rng(2).normal(0.3, 0.2, 1000)), np.random.default_rng(3)
    place = rng.integers(0, 4, 1000)
    merged = gridding.merge([sums_of(only(whole, place == k)) for k in (2, 0, 3, 1)])
    for name in ("freeboard", "freeboard_squares", "freeboard_random", "freeboard_track", "p_thick", "n_thick"):
        assert merged.values[name].tolist() == sums_of(whole).values[name].tolist(), name


def test_roughness_of_a_known_surface():
    rng = np.random.default_rng(5)
    n = 50_000
    x = 1e6 + 2.0 * np.arange(n) + 1.0
    height = 0.2 + 1e-5 * (x - 1e6) + rng.normal(0.0, 0.10, n) + rng.normal(0.0, np.sqrt(0.05**2 - 0.01**2), n)
    sums = sums_of(beam(n, x=x, height=height))
    assert value(sums, "n_windows") == 100
    assert np.sqrt(value(sums, "variance") / 100) == pytest.approx(0.10, abs=0.001)  # trend and noise are taken off
    estimate = gridding.estimates(sums).values
    assert estimate["roughness"][0] == pytest.approx(0.10, abs=0.001)
    assert estimate["roughness_uncertainty"][0] > 0


def test_a_window_that_is_less_than_half_full_has_no_roughness():
    whole = beam(500, height=np.random.default_rng(1).normal(0, 0.1, 500))
    assert value(sums_of(only(whole, np.arange(500) < 250)), "n_windows") == 1
    assert value(sums_of(only(whole, np.arange(500) < 249)), "n_windows") == 0


def test_chords_of_leads_and_floes():
    x = 1e6 + 2.0 * np.arange(10_000) + 1.0
    lead_x = 1e6 + np.array([1_000.0, 3_000.0, 9_000.0])
    leads = gridding.BeamLeads(x=lead_x, length=np.array([40.0, 20.0, 200.0]))
    sums = sums_of(beam(10_000, x=x), leads)
    assert value(sums, "n_leads") == 3 and value(sums, "lead_length") == pytest.approx(260.0)
    assert value(sums, "n_in_lead") == 130  # 20 + 10 + 100 segments of 2 m
    assert value(sums, "n_floes") == 2
    assert value(sums, "floe_length") == pytest.approx(2_000 - 30 + 6_000 - 110)
    assert value(sums, "n_floes_cut") == 2  # before the first lead and after the last
    bins = {k: int(v.sum()) for k, v in sums.values.items() if k.startswith("floe_bin") and v.sum()}
    assert bins == {"floe_bin_06": 1, "floe_bin_08": 1}  # 1000-2000 m, 5000-10000 m


@pytest.mark.parametrize("cause", ["gap", "cloud", "lead left out"])
def test_a_floe_that_is_not_seen_whole_is_cut(cause):
    x = 1e6 + 2.0 * np.arange(10_000) + 1.0
    leads = gridding.BeamLeads(x=1e6 + np.array([1_000.0, 3_000.0, 9_000.0]), length=np.full(3, 40.0))
    classes, flag, rows = np.zeros(10_000, int), np.zeros(10_000, np.int16), np.ones(10_000, bool)
    if cause == "gap":
        rows[2_500:2_552] = False  # 104 m between 3 and 9 km
    elif cause == "cloud":
        classes[2_500:2_552] = UNCLASSIFIED
    else:
        flag[(x > 1e6 + 8_900) & (x < 1e6 + 9_100)] = 256
    sums = sums_of(only(beam(10_000, x=x, surface_class=classes, quality_flag=flag), rows), leads, leave_out=256)
    assert value(sums, "n_floes") == 1 and value(sums, "floe_length") == pytest.approx(1_960.0)
    assert value(sums, "n_floes_cut") == 3
    assert value(sums, "n_leads") == (2 if cause == "lead left out" else 3)


@pytest.mark.parametrize("side", ["behind the first lead", "before the second lead"])
def test_a_gap_beside_a_lead_cuts_the_floe(side):
    """400 m without a segment touch a lead: what lies there was not seen, on either side of the floe."""
    x = 1e6 + 2.0 * np.arange(2_000) + 1.0
    leads = gridding.BeamLeads(x=1e6 + np.array([1_020.0, 3_020.0]), length=np.full(2, 40.0))
    begin = 1e6 + (1_040.0 if side == "behind the first lead" else 2_600.0)
    seen = (x < begin) | (x > begin + 400.0)
    sums = sums_of(only(beam(2_000, x=x), seen), leads)
    assert value(sums, "n_floes") == 0 and value(sums, "n_floes_cut") == 3 and value(sums, "n_leads") == 2


@pytest.mark.parametrize("seed", range(20))
def test_a_track_flown_the_other_way_has_the_same_floes(seed):
    rng = np.random.default_rng(seed)
    x = 2.0 * np.arange(10_000) + 1.0
    begin = 100.0 + 600.0 * np.arange(30) + 2.0 * rng.integers(0, 200, 30)
    length = 2.0 * rng.integers(4, 40, 30)
    classes = np.zeros(10_000, int)
    for start in rng.integers(0, 9_900, 25):
        classes[start : start + 60] = UNCLASSIFIED
    # Clouds may end where a lead does, or begin there.
    for k in rng.integers(0, 30, 8):
        edge = int((begin[k] + length[k] * rng.integers(0, 2)) / 2)
        classes[edge : edge + 60] = UNCLASSIFIED

    def floes(places, kinds, middles):
        leads = gridding.BeamLeads(x=middles, length=length)
        sums = sums_of(beam(10_000, x=places, surface_class=kinds), leads)
        return [value(sums, n) for n in ("n_floes", "floe_length", "n_floes_cut", "n_leads")]

    middles = begin + length / 2
    there = floes(x, classes, middles)
    assert floes(x, classes[::-1], 20_000.0 - middles) == there and there[0] > 0


def test_a_chord_beyond_the_last_edge_counts_in_the_last_bin():
    x = 1e6 + 2.0 * np.arange(40_000) + 1.0
    leads = gridding.BeamLeads(x=1e6 + np.array([100.0, 79_900.0]), length=np.array([10.0, 10.0]))
    sums = sums_of(beam(40_000, x=x), leads)
    assert value(sums, "floe_bin_10") == 1 and value(sums, "floe_length") == pytest.approx(79_790.0)


def test_leads_in_any_order_are_the_same():
    x = np.array([1e6 + 200.0, 1e6 + 900.0, 1e6 + 1_500.0])
    length = np.array([20.0, 10.0, 30.0])
    a = sums_of(beam(), gridding.BeamLeads(x=x, length=length))
    b = sums_of(beam(), gridding.BeamLeads(x=x[::-1], length=length[::-1]))
    assert all(a.values[k].tolist() == b.values[k].tolist() for k in a.values)


def test_no_segment_gives_nothing():
    assert sums_of(only(beam(10), np.zeros(10, bool))).cell.size == 0
    one = sums_of(only(beam(10), np.arange(10) == 3))
    assert one.values["n_freeboard"].tolist() == [1] and one.values["n_windows"].tolist() == [0]
