"""Drawn and real annotation: noise by an independent computation, sub-swaths, geometry against geodesy, windows."""

from __future__ import annotations

import functools
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

import polynya
from polynya.errors import ProductError
from polynya.simulate.sentinel1 import annotation, drawn, presets, real, window
from polynya.simulate.sentinel1.metadata import Image, calibration_xml, noise_xml, product_xml
from tests import real_files
from tests.simulate.sentinel1.plain import Plain

LINES, SAMPLES = np.arange(0.0, 10708.0, 97.0), np.arange(0.0, 10487.0, 37.0)
PACKAGE = Path(polynya.__file__).parent
SAFE = real_files.ROOT / "sar" / "safe"


def real_safe(start: str = "S1A_EW_GRDM"):
    """Return a real product's folder, or skip."""
    found = sorted(SAFE.glob(f"{start}*")) if SAFE.is_dir() else []
    if not found:
        pytest.skip(f"the real annotation {start}* is not beside this checkout (set POLYNYA_REAL_DATA)")
    return found[0]


@functools.cache
def the_real_one():
    return real.read_annotation(real_safe())


def written(safe, of: annotation.Annotation):
    """Write an annotation's XML as a product has it."""
    (safe / "annotation" / "calibration").mkdir(parents=True)
    for k, polarisation in enumerate(("HH", "HV"), 1):
        image = Image(polarisation=polarisation, number=k, mean=300.0, deviation=90.0)
        (safe / "annotation" / f"{k}.xml").write_bytes(product_xml(of, image))
        (safe / "annotation" / "calibration" / f"a{k}.xml").write_bytes(calibration_xml(of, image))
        (safe / "annotation" / "calibration" / f"b{k}.xml").write_bytes(noise_xml(of, image))
    return safe


@pytest.fixture(scope="module")
def whole():
    return drawn.draw_annotation(4)[0]


def nesz_db(of, polarisation, lines, samples):
    return 10 * np.log10(annotation.noise(of, polarisation, lines, samples) / annotation.gain(of, lines, samples) ** 2)


def test_noise_and_gain_are_those_of_a_plain_computation(whole, tmp_path):
    plain = Plain(written(tmp_path / "x.SAFE", whole), "HV")
    rng = np.random.default_rng(0)
    pixels = [(int(n), int(m)) for n, m in zip(rng.integers(0, 10708, 60), rng.integers(0, 10487, 60), strict=True)]
    for block in whole.blocks:  # the corners are where rules differ
        for line in (block.first_line, block.last_line):
            pixels += [(line, block.first_sample), (line, block.last_sample)]
    pixels += [(5000, s) for s in range(10420, 10487, 6)]
    lines, samples = (np.unique([p[k] for p in pixels]).astype(float) for k in (0, 1))
    noise, gains = annotation.noise(whole, "HV", lines, samples), annotation.gain(whole, lines, samples)
    missing = 0
    for line, sample in pixels:
        gain, along, across = plain.factors(line, sample)
        at = (np.searchsorted(lines, line), np.searchsorted(samples, sample))
        missing += np.isnan(noise[at])
        np.testing.assert_allclose(noise[at], along * across, rtol=2e-6)
        np.testing.assert_allclose(gains[at], gain, rtol=2e-6)
    assert 5 < missing < 40


def test_sub_swaths_step_as_measured(whole):
    """Steps of NESZ at the borders: -6.33, -0.62, -2.33, -3.96 dB in HV and -5.86, -0.27, -2.41, -4.34 dB in HH."""
    measured = {"HV": (-6.33, -0.62, -2.33, -3.96), "HH": (-5.86, -0.27, -2.41, -4.34)}
    steps = {"HH": [], "HV": []}
    for seed in range(8):
        of = drawn.draw_annotation(seed)[0]
        borders = [b.first_sample for b in of.blocks if b.last_line == of.lines - 1][1:]
        for polarisation in steps:
            sides = [nesz_db(of, polarisation, np.array([9000.0]), np.array([b - 1.0, b]))[0] for b in borders]
            steps[polarisation].append([b - a for a, b in sides])
    for polarisation, found in steps.items():
        assert np.abs(np.mean(found, axis=0) - measured[polarisation]).max() < 0.8
        assert np.std(found, axis=0).min() > 0.1  # and other ones in every scene


def test_levels_are_those_of_the_instrument(whole):
    """Least and mean NESZ of HV by sub-swath; the sheet has -26.3/-24.6, -30.2/-29.3, -31.6/-30.2, -34.1/-32.0 dB."""
    nesz = nesz_db(whole, "HV", np.array([8000.0]), np.arange(0.0, 10430.0))[0]
    swath = annotation.swaths(whole, np.array([8000.0]), np.arange(0.0, 10430.0))[0]
    for k, (least, mean) in enumerate(((-26.3, -24.6), (-30.2, -29.3), (-31.6, -30.2), (-34.1, -32.0)), 1):
        assert abs(nesz[swath == k].min() - least) < 2.0
        assert abs(10 * np.log10(np.mean(10 ** (0.1 * nesz[swath == k]))) - mean) < 2.0


