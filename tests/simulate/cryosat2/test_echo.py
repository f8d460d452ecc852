"""Strips, stacks and counts: against plain numbers, closed forms and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polynya.simulate.altika.leads import Leads
from polynya.simulate.cryosat2 import echo, files, presets, stack
from polynya.simulate.cryosat2.track import counts

FAR = np.deg2rad(np.array([80.0]))
"""A slope so large that only the antenna limits."""


def leads_at(places, *, direction=0.0, length=50.0, width=50.0, peak_db=20.0, slope=0.2) -> Leads:
    along, across = (np.array(v, float) for v in zip(*places, strict=True))
    same = np.ones(len(along))
    return Leads(
        along=along,
        across=across,
        direction=np.deg2rad(direction) * same,
        length=length * same,
        width=width * same,
        is_open=same > 0,
        peak_db=peak_db * same,
        slope=np.deg2rad(slope) * same,
        is_seen=same > 0,
    )


@pytest.mark.parametrize("km", [0.5, 1.0, 3.0, 6.0])
def test_delay_across_the_track_is_that_of_a_sphere(km):
    """By the law of cosines between the satellite, the centre of the Earth and the point."""
    radius, high, y = 6_371_000.0, 717_000.0, 1000.0 * km
    turn = y / radius
    # (r + h)^2 + r^2 - 2 r (r + h) cos(turn), written so that nothing cancels
    slant = math.sqrt(high**2 + 4.0 * radius * (radius + high) * math.sin(turn / 2.0) ** 2)
    assert float(echo.delay_gates(y)) == pytest.approx((slant - high) / 0.2342, rel=2e-4)
    assert float(echo.across_of(echo.delay_gates(y))) == pytest.approx(y)


def test_delays_in_plain_numbers():
    """1 km off nadir is 0.776 m late: 3.31 gates; the last gate sees 7.5 km."""
    assert float(echo.delay_gates(1000.0)) == pytest.approx(3.31, abs=0.005)
    assert float(echo.across_of(presets.GATES - presets.NOMINAL_GATE)) == pytest.approx(7490.0, abs=15.0)


def test_gains_at_half_power():
    half = presets.HEIGHT_M * math.radians(1.2) / 2
    assert float(echo.antenna_gain(half)) == pytest.approx(0.25), "one way half the power, two ways a quarter"
    assert float(echo.strip_gain(150.0)) == pytest.approx(0.5) and float(echo.strip_gain(0.0)) == 1.0
    # One slope's standard deviation off nadir, seen from a curved Earth
    away = math.radians(0.1) * 717_000.0 / (1 + 717 / 6371)
    assert float(echo.slope_gain(away, math.radians(0.1))) == pytest.approx(math.exp(-0.5), rel=1e-6)


def test_a_strip_holds_its_area():
    """Without antenna and slopes a strip would have 2 * 7.6 km times its length; the gains are integrated plainly."""
    y = np.arange(0.5, 7600.0)
    slow = 2.0 * np.sum(echo.antenna_gain(y)) * 300.0 * math.sqrt(math.pi / (4 * math.log(2)))
    assert echo.strips(FAR).sum() == pytest.approx(slow, rel=0.005)


def test_a_strip_by_a_plain_sum_over_points():
    """Backscatter that differs from side to side, pulse sinc^2, no blur where a mirror is seen by a few looks only."""
    slope, gate = math.radians(0.02), 70.3
    cells = np.exp(np.random.default_rng(1).normal(0.0, 0.5, (1, 53)))
    found = echo.echoes(echo.strips(np.array([slope]), cells), np.array([gate]), slope=slope, rms_height_m=0.0)[0]
    y = np.arange(-7500.0, 7500.0) + 0.5
    side = np.interp(y / presets.STEP_M, np.arange(-26, 27), cells[0])
    power = side * echo.antenna_gain(y) * echo.slope_gain(y, slope) * echo.STRIP_M
    apart = np.arange(presets.GATES)[:, None] - gate - echo.delay_gates(y)
    slow = (np.sinc(apart / 2.0) ** 2) @ power
    near = slice(60, 90)
    # Looks of a mirror of 0.02 degrees lie within some hundredths of a degree: the blur is 0.2 gates
    np.testing.assert_allclose(found[near], slow[near], atol=0.05 * slow.max())
    assert found.sum() == pytest.approx(slow.sum(), rel=0.02)


def test_a_point_has_a_peak_of_one_and_zeros_of_the_pulse():
    bins = np.zeros((1, 40))
    bins[0, 0] = 1.0  # 1/8 gate late, the middle of the bin
    narrow = math.radians(1e-4)
    found = echo.echoes(bins, np.array([100.0 - 0.125]), slope=narrow, rms_height_m=0.0)[0]
    assert found[100] == pytest.approx(1.0, abs=0.002)
    np.testing.assert_allclose(found[[98, 102, 104]], 0.0, atol=0.002)
    np.testing.assert_allclose(found[[99, 101]], (2.0 / math.pi) ** 2, atol=0.003)


def test_height_and_far_looks_widen_an_echo():
    """Second moments add: those of the heights, and of each look's view across the strip."""
    bins = np.zeros((1, 40))
    bins[0, 0] = 1.0
    gate = np.arange(presets.GATES)

    def wider(slope, rms):
        found, sharp = (
            echo.echoes(bins, np.array([100.0]), slope=s, rms_height_m=r)[0]
            for s, r in ((slope, rms), (math.radians(1e-4), 0.0))
        )
        near = slice(60, 141)
        first, second = (np.sum(f[near] * (gate[near] - 100.1) ** 2) / np.sum(f[near]) for f in (found, sharp))
        return first - second

    assert math.sqrt(wider(math.radians(1e-4), 0.5)) == pytest.approx(0.5 / 0.2342, rel=0.1)
    # Of 196 looks at 80 m, weighted with the antenna; 127 m is the standard deviation of a strip of 300 m
    look = np.arange(-97.5, 98.0)
    weight = np.exp(-0.5 * (look / 50.73) ** 2)
    angle = look * 80.0 / 717_000.0 * (1 + 717 / 6371)
    blur = math.sqrt(np.average((127.4 * angle / 0.2342) ** 2, weights=weight))
    assert math.sqrt(wider(FAR[0], 0.0)) == pytest.approx(blur, rel=0.1) and 2.0 < blur < 4.0


