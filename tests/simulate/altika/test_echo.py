"""Echoes, leads and receiver: against the published numbers, closed forms, shapely, and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely

from polynya.simulate.altika import echo, presets, receiver
from polynya.simulate.altika.leads import Leads, crossings, distances, draw_leads, power_law
from polynya.simulate.altika.surface import correlated


def one_lead(*, along=0.0, across=0.0, direction=0.0, length=8000.0, width=200.0, peak_db=20.0, slope=0.1) -> Leads:
    return Leads(
        along=np.array([along]),
        across=np.array([across]),
        direction=np.array([np.deg2rad(direction)]),
        length=np.array([length]),
        width=np.array([width]),
        is_open=np.array([True]),
        peak_db=np.array([peak_db]),
        slope=np.array([np.deg2rad(slope)]),
        is_seen=np.array([True]),
    )


@pytest.fixture(scope="module")
def many():
    return draw_leads(np.random.default_rng(5), 400_000.0, presets.STANDARD)


def shape_of(leads, k):
    x1, y1, x2, y2 = (float(v[k]) for v in leads.ends())
    return shapely.LineString([(x1, y1), (x2, y2)]).buffer(float(leads.width[k]) / 2, quad_segs=100)


@pytest.mark.parametrize(("km", "gates"), [(1, 2.3), (2, 9.0), (3, 20.3), (5, 56.3)])
def test_delay_off_nadir(km, gates):
    assert float(echo.delay_gates(1000.0 * km)) == pytest.approx(gates, abs=0.05)


def test_antenna_gain_at_5_km_and_at_half_power():
    assert float(echo.antenna_gain(5000.0)) == pytest.approx(0.14, abs=0.005)
    half = presets.HEIGHT_M * math.radians(presets.BEAMWIDTH_DEG) / 2
    assert float(echo.antenna_gain(half)) == pytest.approx(0.25), "one way half the power, two ways a quarter"


def test_antenna_decay_of_the_trailing_edge():
    assert echo.antenna_decay() == pytest.approx(0.0345, abs=5e-5)
    assert 1 - math.exp(-77 * echo.antenna_decay()) == pytest.approx(0.93, abs=0.005)


def test_decays_are_those_of_the_gains_at_the_delays():
    """Gains at two distances one gate of delay apart have the ratio exp(-decay)."""
    distance = np.sqrt(np.array([3.0, 4.0]) / echo.delay_gates(1.0))
    antenna, slope = echo.antenna_gain(distance), echo.slope_gain(distance, np.deg2rad(0.1))
    assert -np.log(antenna[1] / antenna[0]) == pytest.approx(echo.antenna_decay(), rel=1e-4)
    assert -np.log(slope[1] / slope[0]) == pytest.approx(float(echo.slope_decay(np.deg2rad(0.1))), rel=1e-9)


@pytest.mark.parametrize(("decay", "rms"), [(0.0345, 0.05), (0.0345, 0.6), (0.25, 0.03)])
def test_brown_is_a_decaying_step_under_a_gaussian(decay, rms):
    """Against a numerical convolution on a grid of a hundredth of a gate."""
    width = math.hypot(presets.PULSE_GATES, rms / presets.GATE_M)
    fine = 0.01 * np.arange(-6000, 8001)
    step = np.where(fine > 0, np.exp(-decay * np.maximum(fine, 0)), np.where(np.arange(14001) == 6000, 0.5, 0.0))
    kernel = np.exp(-0.5 * (0.01 * np.arange(-1500, 1501) / width) ** 2)
    slow = np.convolve(step, kernel, mode="same")
    gate = np.arange(-20.0, 60.0)
    found = echo.brown(gate[None], decay, rms)[0]
    np.testing.assert_allclose(found, np.interp(gate, fine, slow / slow.max()), atol=0.003)
    assert found[70] / found[60] == pytest.approx(math.exp(-10 * decay), rel=1e-6)


def test_a_lead_is_the_sum_over_its_points():
    """A plain loop over points 10 m apart, by the formulas of delay and gains."""
    leads = one_lead(along=300.0, across=700.0, direction=35.0, length=3000.0, width=250.0, slope=0.12)
    shift, along = np.array([0.0, 1.3]), np.array([0.0, 2000.0])
    found = echo.specular(leads, along, shift, below_m=0.2)
    h, curve = presets.HEIGHT_M, 1 + presets.HEIGHT_M / presets.EARTH_RADIUS_M
    gates = np.arange(128)
    # A plane without end: rings of equal area, by the same formulas, give the level of peak_db.
    ring, plane = 5.0, np.zeros(128)
    for d in np.arange(ring / 2, 6000.0, ring):
        plane += 2 * math.pi * d * ring * weight(d, 0.12) * pulse(gates, 50 + d**2 * curve / (2 * h * presets.GATE_M))
    level = 100.0 / plane.max()
    for row in range(2):
        slow = np.zeros(128)
        for u in np.arange(-1495.0, 1500.0, 10.0):
            for v in np.arange(-120.0, 125.0, 10.0):
                x = 300.0 + u * math.cos(math.radians(35)) - v * math.sin(math.radians(35))
                y = 700.0 + u * math.sin(math.radians(35)) + v * math.cos(math.radians(35))
                d = math.hypot(x - along[row], y)
                late = 50 + shift[row] + 0.2 / presets.GATE_M + d**2 * curve / (2 * h * presets.GATE_M)
                slow += 100.0 * weight(d, 0.12) * pulse(gates, late)
        np.testing.assert_allclose(found[row], level * slow, atol=0.04 * level * slow.max())


def weight(d, slope_deg):
    angle = d * (1 + presets.HEIGHT_M / presets.EARTH_RADIUS_M) / presets.HEIGHT_M / math.radians(slope_deg)
    beam = (d / presets.HEIGHT_M) ** 2 / math.radians(0.605) ** 2
    return math.exp(-8 * math.log(2) * beam - 0.5 * angle**2)


def pulse(gates, place):
    return np.exp(-0.5 * ((gates - place) / 0.513) ** 2)


@pytest.mark.parametrize("slope", [0.06, 0.2])
def test_a_lead_without_end_has_its_peak(slope):
    leads = one_lead(length=14_000.0, width=14_000.0, peak_db=17.0, slope=slope)
    places = np.linspace(-0.5, 0.5, 9)
    found = echo.specular(leads, np.zeros(9), places, below_m=0.0).max()
    assert 10 * math.log10(found) == pytest.approx(17.0, abs=0.15)


def test_narrow_leads_are_weaker_in_proportion_to_their_width():
    peaks = [echo.specular(one_lead(width=w), np.zeros(1), np.zeros(1), below_m=0.0).max() for w in (50.0, 100.0)]
    assert peaks[1] / peaks[0] == pytest.approx(2.0, rel=0.03)
    assert 10 * math.log10(peaks[1]) < 20.0 - 6.0


@pytest.mark.parametrize("distance", [0.0, 500.0, 1500.0, 3000.0])
def test_a_small_lead_draws_a_hyperbola(distance):
    """The delay is 2.25 gates times the square of the distance in km."""
    leads = one_lead(along=distance, length=1.0, width=100.0, slope=0.2)
    found = echo.specular(leads, np.zeros(1), np.zeros(1), below_m=0.0)[0]
    assert int(found.argmax()) == pytest.approx(50 + 2.2535 * (distance / 1000.0) ** 2, abs=1.3)


def test_beyond_the_reach_there_is_nothing():
    assert not echo.specular(one_lead(across=7000.0), np.zeros(1), np.zeros(1), below_m=0.0).any()


def test_distances_are_those_to_the_shapes(many):
    along = np.linspace(0.0, 400_000.0, 97)
    found = distances(many, along)
    points = shapely.points(along, 0.0)
    slow = np.stack([shapely.distance(shape_of(many, k), points) for k in range(len(many))], axis=1)
    np.testing.assert_allclose(found, slow, atol=0.1)
    assert (found == 0).any()


def test_crossings_are_those_of_the_shapes(many):
    start, stop = crossings(many)
    line = shapely.LineString([(-50_000.0, 0.0), (450_000.0, 0.0)])
    crossed = 0
    for k in range(len(many)):
        part = shape_of(many, k).intersection(line)
        assert np.isnan(start[k]) == part.is_empty
        if not part.is_empty:
            assert (start[k], stop[k]) == pytest.approx((part.bounds[0], part.bounds[2]), abs=0.5)
            crossed += 1
    assert crossed > 10


@pytest.mark.parametrize("direction", [0.0, 90.0])
def test_leads_along_and_straight_across_the_track(direction):
    start, stop = crossings(one_lead(along=100.0, across=40.0, direction=direction, length=1000.0, width=200.0))
    half = 500.0 + math.sqrt(100.0**2 - 40.0**2) if direction == 0 else 100.0
    assert (start[0], stop[0]) == pytest.approx((100.0 - half, 100.0 + half), abs=1e-6)


def test_a_lead_beside_the_track_is_not_crossed():
    assert np.isnan(crossings(one_lead(across=101.0, width=200.0))).all()


@pytest.mark.parametrize("exponent", [2.2, 2.8])
def test_widths_follow_their_power_law(exponent):
    """The share below w is the integral of w^-exponent, summed numerically."""
    u = np.linspace(0.0, 1.0, 101)
    found = power_law(u, exponent)
    assert (found[0], found[-1]) == pytest.approx((100.0, 4000.0))
    grid = np.geomspace(100.0, 4000.0, 200_001)
    density = grid**-exponent
    total = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    np.testing.assert_allclose(np.interp(found, grid, total / total[-1]), u, atol=1e-4)


def test_statistics_of_many_leads():
    draws = [draw_leads(np.random.default_rng([9, k]), 140_000.0, presets.STANDARD) for k in range(300)]
    count = np.array([len(d) for d in draws]) / 158.0
    assert count.mean() == pytest.approx(0.275, abs=0.02) and 0.10 < np.quantile(count, 0.1) < 0.2
    pooled = {name: np.concatenate([getattr(d, name) for d in draws]) for name in vars(draws[0])}
    assert np.median(pooled["length"]) == pytest.approx(8000.0, rel=0.03)
    assert pooled["is_open"].mean() == pytest.approx(0.75, abs=0.02)
    wide = pooled["width"] > 300.0
    for chosen, share in (
        (pooled["is_open"] & wide, 0.95),
        (pooled["is_open"] & ~wide, 0.80),
        (~pooled["is_open"], 0.40),
    ):
        assert pooled["is_seen"][chosen].mean() == pytest.approx(share, abs=0.03)
    assert pooled["peak_db"][pooled["is_open"]].min() > pooled["peak_db"][~pooled["is_open"]].max()


def test_a_correlated_series_has_its_length():
    series = correlated(np.random.default_rng(1), 200_000, 1750.0)
    assert (series.mean(), series.std()) == pytest.approx((0.0, 1.0), abs=0.03)
    assert np.corrcoef(series[:-10], series[10:])[0, 1] == pytest.approx(math.exp(-1), abs=0.02)


def test_speckle_of_96_looks():
    found = receiver.speckled(np.random.default_rng(2), np.full((1000, 128), 3.0)) / 3.0
    assert found.mean() == pytest.approx(1.0, abs=0.002) and found.var() == pytest.approx(1 / 96, rel=0.03)


def test_the_gain_comes_two_echoes_late_and_in_whole_decibels():
    peak = np.ones(120)
    peak[40:] = 100.0
    found = receiver.gains(peak, presets.STANDARD)
    assert (found == np.round(found)).all() and (found[:42] == 0).all()
    # 20 dB are 16.4 above the clip: the loop sees 3.57 dB, a fifth of them are 0.71 dB an echo.
    assert found[42] == 1.0 and found[43] == 1.0 and found[44] == 2.0
    assert (np.diff(found[40:]) >= 0).all() and found[-1] == pytest.approx(20.0, abs=3.0)
    falling = receiver.gains(peak[::-1].copy(), presets.STANDARD)
    # Down by 20 dB nothing is clipped: the first step is 4 dB.
    assert falling[80] == falling[81] == 20.0 and falling[82] == 16.0


def test_counts_are_rounded_and_clipped():
    power = np.array([[1.0, 0.5, 3.0], [1.0, 10.0, 0.0]])
    found = receiver.counts(power, np.array([0.0, 10.0]), 450.0)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, [[450, 225, 1023], [45, 450, 0]])


def test_half_power_is_between_the_gates():
    wave = np.array([[0, 0, 100, 400, 300], [400, 100, 0, 0, 0]], np.uint16)
    np.testing.assert_allclose(receiver.half_power_gate(wave), [2.0 + 1 / 3, 0.0])