def test_sub_swaths_start_late_one_after_the_other_and_end_before_the_image(whole):
    valid = np.isfinite(annotation.noise(whole, "HH", np.arange(0.0, 800.0), SAMPLES))
    swath = annotation.swaths(whole, np.array([9000.0]), SAMPLES)[0]
    first = [valid[:, swath == k].argmax(axis=0) for k in range(1, 6)]
    starts = [int(np.median(f[valid[:, swath == k].any(axis=0)])) for k, f in enumerate(first, 1)]
    assert starts[0] == 0 and all(60 <= b - a <= 220 for a, b in pairwise(starts))
    right = annotation.noise(whole, "HH", np.array([9000.0]), np.arange(10400.0, 10487.0))[0]
    assert np.isfinite(right[0]) and np.isnan(right[-7:]).all()
    assert (np.diff(np.isnan(right).astype(int)) >= 0).all()


def test_bursts_scallop_the_noise(whole):
    """One burst in 506 lines; the factor rises from 1 by 15 to 23 %."""
    block = next(b for b in whole.blocks if b.swath == 1 and b.last_line == whole.lines - 1)
    factor = np.interp(np.arange(block.first_line, block.last_line), block.lines, block.factors["HV"])
    peaks = np.flatnonzero((factor[1:-1] > factor[:-2]) & (factor[1:-1] >= factor[2:]))
    assert np.median(np.diff(peaks)) == pytest.approx(506, abs=7)
    assert factor.min() == pytest.approx(1.0, abs=2e-3) and 1.15 < factor.max() < 1.30


def test_borders_are_staggered(whole):
    for k in range(1, 5):
        ends = [b.last_sample for b in whole.blocks if b.swath == k]
        assert len(set(ends)) == len(ends) == 4
    for line in (0, 500, 800, 7000, 10707):
        at = sorted((b for b in whole.blocks if b.first_line <= line <= b.last_line), key=lambda b: b.first_sample)
        assert all(a.last_sample < b.first_sample for a, b in pairwise(at))
    assert annotation.swaths(whole, np.array([9000.0]), np.arange(10487.0)).min() == 1


def test_lines_and_samples_are_40_m_apart(whole):
    geod = Geod(ellps="WGS84")
    lines, samples = np.arange(0.0, 10708.0, 2141.0), np.arange(0.0, 10487.0, 2097.0)
    lat, lon = annotation.positions(whole, lines, samples)
    along = geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2] / 2141.0
    across = geod.inv(lon[:, :-1], lat[:, :-1], lon[:, 1:], lat[:, 1:])[2] / 2097.0
    assert np.abs(along - 40.0).max() < 0.1 and np.abs(across - 40.0).max() < 0.1


def test_incidence_is_that_of_an_extra_wide_swath(whole):
    """The real swath has 18.88 to 46.42 degrees, and A follows from the angle: beta / sqrt(sin)."""
    angle = annotation.incidence(whole, LINES, np.array([0.0, 5243.0, 10486.0]))
    assert np.abs(angle.mean(axis=0) - (18.9, 34.45, 46.4)).max() < 0.5
    assert (np.diff(annotation.incidence(whole, LINES, SAMPLES), axis=1) > 0).all()
    gain = annotation.gain(whole, np.array([0.0]), SAMPLES)[0]
    expected = whole.calibration.beta / np.sqrt(np.sin(np.radians(annotation.incidence(whole, LINES[:1], SAMPLES)[0])))
    np.testing.assert_allclose(gain, expected, rtol=2e-3)


@pytest.mark.parametrize("hemisphere", ["north", "south"])
def test_no_place_has_land_in_its_swath(hemisphere):
    to_map = Transformer.from_crs(4326, presets.EPSG[hemisphere], always_xy=True)
    held = np.load(PACKAGE / "data" / "coastline_natural_earth_50m.npz")
    lon, lat = held["longitude"] * (180.0 / 32767.0), held["latitude"] * (90.0 / 32767.0)
    rings = [(lon[a:b], lat[a:b]) for a, b in pairwise(held["start"])]
    land = [
        shapely.Polygon(np.column_stack(to_map.transform(x, y)))
        for x, y in rings
        if (y[0] > 0) == (hemisphere == "north")
    ]
    tree = shapely.STRtree(land)
    seen = set()
    for seed in range(40):
        of, place = drawn.draw_annotation(seed, hemisphere=hemisphere)
        seen.add(place)
        latitude, longitude = annotation.positions(of, np.arange(0.0, 10708.0, 500.0), np.arange(0.0, 10487.0, 500.0))
        x, y = to_map.transform(longitude.ravel(), latitude.ravel())
        near = tree.query(shapely.box(x.min(), y.min(), x.max(), y.max()))
        around = sum((shapely.contains_xy(land[i], x, y).astype(int) for i in near), start=np.zeros(len(x), int))
        assert not (around % 2).any(), f"land in the swath of {place}, seed {seed}"
        assert (latitude > 0).all() == (hemisphere == "north")
    assert seen == set(presets.PLACES[hemisphere])