def test_floes_have_a_peak_of_one():
    slope = np.deg2rad(np.array([0.1, 0.3, 3.0]))
    level = 1.0 / echo.plane_peak(slope)[:, None]
    for part in (0.0, 0.4):
        found = echo.echoes(level * echo.strips(slope), np.full(3, 70.0 + part), slope=slope, rms_height_m=0.0)
        # Between two gates the peak is up to 5 % lower
        assert (found.max(axis=1) > 0.95).all() and (found.max(axis=1) < 1.01).all()
    cells = np.full((3, 53), 2.5)
    np.testing.assert_allclose(echo.strips(slope, cells), 2.5 * echo.strips(slope), rtol=1e-12)


def test_leads_across_the_track_draw_later_peaks():
    leads = leads_at([(20 * presets.STEP_M, y) for y in (0.0, 1000.0, 2000.0, 3000.0)])
    for k, late in enumerate((0.0, 3.31, 13.25, 29.81)):
        alone = Leads(**{n: v[k : k + 1] for n, v in vars(leads).items()})
        found, _ = echo.specular(alone, np.full(40, 70.0), rms_height_m=0.03)
        assert found.sum(axis=1).argmax() == 20
        assert found[20].argmax() == pytest.approx(70 + late, abs=0.7)


def test_leads_along_the_track_do_not():
    """An altimeter without Doppler beams sees a lead ahead as a hyperbola; here it answers in its own strip only."""
    leads = leads_at([(20 * presets.STEP_M, 0.0)])
    found, total = echo.specular(leads, np.full(40, 70.0), rms_height_m=0.03)
    peak = found.max(axis=1)
    assert (np.delete(peak, [19, 20, 21]) == 0.0).all()
    # 308.6 m from the middle of a beam of 300 m: exp(-4 ln 2 (308.6 / 300)^2), about 5 %
    assert peak[19] / peak[20] == pytest.approx(0.053, abs=0.01)
    assert found[19].argmax() == found[20].argmax() == 70
    np.testing.assert_allclose(total[:, 0] > 0, peak > 0)


def test_a_long_lead_across_is_the_sum_over_its_points():
    leads = leads_at([(3200.0, 300.0)], direction=70.0, length=4000.0, width=120.0, slope=0.08)
    found, total = echo.specular(leads, np.full(20, 70.0), rms_height_m=0.0)
    slope, level = math.radians(0.08), 100.0 / float(echo.plane_peak(np.deg2rad([0.08]))[0])
    cos, sin = math.cos(math.radians(70.0)), math.sin(math.radians(70.0))
    slow = np.zeros(20)
    for u in np.arange(-1995.0, 2000.0, 10.0):
        for v in np.arange(-55.0, 60.0, 10.0):
            x, y = 3200.0 + u * cos - v * sin, 300.0 + u * sin + v * cos
            gain = float(echo.antenna_gain(y) * echo.slope_gain(y, slope)) * level * 100.0
            slow += gain * np.exp(-4 * math.log(2) * ((x - presets.STEP_M * np.arange(20)) / 300.0) ** 2)
    near = slow > 0.01 * slow.max()
    np.testing.assert_allclose(total[near, 0], slow[near], rtol=0.06)
    np.testing.assert_allclose(found.sum(axis=1)[near], 2.0 * slow[near], rtol=0.08)  # a pulse has the area of 2 gates