def test_a_seed_says_everything():
    first, again, other = (drawn.draw_annotation(s)[0] for s in (7, 7, 8))
    for polarisation in ("HH", "HV"):
        a, b, c = (annotation.noise(x, polarisation, LINES, SAMPLES) for x in (first, again, other))
        np.testing.assert_array_equal(a, b)
        assert np.isnan(a).sum() != np.isnan(c).sum() and np.nanmean(np.abs(a / c - 1.0)) > 0.02
    assert first.orbit == again.orbit != other.orbit


@pytest.mark.parametrize("corner", [(0, 0), (150, 2900), (1000, 4000), (6000, 8800), (10108, 9887)])
def test_a_window_says_of_its_pixels_what_the_whole_says(whole, corner):
    part = window.crop(whole, line=corner[0], sample=corner[1], lines=600, samples=600)
    lines, samples = np.arange(0.0, 600.0, 7.0), np.arange(0.0, 600.0, 5.0)
    there = (lines + corner[0], samples + corner[1])
    for polarisation in ("HH", "HV"):
        expected = annotation.noise(whole, polarisation, *there)
        np.testing.assert_allclose(annotation.noise(part, polarisation, lines, samples), expected, rtol=1e-6)
    np.testing.assert_array_equal(annotation.swaths(part, lines, samples), annotation.swaths(whole, *there))
    np.testing.assert_allclose(annotation.gain(part, lines, samples), annotation.gain(whole, *there), rtol=1e-6)
    np.testing.assert_allclose(
        annotation.incidence(part, lines, samples), annotation.incidence(whole, *there), atol=0.02
    )
    for found, known in zip(
        annotation.positions(part, lines, samples), annotation.positions(whole, *there), strict=True
    ):
        np.testing.assert_allclose(found, known, atol=5e-4)
    assert np.datetime64(part.orbit.start) - np.datetime64(whole.orbit.start) == np.timedelta64(
        round(corner[0] * whole.orbit.line_s * 1e6), "us"
    )


def test_what_is_written_is_read_again(whole, tmp_path):
    part = window.crop(whole, line=300, sample=2900, lines=500, samples=700)
    again = real.read_annotation(written(tmp_path / "x.SAFE", part))
    lines, samples = np.arange(0.0, 500.0, 9.0), np.arange(0.0, 700.0, 9.0)
    for polarisation in ("HH", "HV"):
        expected = annotation.noise(part, polarisation, lines, samples)
        np.testing.assert_allclose(annotation.noise(again, polarisation, lines, samples), expected, rtol=2e-6)
    np.testing.assert_allclose(annotation.positions(again, lines, samples), annotation.positions(part, lines, samples))
    assert again.orbit.start == part.orbit.start and again.orbit.heading == pytest.approx(part.orbit.heading)


@pytest.mark.real
@pytest.mark.parametrize(
    ("polarisation", "line", "sample", "along", "across", "gain"),
    [
        ("HH", 128, 4000, 3054.67, 1.215532, 1513.648),
        ("HH", 226, 6000, 1996.82, 1.194486, 1412.165),
        ("HH", 1350, 3114, 4890.37, 1.008735, 1572.692),
        ("HV", 226, 6000, 1369.76, 1.193556, 1412.165),
        ("HV", 1350, 3114, 3501.02, 1.008995, 1572.692),
        ("HH", 5000, 9000, 1457.291, 1.115538, 1312.427),
        ("HV", 9000, 2500, 6078.549, 1.031431, 1620.625),
    ],
)
def test_the_rule_gives_the_numbers_of_a_real_product(polarisation, line, sample, along, across, gain):
    of = the_real_one()
    at = (np.array([float(line)]), np.array([float(sample)]))
    found = annotation.range_noise(of, polarisation, *at)[0, 0]
    assert found == pytest.approx(along, abs=0.006)
    assert annotation.noise(of, polarisation, *at)[0, 0] / found == pytest.approx(across, abs=1e-5)
    assert annotation.gain(of, *at)[0, 0] == pytest.approx(gain, abs=1e-3)


@pytest.mark.real
def test_a_stripmap_product_is_refused():
    with pytest.raises(ProductError, match=r"has no annotation of HV|is a product of S4"):
        real.read_annotation(real_safe("S1C_S4_GRDH"))


def test_an_annotation_without_noise_is_refused(whole, tmp_path):
    safe = written(tmp_path / "x.SAFE", window.crop(whole, line=0, sample=0, lines=200, samples=200))
    (safe / "annotation" / "calibration" / "b2.xml").unlink()
    with pytest.raises(ProductError, match="has no noise of HV"):
        real.read_annotation(safe)
    with pytest.raises(ProductError, match="has no folder annotation/"):
        real.read_annotation(tmp_path)