def test_a_wide_lead_has_its_peak_over_the_floes():
    leads = leads_at([(6000.0, 0.0)], length=9000.0, width=9000.0, peak_db=20.0, slope=0.03)
    # Between two gates the peak is up to 5 % lower: four places of the surface
    found, _ = echo.specular(leads, 70.0 + 0.25 * (np.arange(40) % 4), rms_height_m=0.0)
    assert 10 * math.log10(found[18:22].max()) == pytest.approx(20.0, abs=0.1)


def test_the_stack_of_an_ocean_is_limited_by_the_antenna():
    """50.7 looks; the real ocean of the product has 51.9."""
    assert stack.antenna_std() == pytest.approx(50.7, abs=0.05)
    shape = stack.shapes(FAR)
    assert stack.gaussian_std(shape)[0] == pytest.approx(50.7, abs=0.1)
    assert shape.mean() == pytest.approx(1.0) and shape[0, 0] == pytest.approx(shape[0, -1])
    noisy = stack.speckled(np.random.default_rng(2), np.repeat(shape, 200, axis=0), np.full(200, 30.0))
    found = stack.statistics(noisy)
    assert np.median(found.std) == pytest.approx(50.7, abs=2.0)
    # Real ocean: skewness -0.15 to 0.3, kurtosis -1.2 to -0.7, peakiness 1.4 to 2.3
    assert abs(np.median(found.skewness)) < 0.3 and -1.4 < np.median(found.kurtosis) < -0.7
    assert 1.4 < np.median(found.peakiness) < 2.3


@pytest.mark.parametrize(("slope", "looks"), [(0.0142, 2.0), (0.0358, 5.04), (0.1, 13.6)])
def test_the_stack_of_a_lead_is_its_slopes_over_the_angle_between_looks(slope, looks):
    """A look changes the angle to the vertical by 80 m / 717 km (1 + 717 / 6371): 0.00711 degrees."""
    assert float(stack.slope_std(np.deg2rad(slope))) == pytest.approx(slope / 0.00711, rel=0.002)
    both = math.hypot(1 / math.hypot(1 / (slope / 0.00711), 1 / 50.73), 0.5)
    found = stack.gaussian_std(stack.shapes(np.deg2rad(np.array([slope]))))[0]
    assert found == pytest.approx(both, rel=0.01) and found == pytest.approx(looks, rel=0.06)


def test_a_gaussian_is_found_under_noise_and_away_from_the_middle():
    look = np.arange(196.0)
    power = np.stack([np.exp(-0.5 * ((look - m) / s) ** 2) for m, s in ((97.5, 3.0), (80.0, 8.0), (110.0, 40.0))])
    # Thermal noise whose mean was taken off
    power = np.maximum(power + np.random.default_rng(4).uniform(-0.004, 0.004, power.shape), 0.0)
    np.testing.assert_allclose(stack.gaussian_std(power), [3.0, 8.0, 40.0], rtol=0.06)
    assert np.isnan(stack.gaussian_std(np.cosh((look - 97.5) / 50.0)[None])[0]), (
        "no Gaussian has its least in the middle"
    )


def test_statistics_of_four_looks(monkeypatch):
    """Values 0, 2, 2, 0 about their mean of 1: skewness 0, kurtosis 1 - 3; the looks at nadir are twice the mean."""
    monkeypatch.setattr(presets, "LOOKS", 4)
    found = stack.statistics(np.array([[0.0, 2.0, 2.0, 0.0]]))
    assert found.skewness[0] == 0.0 and found.kurtosis[0] == -2.0 and found.peakiness[0] == 2.0


def test_counts_are_scaled_to_each_echos_largest():
    watts = np.array([[1e-15, 4e-15, 0.0], [3e-13, 1e-13, 2e-13]])
    found, scale = counts(watts)
    assert found.dtype == np.uint16 and (found.max(axis=1) == 65535).all()
    np.testing.assert_allclose(found * scale[:, None], watts, atol=4e-13 / 65535)
    factor, power = files.scale_words(scale)
    np.testing.assert_allclose(factor * 1e-9 * 2.0**power, scale, rtol=5e-9)
    assert ((factor >= 250_000_000) & (factor <= 500_000_000)).all()
